"""Cards of models as pages."""

from __future__ import annotations

from pathlib import Path

from particlespy_ml.models.column_mapper import ColumnMapper
from particlespy_ml.models.model import Classifier, ParticleFinder
from particlespy_ml.models.tasks import TASKS

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
NOT_MEASURED = "not measured"
SERIES_CALL = 's.find_heights("defocus")'
TITLES = {
    "evaluation_other_make": "On simulations of another make",
    "evaluation": "By dose",
    "evaluation_harsh": "With every fault of the training",
    "evaluation_incoherent": "On incoherent images",
    "evaluation_paper_range": "In the range of the paper",
}
NAMES = {
    "iou": "IoU of masks",
    "f1": "F1",
    "two_class": "two classes",
    "three_class": "three classes",
    "exact": "height exact",
    "within_one": "within one",
    "misplacement": "misplacement (Å, rms along an axis)",
    "error_ratio": "errors over those stated",
    "false_per_image": "false columns an image",
    "calibration_error": "calibration error",
    "n": "images",
}


def role(card: dict) -> tuple[str, str]:
    """Return what a model does and the call that uses it, by the class that its folder is loaded as."""
    model = TASKS[card["task"]].model
    if issubclass(model, Classifier):
        return "classifies particles", f's.classify_particles(model="{card["name"]}")'
    if issubclass(model, ColumnMapper):
        several = card["architecture"].get("in_channels", 1) > 1
        return "finds atomic columns", SERIES_CALL if several else f's.find_columns(model="{card["name"]}")'
    if issubclass(model, ParticleFinder):
        return "finds particles", 's.segment_particles(method="network")'
    return "maps", f'pml.load_model("{card["name"]}")'


def dose(text: str) -> str:
    """Return a dose, or anything else that heads a row, as it is printed.

    Examples
    --------
    >>> dose("3000"), dose("100"), dose("1-2 nm")
    ('3·10³', '100', '1-2 nm')
    """
    if not text.isdigit() or int(text) < 1000:
        return text
    power = len(text) - 1
    first = int(text) / 10**power
    if first != int(first):
        return text
    return ("" if first == 1 else f"{first:.0f}·") + "10" + str(power).translate(SUPERSCRIPTS)


def value(entry) -> str:
    """Return an entry of a card as text: a number, or one with its interval."""
    if isinstance(entry, dict):
        number = entry.get("accuracy", entry.get("value", entry.get("auroc")))
        low, high = entry["interval"]
        return f"{number:.3f} ({low:.3f} to {high:.3f})"
    return f"{entry:g}" if isinstance(entry, int | float) else str(entry)


def columns(rows: dict) -> dict[str, dict[str, str]]:
    """Return the cells of a table of an evaluation: by row, by name of the column."""
    cells = {}
    for key, row in rows.items():
        if "interval" in row:
            cells[key] = {"accuracy": value(row)}
            counts = {name: row[name] for name in ("n", "structures") if isinstance(row.get(name), int)}
            cells[key] |= {NAMES.get(name, name): value(count) for name, count in counts.items()}
            continue
        cells[key] = {}
        for name, entry in row.items():
            if isinstance(entry, dict) and "interval" not in entry:  # one table in another
                cells[key] |= {f"{name}, {NAMES.get(part, part)}": value(one) for part, one in entry.items()}
            elif not isinstance(entry, list):
                cells[key][NAMES.get(name, name.replace("_", " "))] = value(entry)
    return cells


def table(rows: dict, head: str) -> list[str]:
    """Return an evaluation as lines of a table in Markdown."""
    cells = columns(rows)
    names = list(dict.fromkeys(name for row in cells.values() for name in row))
    lines = [f"| {head} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    lines += [f"| {dose(key)} | {' | '.join(row.get(name, '') for name in names)} |" for key, row in cells.items()]
    return lines


def _head(key: str) -> str:
    if key in TITLES:
        return "dose (e/Å²)"
    return {
        "evaluation_by_pixel_size": "pixel (Å)",
        "evaluation_by_source_size": "source (Å)",
        "evaluation_by_off_centring": "off centre (Å)",
    }.get(key, key.removeprefix("evaluation_by_").replace("_", " "))


def evaluations(card: dict) -> list[str]:
    """Return every evaluation of a card, with its conditions, as lines of Markdown."""
    lines = []
    for key, rows in card.items():
        if not key.startswith("evaluation") or not isinstance(rows, dict) or not rows:
            continue
        title = TITLES.get(key, "By " + key.removeprefix("evaluation_by_").replace("_", " "))
        lines += [f"### {title}", ""]
        conditions = card.get(f"{key}_conditions")
        lines += [f"{conditions[0].upper()}{conditions[1:]}.", ""] if conditions else []
        inner = rows.get("conditions")  # of images that no dose tells apart
        lines += [*table(rows, _head(key)), ""] if inner is None else [*table(inner, "condition"), ""]
    return lines


def facts(card: dict, size: float) -> dict[str, str]:
    """Return what identifies a model and what it takes, by names of the rows."""
    found = {"does": role(card)[0], "signal type": f"`{card['signal_type']}`"}
    if "pixel_size_range_angstrom" in card:
        low, high = card["pixel_size_range_angstrom"]
        pixel = card["pixel_size"]
        found["pixel"] = f"{low:g} to {high:g} Å; resampled to {pixel['value']:g} {pixel['unit']}"
    for key, unit in (("diameter_range_nm", "nm"), ("diameter_range_px", "pixels")):
        if key in card:
            found["particles"] = "{:g} to {:g} {}".format(*card[key], unit)
    if "classes" in card:
        found["classes"] = ", ".join(card["classes"]) + ("; others are refused" if card.get("rejects") else "")
    if "columns" in card:
        found["kinds of columns"] = ", ".join(
            one["kind"] + (f", 1 to {one['heights']} atoms" if one["heights"] > 1 else "") for one in card["columns"]
        )
    for key, name in (
        ("min_probability", "undefined below a probability of"),
        ("calibration_error", "calibration error"),
    ):
        if key in card:
            found[name] = f"{card[key]:g}"
    if issubclass(TASKS[card["task"]].model, ColumnMapper):
        found["images read together"] = str(card["architecture"].get("in_channels", 1))
    scalars = {key: entry for key, entry in card["evaluation"].items() if isinstance(entry, int | float)}
    found |= {NAMES.get(key, key.replace("_", " ")): value(entry) for key, entry in scalars.items()}
    found["weights"] = f"{size / 1e6:.1f} MB, sha256 `{card['sha256'][:16]}…`, seed {card['training']['seed']}"
    found["trained with"] = ", ".join(f"{name} {version}" for name, version in card["versions"].items())
    found["licence"] = card["license"]
    return found


def page(card: dict, size: float, guide: str, recipe: str) -> str:
    """Return the page of a model.

    Parameters
    ----------
    card
        Content of its card.
    size
        Size of its weights in bytes.
    guide
        Link to the guide that says more.
    recipe
        Link to its recipe.
    """
    name = card["name"]
    lines = [f"# {name}", "", "```python", role(card)[1], "```", "", "## Limits", ""]
    lines += [f"- {limit}" for limit in card["limitations"]]
    lines += ["", "## Card", "", "| what | this model |", "|---|---|"]
    lines += [f"| {key} | {text} |" for key, text in facts(card, size).items()]
    lines += ["", f"More: [guide]({guide}), [recipe]({recipe}).", "", "## How well", ""]
    lines += evaluations(card) or [f"{NOT_MEASURED.capitalize()}: the card holds no evaluation.", ""]
    if "out_of_range" in card:
        lines += ["### Told apart from what is none of its classes: area under the curve", ""]
        lines += [*table(card["out_of_range"], "dose (e/Å²)"), ""]
    if "confusion_matrix" in card:
        lines += confusion(card)
    return "\n".join(lines) + "\n"


def confusion(card: dict) -> list[str]:
    """Return the confusion matrix of a classifier as lines of Markdown."""
    matrix = card["confusion_matrix"]
    lines = ["### Confusions", "", f"Shares of each true class; {matrix['conditions']}.", ""]
    lines += [f"| true class | {' | '.join(card['classes'])} |", "|---" * (len(card["classes"]) + 1) + "|"]
    for name, row in zip(card["classes"], matrix["values"], strict=True):
        lines.append(f"| {name} | {' | '.join(f'{share:.3f}' for share in row)} |")
    return [*lines, ""]


def best_row(card: dict, best: str) -> str:
    """Return what a card says at 10³ e/Å², or of its first condition, in a few words."""
    rows = columns(card[best].get("conditions", card[best]))
    if not rows:
        return NOT_MEASURED
    key = "1000" if "1000" in rows else next(iter(rows))
    row = rows[key]
    first = next((name for name in ("accuracy", "three classes", "F1") if name in row), next(iter(row)))
    return f"{'' if key == '1000' else f'{key}: '}{first} {row[first]}"


def index(cards: dict[str, dict], best: str = "evaluation") -> str:
    """Return the page of all models, with the limits of each.

    Parameters
    ----------
    cards
        Contents, by name.
    best
        Evaluation whose row at 10³ e/Å² is shown.
    """
    lines = [
        "# Models",
        "",
        "`pml.list_models()` and `particlespy-ml models` list them. They come with the package, without a download.",
    ]
    lines += [
        "Numbers are of the cards, with 95 % intervals. Some were measured on images of a well-run microscope, some on",
        "all that their training draws: compare no two without what they were measured on.",
        "",
        "| model | does | signal type | at 10³ e/Å² | measured on | first limit |",
        "|---|---|---|---|---|---|",
    ]
    for name, card in cards.items():
        lines.append(
            f"| [{name}]({name}.md) | {role(card)[0]} | `{card['signal_type']}` | {best_row(card, best)} "
            f"| {card.get(f'{best}_conditions', '').split(';')[0]} | {card['limitations'][0]} |"
        )
    return "\n".join([*lines, "", "```{toctree}", ":hidden:", "", *cards, "```", ""])


def weights(folder: Path) -> dict[str, float]:
    """Return the size in bytes of the weights of each model in a folder."""
    return {path.parent.name: path.stat().st_size for path in sorted(folder.glob("*/model.safetensors"))}
