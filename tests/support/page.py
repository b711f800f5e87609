"""Look at a page that vecferry wrote: as a parser reads it, and as a browser draws it.

    page.py FILE [AREA ...]

Each AREA is a CSS selector of something that must be drawn and not be blank. Prints one JSON object with what was found and
fails where the page is broken, empty, or wider than a phone. Where no browser can be had, `pictures` is null and `why` says why.
"""

import json
import struct
import subprocess
import sys
import zlib
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

from browser import Browser

ROOT = Path(__file__).resolve().parents[2]
EMPTY = {"meta", "link", "input", "br", "hr", "img"}


class Reader(HTMLParser):
    """The page as a parser reads it, with every way in which it is not what it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.wrong, self.text = [], [], []
        self.tags, self.ids, self.wanted, self.levels = Counter(), Counter(), set(), []

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags[tag] += 1
        if tag not in EMPTY:
            self.open.append(tag)
        if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self.levels.append(int(tag[1]))
        for name, value in attributes:
            if name == "id":
                self.ids[value] += 1
            elif name in ("href", "aria-labelledby"):
                if name == "href" and not value.startswith("#") and value != "data:,":
                    self.wrong.append(f"leads to {value}")
                elif value.strip("#") and value != "data:,":
                    self.wanted.add(value.removeprefix("#"))
            elif name in ("src", "srcset", "style", "action") or name.startswith("on"):
                self.wrong.append(f"<{tag}> has {name}")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.text.append(data)

    def complaints(self) -> list[str]:
        found = self.wrong + [f"<{tag}> is left open" for tag in self.open]
        found += [f"{name} is there {times} times" for name, times in self.ids.items() if times > 1]
        found += [f"nothing is called {name}" for name in self.wanted - set(self.ids)]
        steps = zip([0, *self.levels], self.levels)
        found += [f"a heading of level {after} follows one of {before}" for before, after in steps if after > before + 1]
        if self.levels.count(1) != 1:
            found.append("there is not one main heading")
        if self.tags["script"] != 1 or self.tags["style"] != 1:
            found.append("there is not one script and one style")
        return found


def pixels(png: bytes) -> list[bytes]:
    """The pixels of a PNG of 8 bits a channel, in rows."""
    at, data, header = 8, b"", b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + length]
        header = body if kind == b"IHDR" else header
        data += body if kind == b"IDAT" else b""
        at += 12 + length
    width, height, depth, colour = struct.unpack(">IIBB", header[:10])
    assert depth == 8 and colour in (2, 6), "eight bits of red, green and blue"
    wide = {2: 3, 6: 4}[colour]
    data, rows, above = zlib.decompress(data), [], bytes(width * wide)
    for start in range(0, height * (width * wide + 1), width * wide + 1):
        kind, row = data[start], bytearray(data[start + 1 : start + 1 + width * wide])
        for i in range(len(row)):
            left, up = row[i - wide] if i >= wide else 0, above[i]
            if kind == 1:
                row[i] = (row[i] + left) & 255
            elif kind == 2:
                row[i] = (row[i] + up) & 255
            elif kind == 3:
                row[i] = (row[i] + (left + up) // 2) & 255
            elif kind == 4:
                corner = above[i - wide] if i >= wide else 0
                guess = left + up - corner
                nearest = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))
                row[i] = (row[i] + nearest[2]) & 255
        above = bytes(row)
        rows += [above[i : i + 3] for i in range(0, len(above), wide)]
    return rows


def drawn(what: str, png: bytes, colours: int) -> float:
    """How bright a picture is, from 0 to 255. It must have so many colours, and one of them may not be nearly all of it."""
    points = pixels(png)
    seen = Counter(points)
    assert len(seen) >= colours, f"{what} has {len(seen)} colours"
    share = seen.most_common(1)[0][1] / len(points)
    assert share < 0.99, f"{what} is blank: {share:.1%} of it has one colour"
    return sum(sum(point) * times for point, times in seen.items()) / 3 / len(points)


def look(file: Path, areas: list[str], browser: Browser) -> list[dict]:
    """Draw the page at the desk and on a phone, light and dark."""
    found = []
    for width in (1280, 390):
        bright = {}
        for dark in (False, True):
            what = f"{width} px {'dark' if dark else 'light'}"
            browser.show(file, width, dark)
            assert browser.value("[...document.querySelectorAll('.tools')].every((one) => !one.hidden)"), f"{what}: the script did not run"
            browser.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            wide = browser.value("document.documentElement.scrollWidth")
            assert wide <= width, f"{what}: the page is {wide} px wide"
            bright[dark] = drawn(what, browser.picture("body"), 24)
            for area in areas:
                drawn(f"{area} at {what}", browser.picture(area), 5)
            complaints = browser.complaints()
            assert not complaints, f"{what}: {complaints}"
            found.append({"width": width, "dark": dark, "brightness": round(bright[dark])})
        assert bright[False] > 180 and bright[True] < 80, f"light and dark are {bright}"
    return found


def main() -> None:
    file, areas = Path(sys.argv[1]), sys.argv[2:]
    reader = Reader()
    reader.feed(file.read_text(encoding="utf-8"))
    reader.close()
    assert not reader.complaints(), reader.complaints()
    answer = {"text": " ".join(" ".join(reader.text).split()), "tags": reader.tags, "pictures": None}
    asked = subprocess.run([sys.executable, ROOT / "servers/browser.py"], capture_output=True, text=True, check=True)
    program = json.loads(asked.stdout)
    answer["why"] = program.get("why")
    if program["browser"]:
        try:
            with Browser(program["browser"], program["libraries"]) as browser:
                answer["pictures"] = look(file, areas, browser)
        except OSError as error:
            # A browser that this machine cannot run says nothing about the page.
            answer["why"] = f"{program['browser']}: {error}"
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
