"""Figures of an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_figures(results: dict, classes: list[str], folder: Path) -> list[Path]:
    """Write the figures of an evaluation as PNG and return their files."""
    figures = {}
    for name, draw in {"accuracy": _accuracy, "confusion": _confusion, "coverage": _coverage}.items():
        figures[name] = _figure(15 if draw is _accuracy else 10, 3.4)
        draw(figures[name], results, classes)
    return _save(figures, folder)


def draw_crystallinity(results: dict, classes: list[str], folder: Path) -> list[Path]:
    """Write the figures of the evaluation of a classifier of crystallinity as PNG and return their files."""
    curves = _figure(17, 6.5)
    axes = curves.subplots(2, 3, sharey=True).ravel()
    panels = (
        ("nominal", "dose (e/Å²), paper's optics", True),
        ("harsh", "dose (e/Å²), every fault", True),
        ("by_defocus_at_10000", "defocus", False),
        ("by_size_at_10000", "diameter", False),
        ("by_support_at_10000", "support", False),
        ("by_kind_at_10000", "kind", False),
    )
    for axis, (key, label, is_dose) in zip(axes, panels, strict=True):
        parts = results[key]
        if not parts:
            continue
        for name in ("two_class", "three_class"):
            values = {row: part.get(name, part) for row, part in parts.items()}
            if is_dose:
                _curve(axis, values, name.replace("_", " "))
            elif name in next(iter(parts.values())) or name == "three_class":
                _curve(axis, {str(place): part for place, part in enumerate(values.values())}, name.replace("_", " "))
        if is_dose:
            axis.set_xscale("log")
        else:
            axis.set_xticks(range(len(parts)), list(parts), rotation=40, ha="right", fontsize=7)
        axis.set_xlabel(label)
        axis.legend(fontsize=7)
    axes[0].set_ylabel("accuracy")
    confusion = _figure(7, 3.4)
    for axis, (dose, matrix) in zip(confusion.subplots(1, 2), results["confusion"].items(), strict=True):
        _matrix(axis, matrix, classes, f"{float(dose):g} e/Å²")
    coverage = _figure(5, 3.4)
    _selective(coverage.subplots(), {name: results[f"coverage_{name}"] for name in ("nominal_10000", "harsh")})
    return _save({"accuracy": curves, "confusion": confusion, "coverage": coverage}, folder)


def draw_segmentation(results: dict, folder: Path) -> list[Path]:
    """Write the figure of the evaluation of a model that finds particles as PNG and return its file."""
    rows = -(-len(results) // 2)
    figure = _figure(8, 3.4 * rows)
    panels = figure.subplots(rows, 2, sharey=True, squeeze=False).ravel()
    for axis, (name, doses) in zip(panels, results.items(), strict=True):
        for score in ("iou", "f1"):
            values = {dose: {"accuracy": row[score]["value"], **row[score]} for dose, row in doses.items()}
            _curve(axis, values, {"iou": "IoU of the masks", "f1": "F1 at an IoU of 0.5"}[score])
        axis.set(xscale="log", xlabel="dose (e/Å²)", title=name)
        axis.legend()
    return _save({"scores": figure}, folder)


def draw_multiscale(results: dict, folder: Path) -> list[Path]:
    """Write the figure of the evaluation of a model that finds particles on any support and return its file."""
    figure = _figure(6, 3.4)
    axis = figure.subplots()
    rows = list(results["conditions"].items())
    for offset, (score, label) in enumerate((("f1", "that can be seen"), ("f1_above_8_px", "above 8 pixels"))):
        values = [part[score]["value"] for _, part in rows]
        ends = [[abs(part[score]["interval"][k] - part[score]["value"]) for _, part in rows] for k in (0, 1)]
        axis.bar([k + 0.4 * offset for k in range(len(rows))], values, 0.38, yerr=ends, label=label)
    axis.set_xticks([k + 0.2 for k in range(len(rows))], [name for name, _ in rows])
    axis.set(ylabel="F1 at an IoU of 0.5", ylim=(0, 1))
    axis.legend()
    return _save({"scores": figure}, folder)


def draw_columns(results: dict, folder: Path) -> list[Path]:
    """Write the figure of the evaluation of a model that finds columns as PNG and return its file."""
    figure = _figure(8, 3.4)
    scores, places = figure.subplots(1, 2)
    for score, label in {"f1": "F1", "exact": "heights exact"}.items():
        values = {dose: {"accuracy": row[score]["value"], **row[score]} for dose, row in results.items()}
        _curve(scores, values, label)
    scores.set(xscale="log", xlabel="dose (e/Å²)", ylim=(0, 1.02))
    scores.legend()
    known = {float(dose): row["misplacement"] for dose, row in results.items() if row["misplacement"] is not None}
    places.plot(list(known), list(known.values()), "o-")
    scale = "log" if known else "linear"  # no axis can be logarithmic where nothing was found
    places.set(xscale=scale, yscale=scale, xlabel="dose (e/Å²)", ylabel="rms misplacement along an axis (Å)")
    places.grid(alpha=0.3)
    return _save({"columns": figure}, folder)


def _figure(width: float, height: float):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figures: dict, folder: Path) -> list[Path]:
    files = []
    for name, figure in figures.items():
        files.append(folder / f"{name}.png")
        figure.savefig(files[-1], dpi=120)
    return files


def _accuracy(figure, results: dict, classes: list[str]) -> None:
    dose, size, pixel, source, centre = figure.subplots(1, 5, sharey=True)
    for name in ("nominal", "harsh"):
        _curve(dose, results[name], name)
    dose.set(xscale="log", xlabel="dose (e/Å²)", ylabel="accuracy")
    dose.legend()
    bins = results["by_size_at_1000"]
    middles = {np.mean([float(edge) for edge in name.split()[0].split("-")]): value for name, value in bins.items()}
    _curve(size, middles, "1000 e/Å²")
    size.set(xlabel="diameter (nm)", title="1000 e/Å², nominal")
    _curve(pixel, results["by_pixel_size_at_1000"], "1000 e/Å²")
    pixel.set(xlabel="pixel size (Å)", title="1000 e/Å², nominal")
    _curve(source, results["by_source_size_at_1000"], "1000 e/Å²")
    source.set(xlabel="source size (Å)", title="1000 e/Å², nominal")
    _curve(centre, results["by_off_centring_at_1000"], "1000 e/Å²")
    centre.set(xlabel="rms off-centring (Å)", title="1000 e/Å², nominal")


def _curve(axes: Axes, values: dict, label: str) -> None:
    x = np.array([float(key) for key in values])
    y = np.array([value["accuracy"] for value in values.values()])
    low, high = np.array([value["interval"] for value in values.values()]).T
    axes.errorbar(x, y, [np.maximum(y - low, 0), np.maximum(high - y, 0)], marker="o", capsize=2, label=label)
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=0.3)


def _confusion(figure, results: dict, classes: list[str]) -> None:
    for axes, (dose, matrix) in zip(figure.subplots(1, 3), results["confusion"].items(), strict=True):
        _matrix(axes, matrix, classes, f"{dose} e/Å²")


def _matrix(axes: Axes, matrix: list, classes: list[str], title: str) -> None:
    axes.imshow(matrix, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(np.shape(matrix)):
        value = matrix[row][column]
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.5 else "black")
    short = [name[:5] for name in classes]
    axes.set_xticks(range(len(short)), short)
    axes.set_yticks(range(len(short)), short)
    axes.set(title=title, xlabel="predicted", ylabel="true")


def _coverage(figure, results: dict, classes: list[str]) -> None:
    curves = {f"{name}, 1000 e/Å²": results[f"coverage_{name}_1000"] for name in ("nominal", "harsh")}
    _selective(figure.subplots(), curves)


def _selective(axes: Axes, curves: dict) -> None:
    for name, curve in curves.items():
        axes.plot(curve["coverage"], curve["accuracy"], label=name)
    axes.set(xlabel="share of images classified", ylabel="accuracy among them")
    axes.grid(alpha=0.3)
    axes.legend()
