"""Pages of the repository as pages of the site: where each goes, and what its links become."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s]+)(\))")
FENCE = re.compile(r"^```.*?^```$", re.M | re.S)
# Pages of docs/ that are guides, in the order of the menu.
GUIDES = (
    "supports",
    "isomers",
    "hrtem",
    "columns-hrtem",
    "counting",
    "strain",
    "surface",
    "supported",
    "potentials",
    "populations",
    "relion",
    "live",
)
OTHERS = {
    "docs/start.md": "start.md",
    "docs/verbs.md": "verbs.md",
    "docs/columns.md": "columns.md",
    "docs/training.md": "training.md",
    "docs/results.md": "results.md",
    "docs/speed.md": "speed.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "RELEASE.md": "release.md",
    "packaging/hyperspy-extensions-list.md": "extensions-list.md",
}


def slug(heading: str) -> str:
    """Return the anchor of a heading, as GitHub and MyST make it.

    Examples
    --------
    >>> slug("What is `circularity`, or any other column?")
    'what-is-circularity-or-any-other-column'
    """
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def without_fences(text: str) -> str:
    """Return a page without its blocks of code, which hold no links."""
    return FENCE.sub("", text)


def headings(text: str) -> list[str]:
    """Return the anchors of all headings of a page."""
    return [slug(line) for line in re.findall(r"^#+ (.+)$", without_fences(text), re.M)]


def split_questions(text: str) -> dict[str, str]:
    """Return a page for each question, by its anchor, of the page that holds them all."""
    parts = re.split(r"^## (.+)$", text, flags=re.M)[1:]
    return {slug(title): f"# {title}\n{body.rstrip()}\n" for title, body in zip(parts[::2], parts[1::2], strict=True)}


@dataclass
class Layout:
    """Where the files of the repository are on the site.

    Parameters
    ----------
    pages
        Path of a page on the site, by its path in the repository.
    questions
        Anchors of the questions, each of which has a page.
    models
        Names of the bundled models, whose pages stand for their cards.
    files
        What pages link to beside pages: by path in the repository, those on the site. Filled by `rewrite`.
    """

    pages: dict[str, str]
    questions: list[str]
    models: list[str]
    files: dict[str, str] = field(default_factory=dict)

    def place(self, path: str, anchor: str) -> str:
        """Return where a file of the repository is on the site, with its anchor.

        Raises
        ------
        FileNotFoundError
            If the repository has no such file.
        """
        if path == "docs/questions.md":
            if not anchor:
                return "questions/index.md"
            return f"questions/{anchor}.md"
        card = re.fullmatch(r"weights/([\w-]+)/card\.json", path)
        if card and card[1] in self.models:
            return f"models/{card[1]}.md"
        if path == "notebooks":
            return "gallery.md"
        if path in self.pages:
            return self.pages[path] + (f"#{anchor}" if anchor else "")
        if not (ROOT / path).is_file():
            raise FileNotFoundError(f"no page and no file of the repository: {path}")
        self.files[path] = f"files/{path}"
        return f"files/{path}"


def target(page: str, link: str) -> tuple[str, str]:
    """Return the path in the repository and the anchor that a link of a page means."""
    path, _, anchor = link.partition("#")
    if not path:
        return page, anchor
    return PurePosixPath(os.path.normpath(PurePosixPath(page).parent / path)).as_posix(), anchor


def is_external(link: str) -> bool:
    """Whether a link leaves the repository."""
    return re.match(r"[a-z]+:", link) is not None


def rewrite(text: str, page: str, place: str, layout: Layout) -> str:
    """Return the text of a page with its links as they are on the site.

    Parameters
    ----------
    text
        Markdown.
    page
        Path of the page in the repository.
    place
        Path of the page on the site.
    layout
        Where everything is.
    """

    def one(match: re.Match) -> str:
        start, link, end = match.groups()
        if is_external(link):
            return match[0]
        path, anchor = target(page, link)
        if path == page and page != "docs/questions.md":
            return match[0]
        found, _, rest = layout.place(path, anchor).partition("#")
        relative = os.path.relpath(found, PurePosixPath(place).parent)
        return f"{start}{relative}{'#' + rest if rest else ''}{end}"

    blocks = FENCE.findall(text)
    parts = FENCE.split(text)
    done = [LINK.sub(one, part) for part in parts]
    return "".join(a + b for a, b in zip(done, [*blocks, ""], strict=True))
