"""Surfaces of two movies beside each other: gases, temperatures, doses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from particlespy_ml.dynamics.surface import SurfaceDynamics

DRAWS = 4000


def compare_surfaces(
    movies: Mapping[str, SurfaceDynamics], per: str = "facet", confidence: float = 0.95
) -> pd.DataFrame:
    """Compare occupancies and event rates of the surfaces of two movies, facet by facet.

    What is compared are the processes, not what happened to be seen of them: occupancy in the long run, k_on / (k_on +
    k_off), and events, 2 k_on k_off / (k_on + k_off), of the sites that change, from the draws of the rates given each
    movie. So the test respects that successive frames are not independent: a movie is worth as much as it has events.
    It is of the sites of the two movies, not of all sites like them.

    Parameters
    ----------
    movies
        Results of `surface_dynamics` with two states, by condition: two of them.
    per
        "facet", "layer" or "coordination".
    confidence
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        A row for each group and quantity ("occupancy", "event_rate"): the numbers of sites that change, the means in
        both movies, ``difference`` of the second less the first with its bounds, and ``p_value``, two-sided, that the
        difference has the other sign.

    Raises
    ------
    ValueError
        If there are not two results of sites with two states, their times have different units, or no group has sites
        that change in both.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> pml.dynamics.compare_surfaces({})
    Traceback (most recent call last):
    ...
    ValueError: 0 movies; expected two results of surface_dynamics, such as {"vacuum": one, "oxygen": other}.
    """
    import pandas as pd

    if len(movies) != 2:
        raise ValueError(
            f"{len(movies)} movies; expected two results of surface_dynamics, such as "
            '{"vacuum": one, "oxygen": other}.'
        )
    (first, one), (second, other) = movies.items()
    if one.rates.shape[-1] != 2 or other.rates.shape[-1] != 2:
        raise ValueError("The sites have more than two states; expected results of surface_dynamics(states=2).")
    if one.timed != other.timed:
        raise ValueError('The times of one movie have no unit of time; set it: movie.axes_manager[0].units = "s".')
    rng = np.random.default_rng(0)
    rows, groups = [], [{n: w & f.changing for n, w in f.groups(per).items()} for f in (one, other)]
    for name in [n for n in groups[0] if n in groups[1] and groups[0][n].any() and groups[1][n].any()]:
        for what in ("occupancy", "event_rate"):
            draws = [_mean_of_process(f, own[name], what, rng) for f, own in zip((one, other), groups, strict=True)]
            difference = draws[1] - draws[0]
            low, high = np.quantile(difference, (0.5 - confidence / 2, 0.5 + confidence / 2))
            tail = min((difference <= 0).mean(), (difference >= 0).mean())
            row = {per: name, "quantity": what}
            row |= {f"sites {label}": int(own[name].sum()) for label, own in zip((first, second), groups, strict=True)}
            row |= {first: draws[0].mean(), second: draws[1].mean(), "difference": difference.mean()}
            rows.append(row | {"low": low, "high": high, "p_value": float(min(1.0, 2 * max(tail, 1 / DRAWS)))})
    if not rows:
        raise ValueError("No group has sites that change in both movies, so there is nothing to compare.")
    return pd.DataFrame(rows)


def _mean_of_process(found: SurfaceDynamics, which: np.ndarray, what: str, rng) -> np.ndarray:
    """Draws of the mean over sites of a property of their rates, shape (DRAWS,)."""
    on, off = found.rates[which, :, 0, 1], found.rates[which, :, 1, 0]
    values = on / (on + off) if what == "occupancy" else 2 * on * off / (on + off)
    chosen = rng.integers(values.shape[1], size=(len(values), DRAWS))  # sites are independent
    return np.take_along_axis(values, chosen, 1).mean(0)
