"""Gaussian mixtures of scattering cross-sections: how many components, where, how wide.

Each number of atoms gives one component. All components share the law by which their width grows with their mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from scipy.special import logsumexp, xlogy

SMOOTHNESS = 3  # degree of the polynomial that the means of a regular mixture follow
WIDTHS = ("shared", "dose", "dose_and_scatter")
CRITERIA = ("icl", "bic", "aic")


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians of one variable.

    Parameters
    ----------
    means, weights
        Shape (g,), means ascending; weights sum to one.
    floor, gain, scatter
        Variance of a component at the mean m: ``floor + gain * m + (scatter * m)**2``.
    log_likelihood
        Of the values it was fitted to.
    entropy
        Of their assignment to components.
    n_values
        Number of values.
    n_parameters
        Number of parameters that were free.
    regular
        Whether the means were held on a smooth curve.
    """

    means: np.ndarray
    weights: np.ndarray
    floor: float
    gain: float
    scatter: float
    log_likelihood: float
    entropy: float
    n_values: int
    n_parameters: int
    regular: bool = False

    @property
    def widths(self) -> np.ndarray:
        """Standard deviation of every component."""
        return np.sqrt(component_variance(self.means, self.floor, self.gain, self.scatter))

    @property
    def bic(self) -> float:
        """Bayesian information criterion (G. Schwarz, Ann. Stat. 6, 461 (1978))."""
        return -2 * self.log_likelihood + self.n_parameters * np.log(self.n_values)

    @property
    def aic(self) -> float:
        """Akaike's information criterion (IEEE Trans. Autom. Control 19, 716 (1974))."""
        return -2 * self.log_likelihood + 2 * self.n_parameters

    @property
    def icl(self) -> float:
        """Integrated classification likelihood (C. Biernacki et al., IEEE PAMI 22, 719 (2000))."""
        return self.bic + 2 * self.entropy

    def posterior(self, values) -> np.ndarray:
        """Return the probability of each component for each value, shape (n, g)."""
        joint = _log_joint(np.asarray(values, float), self.means, self.weights, self.widths**2)
        return np.exp(joint - logsumexp(joint, axis=-1, keepdims=True))

    def density(self, values) -> np.ndarray:
        """Return the density of each component times its weight at values, shape (n, g)."""
        return np.exp(_log_joint(np.asarray(values, float), self.means, self.weights, self.widths**2))


def component_variance(means, floor: float, gain: float, scatter: float) -> np.ndarray:
    """Return the variance of components: what all share, shot noise, and a fraction of the cross-section."""
    means = np.asarray(means, float)
    return floor + gain * np.maximum(means, 0) + (scatter * means) ** 2


def fit_mixtures(
    values, max_components: int = 40, width: str = "shared", gain: float | None = None, patience: int | None = None
) -> list[Mixture]:
    """Fit mixtures of 1, 2, ... components by expectation-maximisation, each started from the one before.

    The next start splits one component in two or adds one outside; all such starts are run for a while, and the best is
    run to its end. This needs no random start and rarely misses the maximum of the likelihood.

    Parameters
    ----------
    values
        Scattering cross-sections, shape (n,).
    max_components
        Largest number of components; there are at most half as many as there are values.
    width
        "shared": one variance; "dose": that and one that grows with the mean, as shot noise does; "dose_and_scatter":
        those and a fraction of the mean.
    gain
        Slope of the shot noise where it is known, one over the dose; by default it is fitted.
    patience
        Stop when BIC has not fallen for so many components; by default go to the end.

    Returns
    -------
    list of Mixture

    Raises
    ------
    ValueError
        If there are fewer than two values, they are not finite or all the same, or the width is unknown.

    References
    ----------
    J. J. Verbeek et al., Neural Comput. 15, 469 (2003) for the greedy start; S. Van Aert et al., Phys. Rev. B 87,
    064107 (2013) for mixtures of cross-sections.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.counting.mixture import fit_mixtures
    >>> values = np.concatenate([n + 0.1 * np.random.default_rng(n).normal(size=20) for n in (1, 2, 3)])
    >>> fits = fit_mixtures(values, 6)
    >>> fits[2].means.round(1)
    array([1., 2., 3.])
    """
    values = np.asarray(values, float).ravel()
    if width not in WIDTHS:
        raise ValueError(f"Unknown width {width!r}; expected one of {', '.join(WIDTHS)}.")
    if len(values) < 2 or not np.isfinite(values).all() or np.ptp(values) == 0:
        raise ValueError(f"Expected two or more finite values that differ, not {len(values)} of them.")
    terms = _terms(width, gain)
    least = (1e-4 * np.std(values)) ** 2
    law = np.array([np.var(values), gain or 0.0, 0.0])
    means, weights = np.array([values.mean()]), np.ones(1)
    fits: list[Mixture] = []
    for n_components in range(1, max(1, min(max_components, len(values) // 2)) + 1):
        if n_components > 1:
            starts = _starts(values, means, weights, law)
            tried = [_run(values, m[None], w[None], law[None], terms, gain, least, 12) for m, w in starts]
            best = sorted(tried, key=lambda run: -run[3][0])[:2]
            runs = [_run(values, m, w, v, terms, gain, least, 300) for m, w, v, _ in best]
            means, weights, law, _ = (part[0] for part in max(runs, key=lambda run: run[3][0]))
        else:
            means, weights, law, _ = (
                part[0] for part in _run(values, means[None], weights[None], law[None], terms, gain, least, 50)
            )
        order = np.argsort(means)
        means, weights = means[order], weights[order]
        fits.append(_summary(values, means, weights, law, terms))
        bics = [fit.bic for fit in fits]
        if patience is not None and len(fits) - 1 - int(np.argmin(bics)) >= patience:
            break
    return fits


def _terms(width: str, gain: float | None) -> np.ndarray:
    """Which of floor, gain and squared scatter are fitted."""
    return np.array([True, width != "shared" and gain is None, width == "dose_and_scatter"])


def fit_regular_mixture(values, start: Mixture, width: str = "shared", gain: float | None = None) -> Mixture:
    """Fit a mixture whose means grow smoothly from each component to the next, as a cubic of its number.

    Columns of one element grow atom by atom, so that the increments of the cross-section change slowly. The means then
    take four parameters, however many there are, and components with no column between others cost little.

    Parameters
    ----------
    values
        Scattering cross-sections, shape (n,).
    start
        A mixture of as many components; evenly spaced means are tried too.
    width, gain
        See `fit_mixtures`.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.counting.mixture import fit_mixtures, fit_regular_mixture
    >>> values = np.concatenate([n + 0.1 * np.random.default_rng(n).normal(size=20) for n in (1, 2, 4)])
    >>> fit_regular_mixture(values, fit_mixtures(values, 4)[3]).means.round()
    array([1., 2., 3., 4.])
    """
    values = np.asarray(values, float).ravel()
    n_components = len(start.means)
    design = np.polynomial.legendre.legvander(
        np.linspace(-1, 1, n_components), min(SMOOTHNESS, max(n_components - 2, min(n_components - 1, 1)))
    )
    terms, least = _terms(width, gain), (1e-4 * np.std(values)) ** 2
    even = np.linspace(*np.quantile(values, (0.01, 0.99)), n_components)
    runs = []
    for means in (start.means, even):
        step = np.min(np.diff(even)) if n_components > 1 else np.std(values)
        law = np.array([max((step / 5) ** 2, least), gain or 0.0, 0.0])
        weights = np.full((1, n_components), 1 / n_components)
        means = design @ np.linalg.lstsq(design, means, rcond=None)[0]
        runs.append(_run(values, means[None], weights, law[None], terms, gain, least, 300, design))
    means, weights, law, _ = (part[0] for part in max(runs, key=lambda run: run[3][0]))
    order = np.argsort(means)
    return _summary(values, means[order], weights[order], law, terms, design.shape[1])


def _starts(values, means, weights, law) -> list[tuple[np.ndarray, np.ndarray]]:
    spread = np.sqrt(np.maximum(component_variance(means, law[0], law[1], np.sqrt(law[2])), 1e-300))
    starts = []
    for index in range(len(means)):
        pair = means[index] + np.array([-0.8, 0.8]) * spread[index]
        share = np.full(2, weights[index] / 2)
        starts.append((np.append(np.delete(means, index), pair), np.append(np.delete(weights, index), share)))
    far = np.abs(values[:, None] - means) / spread
    lonely = values[np.argmax(far.min(1))]
    starts.append((np.append(means, lonely), np.append(weights * 0.98, 0.02)))
    return starts


def _log_joint(values, means, weights, variances) -> np.ndarray:
    with np.errstate(divide="ignore"):
        logs = np.log(weights)
    return (
        logs[..., None, :]
        - 0.5 * np.log(2 * np.pi * variances)[..., None, :]
        - 0.5 * (values[:, None] - means[..., None, :]) ** 2 / variances[..., None, :]
    )


def _run(values, means, weights, law, terms, gain, least, iterations, design=None):
    """Expectation-maximisation of one mixture, arrays with a leading axis of one; returns the parameters and log L."""
    means, weights, law = means[0], weights[0], law[0].copy()
    before = -np.inf
    for _ in range(iterations):
        variances = np.maximum(component_variance(means, law[0], law[1], np.sqrt(law[2])), least)
        joint = _log_joint(values, means, weights, variances)
        peak = joint.max(-1, keepdims=True)
        share = np.exp(joint - peak)
        total = share.sum(-1, keepdims=True)
        likelihood = float(np.sum(np.log(total) + peak))
        share /= total
        if likelihood - before < 1e-7 * abs(likelihood) + 1e-9:
            break
        before = likelihood
        size = np.maximum(share.sum(0), 1e-9)
        weights = size / size.sum()
        means = (share * values[:, None]).sum(0) / size
        if design is not None:
            root = np.sqrt(size / variances)
            means = design @ np.linalg.lstsq(design * root[:, None], means * root, rcond=None)[0]
        squares = (share * (values[:, None] - means) ** 2).sum(0) / size
        law = _fit_law(means, squares, size, variances, terms, gain)
        law[0] = max(law[0], least)
    return means[None], weights[None], law[None], np.array([likelihood])


def _fit_law(means, squares, size, variances, terms, gain) -> np.ndarray:
    """Floor, gain and squared scatter from the mean squares of the components: one step of Fisher scoring."""
    if not terms[1] and not terms[2] and gain is None:
        return np.array([np.sum(size * squares) / size.sum(), 0.0, 0.0])
    design = np.stack([np.ones_like(means), np.maximum(means, 0), means**2], 1)
    target = squares - (0 if gain is None else gain * design[:, 1])
    weight = np.sqrt(size) / variances
    scale = np.maximum((weight[:, None] * design)[:, terms].max(0), 1e-300)
    found = nnls((weight[:, None] * design)[:, terms] / scale, weight * target)[0] / scale
    new = np.array([0.0, gain or 0.0, 0.0])
    new[terms] = found
    return new


def _summary(values, means, weights, law, terms, mean_parameters=None) -> Mixture:
    floor, gain, scatter = float(law[0]), float(law[1]), float(np.sqrt(law[2]))
    variances = np.maximum(component_variance(means, floor, gain, scatter), (1e-4 * np.std(values)) ** 2)
    joint = _log_joint(values, means, weights, variances)
    log_total = logsumexp(joint, axis=-1)
    share = np.exp(joint - log_total[:, None])
    entropy = -float(xlogy(share, share).sum())
    free = (mean_parameters or len(means)) + len(means) - 1 + int(terms.sum())
    return Mixture(
        means,
        weights,
        floor,
        gain,
        scatter,
        float(log_total.sum()),
        entropy,
        len(values),
        free,
        mean_parameters is not None,
    )
