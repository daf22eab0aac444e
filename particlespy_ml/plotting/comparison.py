"""Figure of a measured image beside a simulated one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def plot_comparison(
    measured: np.ndarray,
    simulated: np.ndarray,
    columns: pd.DataFrame,
    pixel_size: float,
    title: str = "",
    *,
    figsize: tuple[float, float] | None = None,
) -> Figure:
    """Draw two images in one grey scale, their difference, and the correlation of every column.

    Parameters
    ----------
    measured, simulated
        Shape (rows, columns), in one unit; NaN where there is nothing to compare.
    columns
        With ``row``, ``column`` in pixels and ``correlation``.
    pixel_size
        In nm.
    title
        Of the figure.
    figsize
        In inches.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from particlespy_ml.plotting.comparison import plot_comparison
    >>> image = np.random.default_rng(0).normal(size=(20, 20))
    >>> columns = pd.DataFrame({"row": [5.0], "column": [7.0], "correlation": [0.9]})
    >>> len(plot_comparison(image, image, columns, 0.02).axes)
    6
    """
    from matplotlib import pyplot as plt

    known = np.isfinite(simulated)
    both = np.concatenate([measured[known], simulated[known]]) if known.any() else measured.ravel()
    low, high = np.quantile(both, [0.005, 0.995])
    figure, axes = plt.subplots(1, 4, figsize=figsize or (13, 3.6), layout="constrained", sharex=True, sharey=True)
    extent = np.array([0, measured.shape[1], measured.shape[0], 0]) * pixel_size
    grey = {"cmap": "gray", "vmin": low, "vmax": high, "extent": extent}
    axes[0].imshow(measured, **grey)
    axes[0].set_title("measured")
    axes[1].imshow(simulated, **grey)
    axes[1].set_title("simulated")
    reach = max(high - low, 1e-12) / 2
    drawn = axes[2].imshow(measured - simulated, cmap="RdBu_r", vmin=-reach, vmax=reach, extent=extent)
    axes[2].set_title("difference")
    figure.colorbar(drawn, ax=axes[2], shrink=0.8)
    axes[3].imshow(measured, alpha=0.5, **grey)
    x, y = ((columns[name].to_numpy() + 0.5) * pixel_size for name in ("column", "row"))
    dots = axes[3].scatter(x, y, c=columns["correlation"], s=14, vmin=-1, vmax=1, cmap="viridis")
    axes[3].set_title("correlation of columns")
    figure.colorbar(dots, ax=axes[3], shrink=0.8)
    for one in axes:
        one.set_xlabel("x (nm)")
    axes[0].set_ylabel("y (nm)")
    if title:
        figure.suptitle(title, fontsize="medium")
    return figure
