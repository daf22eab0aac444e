"""Classes as nodes and the transitions between them as arrows."""

from __future__ import annotations

import numpy as np

from particlespy_ml.plotting.colours import NO_VALUE, class_colours, written

LARGEST_NODE = 0.42  # radius of a node that takes all of the time, with the nodes on a ring of radius one


def plot_transitions(transitions, min_count: float = 0.5, ax=None, figsize=None):
    """Draw the classes as nodes and the transitions between them as arrows.

    The area of a node is the fraction of time in the class, the width of an arrow grows with the logarithm of the rate.

    Parameters
    ----------
    transitions
        As `ParticleTable.transitions` returns it.
    min_count
        Leave out transitions that are expected to have taken place fewer times.
    ax
        Axes to draw in; by default a new figure's.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.dynamics import Transitions
    >>> from particlespy_ml.dynamics.rates import fit_rates
    >>> seen = np.log([[[0.9, 0.1]] * 6 + [[0.1, 0.9]] * 6 + [[0.9, 0.1]] * 6])
    >>> found = Transitions(("icosahedron", "decahedron"), fit_rates(seen, 0.5))
    >>> ax = found.plot()
    >>> len(ax.patches)  # two nodes, two arrows
    4
    """
    from matplotlib.patches import Circle, FancyArrowPatch

    fit, classes = transitions.fit, transitions.classes
    k = len(classes)
    if ax is None:
        import matplotlib.pyplot as plt

        size = 3.8 + 0.7 * k if k < 5 else 1.7 * k
        whole = (size + (0.8 if k < 5 else 1.8), size if k > 2 else 3.2)
        ax = plt.subplots(figsize=figsize or whole, layout="constrained")[1]
    colours = class_colours(classes)
    fractions = fit.occupation / max(fit.occupation.sum(), 1e-300)
    radii = LARGEST_NODE * np.sqrt(np.maximum(fractions, 0.01))
    places = _places(k)
    shown = [
        (i, j)
        for i, j in zip(*np.nonzero(~np.eye(k, dtype=bool)), strict=True)
        if fit.counts[i, j] >= min_count and fit.rates[i, j] > 0
    ]
    rates = np.log([fit.rates[i, j] for i, j in shown])
    widths = 0.8 + 2.2 * (rates - rates.min()) / np.ptp(rates) if len(shown) > 1 and np.ptp(rates) > 0.1 else 1.8
    for name, place, radius in zip(classes, places, radii, strict=True):
        ax.add_patch(Circle(place, radius, facecolor=colours[name], edgecolor="black", linewidth=0.8, zorder=3))
    for (i, j), width in zip(shown, np.broadcast_to(widths, len(shown)), strict=True):
        start, end, along, left = _lane(places[i], places[j], radii[i], radii[j])
        style = {"arrowstyle": "-|>", "mutation_scale": 8 + 2 * width, "linewidth": width, "joinstyle": "miter"}
        style |= {"shrinkA": 0, "shrinkB": 0}
        ax.add_patch(FancyArrowPatch(start, end, color=colours[classes[i]], zorder=2, **style))
        # arrows across the ring cross each other, so their labels stand near to where they come from
        across = 1 < (j - i) % k < k - 1
        length = np.linalg.norm(end - start)
        distance = 0.48 * length if not across else 0.3 if k > 4 else 0.27 * length
        middle = start + distance * along + (0.055 + 0.004 * width) * left
        text = f"{_short(fit.rates[i, j])} ({_short(fit.low[i, j])}–{_short(fit.high[i, j])})"
        angle = (np.degrees(np.arctan2(along[1], along[0])) + 90) % 180 - 90
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.3, "alpha": 0.85}
        font = {"fontsize": 7 if k < 5 else 6.5, "rotation": angle, "rotation_mode": "anchor"}
        ax.text(*middle, text, ha="center", va="center_baseline", bbox=box, zorder=4, **font)
    for number, (name, place, radius) in enumerate(zip(classes, places, radii, strict=True)):
        dwell = transitions.dwell_times[number]
        stay = f", stays {_short(dwell)} s" if np.isfinite(dwell) and fit.occupation[number] > 0 else ""
        text = f"{written(name)}\n{100 * fractions[number]:.0f} %{stay}"
        if k > 4 and abs(place[0]) > 0.7:  # beside the ring, where no arrow goes
            side = np.sign(place[0])
            position, align = (place[0] + side * (radius + 0.05), place[1]), ("left" if side > 0 else "right", "center")
        elif place[1] < -0.01 or k == 2:
            position, align = (place[0], place[1] - radius - 0.05), ("center", "top")
        else:
            position, align = (place[0], place[1] + radius + 0.05), ("center", "bottom")
        ax.text(*position, text, ha=align[0], va=align[1], fontsize=9, zorder=5)
    vertical = np.array([*(places[:, 1] - radii), *(places[:, 1] + radii)])
    low, high = vertical.min() - (0.3 if k == 2 or places[:, 1].min() < -0.01 else 0.1), vertical.max() + 0.1
    if k > 2:
        high += 0.2
    margin = 0.65 if k < 5 else 1.05
    ax.set(xlim=(places[:, 0].min() - margin, places[:, 0].max() + margin), ylim=(low, high), aspect="equal")
    ax.set_axis_off()
    ax.set_title(f"Rates in 1/s with {100 * fit.confidence:.3g} % intervals", fontsize=9)
    return ax


def _places(k: int) -> np.ndarray:
    """Nodes on a ring, two of them beside each other, an even number with a flat top."""
    if k == 1:
        return np.zeros((1, 2))
    start = np.pi if k == 2 else np.pi / 2 + (np.pi / k if k % 2 == 0 else 0)
    angles = start - 2 * np.pi * np.arange(k) / k
    return np.column_stack([np.cos(angles), np.sin(angles)])


def _lane(start: np.ndarray, end: np.ndarray, start_radius: float, end_radius: float):
    """Ends of an arrow between the edges of two nodes, left of the line between them; its direction and its left."""
    along = (end - start) / np.linalg.norm(end - start)
    left = np.array([-along[1], along[0]])
    offset = 0.035 * left
    first = start + offset + (start_radius + 0.02) * along
    return first, end + offset - (end_radius + 0.02) * along, along, left


def _short(value: float) -> str:
    """A number with two digits that count, without an exponent where that is short."""
    if np.isnan(value):
        return NO_VALUE
    if not np.isfinite(value) or value == 0:
        return "∞" if value > 0 else "0"
    digits = 1 - int(np.floor(np.log10(abs(value))))
    return f"{value:.{min(max(digits, 0), 4)}f}" if -4 <= -digits <= 4 else f"{value:.1e}"
