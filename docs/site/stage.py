"""Lay out the sources of the site: ``python -m docs.site.stage FOLDER``.

Pages of the repository come with their links turned; the gallery, the models, the commands and the reference are made
of notebooks, cards, the command line and docstrings.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import shutil
from pathlib import Path

import yaml

from docs.site import cards, gallery
from docs.site.sources import GUIDES, OTHERS, ROOT, Layout, is_external, rewrite, split_questions, without_fences

INDEX = """# particlespy_ml

Find, measure, classify and follow nanoparticles in electron micrographs, in HyperSpy.

```{image} files/docs/gold_on_carbon.png
:alt: Simulated gold particles, outlined and classified
:width: 50%
```

::::{grid} 1 2 3 3
:gutter: 3

:::{grid-item-card} Start here
:link: start
:link-type: doc
Which signal type is it? From a file of the microscope, from a PNG, on the command line.
:::
:::{grid-item-card} Questions
:link: questions/index
:link-type: doc
Why *undefined*, how to mend outlines, how far to trust a count.
:::
:::{grid-item-card} Columns of tables
:link: columns
:link-type: doc
What each column is, its unit and its error.
:::
:::{grid-item-card} Gallery
:link: gallery
:link-type: doc
Figures, each with the notebook that made it.
:::
:::{grid-item-card} Models
:link: models/index
:link-type: doc
What they reach and where not to believe them; training of your own.
:::
:::{grid-item-card} How well
:link: measured
:link-type: doc
Every result with its interval and the command that prints it.
:::
::::

```{toctree}
:hidden:

start
questions/index
guides
gallery
models/index
measured
api/index
about
```
"""
GUIDES_PAGE = """# Guides

```{{toctree}}
:maxdepth: 1

verbs
columns
{guides}
training
commands
```
"""
MEASURED_PAGE = """# Measured

```{toctree}
:maxdepth: 1

results
speed
```
"""
ABOUT_PAGE = """# About

```{toctree}
:maxdepth: 1

cite
changelog
contributing
release
extensions-list
```
"""


def notebooks() -> dict[str, dict]:
    """Return the contents of the notebooks, by name."""
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    return {path.stem: gallery.without_widgets(json.loads(path.read_text(encoding="utf-8"))) for path in paths}


def model_cards() -> dict[str, dict]:
    """Return the cards of the bundled models, by name."""
    paths = sorted((ROOT / "weights").glob("*/card.json"))
    return {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def layout() -> Layout:
    """Return where everything is on the site."""
    pages = {f"docs/{name}.md": f"guides/{name}.md" for name in GUIDES} | OTHERS
    pages |= {f"notebooks/{name}.ipynb": f"notebooks/{name}.ipynb" for name in notebooks()}
    pages |= {"README.md": "index.md", "CITATION.cff": "cite.md"}
    questions = split_questions((ROOT / "docs" / "questions.md").read_text(encoding="utf-8"))
    return Layout(pages, list(questions), list(model_cards()))


def commands() -> str:
    """Return the page of the command line, of its own help."""
    lines = ["# Command line", ""]
    for command in re.search(r"\{([\w,-]+)\}", printed("--help"))[1].split(","):
        lines += [f"## {command}", "", "```text", printed(command, "--help").rstrip(), "```", ""]
    return "\n".join(lines)


def printed(*arguments: str) -> str:
    """Return what the command line prints."""
    from particlespy_ml.cli import main

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main(list(arguments))
    return out.getvalue()


def guide_of(model: str) -> str:
    """Return the place of the first guide that speaks of a model."""
    for name in GUIDES:
        if f"`{model}`" in (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8"):
            return f"guides/{name}.md"
    return "guides.md"


def cite() -> str:
    """Return the page that says how to cite, of ``CITATION.cff``."""
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    about = yaml.safe_load(text)
    authors = " and ".join(
        one.get("name") or f"{one['family-names']}, {one['given-names']}" for one in about["authors"]
    )
    entry = {"author": f"{{{authors}}}", "title": about["title"], "version": about["version"]}
    if "date-released" in about:
        entry["year"] = str(about["date-released"])[:4]
    for key in ("doi", "url"):
        if key in about:
            entry[key] = about[key]
    width = max(map(len, entry))
    bibtex = ["@software{particlespy_ml,", *(f"  {key:{width}} = {{{value}}}," for key, value in entry.items()), "}"]
    lines = [
        "# How to cite",
        "",
        about["message"],
        "",
        "```bibtex",
        *bibtex,
        "```",
        "",
        "Say which model found or classified what, and its hash: `metadata` of every table has both, the page of each",
        "model too.",
        "",
        "## CITATION.cff",
        "",
        "```yaml",
        text.rstrip(),
        "```",
        "",
    ]
    return "\n".join(lines)


def question_pages(where: Layout) -> dict[str, str]:
    """Return the page of each question, and the one that lists them."""
    text = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
    split = split_questions(text)
    made = {}
    for anchor, page in split.items():
        place = f"questions/{anchor}.md"
        made[place] = rewrite(page, "docs/questions.md", place, where)
    intro = text[: text.index("\n## ")].rstrip()
    listed = ["", "", "```{toctree}", ":maxdepth: 1", "", *split, "```", ""]
    made["questions/index.md"] = rewrite(intro, "docs/questions.md", "questions/index.md", where) + "\n".join(listed)
    return made


def text_pages(where: Layout) -> dict[str, str]:
    """Return every page that is written in Markdown, by its place on the site; fills the files of the layout."""
    made = {
        "index.md": INDEX,
        "guides.md": GUIDES_PAGE.format(guides="\n".join(f"guides/{name}" for name in GUIDES)),
        "measured.md": MEASURED_PAGE,
        "about.md": ABOUT_PAGE,
        "cite.md": cite(),
        "commands.md": commands(),
    }
    where.files["docs/gold_on_carbon.png"] = "files/docs/gold_on_carbon.png"
    for path, place in where.pages.items():
        if path.endswith(".md") and path != "README.md":
            made[place] = rewrite((ROOT / path).read_text(encoding="utf-8"), path, place, where)
    made |= question_pages(where)
    found = model_cards()
    sizes = cards.weights(ROOT / "weights")
    made["models/index.md"] = cards.index(found)
    for name, card in found.items():
        recipe = f"particlespy_ml/training/recipes/{name}.toml"
        where.files[recipe] = f"files/{recipe}"
        made[f"models/{name}.md"] = cards.page(card, sizes[name], f"../{guide_of(name)}", f"../files/{recipe}")
    return made


def stage(folder: Path) -> None:
    """Write all sources of the site into a folder, which is emptied first."""
    from docs.site import api

    shutil.rmtree(folder, ignore_errors=True)
    where = layout()
    made = text_pages(where)
    made |= {f"api/{name}.rst": page for name, page in api.pages().items()}
    for name, notebook in notebooks().items():
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                source = "".join(cell["source"])
                cell["source"] = rewrite(source, f"notebooks/{name}.ipynb", f"notebooks/{name}.ipynb", where)
        made[f"notebooks/{name}.ipynb"] = json.dumps(notebook)
    for place, text in made.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text, encoding="utf-8")
    (folder / "gallery.md").write_text(gallery.page(notebooks(), folder), encoding="utf-8")
    for path, place in where.files.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / place)


def broken_links(text: str, page: str, where: Layout) -> list[str]:
    """Return the links of a page of the repository that lead nowhere."""
    from docs.site.sources import LINK, headings, target

    found = []
    for _, link, _ in LINK.findall(without_fences(text)):
        if is_external(link):
            continue
        path, anchor = target(page, link)
        if not (ROOT / path).exists():
            found.append(f"{page}: {link} is not there")
        elif anchor and anchor not in headings((ROOT / path).read_text(encoding="utf-8")):
            found.append(f"{page}: {path} has no heading {anchor}")
    return found


def main() -> None:
    """Lay out the sources into the folder that is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    stage(parser.parse_args().folder)


if __name__ == "__main__":
    main()
