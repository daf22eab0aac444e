"""Fractions of time in each class, with intervals that know how correlated a movie is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize, nnls
from scipy.special import xlogy
from scipy.stats import norm

from particlespy_ml.core.proportions import wilson_interval
from particlespy_ml.dynamics.steps import SAME_STEP

BOLTZMANN_EV = 8.617333262e-5  # eV/K, CODATA 2018
PASSES = 3  # of weights by the decay of the correlation and its decay by the weights, which then change no more
LAGS_PER_DECADE = 12  # over which a correlation that falls exponentially changes little within one


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
        low, high = wilson_interval(p, n, self.confidence)
        # a fraction near zero that a correction left uncertain may be zero
        normal = np.where(variance > 1.001 * p * (1 - p) / self.effective_samples, z * np.sqrt(variance), 0)
        return np.clip(np.minimum(low, p - normal), 0, 1), np.clip(np.maximum(high, p + normal), 0, 1)

    @property
    def low(self) -> np.ndarray:
        """Lower bounds."""
        return self._bounds[0]

    @property
    def high(self) -> np.ndarray:
        """Upper bounds."""
        return self._bounds[1]


def autocorrelation_time(series: np.ndarray, window: float = 5.0) -> float:
    """Return the integrated autocorrelation time of evenly spaced sequences, in frames; 1 for independent frames.

    So many of the frames that are there are worth an independent one. Frames that are missing make it shorter: those
    that are left are further apart.

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
    seen = np.isfinite(series)
    if not seen.any():
        return 1.0
    frames = series.shape[1]
    centred = np.where(seen, series - np.nanmean(series), 0)
    size = 2 ** int(np.ceil(np.log2(2 * frames)))

    def correlate(values):
        spectrum = np.abs(np.fft.rfft(values, size, axis=1)) ** 2
        return np.fft.irfft(spectrum, axis=1)[:, :frames].sum(0)

    pairs = np.rint(correlate(seen.astype(float)))
    covariance = np.divide(correlate(centred), pairs, out=np.zeros(frames), where=pairs > 0)
    if covariance[0] <= 1e-15:
        return 1.0
    # how likely the frame at a lag behind one that is there is there too, within each sequence
    inside = np.logical_or.accumulate(seen, 1) & np.logical_or.accumulate(seen[:, ::-1], 1)[:, ::-1]
    whole = np.maximum(np.rint(correlate(inside.astype(float))), 1)
    there = pairs / whole * whole[0] / pairs[0]
    time = of_all = 1.0
    for lag in range(1, frames):
        time += 2 * covariance[lag] / covariance[0] * there[lag]
        of_all += 2 * covariance[lag] / covariance[0]
        if lag >= window * of_all:
            break
    return max(time, 1.0)


def class_fractions(
    states: np.ndarray, n_classes: int, confidence: float = 0.95, times: np.ndarray | None = None
) -> Fractions:
    """Return the fractions of time in each class, and their covariance with the autocorrelation time.

    Where frames are evenly spaced all count the same. Where they are not, a frame stands for the time half way to the
    frames before and after it, but for hardly more than classes stay correlated, since it says nothing beyond: its
    weight is tanh(k t / 2) summed over the two times t, with the rate k at which the correlation falls. Frames of a
    burst then share the weight of the time they lie in, and frames that are far apart count the same. With these
    weights the mean of a process whose correlation falls exponentially has the smallest variance, up to its ends.

    Parameters
    ----------
    states
        Class indices, shape (S, T); -1 where undefined or missing.
    n_classes
        Number of classes.
    confidence
        Confidence of the intervals.
    times
        Time of each frame in ascending order and any unit, shape (T,), or (S, T) where sequences have their own, with
        NaN behind the end of shorter ones. By default frames are evenly spaced.

    Raises
    ------
    ValueError
        If no frame is classified, or times do not ascend.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.dynamics.fractions import class_fractions
    >>> states, times = [[0] * 50 + [1] * 50], np.concatenate([np.arange(50) / 50, 1 + np.arange(50)])
    >>> [class_fractions(states, 2, times=t).values.round(2).tolist() for t in (None, times)]
    [[0.5, 0.5], [0.02, 0.98]]
    """
    states = np.atleast_2d(states)
    known = states >= 0
    count = int(known.sum())
    if count == 0:
        raise ValueError("No frame is classified, so there are no fractions.")
    indicators = (states[..., None] == np.arange(n_classes)).astype(float)
    even = times is None or _evenly_spaced(np.asarray(times, dtype=float))
    weights = np.ones(states.shape)
    if not even:
        times = np.broadcast_to(np.asarray(times, dtype=float), states.shape)
        weights, effective = _weigh(indicators, known, times)
    values = np.average(indicators[known], axis=0, weights=weights[known])
    if len(np.unique(states[known])) == 1:  # nothing changes, so nothing says how long a particle keeps its class
        effective = float(known.any(1).sum())
    elif even:
        longest = max(
            autocorrelation_time(np.where(known, indicators[..., k], np.nan)) for k in np.flatnonzero(values > 0)
        )
        effective = max(count / longest, 1.0)
    covariance = (np.diag(values) - np.outer(values, values)) / effective
    return Fractions(values, covariance, effective, confidence)


def _evenly_spaced(times: np.ndarray) -> bool:
    """Whether all steps between frames are equal up to rounding, in all sequences."""
    steps = np.diff(times)
    steps = steps[np.isfinite(steps)]
    if (steps <= 0).any():
        raise ValueError("times do not ascend; expected those of the frames in the order of time.")
    return len(steps) == 0 or bool(np.abs(steps - np.median(steps)).max() <= SAME_STEP * np.median(steps))


def _weigh(indicators: np.ndarray, known: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights of unevenly spaced frames, shape (S, T), and how many independent ones they are worth."""
    weights, effective = np.ones(known.shape), float(known.sum())
    changing = [k for k in range(indicators.shape[-1]) if 0 < indicators[known][:, k].mean() < 1]
    series = [np.where(known, indicators[..., k], np.nan) for k in changing]
    for _ in range(PASSES if series else 0):
        share, rate = np.transpose([correlation_decay(s, times, weights) for s in series])
        own = np.stack([mean_weights(times, value) for value in rate])
        weights = own[effective_samples(own * known, times, share, rate).argmin()]  # of the slowest class
        effective = float(effective_samples(weights * known, times, share, rate).min())
    return weights, effective


def mean_weights(times: np.ndarray, rate: float) -> np.ndarray:
    """Return the weights of unevenly spaced frames for the mean of a process whose correlation falls exponentially.

    They are those of the smallest variance, but that the first and the last frame reach out as far as they reach in.

    Parameters
    ----------
    times
        Times of the frames of each sequence in ascending order, shape (S, T); NaN behind the end of shorter ones.
    rate
        Rate at which the correlation falls, one over the unit of the times; infinite for independent frames.

    Returns
    -------
    numpy.ndarray
        Shape (S, T), between 0 and 1: small where frames are many within the time of correlation, 1 where they are far
        apart.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.dynamics.fractions import mean_weights
    >>> times = np.array([[0.0, 1.0, 2.0, 102.0, 202.0]])
    >>> [mean_weights(times, rate).round(2).tolist()[0] for rate in (1e-4, 0.05, np.inf)]
    [[0.0, 0.0, 0.0, 0.0, 0.0], [0.02, 0.02, 0.51, 0.99, 0.99], [1.0, 1.0, 1.0, 1.0, 1.0]]
    """
    steps = np.diff(times, axis=1)
    nothing = np.full((len(times), 1), np.nan)
    before, after = np.hstack([nothing, steps]), np.hstack([steps, nothing])
    before, after = np.where(np.isnan(before), after, before), np.where(np.isnan(after), before, after)
    reach = [np.where(np.isnan(step), np.inf, step) for step in (before, after)]  # a frame alone knows its own time
    return sum(np.tanh(rate * step / 2) for step in reach) / 2


def correlation_decay(series: np.ndarray, times: np.ndarray, weights: np.ndarray | None = None) -> tuple[float, float]:
    """Return share a and rate k of the correlation a exp(-k t) of unevenly spaced sequences of zeros and ones.

    The rest of the correlation, one minus the share, is of single frames, such as errors of a classifier. Pairs of
    frames differ with the probability 2 p (1 - p) (1 - a exp(-k t)) for a share p of ones, whose composite likelihood
    is maximised: each frame is paired with those 1, 2, 3, 4, 6, 8, 12, ... frames behind.

    Parameters
    ----------
    series
        Zeros and ones, shape (S, T); NaN where frames are missing.
    times
        Times of the frames, shape (S, T), ascending.
    weights
        Weights of the frames in the share of ones, and in pairs; equal by default.

    Returns
    -------
    share, rate
        Zero and infinity where no two frames of a sequence are there.

    References
    ----------
    C. Varin, N. Reid and D. Firth, Stat. Sinica 21, 5 (2011): composite likelihoods.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.dynamics.fractions import correlation_decay
    >>> rng = np.random.default_rng(0)
    >>> times = rng.exponential(size=20_000).cumsum()
    >>> changes = rng.random(20_000) < (1 - np.exp(-0.1 * np.diff(times, prepend=0))) / 2  # correlation exp(-0.1 t)
    >>> share, rate = correlation_decay(changes.cumsum()[None] % 2, times[None])
    >>> abs(share - 1) < 0.02, abs(rate / 0.1 - 1) < 0.1
    (True, True)
    """
    frames = series.shape[1]
    behind = sorted({int(n * 2**power) for power in range(64) for n in (1, 1.5) if n * 2**power < frames})
    weights = np.ones(series.shape) if weights is None else weights
    lags, differ, counts = [], [], []
    for n in behind:
        pair = np.abs(series[:, n:] - series[:, :-n])
        there = np.isfinite(pair)
        lags.append((times[:, n:] - times[:, :-n])[there])
        differ.append(pair[there])
        counts.append((weights[:, n:] * weights[:, :-n])[there])
    if not sum(map(len, lags)):
        return 0.0, np.inf
    lags, differ, counts = np.concatenate(lags), np.concatenate(differ), np.concatenate(counts)
    _, place = np.unique(np.floor(np.log10(lags) * LAGS_PER_DECADE), return_inverse=True)
    pairs, differing = np.bincount(place, counts), np.bincount(place, counts * differ)
    lag = np.bincount(place, lags) / np.bincount(place)
    pairs, differing = pairs / pairs.sum(), differing / pairs.sum()
    seen = np.isfinite(series)
    mean = np.average(series[seen], weights=weights[seen])
    most = 2 * mean * (1 - mean)

    def negative(share, rate):
        probability = most * (1 - share * np.exp(-np.multiply.outer(rate, lag)))
        probability = np.clip(probability, 1e-12, 1 - 1e-12)
        return -(xlogy(differing, probability) + xlogy(pairs - differing, 1 - probability)).sum(-1)

    # from ten times the longest lag to where the shortest says nothing
    rates = np.geomspace(0.1 / lag.max(), 10 / lag.min(), 80)
    shares = np.linspace(0, 1, 21)
    table = np.array([negative(share, rates) for share in shares])
    row, column = np.unravel_index(table.argmin(), table.shape)
    bounds = [(0, 1), (np.log(rates[0]), np.log(rates[-1]))]
    fit = minimize(
        lambda x: float(negative(x[0], np.exp(x[1]))),
        [shares[row], np.log(rates[column])],
        method="L-BFGS-B",
        bounds=bounds,
    )
    return float(fit.x[0]), float(np.exp(fit.x[1]))


def effective_samples(weights: np.ndarray, times: np.ndarray, share, rate) -> np.ndarray:
    """Return how many independent frames a weighted mean is worth whose frames are correlated as share exp(-rate t).

    Parameters
    ----------
    weights
        Shape (S, T), or (C, S, T) for one set for each correlation; zero where frames are missing.
    times
        Times of the frames, shape (S, T), ascending; NaN behind the end of shorter sequences.
    share, rate
        As from `correlation_decay`, numbers or shape (C,).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.dynamics.fractions import effective_samples
    >>> times = np.arange(1000.0)[None]
    >>> float(effective_samples(np.ones((1, 1000)), times, 1.0, 0.1).round(1))  # 1000 tanh(0.1 / 2), and the ends
    50.5
    """
    share, rate = np.asarray(share, dtype=float), np.asarray(rate, dtype=float)
    weights = np.broadcast_to(weights, (*share.shape, *times.shape))
    kept = np.exp(-rate[..., None, None] * np.nan_to_num(np.diff(times, axis=1), nan=np.inf))
    carried, together = np.zeros(weights.shape[:-1]), np.zeros(weights.shape[:-1])
    for frame in range(1, times.shape[1]):
        carried = kept[..., frame - 1] * (carried + weights[..., frame - 1])
        together += weights[..., frame] * carried
    total = (weights**2).sum((-2, -1)) + 2 * share * together.sum(-1)
    return np.maximum(weights.sum((-2, -1)) ** 2 / total, 1.0)


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
