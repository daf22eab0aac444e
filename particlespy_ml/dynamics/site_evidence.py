"""Which sites of a lattice change, and which only stand beside one that does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.dynamics.site_features import ROUND, crosstalk
from particlespy_ml.dynamics.site_levels import fit_some_states
from particlespy_ml.dynamics.site_states import States, whitening

BESIDE = 1.75  # of the distance between neighbours: how far the change of a site is seen
PASSES = 2
OWN = 0.5  # of the contrast of a neighbour: a site that changes with it by less is taken for seen through it
DUPLICATE = 0.45  # of the distance between neighbours: two nearer places are one


@dataclass(frozen=True)
class Changing:
    """What is known of all sites that were tried.

    Parameters
    ----------
    features
        White, without what neighbours that change add, shape (S, T, q).
    states
        See `particlespy_ml.dynamics.site_states.fit_states`.
    active
        Sites with more than one state, shape (S,).
    contrast
        Of each state over that of a typical column, shape (S, K).
    level
        Mean contrast of each site, shape (S,).
    """

    features: np.ndarray
    states: States
    active: np.ndarray
    contrast: np.ndarray
    level: np.ndarray


def empty_neighbours(places: np.ndarray, near: float, shape) -> np.ndarray:
    """Return places beside columns that a further column of the lattice would take, shape (m, 2).

    A column and one of its neighbours point at the place on the other side, whether the lattice is strained or twinned.

    Parameters
    ----------
    places
        Of columns in pixels, shape (n, 2).
    near
        Distance between neighbours in pixels.
    shape
        Of the image.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.dynamics.site_evidence import empty_neighbours
    >>> places = np.array([(25.0, 25), (25, 35), (35, 25), (35, 35)])
    >>> len(empty_neighbours(places, 10, (60, 60)))
    8
    """
    tree = cKDTree(places)
    pairs = tree.query_pairs(1.3 * near, output_type="ndarray")
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    beyond = 2 * places[pairs[:, 0]] - places[pairs[:, 1]]
    beyond = beyond[tree.query(beyond)[0] > 0.6 * near] if len(beyond) else beyond.reshape(0, 2)
    beyond = beyond[((beyond > near) & (beyond < np.array(shape) - 1 - near)).all(1)]
    found: list[np.ndarray] = []
    left = np.ones(len(beyond), bool)
    around = cKDTree(beyond).query_ball_point(beyond, DUPLICATE * near) if len(beyond) else []
    for number in np.argsort([-len(one) for one in around], kind="stable"):
        if left[number]:
            found.append(beyond[[one for one in around[number] if left[one]]].mean(0))
            left[around[number]] = False
    return np.array(found).reshape(-1, 2)


def find_changing(
    features: np.ndarray,
    places: np.ndarray,
    steady: np.ndarray,
    typical: np.ndarray,
    empty: np.ndarray,
    near: float,
    states: int,
    contrast: float,
    shared: bool = True,
) -> Changing:
    """Return which sites change, with what neighbours that change add taken away.

    A change is seen at neighbouring sites too. What the kernels of the two sites share of it is taken away where
    features are *shared*, as those of `particlespy_ml.dynamics.site_features.frame_features` are. A site that then
    changes only together with a neighbour, and by less than half as much, is one that does not change.

    Parameters
    ----------
    features
        Of all sites, shape (S, T, q).
    places
        In pixels, shape (S, 2).
    steady
        Sites most of which do not change, whose steps from frame to frame are those of noise, shape (S,).
    typical
        Sites that hold columns and have as many neighbours as those that change, whose mean is the contrast of 1, shape
        (S,).
    empty
        Sites that are mostly empty, whose median is the contrast of 0, shape (S,).
    near
        Distance between neighbours in pixels.
    states
        Number of states.
    contrast
        Least difference of contrast between the lowest and the highest state.
    """
    white = whitening(features[steady] if steady.any() else features)
    mean, known = _mean_seen(features)
    if not known.any():
        raise ValueError("No site is seen in half of the frames; expected a particle that does not reach the border.")
    typical, empty = typical & known if (typical & known).any() else known, empty & known
    zero = np.median(mean[empty], axis=0) if empty.sum() > 4 else np.zeros(mean.shape[1])
    shown = np.median(mean[typical], axis=0) - zero
    shown[ROUND:] = 0  # a column that moves is none that comes
    column = shown @ white
    seen = (features - zero) @ white
    several = len(places)
    found = fit_some_states(seen, column, states, several)

    def steps(one: States) -> np.ndarray:
        return (one.means[:, -1] - one.means[:, 0]) @ column / (column @ column)

    pairs = cKDTree(places).query_pairs(BESIDE * near, output_type="ndarray")
    clean = seen
    for _ in range(PASSES if shared else 0):
        active = (found.evidence > 0) & (steps(found) >= contrast)
        clean, touched = _without_neighbours(seen, places, found, active, pairs, white, near)
        if not touched.any():
            break
        found = found.replaced(touched, fit_some_states(clean[touched], column, states, several))
    active = (found.evidence > 0) & (steps(found) >= contrast)
    active &= ~_seen_through_others(clean, found, active, steps(found), pairs, column, several)
    along = column / (column @ column)
    return Changing(clean, found, active, found.means @ along, _mean_seen(clean)[0] @ along)


def _mean_seen(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean features of each site, and whether half of the frames or more show it; zero where none does."""
    seen = np.isfinite(features).all(-1)
    mean = np.where(seen[..., None], features, 0).sum(1, dtype=float) / np.maximum(seen.sum(1), 1)[:, None]
    return mean, seen.mean(1) >= 0.5


def _without_neighbours(seen, places, found, active, pairs, white, near):
    """Features less what the neighbours that change add to them, and which sites these are."""
    clean, touched = seen.copy(), np.zeros(len(seen), bool)
    back = np.linalg.inv(white)
    for one, other in np.concatenate([pairs, pairs[:, ::-1]]):
        if not active[other]:
            continue
        for state in range(found.means.shape[1] - 1):
            change = (found.means[other, state + 1] - found.means[other, state]) @ back
            share = found.posterior[other, :, state + 1 :].sum(-1)
            added = crosstalk(places[other] - places[one], change, near) @ white
            clean[one] -= np.outer(share - share.mean(), added)
        touched[one] = True
    return clean, touched


def _seen_through_others(clean, found, active, steps, pairs, column, several) -> np.ndarray:
    """Sites whose changes are those of a neighbour of more than twice the contrast, shape (S,)."""
    through = np.zeros(len(clean), bool)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    for site in np.argsort(steps, kind="stable"):
        if not active[site]:
            continue
        others = both[both[:, 0] == site][:, 1]
        others = others[active[others] & ~through[others] & (OWN * steps[others] > steps[site])]
        if not len(others):
            continue
        levels = np.arange(found.posterior.shape[2])
        design = np.column_stack([np.ones(clean.shape[1]), *(found.posterior[o] @ levels for o in others)])
        known = np.isfinite(clean[site]).all(-1)
        solution = np.linalg.lstsq(design[known], clean[site][known], rcond=None)[0]
        rest = clean[site] - design[:, 1:] @ solution[1:]
        through[site] = fit_some_states(rest[None], column, found.means.shape[1], several).evidence[0] <= 0
    return through
