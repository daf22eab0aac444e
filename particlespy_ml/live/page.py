"""The page of a running watch: fractions, sizes, the last picture and the list of images, without a script."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

import numpy as np

from particlespy_ml.core.proportions import wilson_interval
from particlespy_ml.plotting.page_style import STYLE
from particlespy_ml.tables.classes import UNDEFINED

MOST_ROWS, BINS, REFRESH = 200, 30, 2
_STYLE = """
.bar { fill: #4477aa; } .whisker { stroke: #222; } td.words, th.words { text-align: left; }
.flag { color: #aa3377; } svg text { font: 12px system-ui, sans-serif; }
"""
_COLUMNS = {
    "count": "particles",
    "coverage": "coverage",
    "focus": "focus",
    "mean_diameter": "mean diameter (nm)",
}


def write_page(
    rows: Sequence[dict],
    diameters: np.ndarray,
    *,
    title: str,
    picture: str = "",
    state: str = "",
    refresh: int = REFRESH,
) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    rows
        Rows of images, in the order in which they came.
    diameters : numpy.ndarray
        In nm, of all particles that no border cuts.
    title
        Heading.
    picture
        Name of the last picture, relative to the page; none where it is empty.
    state
        What is said of the watch itself.
    refresh
        Seconds after which a browser loads the page again; 0 for never.
    """
    again = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    head = f'<meta charset="utf-8">{again}<title>{html.escape(title)}</title><style>{STYLE}{_STYLE}</style>'
    done = [row for row in rows if row.get("status") == "done"]
    total = sum(row.get("particles") or 0 for row in done)
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f'<p id="state">{len(rows)} images, {len(done)} of them measured: {total} particles. {html.escape(state)}</p>',
        f'<p class="small">{datetime.now():%Y-%m-%d %H:%M:%S}</p>',
    ]
    counts = class_counts(done)
    if counts:
        parts += ["<h2>Classes</h2>", fractions_figure(counts)]
    if len(diameters):
        parts += ["<h2>Sizes</h2>", sizes_figure(diameters)]
    if picture:
        shown = html.escape(picture.removesuffix(".png"))
        parts += ["<h2>Last image</h2>", f'<figure><img alt="{shown}" src="{quote(picture)}">']
        parts += [f"<figcaption>{shown}</figcaption></figure>"]
    parts += ["<h2>Images</h2>", _list(rows)]
    return "\n".join([f'<!doctype html><html lang="en"><head>{head}</head><body>', *parts, "</body></html>\n"])


def class_counts(rows: Sequence[dict]) -> dict[str, int]:
    """Return how many particles have each class, the undefined ones last."""
    counts: Counter = Counter()
    for row in rows:
        counts.update(row.get("classes") or {})
    return dict(sorted(counts.items(), key=lambda pair: (pair[0] == UNDEFINED, -pair[1], pair[0])))


def fractions_figure(counts: dict[str, int]) -> str:
    """Return fractions with their 95 % intervals as an SVG figure."""
    total, lines = sum(counts.values()), []
    for number, (name, count) in enumerate(counts.items()):
        low, high = (float(limit) for limit in wilson_interval(count / total, total))
        y, share = 24 * number, count / total
        lines += [
            f'<text x="150" y="{y + 15}" text-anchor="end">{html.escape(name)}</text>',
            f'<rect class="bar" x="160" y="{y + 3}" width="{400 * share:.1f}" height="16"/>',
            f'<line class="whisker" x1="{160 + 400 * low:.1f}" x2="{160 + 400 * high:.1f}" '
            f'y1="{y + 11}" y2="{y + 11}"/>',
            f'<text x="570" y="{y + 15}">{share:.3f} ({low:.3f} to {high:.3f}), {count}</text>',
        ]
    note = "Of all classified particles; limits of 95 % for particles that are independent of each other."
    inner = "".join(lines)
    size = f'width="780" height="{24 * len(counts)}"'
    return f'<svg id="fractions" {size}>{inner}</svg><p class="small">{note}</p>'


def sizes_figure(diameters: np.ndarray) -> str:
    """Return a histogram of diameters as an SVG figure."""
    diameters = np.asarray(diameters, float)
    counts, edges = np.histogram(diameters, bins=min(BINS, max(4, int(np.sqrt(len(diameters))))))
    width, top, lines = 600 / len(counts), max(int(counts.max()), 1), []
    for number, count in enumerate(counts):
        height = 160 * count / top
        lines.append(
            f'<rect class="bar" x="{40 + number * width:.1f}" y="{170 - height:.1f}" width="{width - 1:.1f}" '
            f'height="{height:.1f}"><title>{edges[number]:.3g} to {edges[number + 1]:.3g} nm: {count}</title></rect>'
        )
    for place, value in ((40, edges[0]), (340, (edges[0] + edges[-1]) / 2), (640, edges[-1])):
        lines.append(f'<text x="{place}" y="188" text-anchor="middle">{value:.3g}</text>')
    lines.append(f'<text x="36" y="20" text-anchor="end">{top}</text>')
    lines.append('<text x="340" y="206" text-anchor="middle">Equivalent circular diameter (nm)</text>')
    spread = f" ± {diameters.std(ddof=1):.3g} nm (standard deviation)" if len(diameters) > 1 else " nm"
    note = f"Mean {diameters.mean():.3g}{spread}, {len(diameters)} particles that no border cuts."
    return f'<svg id="sizes" width="680" height="212">{"".join(lines)}</svg><p class="small">{note}</p>'


def _list(rows: Sequence[dict]) -> str:
    """The last images, the newest first."""
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS.values())
    lines = []
    for row in reversed(rows[-MOST_ROWS:]):
        cells = "".join(f"<td>{_number(row.get(key))}</td>" for key in _COLUMNS)
        classes = ", ".join(f"{key} {count}" for key, count in (row.get("classes") or {}).items())
        said = html.escape("; ".join(filter(None, [row.get("reason"), row.get("flags")])))
        lines.append(
            f'<tr><td class="words">{html.escape(str(row.get("image") or row.get("file") or ""))}</td>'
            f'<td class="words">{html.escape(str(row.get("status", "")))}</td>{cells}'
            f'<td class="words">{html.escape(classes)}</td>'
            f'<td class="words">{html.escape(row.get("focus_reason") or "")}</td>'
            f'<td class="words flag">{said}</td></tr>'
        )
    more = f'<p class="small">The last {MOST_ROWS} of {len(rows)}.</p>' if len(rows) > MOST_ROWS else ""
    return (
        f'{more}<div class="scroll"><table id="images"><thead><tr><th class="words">image</th>'
        f'<th class="words">status</th>{head}<th class="words">classes</th><th class="words">focus by</th>'
        f'<th class="words">what is wrong</th></tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
    )


def _number(value: object) -> str:
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else html.escape(str(value))
