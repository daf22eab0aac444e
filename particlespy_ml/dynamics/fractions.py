"""Fractions of time in each class, with intervals that know how correlated a movie is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from scipy.stats import norm

BOLTZMANN_EV = 8.617333262e-5  # eV/K, CODATA 2018


@dataclass(frozen=True)
class Fractions:
    """Fractions with their covariance.

    Parameters
    ----------
    values
        Fraction of each class, shape (K,).
    covariance
        Shape (K, K).
    effective_samples
        Number of independent observations that the movies are worth.
    confidence
        Confidence of `low` and `high`.
    """

    values: np.ndarray
    covariance: np.ndarray
    effective_samples: float
    confidence: float

    @property
    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Wilson bounds with the number of samples that the variance of each class is worth.

        Where a correction finds that a class is hardly there, the variance is that of a fraction as small as the error.
        """
        z = norm.ppf(0.5 + self.confidence / 2)
        p = np.clip(self.values, 0, 1)
        variance = np.maximum(np.diag(self.covariance), 0)
        error = np.minimum(np.sqrt(variance), 0.5)
        size = np.clip(p, error, 1 - error)
        with np.errstate(divide="ignore", invalid="ignore"):
            n = np.where(variance > 0, size * (1 - size) / variance, self.effective_samples)
        n = np.maximum(np.minimum(n, self.effective_samples), 1)
        middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        # a fraction near zero that a correction left uncertain may be zero
        normal = np.where(variance > 1.001 * p * (1 - p) / self.effective_samples, z * np.sqrt(variance), 0)
        return np.clip(np.minimum(middle - half, p - normal), 0, 1), np.clip(
            np.maximum(middle + half, p + normal), 0, 1
        )

    @property
    def low(self) -> np.ndarray:
        """Lower bounds."""
        return self._bounds[0]

    @property
    def high(self) -> np.ndarray:
        """Upper bounds."""
        return self._bounds[1]


def autocorrelation_time(series: np.ndarray, window: float = 5.0) -> float:
    """Return the integrated autocorrelation time of sequences, in frames; 1 for independent frames.

    Parameters
    ----------
    series
        Shape (S, T) for S sequences; NaN where frames are missing.
    window
        The sum of correlations stops at the first lag above so many autocorrelation times.

    References
    ----------
    A. Sokal, in Functional Integration (1997), p. 131: the automatic window.
    """
    series = np.atleast_2d(np.asarray(series, dtype=float))
    centred = series - np.nanmean(series)
    seen = np.isfinite(centred)
    centred = np.where(seen, centred, 0)
    size = 2 ** int(np.ceil(np.log2(2 * series.shape[1])))

    def correlate(values):
        spectrum = np.abs(np.fft.rfft(values, size, axis=1)) ** 2
        return np.fft.irfft(spectrum, axis=1)[:, : series.shape[1]].sum(0)

    pairs = np.rint(correlate(seen.astype(float)))
    covariance = np.divide(correlate(centred), pairs, out=np.zeros(series.shape[1]), where=pairs > 0)
    if covariance[0] <= 1e-15:
        return 1.0
    time = 1.0
    for lag in range(1, series.shape[1]):
        time += 2 * covariance[lag] / covariance[0]
        if lag >= window * time:
            break
    return max(time, 1.0)


def class_fractions(states: np.ndarray, n_classes: int, confidence: float = 0.95) -> Fractions:
    """Return the fractions of classes over all frames, and their covariance with the autocorrelation time.

    Parameters
    ----------
    states
        Class indices, shape (S, T); -1 where undefined or missing.
    n_classes
        Number of classes.
    confidence
        Confidence of the intervals.

    Raises
    ------
    ValueError
        If no frame is classified.
    """
    states = np.atleast_2d(states)
    known = states >= 0
    count = int(known.sum())
    if count == 0:
        raise ValueError("No frame is classified, so there are no fractions.")
    indicators = (states[..., None] == np.arange(n_classes)).astype(float)
    values = indicators[known].mean(0)
    times = [autocorrelation_time(np.where(known, indicators[..., k], np.nan)) for k in range(n_classes)]
    if values.max() < 1:
        effective = max(count / max(times[k] for k in range(n_classes) if values[k] > 0), 1.0)
    else:  # nothing changes, so nothing says how long a particle keeps its class
        effective = float(known.any(1).sum())
    covariance = (np.diag(values) - np.outer(values, values)) / effective
    return Fractions(values, covariance, effective, confidence)


def correct_fractions(observed: Fractions, confusion: np.ndarray) -> Fractions:
    """Return the true fractions that a classifier's confusion turns into the observed ones.

    Parameters
    ----------
    observed
        Fractions of predicted classes.
    confusion
        Probability of each predicted class (column) for each true class (row), shape (K, K). Rows sum to less than one
        where some particles are left undefined, more of one class than of another perhaps.

    Raises
    ------
    ValueError
        If the rows are no probabilities.

    References
    ----------
    W. J. Youden, Biometrics 6, 172 (1950); J. Forman, Data Min. Knowl. Discov. 17, 164 (2008): adjusted counts.
    """
    confusion = np.asarray(confusion, dtype=float)
    if (confusion < 0).any() or (confusion.sum(1) > 1.01).any():
        raise ValueError(f"Expected rows of probabilities, which sum to one at most, not {confusion.tolist()}.")
    solution, _ = nnls(confusion.T, observed.values)  # in proportion to the fractions
    total = solution.sum()
    values = solution / total
    slope = (np.eye(len(values)) - values[:, None]) @ np.linalg.pinv(confusion.T) / total
    covariance = slope @ observed.covariance @ slope.T
    return Fractions(values, covariance, observed.effective_samples, observed.confidence)


def free_energy_differences(fractions: Fractions, temperature: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return free energies of the classes relative to each other from the fractions of time.

    Parameters
    ----------
    fractions
        Fractions of time in each class.
    temperature
        In kelvin.

    Returns
    -------
    difference, low, high
        F_j - F_i = -k T ln(f_j / f_i) in eV for row i and column j, and its confidence bounds, shape (K, K). Infinite
        where a class was never seen.
    """
    if not temperature > 0:
        raise ValueError(f"temperature={temperature}; expected kelvin above zero.")
    thermal = BOLTZMANN_EV * temperature
    f, covariance = fractions.values, fractions.covariance
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithm = np.log(f)
        difference = -thermal * (logarithm[None, :] - logarithm[:, None])
        relative = covariance / np.outer(f, f)
        variance = np.diag(relative)[None, :] + np.diag(relative)[:, None] - 2 * relative
        spread = norm.ppf(0.5 + fractions.confidence / 2) * thermal * np.sqrt(np.clip(variance, 0, None))
        return difference, difference - spread, difference + spread
