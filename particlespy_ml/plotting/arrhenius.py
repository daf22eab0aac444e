"""Logarithms of rates or of ratios of fractions against inverse temperature."""

from __future__ import annotations

import numpy as np

from particlespy_ml.plotting.colours import PALETTE, line_colour, written

MARKERS = "osD^vP"
FARTHEST = 300.0  # logarithms are drawn up to here: their exponentials are still numbers
WIDEST = 14.0  # of a logarithm's error that the limits of the axis make room for, a factor of a million


def plot_arrhenius(series, pairs=None, ax=None, figsize=None):
    """Draw rates, or ratios of fractions, against inverse temperature with the fitted lines.

    Parameters
    ----------
    series
        As `particlespy_ml.dynamics.fit_barriers` or `fit_enthalpies` returns it.
    pairs
        Pairs of names (from, to) to draw; by default all that have a line.
    ax
        Axes to draw in; by default a new figure's.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    matplotlib.axes.Axes
        Points with their intervals, lines with their bands of confidence, and the energies in the legend.

    Raises
    ------
    ValueError
        If a pair has no line, or none has.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.dynamics import TemperatureSeries
    >>> from particlespy_ml.dynamics.barriers import fit_arrhenius
    >>> kelvin = np.array([500.0, 550.0, 600.0])
    >>> values, errors = np.array([-3.0, -1.5, -0.5]), np.full(3, 0.3)
    >>> fit = fit_arrhenius(values, errors, kelvin)
    >>> classes = ("icosahedron", "decahedron")
    >>> series = TemperatureSeries("barriers", classes, kelvin, ((0, 1),), values[None], errors[None], (fit,))
    >>> series.plot().get_ylabel()
    'Rate (1/s)'
    """
    from matplotlib.ticker import LogLocator

    names = [(series.classes[i], series.classes[j]) for i, j in series.pairs]
    wanted = names if pairs is None else [tuple(pair) for pair in pairs]
    if not wanted or not set(wanted) <= set(names):
        known = ", ".join(f"({a!r}, {b!r})" for a, b in names) or "none: each was seen at less than two temperatures"
        raise ValueError(f"There is no line for {pairs!r}; expected some of {known}.")
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=figsize or (7.8, 4.2), layout="constrained")[1]
    inverse = 1000 / series.temperatures
    margin = 0.06 * np.ptp(inverse)
    grid = np.linspace(inverse.min() - margin, inverse.max() + margin, 100)
    ax.set_yscale("log")
    bars = []
    # points of several lines at one temperature stand beside each other
    shift = np.linspace(-1, 1, len(wanted)) * min(0.012 * len(wanted), 0.04) * np.ptp(inverse)
    for place, pair in enumerate(wanted):
        number = names.index(pair)
        fit = series.fits[number]
        colour = line_colour(place)
        label = _label(pair, fit)
        x = inverse + (shift[place] if len(wanted) > 1 else 0)
        with np.errstate(invalid="ignore"):  # of errors that are not known
            value, low, high = _exp(np.array(fit.line(1000 / grid)))
        ax.fill_between(grid, low, high, color=colour, alpha=0.15, linewidth=0)
        ax.plot(grid, value, color=colour, linewidth=1.3, linestyle="-" if place < len(PALETTE) else "--")
        points, spread = series.values[number], _interval_factor(fit.confidence) * series.errors[number]
        style = {"fmt": MARKERS[place % len(MARKERS)], "color": colour, "markersize": 5, "linewidth": 1.2}
        centre = _exp(points)
        spans = np.array([centre - _exp(points - spread), _exp(points + spread) - centre])
        bars.append(ax.errorbar(x, centre, spans, label=label, **style))
    low, high = _limits(series, [names.index(pair) for pair in wanted])
    if high - low < np.log(300):
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter("")
    ax.set(ylim=np.exp([low, high]), xlim=(grid[0], grid[-1]), xlabel="1000 / temperature (1/K)")
    ax.set_ylabel("Rate (1/s)" if series.kind == "barriers" else "Ratio of fractions, to over from")
    top = ax.secondary_xaxis("top", functions=(_invert, _invert))
    ticks = np.unique(series.temperatures)
    top.set_xticks(ticks[:: int(np.ceil(len(ticks) / 7))])
    top.minorticks_off()
    top.set_xlabel("Temperature (K)")
    kind = "Apparent barrier" if series.kind == "barriers" else "Enthalpy difference"
    title = f"{kind}, {100 * series.fits[0].confidence:.3g} % interval"
    ax.legend(
        bars,
        [bar.get_label() for bar in bars],
        title=title,
        loc="upper left",
        bbox_to_anchor=(1.01, 1),
        frameon=False,
        fontsize=8,
        title_fontsize=8,
        alignment="left",
    )
    return ax


def _exp(logarithms: np.ndarray) -> np.ndarray:
    return np.exp(np.clip(logarithms, -FARTHEST, FARTHEST))


def _limits(series, chosen: list[int]) -> tuple[float, float]:
    """Lowest and highest logarithm that an axis shows: of the points with their errors, or of lines without points."""
    values, errors = series.values[chosen], np.minimum(series.errors[chosen], WIDEST)
    if not np.isfinite(values).any():
        values, errors = np.array([series.fits[number].line(series.temperatures)[0] for number in chosen]), np.zeros(1)
    spread = 2.5 * np.where(np.isfinite(values) & np.isfinite(errors), errors, 0)
    low, high = np.nanmin(values - spread), np.nanmax(values + spread)
    margin = 0.5 if high - low < 0.1 else 0
    return max(low - margin, -FARTHEST), min(high + margin, FARTHEST)


def _invert(values: np.ndarray) -> np.ndarray:
    """Between 1000 / T and T; the axis asks for zero before it has limits."""
    values = np.asarray(values, dtype=float)
    return np.divide(1000, values, out=np.full(values.shape, np.inf), where=values != 0)


def _interval_factor(confidence: float) -> float:
    from scipy.stats import norm

    return float(norm.ppf(0.5 + confidence / 2))


def _label(pair: tuple[str, str], fit) -> str:
    low, high = fit.energy_interval
    energies = f"{fit.energy:.2f} eV ({low:.2f} to {high:.2f} eV)".replace("-", "−")
    return f"{written(pair[0])} → {written(pair[1])}\n{energies}"
