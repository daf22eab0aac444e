"""Figures of an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_figures(results: dict, classes: list[str], folder: Path) -> list[Path]:
    """Write the figures of an evaluation as PNG and return their files."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    files = []
    for name, draw in {"accuracy": _accuracy, "confusion": _confusion, "coverage": _coverage}.items():
        figure = Figure(figsize=(15 if draw is _accuracy else 10, 3.4), layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure, results, classes)
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
        axes.imshow(matrix, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(np.shape(matrix)):
            value = matrix[row][column]
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.5 else "black")
        short = [name[:5] for name in classes]
        axes.set_xticks(range(len(short)), short)
        axes.set_yticks(range(len(short)), short)
        axes.set(title=f"{dose} e/Å²", xlabel="predicted", ylabel="true")


def _coverage(figure, results: dict, classes: list[str]) -> None:
    axes = figure.subplots()
    for name in ("nominal", "harsh"):
        curve = results[f"coverage_{name}_1000"]
        axes.plot(curve["coverage"], curve["accuracy"], label=f"{name}, 1000 e/Å²")
    axes.set(xlabel="share of images classified", ylabel="accuracy among them")
    axes.grid(alpha=0.3)
    axes.legend()
