"""Normal and lognormal laws fitted to sizes, with exact confidence limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

DISTRIBUTIONS = ("lognormal", "normal")
FEWEST = 3


@dataclass(frozen=True)
class FittedDistribution:
    """A normal or lognormal law fitted to some values; see `fit_distribution`.

    Parameters
    ----------
    name
        "normal" or "lognormal".
    count
        Number of values.
    location, scale
        Mean and standard deviation (of the sample, with n - 1) of the values, or of their natural logarithms.
    aic
        Akaike's information criterion, lower for the law that describes the values better.
    """

    name: str
    count: int
    location: float
    scale: float
    aic: float

    def quantile(self, share: float, confidence: float = 0.95) -> tuple[float, float, float]:
        """Return the value below which some share of all particles lie, with its confidence limits.

        Exact limits of a quantile of a normal law, from the noncentral t distribution [1]_.

        References
        ----------
        .. [1] G. J. Hahn and W. Q. Meeker, Statistical Intervals (1991), https://doi.org/10.1002/9780470316771

        Examples
        --------
        >>> import numpy as np
        >>> from particlespy_ml.tables.distributions import fit_distribution
        >>> fitted = fit_distribution(np.array([2.0, 3.0, 4.0, 5.0, 6.0]), "normal")
        >>> [round(value, 2) for value in fitted.quantile(0.5)]  # that of the t distribution
        [4.0, 2.04, 5.96]
        """
        n, score = self.count, stats.norm.ppf(share)
        limits = stats.nct.ppf(((1 - confidence) / 2, (1 + confidence) / 2), n - 1, score * np.sqrt(n)) / np.sqrt(n)
        return tuple(float(value) for value in self._back(self.location + self.scale * np.array([score, *limits])))

    def spread(self, confidence: float = 0.95) -> tuple[float, float, float]:
        """Return the standard deviation, the geometric one of a lognormal law, with its confidence limits."""
        freedom = self.count - 1
        low, high = stats.chi2.ppf(((1 + confidence) / 2, (1 - confidence) / 2), freedom)
        scales = self.scale * np.sqrt([1, freedom / low, freedom / high])
        return tuple(float(value) for value in (np.exp(scales) if self.name == "lognormal" else scales))

    def density(self, values: np.ndarray) -> np.ndarray:
        """Return the probability density at some values."""
        values = np.asarray(values, float)
        if self.name == "normal":
            return stats.norm.pdf(values, self.location, self.scale)
        return stats.lognorm.pdf(values, self.scale, scale=np.exp(self.location))

    def _back(self, values: np.ndarray) -> np.ndarray:
        return np.exp(values) if self.name == "lognormal" else values


def fit_distribution(values: np.ndarray, name: str = "lognormal") -> FittedDistribution:
    """Fit a law to values.

    Parameters
    ----------
    values
        Numbers, at least three different ones; positive for a lognormal law. Those that are not finite are left out.
    name
        "lognormal", "normal", or "auto" for the one of the lower information criterion (AIC).

    Raises
    ------
    ValueError
        If the name is unknown, or the values are too few, alike, or not positive for a lognormal law.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.tables.distributions import fit_distribution
    >>> sizes = np.random.default_rng(0).lognormal(1, 0.3, 1000)
    >>> fit_distribution(sizes, "auto").name
    'lognormal'
    """
    if name not in (*DISTRIBUTIONS, "auto"):
        raise ValueError(f"distribution={name!r}; expected one of {', '.join((*DISTRIBUTIONS, 'auto'))}.")
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if len(values) < FEWEST or np.ptp(values) <= 1e-9 * np.abs(values).max(initial=0):
        raise ValueError(
            f"Too few values for a law: {len(values)}, {len(np.unique(values))} different; expected {FEWEST} or more."
        )
    if name == "auto":
        laws = DISTRIBUTIONS if (values > 0).all() else ("normal",)
        return min((fit_distribution(values, law) for law in laws), key=lambda fitted: fitted.aic)
    if name == "lognormal" and not (values > 0).all():
        raise ValueError("A lognormal law has positive values alone; expected distribution='normal'.")
    used = np.log(values) if name == "lognormal" else values
    likelihood = stats.norm.logpdf(used, used.mean(), used.std()).sum() - (used.sum() if name == "lognormal" else 0)
    return FittedDistribution(name, len(used), float(used.mean()), float(used.std(ddof=1)), float(4 - 2 * likelihood))
