"""The verb `plot_mixture`: cross-sections and the mixture that explains them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.columns.rows import NOT_COUNTED, check_cross_sections
from particlespy_ml.counting.selection import choose_mixture
from particlespy_ml.plotting.colours import PALETTE, line_colour

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal
    from numpy.typing import ArrayLike


def plot_mixture(
    table: BaseSignal,
    index: int = 0,
    *,
    bins: int = 60,
    criterion: str = "icl",
    width: str = "dose_and_scatter",
    n_components: int | None = None,
    max_components: int = 40,
    axes: ArrayLike | None = None,
    figsize: tuple[float, float] | None = None,
) -> np.ndarray:
    """Draw the histogram of the cross-sections of a frame with the components of the mixture, and the criterion.

    Parameters
    ----------
    table
        Column table. A lazy one is computed.
    index
        Number of the frame.
    bins
        Number of bins of the histogram.
    criterion
        "icl", "bic" or "aic".
    width, n_components, max_components
        As for `count_atoms`.
    axes
        Two axes to draw in; by default those of a new figure.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    array of matplotlib.axes.Axes
        Histogram and criterion.
    """
    check_cross_sections(table)
    table = table._computed()
    rows, _ = table.frame(index)
    usable = (rows["flags"] & int(NOT_COUNTED) == 0) & (rows["volume"] > 0)
    values = rows["volume"][usable]
    choice = choose_mixture(values, max_components, width, n_components=n_components, criterion=criterion)
    if axes is None:
        import matplotlib.pyplot as plt

        axes = plt.subplots(1, 2, figsize=figsize or (9, 3.4), layout="constrained", width_ratios=(3, 2))[1]
    left, right = axes
    edges = np.linspace(0, values.max() * 1.05, bins + 1) if len(values) else np.linspace(0, 1, bins + 1)
    left.hist(values, edges, color="#BBBBBB")
    if choice.chosen is not None:
        grid = np.linspace(edges[0], edges[-1], 1000)
        parts = choice.chosen.density(grid) * len(values) * (edges[1] - edges[0])
        for number, part in enumerate(parts.T):
            left.plot(grid, part, color=line_colour(number), linewidth=1.2)
        left.plot(grid, parts.sum(1), color="black", linewidth=0.8)
        left.set_title(f"{len(choice.chosen.means)} components", fontsize=9)
    else:
        left.set_title("not counted: " + choice.reason.split(":")[0].split(";")[0], fontsize=9)
    unit = table.units["volume"]
    left.set(xlabel=f"Scattering cross-section ({unit})", ylabel="Columns")
    for regular, name, style in ((False, "free means", "o-"), (True, "means on a smooth curve", "s-")):
        if (choice.regular if regular else choice.free) != []:
            numbers, curve = choice.criterion(criterion, regular)
            right.plot(numbers, curve, style, markersize=3, linewidth=1, color=PALETTE[6 if regular else 0], label=name)
    if choice.chosen is not None:
        right.axvline(len(choice.chosen.means), color="black", linewidth=0.8, linestyle=":")
    right.set(xlabel="Components", ylabel=criterion.upper())
    if choice.free or choice.regular:
        right.legend(frameon=False, fontsize=8)
    return np.array([left, right])
