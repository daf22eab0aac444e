"""Walk the built site as a reader does: every link leads somewhere, and answers are two clicks from the start.

``python -m docs.site.walk build/site/html`` prints the clicks to each answer; it ends with an error where a link leads
nowhere, something of another machine is loaded, or an answer is further away.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

CLICKS = 2
# What a reader asks, and a page that answers it with words that must stand there.
ANSWERS = {
    "what is the column circularity": ("columns.html", "circularity"),
    "how to correct a mask": ("questions/how-do-i-correct-the-masks.html", "measure_particles(labels=labels)"),
    "how to train on one's own images": ("training.html", "train"),
    "how far to trust a count": ("questions/how-far-may-i-trust-this-count.html", "count"),
}


class Page(HTMLParser):
    """Links, places that links may name, what is loaded, and the text of a page.

    Parameters
    ----------
    path
        Its file.
    """

    def __init__(self, path: Path):
        super().__init__()
        self.path, self.places, self.loads = path, set(), set()
        self.links: dict[str, str] = {}
        self.text: list[str] = []
        self._link: str | None = None
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag links to, names or loads."""
        given = dict(attrs)
        self.places |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and given.get("href"):
            # the words of the first of several links to one page
            self._link = None if self.links.get(given["href"]) else given["href"]
            self.links.setdefault(given["href"], "")
        if tag in ("img", "script", "source") and given.get("src"):
            self.loads.add(given["src"])
        if tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload"):
            self.loads.add(given["href"])

    def handle_endtag(self, tag: str) -> None:
        """End a link."""
        if tag == "a":
            self._link = None

    def handle_data(self, data: str) -> None:
        """Keep the words, and those of a link."""
        self.text.append(data)
        if self._link is not None:
            self.links[self._link] += data


def is_outside(link: str) -> bool:
    """Whether a link leads to another machine, or to no page at all.

    Examples
    --------
    >>> is_outside("https://hyperspy.org"), is_outside("columns.html#area")
    (True, False)
    """
    return bool(urlsplit(link).scheme or urlsplit(link).netloc) and not link.startswith("data:")


def target(page: Path, link: str) -> tuple[Path, str]:
    """File and place that a link of a page leads to."""
    parts = urlsplit(link)
    return (page.parent / unquote(parts.path)).resolve() if parts.path else page, unquote(parts.fragment)


def broken(pages: dict[Path, Page]) -> list[str]:
    """Return what leads nowhere, and what is loaded from elsewhere."""
    wrong = []
    for path, page in pages.items():
        for link in page.links:
            if is_outside(link):
                continue
            file, place = target(path, link)
            if not file.is_file():
                wrong.append(f"{path.name}: {link} is not there")
            elif place and file in pages and place not in pages[file].places:
                wrong.append(f"{path.name}: {link} names no place")
        for link in page.loads:
            if is_outside(link):
                wrong.append(f"{path.name}: {link} is loaded from elsewhere")
            elif not link.startswith("data:") and not target(path, link)[0].is_file():
                wrong.append(f"{path.name}: {link} is not there")
    return wrong


def clicks(pages: dict[Path, Page], start: Path) -> dict[Path, list[str]]:
    """Return the words of the links that lead to each page from the start in the fewest clicks."""
    found: dict[Path, list[str]] = {start: []}
    rest = [start]
    for path in rest:
        for link, words in pages[path].links.items():
            file = target(path, link)[0]
            if not is_outside(link) and file in pages and file not in found:
                found[file] = [*found[path], " ".join(words.split()) or link]
                rest.append(file)
    return found


def main(folder: str) -> int:
    """Walk a site and print what was found."""
    root = Path(folder).resolve()
    pages = {path: Page(path) for path in sorted(root.rglob("*.html")) if "_static" not in path.parts}
    wrong = broken(pages)
    ways = clicks(pages, root / "index.html")
    for question, (name, word) in ANSWERS.items():
        way = ways.get(root / name)
        if way is None or len(way) > CLICKS:
            wrong.append(f"{question}: {name} is not {CLICKS} clicks away")
            continue
        if word not in "".join(pages[root / name].text):
            wrong.append(f"{question}: {name} does not say {word!r}")
        print(f"{question}: {' > '.join(way)} ({name})")
    links = sum(len(page.links) for page in pages.values())
    print(f"{len(pages)} pages, {links} links, {len(wrong)} wrong")
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
