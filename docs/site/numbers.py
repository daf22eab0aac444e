"""Numbers of the pages that are data elsewhere: what ``docs/numbers.toml`` says of them."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from functools import cache

from docs.site.sources import ROOT


@dataclass(frozen=True)
class Statement:
    """A piece of text that a page must hold.

    Parameters
    ----------
    page
        Path of the page in the repository.
    text
        What it must hold, numbers put in.
    numbers
        Where the numbers come from.
    """

    page: str
    text: str
    numbers: tuple[str, ...]


@cache
def _data(source: str) -> dict:
    folder, _, name = source.rpartition("/")
    path = ROOT / "benchmarks" / "records" / f"{name}.json" if folder else ROOT / "weights" / name / "card.json"
    return json.loads(path.read_text(encoding="utf-8"))


def number(name: str):
    """Return the number of a name, such as ``MODEL/evaluation/1000/accuracy`` or ``records/NAME/KEY``.

    Parameters
    ----------
    name
        Keys apart by slashes; a slash in a key is written ``~1``.

    Raises
    ------
    KeyError
        If there is no such number.

    Examples
    --------
    >>> number("isomer-haadf/pixel_size/value")
    0.4
    """
    keys = [key.replace("~1", "/") for key in name.split("/")]
    source = "/".join(keys[:2]) if keys[0] == "records" else keys[0]
    found = _data(source)
    for key in keys[source.count("/") + 1 :]:
        try:
            found = found[int(key) if isinstance(found, list) else key]
        except (KeyError, IndexError, TypeError) as error:
            raise KeyError(f"{name}: there is no {key!r}") from error
    return found


def statements() -> list[Statement]:
    """Return all that the pages must hold."""
    content = tomllib.loads((ROOT / "docs" / "numbers.toml").read_text(encoding="utf-8"))
    found = []
    for one in content["statement"]:
        text = one["text"].format(*map(number, one["numbers"]))
        found.append(Statement(one["page"], text, tuple(one["numbers"])))
    for one in content["table"]:
        for key, shown in one["rows"].items():
            names = [name.format(key) for name in one["numbers"]]
            found.append(Statement(one["page"], one["text"].format(shown, *map(number, names)), tuple(names)))
    return found


def wrong() -> list[str]:
    """Return what the pages should hold and do not, a line each."""
    texts = {one.page: (ROOT / one.page).read_text(encoding="utf-8") for one in statements()}
    # lines are broken where they happen to be
    flat = {page: " ".join(text.split()) for page, text in texts.items()}
    return [
        f"{one.page} should say: {one.text}" for one in statements() if " ".join(one.text.split()) not in flat[one.page]
    ]
