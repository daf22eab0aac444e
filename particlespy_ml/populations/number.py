"""How many clusters there are: scores that allow for one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

PATIENCE = 2  # larger numbers that are tried once the score has got worse
SELECTION_ROWS = 2500  # rows that the number is chosen on at most
REFERENCES = 10
GAP_ROWS = 1000


def choose_mixture(fit: Callable, features: np.ndarray, smallest: int, largest: int) -> tuple[object, dict]:
    """Return the mixture whose Bayesian information criterion (BIC) is lowest, and the curve.

    The number is that of the normal components which a density needs, of which a skewed population takes several.
    Numbers are tried until `PATIENCE` in succession are no better than the best.

    Parameters
    ----------
    fit
        Called with features and a number; returns a mixture.
    features
        Shape (rows, columns).
    smallest, largest
        Numbers that are tried first and last.

    References
    ----------
    C. Fraley and A. E. Raftery, J. Am. Stat. Assoc. 97, 611 (2002).
    """
    numbers, scores, best = [], [], None
    for number in range(smallest, largest + 1):
        mixture = fit(features, number)
        numbers.append(number)
        scores.append(float(mixture.bic(features)))
        if scores[-1] == min(scores):
            best = mixture
        if number - numbers[int(np.argmin(scores))] >= PATIENCE:
            break
    return best, {"name": "BIC", "numbers": numbers, "scores": scores, "errors": [0.0] * len(scores)}


def gap_statistic(dispersion: Callable, features: np.ndarray, largest: int, seed: int) -> tuple[int, dict]:
    """Return the number of clusters by the gap statistic, and the curve.

    The logarithm of the dispersion within clusters is compared with that of rows spread evenly over the box of the
    features' principal axes. The number is the smallest whose gap is not below that of the next by more than the
    standard error of the reference.

    Parameters
    ----------
    dispersion
        Called with features; returns the sum of squared distances from the centres for 1, 2, ... largest clusters.
    features
        Shape (rows, columns).
    largest
        Largest number that is tried.
    seed
        Of the reference.

    References
    ----------
    R. Tibshirani, G. Walther and T. Hastie, J. R. Stat. Soc. B 63, 411 (2001).
    """
    rng = np.random.default_rng(seed)
    centred = features - features.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    turned = centred @ axes.T
    low, high = turned.min(0), turned.max(0)
    own = np.log(np.maximum(dispersion(features), 1e-300))
    references = [rng.uniform(low, high, turned.shape) @ axes for _ in range(REFERENCES)]
    reference = np.log([np.maximum(dispersion(values), 1e-300) for values in references])
    gaps = reference.mean(0) - own
    errors = reference.std(0) * np.sqrt(1 + 1 / REFERENCES)
    enough = np.flatnonzero(gaps[:-1] >= gaps[1:] - errors[1:])
    best = int(enough[0]) + 1 if len(enough) else len(gaps)
    curve = {"name": "gap", "numbers": list(range(1, len(gaps) + 1)), "scores": gaps.tolist()}
    return best, {**curve, "errors": errors.tolist()}


def knee(values: np.ndarray) -> float:
    """Return the value at the knee of a rising curve: where it is farthest below its chord.

    References
    ----------
    V. Satopaa et al., ICDCS Workshops (2011), for the knee; M. Ester et al., KDD (1996), for its use.
    """
    values = np.sort(np.asarray(values, dtype=float))
    chord = np.linspace(values[0], values[-1], len(values))
    return float(values[int(np.argmax(chord - values))])
