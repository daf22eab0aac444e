"""The sources of the site: links lead somewhere, all that is public has a page, answers are two clicks away."""

import doctest
import os
import re
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import pytest

import particlespy_ml as pml
from docs.site import api, cards, gallery, numbers, sources, stage, walk

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "RELEASE.md"]
PAGES += sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))


@pytest.fixture(scope="module")
def where():
    return stage.layout()


@pytest.fixture(scope="module")
def texts(where):
    """All pages that are written in Markdown, by place, and those of the gallery."""
    return stage.text_pages(where)


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


def cells_of(notebook):
    return "\n\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")


def links_of(text):
    """Links, pictures, cards and entries of menus of a page, as they are written."""
    found = [link for _, link, _ in sources.LINK.findall(sources.without_fences(text))]
    found += [f"{link}.md" for link in re.findall(r"^:link: (\S+)$", text, re.M)]
    for entries in re.findall(r"^```\{toctree\}\n(?::.*\n)*\n((?:.+\n)+?)```", text, re.M):
        found += [f"{entry}.md" for entry in entries.split()]
    return found


@pytest.mark.parametrize("page", PAGES)
def test_links_of_pages_lead_somewhere(page, where):
    assert stage.broken_links(read(page), page, where) == []


def test_links_of_notebooks_lead_somewhere(where):
    for name, notebook in stage.notebooks().items():
        assert stage.broken_links(cells_of(notebook), f"notebooks/{name}.ipynb", where) == []


def test_links_out_are_addresses():
    found = [link for page in PAGES for _, link, _ in sources.LINK.findall(sources.without_fences(read(page)))]
    outside = [urlsplit(link) for link in found if sources.is_external(link)]
    assert outside
    for one in outside:
        assert one.scheme == "https" and re.fullmatch(r"[\w-]+(\.[\w-]+)+", one.netloc), one.geturl()


def test_a_broken_link_is_told(where):
    text = "[a](columns.md) [b](nowhere.md) [c](columns.md#nowhere) ![d](gone.png) [e](https://hyperspy.org)\n"
    told = stage.broken_links(text, "docs/page.md", where)
    assert told == [
        "docs/page.md: nowhere.md is not there",
        "docs/page.md: docs/columns.md has no heading nowhere",
        "docs/page.md: gone.png is not there",
    ]


def test_links_of_the_site_lead_somewhere(texts, where):
    known = set(texts) | set(where.files.values()) | set(where.pages.values()) | {"gallery.md", "api/index.md"}
    known |= {f"{name.removesuffix('.ipynb')}.md" for name in where.pages.values()}
    for place, text in texts.items():
        for link in links_of(text):
            if not sources.is_external(link):
                path = (
                    os.path.normpath(PurePosixPath(place).parent / link.partition("#")[0]) if link[0] != "#" else place
                )
                assert path in known, f"{place}: {link}"
                assert not (path.startswith("files/") and path.endswith(".md")), f"{link} of {place} is no page"


@pytest.mark.parametrize(
    ("question", "page"),
    [
        ("what is circularity", "columns.md"),
        ("how to correct a mask", "questions/how-do-i-correct-the-masks.md"),
        ("train on my own images", "training.md"),
        ("how far to trust a count", "questions/how-far-may-i-trust-this-count.md"),
        ("limits of a model", "models/isomer-haadf.md"),
    ],
)
def test_an_answer_is_two_clicks_away(question, page, texts):
    first = {os.path.normpath(link) for link in links_of(texts["index.md"])}
    second = {
        os.path.normpath(PurePosixPath(place).parent / link.partition("#")[0])
        for place in first & set(texts)
        for link in links_of(texts[place])
    }
    assert page in first | second, question


def test_every_question_has_a_page(texts):
    headings = re.findall(r"^## (.+)$", read("docs/questions.md"), re.M)
    assert len(headings) > 8
    for heading in headings:
        page = texts[f"questions/{sources.slug(heading)}.md"]
        assert page.startswith(f"# {heading}\n") and len(page) > len(heading) + 80


def test_everything_public_has_a_page_in_the_reference():
    pages = api.pages()
    public = set(pml.__all__) - set(api.rooms())
    assert {f"particlespy_ml.{name}" for name in public} | set(api.rooms()) | set(api.SIGNALS) <= set(pages)
    for name, thing in api.names().items():
        assert name in pages and api.first_line(thing), name
    for name in api.SIGNALS:
        assert name in pages["index"]
    assert "classify_particles" in pages["HAADFImage"] and "plot_histogram" in pages["ParticleTable"]
    # methods of several signals are described once
    whole = "\n".join(pages.values())
    described = re.findall(r"^\.\. auto(?:function|method|property|class):: (\S+)", whole, re.M)
    assert len(described) == len(set(described))


def test_every_page_of_a_model_is_its_card(texts):
    for name, card in stage.model_cards().items():
        page = texts[f"models/{name}.md"]
        assert all(limit in page for limit in card["limitations"])
        assert card["sha256"][:16] in page and card["license"] in page
        assert f"[{name}]({name}.md)" in texts["models/index.md"]
        assert cards.role(card)[1] in page
        for dose, row in card["evaluation"].get("conditions", card["evaluation"]).items():
            first = next(iter(row.values()))
            shown = cards.value(row if "accuracy" in row else first)
            assert f"| {cards.dose(dose)} | {shown} |" in page


def test_numbers_of_cards_are_written_with_their_intervals():
    assert cards.value({"accuracy": 0.98006, "interval": [0.96663, 0.99154]}) == "0.980 (0.967 to 0.992)"
    assert cards.value(1234) == "1234" and cards.value(0.0886) == "0.0886"
    rows = {"100": {"two": {"accuracy": 0.5, "interval": [0.25, 0.75], "n": 4}}, "300": {"one": 2, "rest": [1, 2]}}
    assert cards.table(rows, "dose") == [
        "| dose | two | one |",
        "|---|---|---|",
        "| 100 | 0.500 (0.250 to 0.750) |  |",
        "| 300 |  | 2 |",
    ]


def test_a_model_for_any_magnification_has_a_page():
    """Its card has no pixel size, and conditions in place of doses."""
    scored = {"f1": {"value": 0.9, "interval": [0.8, 0.95]}, "frames": 40}
    card = {
        "name": "mine",
        "task": "multiscale_segmentation",
        "signal_type": "HAADF",
        "architecture": {"name": "unet", "in_channels": 2},
        "diameter_range_px": [5, 54],
        "evaluation": {"conditions": {"dark": scored}, "false_per_empty_frame": 0.25},
        "evaluation_conditions": "drawn micrographs; intervals of 95 %",
        "limitations": ["Drawn alone."],
        "training": {"seed": 1},
        "versions": {"numpy": "2"},
        "license": "GPL-3.0-or-later",
        "sha256": "0123456789abcdef0123",
    }
    page = cards.page(card, 1e6, "guide.md", "recipe.toml")
    assert "| particles | 5 to 54 pixels |" in page and "| false per empty frame | 0.25 |" in page
    assert "| condition | F1 | frames |" in page and "| dark | 0.900 (0.800 to 0.950) | 40 |" in page
    assert "dark: F1 0.900" in cards.index({"mine": card})
    unknown = card | {"evaluation": {}}
    assert "Not measured" in cards.page(unknown, 1e6, "guide.md", "recipe.toml")
    assert "| not measured |" in cards.index({"mine": unknown})


def test_the_gallery_shows_every_notebook(tmp_path):
    notebooks = stage.notebooks()
    page = gallery.page(notebooks, tmp_path)
    for name in notebooks:
        pictures = list((tmp_path / "gallery").glob(f"{name}_*"))
        assert pictures and all(path.read_bytes()[:2] in (b"\x89P", b"\xff\xd8") for path in pictures)
        assert f":link: notebooks/{name}\n" in page
    assert gallery.chosen(list(range(9))) == [0, 4, 8] and gallery.chosen([1]) == [1]


def test_notebooks_keep_what_a_page_can_show():
    notebook = {
        "cells": [
            {
                "cell_type": "code",
                "outputs": [
                    {"data": {gallery.WIDGET: {}, "text/plain": "a"}},
                    {"data": {gallery.WIDGET: {}}},
                    {"output_type": "stream", "text": "b"},
                ],
            }
        ]
    }
    (cell,) = gallery.without_widgets(notebook)["cells"]
    assert cell["outputs"] == [{"data": {"text/plain": "a"}}, {"output_type": "stream", "text": "b"}]


def test_how_to_cite_is_the_citation_file(texts):
    page = texts["cite.md"]
    assert "@software{particlespy_ml," in page and f"{{{pml.__version__}}}" in page
    assert read("CITATION.cff").rstrip() in page


def test_links_are_turned(where):
    text = "[a](columns.md), ![b](populations.png), [c](../weights/isomer-haadf/card.json)\n```\n[d](x.md)\n```\n"
    turned = sources.rewrite(text, "docs/isomers.md", "guides/isomers.md", where)
    assert turned == (
        "[a](../columns.md), ![b](../files/docs/populations.png), [c](../models/isomer-haadf.md)\n```\n[d](x.md)\n```\n"
    )
    with pytest.raises(FileNotFoundError, match="no page and no file"):
        sources.rewrite("[a](nowhere.md)", "docs/isomers.md", "guides/isomers.md", where)


@pytest.mark.parametrize("module", [sources, cards, numbers, walk], ids=lambda module: module.__name__)
def test_examples(module):
    assert doctest.testmod(module).failed == 0


def test_a_walk_through_the_built_site(tmp_path, monkeypatch, capsys):
    """A small site: an answer that is two clicks away is found, one further away and what leads nowhere are told."""
    page = '<html><body id="top">{}</body></html>'
    links = {"index": ["guide.html", "https://hyperspy.org"], "guide": ["answer.html#here"], "answer": ["far.html"]}
    for name, targets in links.items():
        found = "".join(f'<a href="{one}">to {one}</a>' for one in targets)
        (tmp_path / f"{name}.html").write_text(page.format(found + '<p id="here">gold</p>'), encoding="utf-8")
    (tmp_path / "far.html").write_text(page.format("silver"), encoding="utf-8")
    monkeypatch.setattr(walk, "ANSWERS", {"where is gold": ("answer.html", "gold")})
    assert walk.main(str(tmp_path)) == 0
    assert "where is gold: to guide.html > to answer.html#here (answer.html)" in capsys.readouterr().out
    monkeypatch.setattr(walk, "ANSWERS", {"silver": ("far.html", "silver"), "lead": ("guide.html", "lead")})
    broken = '<a href="gone.html"></a><a href="guide.html#gone"></a><img src="https://elsewhere.org/a.png">'
    (tmp_path / "far.html").write_text(page.format(broken), encoding="utf-8")
    assert walk.main(str(tmp_path)) == 1
    told = capsys.readouterr().out
    for text in ("far.html is not 2 clicks", "not say 'lead'", "gone.html is not there", "names no place", "elsewhere"):
        assert text in told


def test_settings_fetch_nothing():
    """The pages work without a network, and notebooks do not run."""
    text = read("docs/site/conf.py")
    assert 'nb_execution_mode = "off"' in text and "://" not in text and "intersphinx" not in text
    assert "nb_ipywidgets_js = {}" in text
