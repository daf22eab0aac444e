"""Numbers that stand for each column and for the image about it, whatever way the image is turned."""

from __future__ import annotations

import numpy as np
from scipy import fft
from scipy.spatial import cKDTree

RADII = np.arange(0, 3.3, 0.375)  # Å, of the rings about a column
RING = 0.2  # Å, standard deviation of a ring
NEIGHBOURS = 6
FREQUENCIES = np.linspace(0, 2.0, 13)  # 1/Å, edges of the bins of the power spectrum
CHANNELS = ("local", "contrast")
_FURTHEST = RADII[-1] + 0.4
_CHUNK = 256


def feature_count(images: int) -> int:
    """Return the number of features of a column seen in some images."""
    return 4 * len(CHANNELS) * images * len(RADII) + images * (len(FREQUENCIES) - 1) + 2


def column_features(shown: np.ndarray, places: np.ndarray, pixel_size: float) -> np.ndarray:
    """Return the features of the columns of one kind.

    The mean of each channel on rings about the column; the same of its neighbours, and of all columns and their
    standard deviation, which tell what the optics do; and the power spectrum of each image, the noise, and the distance
    of the neighbours. Other kinds have no part in it, as faint ones are found or not.

    Parameters
    ----------
    shown
        Channels of `CHANNELS` of one or more images, from `particlespy_ml.columns.network.network_input`, shape
        (channels, rows, columns).
    places
        Rows and columns of all columns of the kind in pixels, shape (n, 2).
    pixel_size
        In Å.

    Returns
    -------
    numpy.ndarray
        Shape (n, features), float32.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns.features import column_features, feature_count
    >>> shown = np.zeros((2, 64, 64))
    >>> column_features(shown, np.array([(20.0, 30), (40, 41)]), 0.25).shape
    (2, 86)
    """
    images = len(shown) // len(CHANNELS)
    mine = ring_means(shown, places, pixel_size)
    n = len(mine)
    if not n:
        return np.zeros((0, feature_count(images)), np.float32)
    known = min(NEIGHBOURS, n - 1)
    if known:
        distance, near = cKDTree(places).query(places, k=known + 1)
        about, away = mine[near[:, 1:]].mean(1), distance[:, 1:].mean(1) * pixel_size / 10
    else:
        about, away = np.zeros_like(mine), np.ones(n)
    frame = [
        mine.mean(0),
        mine.std(0),
        *(log_power(image, pixel_size) for image in shown[:images]),
        [np.log(noise(shown[:images]))],
    ]
    shared = np.concatenate(frame)
    return np.concatenate([mine, about, away[:, None], np.broadcast_to(shared, (n, len(shared)))], 1).astype(np.float32)


def ring_means(shown: np.ndarray, places: np.ndarray, pixel_size: float) -> np.ndarray:
    """Return the mean of each channel on rings about each place, shape (n, channels * rings).

    Rings are Gaussian across, about the place to a fraction of a pixel; beyond the border the image is mirrored.
    """
    reach = int(np.ceil(_FURTHEST / pixel_size))
    padded = np.pad(np.asarray(shown, np.float32), ((0, 0), (reach, reach), (reach, reach)), mode="symmetric")
    axis = np.arange(-reach, reach + 1)
    rings = RADII.astype(np.float32)[:, None]
    rows, columns = (part.ravel() for part in np.meshgrid(axis, axis, indexing="ij"))
    result = np.empty((len(places), len(shown) * len(RADII)), np.float32)
    last = np.array(shown.shape[1:]) - 1
    for start in range(0, len(places), _CHUNK):
        part = np.clip(places[start : start + _CHUNK], 0, last)
        pixel = np.rint(part).astype(int)
        off = (part - pixel).astype(np.float32)
        radius = np.hypot(rows - off[:, :1], columns - off[:, 1:]) * np.float32(pixel_size)
        weights = np.exp((radius[:, None] - rings) ** 2 * np.float32(-0.5 / RING**2))
        weights /= weights.sum(-1, keepdims=True)
        seen = padded[:, pixel[:, :1] + reach + rows, pixel[:, 1:] + reach + columns]
        means = np.matmul(seen.transpose(1, 0, 2), weights.transpose(0, 2, 1))
        result[start : start + _CHUNK] = means.reshape(len(part), -1)
    return result


def log_power(image: np.ndarray, pixel_size: float) -> np.ndarray:
    """Return the logarithm of the mean power spectrum in bins of `FREQUENCIES`; white noise of one has zero."""
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in image.shape))
    power = np.abs(fft.fft2(image * window)) ** 2 / (window**2).sum()
    frequency = np.hypot(*np.meshgrid(*(fft.fftfreq(n, pixel_size) for n in image.shape), indexing="ij"))
    which = np.digitize(frequency.ravel(), FREQUENCIES) - 1
    number = len(FREQUENCIES) - 1
    kept = which < number
    sums = np.bincount(which[kept], power.ravel()[kept], number)
    counts = np.bincount(which[kept], minlength=number)
    return np.log(np.maximum(sums / np.maximum(counts, 1), 1e-6))


def noise(images: np.ndarray) -> float:
    """Return the standard deviation of what differs from pixel to pixel, by second differences, of white noise."""
    if min(images.shape[1:]) < 2:
        return 1.0
    twice = images[:, 1:, 1:] - images[:, :-1, 1:] - images[:, 1:, :-1] + images[:, :-1, :-1]
    return max(float(np.std(twice)) / 2, 1e-6)
