"""A browser that draws a page without a screen, over the pipe on which it takes orders. Needs nothing but the standard library."""

import base64
import itertools
import json
import os
import select
import subprocess
import tempfile
import time
from pathlib import Path

# It runs in containers without a sandbox of its own; what it opens was written by the test.
FLAGS = [
    "--headless", "--no-sandbox", "--no-zygote", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--no-first-run", "--force-color-profile=srgb", "--disable-background-networking", "--remote-debugging-pipe",
]  # fmt: skip
PATIENCE = 60


class Browser:
    """One page in one browser. Use it in a `with`."""

    def __init__(self, program: str, libraries: str | None):
        environment = dict(os.environ)
        if libraries:
            environment |= {"LD_LIBRARY_PATH": f"{libraries}/lib:{libraries}", "FONTCONFIG_PATH": libraries}
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        orders, self.orders = os.pipe()
        self.answers, answers = os.pipe()

        def hand_over() -> None:
            # It reads 3 and writes 4. Copies first, because either may be one of the two.
            read, write = os.dup(orders), os.dup(answers)
            os.dup2(read, 3)
            os.dup2(write, 4)

        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={self.profile.name}", "about:blank"],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=hand_over, close_fds=False,
        )  # fmt: skip
        os.close(orders)
        os.close(answers)
        self.numbers, self.rest, self.session, self.seen = itertools.count(1), b"", None, []

    def __enter__(self) -> "Browser":
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")
        self.ask("Log.enable")
        self.ask("Network.enable")
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.orders)
        os.close(self.answers)
        self.profile.cleanup()

    def next(self, until: float) -> dict:
        """The next message, whatever it is."""
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.answers], [], [], max(0, until - time.monotonic()))
            part = os.read(self.answers, 1 << 20) if ready else b""
            if not part:
                raise OSError("the browser does not answer")
            self.rest += part
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def ask(self, method: str, **parameters) -> dict:
        """The answer to an order. What else is said meanwhile is kept in `seen`."""
        number, until = next(self.numbers), time.monotonic() + PATIENCE
        order = {"id": number, "method": method, "params": parameters}
        if self.session:
            order["sessionId"] = self.session
        os.write(self.orders, json.dumps(order).encode() + b"\0")
        while True:
            message = self.next(until)
            if message.get("id") == number:
                if "error" in message:
                    raise OSError(f"{method}: {message['error']}")
                return message["result"]
            self.seen.append(message)

    def show(self, file: Path, width: int, dark: bool) -> None:
        """Open a file as it is at this width, in light or dark."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.seen.clear()
        self.ask("Page.navigate", url=file.resolve().as_uri())
        until = time.monotonic() + PATIENCE
        while not any(message.get("method") == "Page.loadEventFired" for message in self.seen):
            self.seen.append(self.next(until))

    def complaints(self) -> list[str]:
        """What the browser refused or could not do since the page was opened, and what it asked others for."""
        found = []
        for message in self.seen:
            parameters = message.get("params", {})
            if message.get("method") == "Log.entryAdded":
                found.append(parameters["entry"]["text"])
            if message.get("method") == "Network.requestWillBeSent":
                url = parameters["request"]["url"]
                if not url.startswith(("file:", "data:")):
                    found.append(f"asked for {url}")
        return found

    def value(self, expression: str):
        """What an expression comes to in the page."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def picture(self, selector: str, scale: float = 0.25) -> bytes:
        """The first thing that a selector finds, as PNG; small, because what is looked for are colours and not letters."""
        box = self.value(
            f"(({{ left, top, width, height }}) => [left + scrollX, top + scrollY, width, Math.min(height, 4000)])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        if not box:
            raise AssertionError(f"there is no {selector}")
        clip = dict(zip(("x", "y", "width", "height"), box)) | {"scale": scale}
        answer = self.ask("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(answer["data"])
