"""A report of a run in one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import html
import io
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from particlespy_ml.core.files import replacing
from particlespy_ml.core.provenance import METADATA_NODE, package_versions
from particlespy_ml.plotting.page_style import STYLE
from particlespy_ml.tables.distributions import FEWEST, fit_distribution
from particlespy_ml.tables.units import name_with_unit

if TYPE_CHECKING:
    import pandas as pd
    from hyperspy.signals import BaseSignal

    from particlespy_ml.commands.results import Results
    from particlespy_ml.tables.distributions import FittedDistribution

MOST_ROWS, MOST_PICTURES, PICTURE = 1000, 40, 900  # so that a browser opens the report of a long run
SIZE = "equivalent_circular_diameter"


def write_report(path: Path, results: Results, pictures: dict[str, Path], command: str) -> None:
    """Write the report of a run.

    Parameters
    ----------
    path
        File to write; it is replaced only once the new one is whole.
    results
        What was made.
    pictures
        Picture of each image, by the name of its results.
    command
        Command that made them.
    """
    rows = results.to_dataframe()
    parts = [f"<h1>{html.escape(_heading(results))}</h1>", f'<p class="small">{datetime.now():%Y-%m-%d %H:%M}</p>']
    parts += ["<h2>In short</h2>", _table(_in_short(results))]
    if _has_sizes(rows):
        parts.append(
            '<p class="small">Counts are of all particles, mean diameters of those that the border does not cut.</p>'
        )
    if _has_sizes(rows):
        parts += ["<h2>Sizes</h2>", *_sizes(rows)]
    parts += ["<h2>Pictures</h2>", *(_figure(pictures[name], name) for name in results.names[:MOST_PICTURES])]
    if len(results.names) > MOST_PICTURES:
        parts.append(f'<p class="small">The first {MOST_PICTURES} of {len(results.names)}.</p>')
    if results.failures:
        failed = "".join(f"<li>{html.escape(str(file))}: {html.escape(why)}</li>" for file, why in results.failures)
        parts += ["<h2>Could not be done</h2>", f"<ul>{failed}</ul>"]
    shown = f"The first {MOST_ROWS} of {len(rows)} rows; all are in the CSV file." if len(rows) > MOST_ROWS else ""
    parts += ["<h2>Rows</h2>", f'<p class="small">{shown}</p>', f'<div class="scroll">{_table(rows[:MOST_ROWS])}</div>']
    parts += ["<h2>How it was made</h2>", f"<pre>{html.escape(_provenance(results, command))}</pre>"]
    title = f"<title>{html.escape(_heading(results))}</title><style>{STYLE}</style>"
    page = f'<!doctype html><html lang="en"><head><meta charset="utf-8">{title}</head><body>'
    with replacing(path) as part:
        part.write_text("\n".join([page, *parts, "</body></html>\n"]), encoding="utf-8")


def _heading(results: Results) -> str:
    count = sum(table.n_rows for table in results.tables)
    things = "atomic columns" if hasattr(results.tables[0], "describe_flags") else "particles"
    return f"{count} {things} in {len(results.tables)} image{'' if len(results.tables) == 1 else 's'}"


def _in_short(results: Results) -> pd.DataFrame:
    """A row for each image, or several: what summaries and totals say."""
    import pandas as pd

    return pd.concat(
        {name: _of_one(table) for name, table in zip(results.names, results.tables, strict=True)}, names=["image", ""]
    ).reset_index()


def _of_one(table: BaseSignal) -> pd.DataFrame:
    if hasattr(table, "total_counts"):
        return table.total_counts()
    summary = table.summary().drop(columns="unit")  # in the heads of this report, as in its rows
    unit = summary.attrs["units"]
    return summary.rename(columns={name: f"{name} ({unit})" for name in summary if "diameter" in name and unit})


def _has_sizes(rows: pd.DataFrame) -> bool:
    return any(name.startswith(SIZE) for name in rows)


def _sizes(rows: pd.DataFrame) -> list[str]:
    """Histogram of the diameters of all images with the law that fits them better."""
    import matplotlib.pyplot as plt
    import numpy as np

    from particlespy_ml.plotting.table import bin_edges, draw_histogram, legend_beside

    parts = []
    for column in (name for name in rows if name.startswith(SIZE)):  # one each for nm and for what has no calibration
        whole = rows[~rows["touches_border"].astype(bool)] if "touches_border" in rows else rows
        values = whole[column].to_numpy(float)
        finite = values[np.isfinite(values)]
        fitted = fit_distribution(values, "auto") if len(np.unique(finite)) >= FEWEST else None
        figure, ax = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
        try:
            entries = draw_histogram(
                ax, values, bin_edges(finite), fitted=fitted, unit=column.removeprefix(SIZE).strip(" ()")
            )
            entries.pop("all")
            legend_beside(ax, entries)
            ax.set(xlabel=column.replace("_", " ").capitalize(), ylabel="Particles")
            content = io.BytesIO()
            figure.savefig(content, dpi=110)
            content.seek(0)
        finally:
            plt.close(figure)
        cut = len(rows) - len(whole)
        note = f"{cut} particles that the border of an image cuts are left out. " if cut else ""
        parts.append(_image(content, "histogram of sizes"))
        if fitted is None:
            parts.append(f'<p class="small">{note}Too few sizes for a law.</p>')
            continue
        said = f"A {fitted.name} law, the better of two (AIC); D10, D50 and D90 by number, with 95 % limits."
        parts += [_quantiles(fitted, column.removeprefix(SIZE).strip(" ()")), f'<p class="small">{note}{said}</p>']
    return parts


def _quantiles(fitted: FittedDistribution, unit: str) -> str:
    """D10, D50 and D90 with their limits, as a table."""
    import pandas as pd

    shares = {"D10": 0.1, "D50": 0.5, "D90": 0.9}
    rows = [(name, *fitted.quantile(share)) for name, share in shares.items()]
    heads = [name_with_unit(name, unit) for name in ("value", "low", "high")]
    return _table(pd.DataFrame(rows, columns=["", *heads]))


def _figure(picture: Path, name: str) -> str:
    caption = html.escape(name)
    return f"<figure>{_image(picture, caption)}<figcaption>{caption}</figcaption></figure>"


def _image(picture: Path | io.BytesIO, text: str) -> str:
    """An image of at most `PICTURE` pixels, so that the report of many stays small."""
    from PIL import Image

    content = io.BytesIO()
    with Image.open(picture) as opened:
        small = opened.convert("RGB")
        small.thumbnail((PICTURE, PICTURE))
        small.save(content, "JPEG", quality=85)
    return f'<img alt="{text}" src="data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}">'


def _table(frame: pd.DataFrame) -> str:
    return frame.to_html(index=False, border=0, float_format="{:.4g}".format, na_rep="")


def _provenance(results: Results, command: str) -> str:
    """Command, versions, and what the tables say of how they were made, each once."""
    lines = [command, "", *(f"{name} {version}" for name, version in package_versions().items())]
    settings: dict[str, list[str]] = {}
    for name, table in zip(results.names, results.tables, strict=True):
        record = table.metadata.get_item(METADATA_NODE).as_dictionary()
        left = {key: value for key, value in record.items() if key not in ("columns", "units", "versions", "names")}
        image = left.pop("image", {})
        text = "\n".join(_lines(left))
        settings.setdefault(text, []).append(f"{name}: pixels of {_size(image)}")
    for text, names in settings.items():
        lines += ["", *names, text]
    return "\n".join(lines)


def _size(image: dict) -> str:
    rows, columns = image.get("scale", ("?", "?"))
    return f"{rows:.6g} x {columns:.6g} {image.get('units', '')}" if rows != "?" else "unknown size"


def _lines(record: dict, indent: int = 0) -> list[str]:
    lines = []
    for key, value in record.items():
        if isinstance(value, dict):
            lines += [f"{' ' * indent}{key}:", *_lines(value, indent + 2)]
        else:
            lines.append(f"{' ' * indent}{key}: {value}")
    return lines
