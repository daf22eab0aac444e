"""Steps between frames that need not be equal: their transition matrices, and the time spent in between."""

from __future__ import annotations

import numpy as np
from scipy.linalg import expm

SAME_STEP = 1e-6  # relative difference below which two steps are one: far below what rates can be told to
FEW_STEPS = 8  # up to so many different steps, a matrix exponential of each costs less than eigenvectors
WELL_CONDITIONED = 1e6  # of eigenvectors: above, their product loses more than the ten digits that differences need


def group_steps(frame_time, count: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the different steps between frames and which of them each step is.

    Parameters
    ----------
    frame_time
        Time between frames: a number, or one for each step, shape (count,).
    count
        Number of steps.

    Returns
    -------
    times
        Shape (U,), in ascending order; steps that differ by rounding are one.
    steps
        Number of each step in *times*, shape (count,); None where all are equal.

    Raises
    ------
    ValueError
        If there is not one time for each step, or one is not above zero.

    Examples
    --------
    >>> from particlespy_ml.dynamics.steps import group_steps
    >>> times, steps = group_steps([1.0, 1.0, 60.0, 1.0], 4)
    >>> times.round(6), steps
    (array([ 1., 60.]), array([0, 0, 1, 0]))
    """
    values = np.asarray(frame_time, dtype=float)
    if values.shape not in ((), (count,)):
        raise ValueError(
            f"frame_time has the shape {values.shape}; expected a number or one for each of {count} steps."
        )
    wrong = np.flatnonzero(~((values > 0) & np.isfinite(values)))
    if len(wrong):
        step = f", the step from frame {wrong[0]} to {wrong[0] + 1}" if values.ndim else ""
        raise ValueError(f"frame_time={values.ravel()[wrong[0]]}{step}; expected a time above zero.")
    if values.ndim == 0:
        return values[None], None
    middle = np.median(values)
    if np.abs(values - middle).max() <= SAME_STEP * middle:
        return middle[None], None
    _, steps = np.unique(np.rint(np.log(values / values.min()) / SAME_STEP), return_inverse=True)
    return np.bincount(steps, values) / np.bincount(steps), steps


def transition_matrices(rates: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the probabilities of transitions within given times, expm(rates t).

    Parameters
    ----------
    rates
        Rate matrices, shape (..., K, K).
    times
        Shape (U,).

    Returns
    -------
    numpy.ndarray
        Shape (..., U, K, K).

    References
    ----------
    C. Moler and C. Van Loan, SIAM Rev. 45, 3 (2003): method 14, by eigenvectors, for many times, and scaling and
    squaring for few of them or where eigenvectors are nearly parallel.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.dynamics.steps import transition_matrices
    >>> transition_matrices(np.array([[-0.1, 0.1], [0.1, -0.1]]), np.array([1.0, 100.0]))[:, 0, 1].round(3)
    array([0.091, 0.5  ])
    """
    rates, times = np.asarray(rates, dtype=float), np.asarray(times, dtype=float)
    if len(times) <= FEW_STEPS:
        return expm(rates[..., None, :, :] * times[:, None, None])
    models = rates.reshape(-1, *rates.shape[-2:])
    values, vectors = np.linalg.eig(models)
    good = np.linalg.cond(vectors) < WELL_CONDITIONED
    out = np.empty((len(models), len(times), *rates.shape[-2:]))
    decay = np.exp(values[good, None, :] * times[:, None])
    product = (vectors[good, None] * decay[:, :, None, :]) @ np.linalg.inv(vectors[good])[:, None]
    out[good] = np.clip(product.real, 0, None)  # rounding makes zeros negative
    for model in np.flatnonzero(~good):
        out[model] = expm(models[model] * times[:, None, None])
    return out.reshape(*rates.shape[:-2], len(times), *rates.shape[-2:])


def expected_sojourn(rates: np.ndarray, times: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the expected time in each state of a jump process that is known at frames.

    Parameters
    ----------
    rates
        Shape (K, K).
    times
        Times of steps between frames, shape (U,).
    counts
        (Expected) number of steps of each time from state i to j, staying included, shape (U, K, K).

    Returns
    -------
    numpy.ndarray
        Shape (K,); the sum is the time of all steps.

    References
    ----------
    A. Hobolth and J. L. Jensen, J. Appl. Probab. 48, 911 (2011). C. F. Van Loan, IEEE Trans. Autom. Control 23, 395
    (1978): the integral of P(s) and P(t - s) over a step as a block of one matrix exponential.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.dynamics.steps import expected_sojourn
    >>> rates, stays = np.array([[-0.1, 0.1], [0.1, -0.1]]), np.array([[[1.0, 0.0], [0.0, 0.0]]])
    >>> [expected_sojourn(rates, [step], stays).round(2).tolist() for step in (1.0, 100.0)]
    [[1.0, 0.0], [55.0, 45.0]]
    """
    rates, times, k = np.asarray(rates, dtype=float), np.asarray(times, dtype=float), len(rates)
    matrices = transition_matrices(rates, times)
    weight = np.divide(counts, matrices, out=np.zeros(matrices.shape), where=matrices > 0)
    largest = np.maximum(weight.max((1, 2), keepdims=True), np.finfo(float).tiny)
    block = np.zeros((len(times), 2 * k, 2 * k))
    block[:, :k, :k] = block[:, k:, k:] = rates.T * times[:, None, None]
    block[:, :k, k:] = weight / largest  # the block is linear in it, and keeps its digits where it is of order one
    return np.einsum("uii,u->i", expm(block)[:, :k, k:], largest[:, 0, 0] * times)
