"""Neighbours that exchange atoms: events of two sites between the same frames, against chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import poisson

if TYPE_CHECKING:
    import pandas as pd

NEAREST = 20  # frames: nearer shifts of one site against the other still hold their common events


def coupled_events(found, window: int = 0, false_discoveries: float = 0.05) -> pd.DataFrame:
    """Return which neighbours change together: one is emptied and the other filled between the same frames.

    What is expected of sites that change on their own is the same number with one of the two shifted in time, around
    the end of the movie, by nothing and by all shifts that are not small, so that each site keeps its own order of
    events.

    Parameters
    ----------
    found
        `particlespy_ml.dynamics.SurfaceDynamics`.
    window
        Frames by which the two events may lie apart.
    false_discoveries
        Share of the coupled pairs that may be so by chance.

    Returns
    -------
    pandas.DataFrame
        A row for each pair of neighbours that both change: ``site_1``, ``site_2``, ``moves``, the expected number of
        times that one was emptied as the other was filled, ``expected`` by chance, ``p_value``, that chance alone
        brings as many, by a Poisson distribution, and whether they are ``coupled``.

    References
    ----------
    Y. Benjamini and Y. Hochberg, J. R. Stat. Soc. B 57, 289 (1995).
    """
    import pandas as pd

    names = ["site_1", "site_2", "moves", "expected", "p_value", "coupled"]
    rows = []
    for one, other in found.neighbours[found.changing[found.neighbours].all(1)]:
        down, up = (changes_of(found.steps[site], window) for site in (one, other))
        moves = (down[0] * up[1]).sum() + (down[1] * up[0]).sum()
        shifts = np.arange(min(NEAREST, len(down[0]) // 4), len(down[0]) - min(NEAREST, len(down[0]) // 4) + 1)
        by_chance = [(down[0] * np.roll(up[1], s)).sum() + (down[1] * np.roll(up[0], s)).sum() for s in shifts]
        expected = float(np.mean([moves, *by_chance]))  # one of the shifts is none: single events meet by chance too
        p_value = float(poisson.sf(np.ceil(moves - 0.5) - 1, max(expected, 1e-9)))
        rows.append((int(one), int(other), float(moves), expected, p_value))
    frame = pd.DataFrame(rows, columns=names[:-1])
    order = frame["p_value"].rank(method="first")
    passed = frame["p_value"] <= false_discoveries * order / max(len(frame), 1)
    largest = frame.loc[passed, "p_value"].max() if passed.any() else -1.0
    frame["coupled"] = frame["p_value"] <= largest
    return frame.sort_values("p_value", ignore_index=True)


def changes_of(steps: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability that a site lost, and that it gained, between a frame and the next, shape (T - 1,).

    Parameters
    ----------
    steps
        Probabilities of changes, shape (T - 1, K, K).
    window
        Frames on either side over which the second is summed.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.dynamics.coupled_events import changes_of
    >>> steps = np.zeros((4, 2, 2))
    >>> steps[1, 1, 0] = steps[3, 0, 1] = 1
    >>> [one.tolist() for one in changes_of(steps, 0)]
    [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    """
    k = steps.shape[-1]
    lower = np.tril(np.ones((k, k)), -1)
    both = [(steps * which).sum((1, 2)).astype(float) for which in (lower, lower.T)]
    kernel = np.ones(2 * window + 1)
    return tuple(np.minimum(np.convolve(one, kernel, "same"), 1.0) if window else one for one in both)
