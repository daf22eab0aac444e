"""Places of columns: maxima of an image, and what a fit leaves of it."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.signal.windows import tukey
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from particlespy_ml.columns.fit.gaussians import ColumnFit
from particlespy_ml.columns.search.detection import matched_significance
from particlespy_ml.columns.search.significance import null_noise
from particlespy_ml.quality.noise import estimate_noise

SPACINGS = (0.105, 0.45)  # nm: lattice periods that are looked for
SAME_PERIOD = 0.1  # relative difference
WIDTH = 0.21  # of the period: width of a column in most images, before it is fitted
WIDEST = 0.42  # of the distance between neighbours: fringes of wider columns have a thirtieth of their height, or less
CLOSEST = 0.62  # of the distance between neighbours: columns nearer to each other are one
FARTHEST = 1.6  # of the distance between neighbours: columns that far from all others are none of the particle's
MANY = 12  # columns of a particle, beside which one or two that lie apart are none
BEYOND = 2.5  # widths beyond the border, from where the light of a column still counts
FAINTEST = 0.05  # of the median volume: less is no atom, but what the Gaussians miss of the others


def lattice_periods(image: np.ndarray, pixel_size: float, spacings: tuple[float, float] = SPACINGS) -> list[float]:
    """Return periods in pixels of the strongest fringes of an image, from its power spectrum, the likeliest first.

    The first is that of the greatest power. Where a particle is small, or cut by the border, its outline has more
    power than its fringes: the second is that of the greatest amplitude gradient, the image not faded out at its
    border, where it differs from the first.

    Parameters
    ----------
    image
        Shape (rows, columns).
    pixel_size
        In nm.
    spacings
        Shortest and longest period looked for, in nm.

    Raises
    ------
    ValueError
        If the pixels are too coarse or the image too small for such periods.
    """
    shortest, longest = (max(spacings[0] / pixel_size, 2.2), spacings[1] / pixel_size)
    if longest < 3 or min(image.shape) < 2 * longest:
        raise ValueError(
            f"An image of {image.shape} pixels of {pixel_size:.3g} nm cannot show columns {spacings[0]} to "
            f"{spacings[1]} nm apart; expected smaller pixels or a larger image."
        )
    smooth = image - gaussian_filter(image, 0.5 * longest)
    shape = [int(2 ** np.ceil(np.log2(2 * n))) for n in image.shape]
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None])
    outside = (frequency < 1 / longest) | (frequency > 1 / shortest)
    found: list[float] = []
    for window_of, weight in ((np.hanning, 1.0), (lambda n: tukey(n, min(1.0, longest / n)), frequency)):
        window = np.outer(*(window_of(n) for n in image.shape))
        power = np.where(outside, 0, weight * np.abs(np.fft.rfft2(smooth * window, s=shape)) ** 2)
        period = float(1 / frequency.flat[np.argmax(power)])
        if all(abs(period / other - 1) > SAME_PERIOD for other in found):
            found.append(period)
    return found


def first_positions(image: np.ndarray, period: float) -> np.ndarray:
    """Return maxima of an image smoothed to the size of columns, shape (n, 2), to a fraction of a pixel.

    Parameters
    ----------
    image
        Shape (rows, columns).
    period
        Period of the fringes in pixels.
    """
    fine = gaussian_filter(image, WIDTH * period)
    response = fine - gaussian_filter(image, 0.5 * period)
    noise = estimate_noise(*_noise_samples(image))
    footprint = 1 / (4 * np.pi * (WIDTH * period) ** 2)
    deviation = np.sqrt(footprint * (noise.floor + noise.gain * np.maximum(fine, 0)))
    peaks = response == maximum_filter(response, footprint=_disk(0.55 * period))
    peaks &= response > 2.5 * deviation
    if not peaks.any():
        return np.empty((0, 2))
    heights = response[peaks]
    peaks &= response > 0.06 * np.percentile(heights, 90)
    return _subpixel(response, np.argwhere(peaks))


def neighbour_distance(positions: np.ndarray) -> float:
    """Return the median distance to the nearest neighbour; NaN for fewer than two columns."""
    if len(positions) < 2:
        return np.nan
    return float(np.median(cKDTree(positions).query(positions, 2)[0][:, 1]))


def near_others(positions: np.ndarray, distance: float) -> np.ndarray:
    """Whether each column has another one within a distance, or two where there are many."""
    if len(positions) < 2:
        return np.ones(len(positions), bool)
    size = group_sizes(positions, distance)
    return size >= (3 if size.max() >= MANY else 2)


def group_sizes(positions: np.ndarray, distance: float) -> np.ndarray:
    """Return for each column how many there are in its group, whose steps are shorter than a distance, shape (n,)."""
    pairs = cKDTree(positions).query_pairs(distance, output_type="ndarray")
    links = csr_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(positions),) * 2)
    _, group = connected_components(links, directed=False)
    return np.bincount(group)[group]


def in_sight(positions: np.ndarray, shape, width: float) -> np.ndarray:
    """Whether each column is in an image, or so near to its border that its light falls into it."""
    beyond = BEYOND * width
    return np.all((positions >= -beyond) & (positions <= np.array(shape) - 1 + beyond), axis=1)


def in_image(positions: np.ndarray, shape) -> np.ndarray:
    """Whether the centre of each column is in an image."""
    return np.all((positions >= -0.5) & (positions <= np.array(shape) - 0.5), axis=1)


def at_pixels(image: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the pixels of an image nearest to positions, shape (n,)."""
    nearest = np.clip(np.rint(positions).astype(int), 0, np.array(image.shape) - 1)
    return image[tuple(nearest.T)]


def near_any(positions: np.ndarray, others: np.ndarray, distance: float) -> np.ndarray:
    """Whether each place has one of some others within a distance."""
    if not len(others) or not len(positions):
        return np.zeros(len(positions), bool)
    return cKDTree(others).query(positions)[0] <= distance


def strongest_of_close(positions: np.ndarray, volumes: np.ndarray, distance: float) -> np.ndarray:
    """Whether each column is the strongest of those within a distance of it."""
    keep = np.ones(len(positions), bool)
    tree = cKDTree(positions)
    for index in np.argsort(-volumes):
        if keep[index]:
            for other in tree.query_ball_point(positions[index], distance):
                keep[other] &= volumes[other] > volumes[index] or other == index
    return keep


def missed_columns(image, fit: ColumnFit, threshold: float, spacing: float, mask=None) -> np.ndarray:
    """Return places where the residual holds a significant column, away from those known."""
    variance, cubed = null_noise(fit)
    s = float(fit.widths.mean())
    reach = np.arange(-int(np.ceil(3.5 * s)), int(np.ceil(3.5 * s)) + 1)
    template = np.exp(-0.5 * (reach / s) ** 2) / (np.sqrt(2 * np.pi) * s)
    residual = image - fit.model
    # what the model does not fit is no noise, but it hides columns as noise does
    inflation = np.maximum(gaussian_filter(residual**2 / variance, 2 * s), 1)
    volume, found = matched_significance(residual, variance * inflation, cubed, template)
    peaks = (found == maximum_filter(found, size=2 * int(np.ceil(s)) + 1)) & (found > threshold)
    peaks &= volume > FAINTEST * np.median(fit.volumes)
    if mask is not None:
        peaks &= np.asarray(mask, bool)
    places = np.argwhere(peaks)
    if not len(places):
        return np.empty((0, 2))
    distance = cKDTree(fit.positions).query(places)[0]
    places = places[(distance > CLOSEST * spacing) & (distance < FARTHEST * spacing)]
    if not len(places):
        return np.empty((0, 2))
    keep = strongest_of_close(places.astype(float), found[tuple(places.T)], CLOSEST * spacing)
    return _subpixel(found, places[keep])


def _noise_samples(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mixed second differences, which a smooth image does not reach, of unit gain; and local means.

    J. Immerkaer, Comput. Vis. Image Underst. 64, 300 (1996).
    """
    rough = np.diff(np.diff(image, 2, axis=0), 2, axis=1) / 6
    return rough, gaussian_filter(image, 1.5)[1:-1, 1:-1]


def _disk(radius: float) -> np.ndarray:
    n = max(1, int(radius))
    rows, columns = np.ogrid[-n : n + 1, -n : n + 1]
    return rows**2 + columns**2 <= max(radius, 1) ** 2


def _subpixel(image: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Vertices of parabolas through maxima and their neighbours; pixels at the border as they are."""
    found = places.astype(float)
    padded = np.pad(image, 1, mode="edge")
    for axis in (0, 1):
        step = np.eye(2, dtype=int)[axis]
        before, middle, after = (padded[tuple((places + 1 + k * step).T)] for k in (-1, 0, 1))
        curvature = before - 2 * middle + after
        inside = (places[:, axis] > 0) & (places[:, axis] < image.shape[axis] - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = np.where(inside & (curvature < 0), 0.5 * (before - after) / curvature, 0)
        found[:, axis] += np.clip(np.nan_to_num(shift), -0.5, 0.5)
    return found
