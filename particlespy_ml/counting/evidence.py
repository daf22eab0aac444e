"""How probable a mixture is, and how its uncertain parameters move the numbers of atoms of all columns at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from particlespy_ml.counting.mixture import SMOOTHNESS, Mixture

WEIGHT_SPREAD = 1.0  # standard deviation of the logarithms of weights in the prior
EMPTY = 4.0  # deviations that a component without columns is worth; without it every second one may be empty
MEAN_SPREADS = (0.5, 0.5, 0.1, 0.05)  # of the terms of the curve of means, as fractions of its range
WIDTH_SPREAD = 1.0  # of the logarithm of the width
SCATTER = 0.05  # typical relative scatter of the cross-sections of one number of atoms beyond their errors
BEND = 0.3  # typical change of the logarithm of the increment from one number of atoms to the next
LEFT_OUT = 0.4  # bend that a number of atoms of which there are no columns is worth
SURE_ERROR = 0.95  # of the stated error of a cross-section: components are no narrower


@dataclass(frozen=True)
class AssessedMixture:
    """A mixture with its evidence.

    Parameters
    ----------
    mixture
        As fitted.
    log_evidence
        Logarithm of the probability of the values, parameters integrated out.
    spread
        Change of the index of the component that is expected for each value, for each of q independent standard normal
        deviates of the parameters, shape (n, q).
    """

    mixture: Mixture
    log_evidence: float
    spread: np.ndarray


def assess_mixture(mixture: Mixture, values, errors, at=None, at_errors=None) -> AssessedMixture:
    """Return the evidence of a mixture and what its parameters leave uncertain, by Laplace's approximation.

    The information is that of the scores of the values. Directions in which nothing is known, as the weights of
    components that are not resolved, cost nothing, other than with the Bayesian information criterion. Two things are
    known of widths: they are not below the errors of the values, and columns of one number of atoms scatter little.
    And increments change little from one number of atoms to the next.

    Parameters
    ----------
    mixture
        Fitted to the values.
    values, errors
        Cross-sections and their standard errors, shape (n,).
    at, at_errors
        Those that the spread is wanted of; by default the same.

    References
    ----------
    D. J. C. MacKay, Neural Comput. 4, 415 (1992).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.counting.evidence import assess_mixture
    >>> from particlespy_ml.counting.mixture import fit_mixtures
    >>> rng = np.random.default_rng(0)
    >>> values = np.repeat([1.0, 2.0, 3.0], 20) + 0.1 * rng.normal(size=60)
    >>> found = [assess_mixture(fit, values, np.full(60, 0.1)).log_evidence for fit in fit_mixtures(values, 5)]
    >>> int(np.argmax(found)) + 1
    3
    """
    values, errors = np.asarray(values, float), np.asarray(errors, float)
    log_density, scores, change = _derivatives(mixture, values, errors)
    if at is not None:
        change = _derivatives(mixture, np.asarray(at, float), np.asarray(at_errors, float))[2]
    n_components = len(mixture.means)
    terms = scores.shape[1] - n_components - 1
    smooth = mixture.regular or n_components <= 2
    of_means = np.array(MEAN_SPREADS[:terms] if smooth else [MEAN_SPREADS[0]] * terms)
    reach = max(float(np.ptp(values)), 1e-300)
    prior = np.concatenate([np.full(n_components, WEIGHT_SPREAD), reach * of_means, [WIDTH_SPREAD]])
    scores, change = scores * prior, change * prior
    information, axes = np.linalg.eigh(scores.T @ scores)
    information = np.maximum(information, 0)
    uneven = np.maximum(np.log(np.maximum(mixture.weights, 1e-12) * n_components) / WEIGHT_SPREAD, -EMPTY)
    uneven = uneven - uneven.mean()
    typical = float(np.median(values))
    beyond = float(np.interp(typical, mixture.means, mixture.widths)) ** 2 - float(np.median(errors)) ** 2
    increments = np.log(np.maximum(np.diff(mixture.means), 1e-6 * reach))
    bends = np.abs(np.diff(increments))
    if not mixture.regular:  # an increment of two atoms is no bend
        bends = np.minimum(bends, np.abs(bends - np.log(2)) + LEFT_OUT)
    improbable = 0.5 * np.sum(uneven**2) + 0.5 * max(beyond, 0.0) / (SCATTER * typical) ** 2
    improbable += 0.5 * np.sum((bends / BEND) ** 2)
    evidence = float(log_density.sum() - improbable - 0.5 * np.sum(np.log1p(information)))
    return AssessedMixture(mixture, evidence, change @ axes / np.sqrt(1 + information))


def _derivatives(mixture: Mixture, values, errors) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log density, and derivatives of it and of the expected index of the component: weights, means, width."""
    means, weights = mixture.means, np.maximum(mixture.weights, 1e-12)
    variance = np.maximum(mixture.widths**2, (SURE_ERROR * errors[:, None]) ** 2)
    away = values[:, None] - means
    joint = np.log(weights) - 0.5 * np.log(2 * np.pi * variance) - 0.5 * away**2 / variance
    log_density = logsumexp(joint, axis=1)
    share = np.exp(joint - log_density[:, None])
    index = np.arange(len(means))
    relative = share * (index - (share @ index)[:, None])
    basis = _basis(len(means), mixture.regular)
    pull, square = away / variance, away**2 / variance
    scores = [share - weights, (share * pull) @ basis, (share * (square - 1)).sum(1)[:, None]]
    change = [relative, (relative * pull) @ basis, (relative * square).sum(1)[:, None]]
    return log_density, np.hstack(scores), np.hstack(change)


def _basis(n_components: int, regular: bool) -> np.ndarray:
    """Polynomials that the means of a regular mixture are made of; one for each mean of another one."""
    if not regular and n_components > 2:
        return np.eye(n_components)
    degree = min(SMOOTHNESS, max(n_components - 2, min(n_components - 1, 1)))
    return np.polynomial.legendre.legvander(np.linspace(-1, 1, n_components), degree)
