"""Sites that may have several states, but need not have all of them: how many each has, and their paths."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np

from particlespy_ml.dynamics.site_paths import Paths, draw_paths
from particlespy_ml.dynamics.site_states import States, fit_states


def fit_some_states(features: np.ndarray, towards: np.ndarray, states: int = 2, several: float = 1.0) -> States:
    """Fit two to so many states to each site, as many as are worth their parameters.

    Parameters
    ----------
    features, towards, several
        As for `particlespy_ml.dynamics.site_states.fit_states`.
    states
        Largest number of states K.

    Returns
    -------
    States
        Of K states. Those that a site has not are not ``used``, and have the mean of the state below.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.dynamics.site_levels import fit_some_states
    >>> levels = np.array([np.repeat([0, 3, 0, 3], 25), np.repeat([0, 1, 3, 2], 25)])
    >>> seen = 4.0 * levels[..., None] + np.random.default_rng(0).normal(size=(2, 100, 2))
    >>> fit_some_states(seen, np.array([1.0, 1.0]), 4).used.astype(int).tolist()
    [[1, 0, 0, 1], [1, 1, 1, 1]]
    """
    best = None
    for number in range(2, states + 1):
        found = _among(fit_states(features, towards, number, several), states, towards)
        if best is None:
            best = found
            continue
        better = found.evidence > best.evidence
        best = best.replaced(better, found.chosen(better))
    return best


def draw_some_paths(features: np.ndarray, found: States, times: np.ndarray, seed: int = 0) -> Paths:
    """Draw paths of sites between the states that each has, see `particlespy_ml.dynamics.site_paths.draw_paths`.

    Levels of states are even steps from 0 for the lowest to 1 for the highest of all K; rates of states that a site has
    not are NaN.

    Parameters
    ----------
    features, times, seed
        As for `draw_paths`.
    found
        States of these sites.
    """
    count, k = found.used.shape
    parts = {}
    for code in np.unique(found.used, axis=0):
        own, have = np.flatnonzero((found.used == code).all(1)), np.flatnonzero(code)
        parts[tuple(have)] = (
            own,
            draw_paths(features[own], found.means[np.ix_(own, have)], found.variance[own], times, seed, have / (k - 1)),
        )
    draws = next(iter(parts.values()))[1].occupancy.shape[1]
    frames = features.shape[1]
    whole = Paths(
        np.zeros((count, frames, k)),
        np.zeros((count, draws)),
        np.zeros((count, draws)),
        np.full((count, draws, k, k), np.nan),
        np.zeros((count, frames - 1, k, k), np.float32),
    )
    for have, (own, paths) in parts.items():
        whole.occupancy[own], whole.changes[own] = paths.occupancy, paths.changes
        for one, state in enumerate(have):
            whole.probability[own, :, state] = paths.probability[..., one]
            for two, other in enumerate(have):
                whole.rates[own, :, state, other] = paths.rates[..., one, two]
                whole.steps[own, :, state, other] = paths.steps[..., one, two]
    return whole


def _among(found: States, states: int, towards: np.ndarray) -> States:
    """Fewer states as some of more: the lowest, the highest, and those between that lie nearest."""
    count, number, q = found.means.shape
    if number == states:
        return found
    along = found.means @ towards
    share = (along - along[:, :1]) / np.maximum(along[:, -1:] - along[:, :1], 1e-12) * (states - 1)
    choices = np.array([(0, *between, states - 1) for between in combinations(range(1, states - 1), number - 2)])
    which = choices[((share[:, None] - choices) ** 2).sum(-1).argmin(1)]
    used = np.zeros((count, states), bool)
    np.put_along_axis(used, which, True, 1)
    below = np.cumsum(used, axis=1) - 1
    means = np.take_along_axis(found.means, below[..., None], 1)
    posterior = np.zeros((*found.posterior.shape[:2], states))
    np.put_along_axis(posterior, np.broadcast_to(which[:, None], found.posterior.shape), found.posterior, 2)
    return replace(found, means=means, posterior=posterior, used=used)
