"""The gallery: figures of the notebooks, as they were when the notebooks ran."""

from __future__ import annotations

import base64
import re
from pathlib import Path

KINDS = {"image/png": "png", "image/jpeg": "jpg"}
WIDGET = "application/vnd.jupyter.widget-view+json"
LARGEST = 3  # figures of a notebook


def figures(notebook: dict) -> list[tuple[str, bytes]]:
    """Return the pictures among the outputs of a notebook, in order.

    Parameters
    ----------
    notebook
        Content of the file.

    Returns
    -------
    list of tuple
        Ending of the file name, and the bytes.
    """
    found = []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            for kind, ending in KINDS.items():
                if kind in output.get("data", {}):
                    data = output["data"][kind]
                    found.append((ending, base64.b64decode("".join(data))))
                    break
    return found


def without_widgets(notebook: dict) -> dict:
    """Return a notebook whose outputs are pictures, tables and text alone: nothing that a page would fetch."""
    for cell in notebook["cells"]:
        outputs = [output for output in cell.get("outputs", ()) if set(output.get("data", {})) != {WIDGET}]
        for output in outputs:
            output.get("data", {}).pop(WIDGET, None)
        if "outputs" in cell:
            cell["outputs"] = outputs
    notebook.get("metadata", {}).pop("widgets", None)
    return notebook


def title(notebook: dict) -> str:
    """Return the title of a notebook."""
    return re.match(r"# (.+)", "".join(notebook["cells"][0]["source"]))[1]


def chosen(found: list, number: int = LARGEST) -> list:
    """Return some of the figures, the first and the last among them, evenly spread."""
    if len(found) <= number:
        return found
    return [found[round(i * (len(found) - 1) / (number - 1))] for i in range(number)]


def page(notebooks: dict[str, dict], folder: Path) -> str:
    """Write the pictures into a folder and return the page that shows them.

    Parameters
    ----------
    notebooks
        Contents, by names without ending.
    folder
        Where the page goes; pictures go into ``gallery/`` there.
    """
    (folder / "gallery").mkdir(parents=True, exist_ok=True)
    lines = ["# Gallery", "", "Figures of the notebooks; each leads to how it was made.", ""]
    for name, notebook in notebooks.items():
        lines += [f"## {title(notebook)}", "", "::::{grid} 1 2 3 3", ":gutter: 2", ""]
        for number, (ending, data) in enumerate(chosen(figures(notebook))):
            picture = f"gallery/{name}_{number}.{ending}"
            (folder / picture).write_bytes(data)
            lines += [":::{grid-item-card}", f":img-top: {picture}", f":img-alt: {title(notebook)}"]
            lines += [":class-card: gallery-picture", f":link: notebooks/{name}", ":link-type: doc", ":::", ""]
        lines += ["::::", ""]
    return "\n".join([*lines, "```{toctree}", ":hidden:", "", *(f"notebooks/{name}" for name in notebooks), "```", ""])
