"""Figure of images beside those that were fitted to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = ("measured", "fitted", "left")


def plot_column_fit(
    measured: np.ndarray,
    expected: np.ndarray,
    titles: Sequence[str],
    pixel_size: float,
    *,
    figsize: tuple[float, float] | None = None,
) -> Figure:
    """Draw images, those that were fitted to them, and what is left, all in one grey scale for each image.

    Parameters
    ----------
    measured, expected
        Shape (images, rows, columns), in one unit.
    titles
        Of the images.
    pixel_size
        In nm.
    figsize
        In inches.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.plotting.column_fit import plot_column_fit
    >>> image = np.random.default_rng(0).normal(size=(1, 20, 20))
    >>> len(plot_column_fit(image, image, ["-8 nm"], 0.02).axes)
    3
    """
    from matplotlib import pyplot as plt

    count = len(measured)
    figsize = figsize or (1.2 + 2.6 * count, 8.0)
    figure, axes = plt.subplots(3, count, figsize=figsize, layout="constrained", squeeze=False)
    extent = np.array([0, measured.shape[2], measured.shape[1], 0]) * pixel_size
    for image, fitted, title, column in zip(measured, expected, titles, axes.T, strict=True):
        low, high = np.quantile(image, [0.005, 0.995])
        middle = (low + high) / 2
        for ax, shown, centre in zip(column, (image, fitted, image - fitted), (middle, middle, 0.0), strict=True):
            reach = max(high - low, 1e-12) / 2
            ax.imshow(shown, cmap="gray", vmin=centre - reach, vmax=centre + reach, extent=extent)
            ax.set(xticks=[], yticks=[])
        column[0].set_title(title)
    for ax, name in zip(axes[:, 0], ROWS, strict=True):
        ax.set_ylabel(name)
    axes[-1, 0].set_xlabel(f"{extent[1]:.1f} nm wide")
    return figure
