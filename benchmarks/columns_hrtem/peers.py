"""What users would take instead of a network: maxima of a filtered image, and atomap's finder."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy import ndimage as ndi
from skimage.feature import peak_local_max

THRESHOLDS = np.arange(1.5, 6.1, 0.5)  # robust standard deviations


def maxima(image: np.ndarray, pixel: float) -> dict[str, np.ndarray]:
    """Return the maxima of an image after band-pass filters, for every setting: rows and columns, shape (n, 2).

    Settings are the two widths of the difference of Gaussians, the threshold, and the sign of the contrast.

    Parameters
    ----------
    image
        Shape (rows, columns).
    pixel
        Pixel size in Å.
    """
    found = {}
    for fine, coarse, sign in product((0.35, 0.5, 0.7), (1.0, 2.0), (1, -1)):
        passed = sign * (ndi.gaussian_filter(image, fine / pixel) - ndi.gaussian_filter(image, coarse / pixel))
        spread = 1.4826 * np.median(np.abs(passed - np.median(passed)))
        peaks = peak_local_max(
            passed, min_distance=max(1, round(0.7 / pixel)), threshold_abs=THRESHOLDS[0] * spread, exclude_border=False
        )
        heights = passed[tuple(peaks.T)]
        places = np.array([_vertex(passed, *peak) for peak in peaks]).reshape(-1, 2)
        for threshold in THRESHOLDS:
            told = f"{fine:g} to {coarse:g} Å, {threshold:g} deviations, {'bright' if sign > 0 else 'dark'}"
            found[told] = places[heights > threshold * spread]
    return found


def _vertex(image: np.ndarray, row: int, column: int) -> tuple[float, float]:
    """Maximum of the parabolas through a peak and its neighbours."""
    place = []
    for axis, at in enumerate((row, column)):
        if not 0 < at < image.shape[axis] - 1:
            place.append(float(at))
            continue
        before, middle, after = (image[(at + d, column) if axis == 0 else (row, at + d)] for d in (-1, 0, 1))
        bend = before - 2 * middle + after
        place.append(at + (0.5 * (before - after) / bend if bend < 0 else 0.0))
    return place[0], place[1]


def with_atomap(image: np.ndarray, pixel: float) -> dict[str, np.ndarray]:
    """Return what atomap's finder takes for columns in a smoothed image, for every setting, as `maxima` does."""
    from atomap.atom_finding_refining import get_atom_positions
    from hyperspy.signals import Signal2D

    found = {}
    for separation, threshold, sign in product((1.0, 1.5), (0.3, 0.4, 0.5, 0.6, 0.7), (1, -1)):
        smooth = ndi.gaussian_filter(sign * np.asarray(image, float), 0.5 / pixel)
        places = get_atom_positions(
            Signal2D(smooth - smooth.min()),
            separation=max(1, round(separation / pixel)),
            threshold_rel=threshold,
            pca=False,
        )
        told = f"separation {separation:g} Å, threshold {threshold:g}, {'bright' if sign > 0 else 'dark'}"
        found[told] = np.asarray(places, float).reshape(-1, 2)[:, ::-1]
    return found


WAYS = {"maxima": maxima, "atomap": with_atomap}
