"""A picture of what a command writes to a terminal, as SVG: the same text gives the same bytes.

It knows the colours that vecferry uses and nothing else, so anything new shows as an error instead of as a wrong picture.
"""

import re
from html import escape

FONT, CELL, LINE, BASELINE, MARGIN, BAR = 14, 8.4, 19, 14, 20, 34
BACKGROUND, EDGE, PLAIN = "#0d1117", "#30363d", "#e6edf3"
# By the number of the escape sequence: bold, dim, red, green, yellow.
STYLES = {
    "1": 'font-weight="700" fill="#ffffff"',
    "2": 'fill="#8b949e"',
    "31": 'fill="#ff7b72"',
    "32": 'fill="#7ee787"',
    "33": 'fill="#e3b341"',
}
ESCAPE = re.compile(r"\x1b\[([0-9;]*)m")


def pieces(line: str) -> list[tuple[str, str]]:
    """The line in pieces of one style each."""
    style, found = "", []
    for number, part in enumerate(ESCAPE.split(line)):
        if number % 2 == 0:
            found.append((style, part))
        else:
            style = "" if part in ("", "0") else STYLES[part]
    return [(style, text) for style, text in found if text]


def row(line: str, top: int) -> str:
    """One line. Each piece has its own column and length, so that the columns stand also in a font of another width."""
    written, column = [], 0
    for style, text in pieces(line):
        if bare := text.strip(" "):
            x = MARGIN + (column + len(text) - len(text.lstrip(" "))) * CELL
            # Runs of blanks within a piece separate columns of a table: each word of it gets a place of its own.
            for match in re.finditer(r"\S+(?: \S+)*", bare):
                at, words = x + match.start() * CELL, match.group()
                attributes = f' {style}' if style else ""
                written.append(
                    f'<text x="{at:.1f}" y="{top + BASELINE}" textLength="{len(words) * CELL:.1f}"{attributes}>'
                    f"{escape(words)}</text>"
                )
        column += len(text)
    return "".join(f"{text}\n" for text in written)


def picture(command: str, output: str) -> str:
    """A terminal with a command and what it wrote."""
    lines = [f"\x1b[2m$\x1b[0m \x1b[1m{command}\x1b[0m", "", *output.rstrip("\n").split("\n")]
    columns = max(len(ESCAPE.sub("", line)) for line in lines)
    width, height = round(2 * MARGIN + columns * CELL), BAR + len(lines) * LINE + MARGIN
    rows = "".join(row(line, BAR + number * LINE) for number, line in enumerate(lines))
    lights = "".join(
        f'<circle cx="{MARGIN + 5 + number * 18}" cy="17" r="5.5" fill="{colour}"/>\n'
        for number, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    font = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">\n'
        f"<title>What `{escape(command)}` writes</title>\n"
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8" fill="{BACKGROUND}" stroke="{EDGE}"/>\n'
        f'{lights}<g font-family="{font}" font-size="{FONT}" fill="{PLAIN}">\n{rows}</g>\n</svg>\n'
    )
