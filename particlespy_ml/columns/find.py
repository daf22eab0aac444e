"""First positions of columns, and which of them are real."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.spatial import cKDTree

from particlespy_ml.columns.complete import complete_lattice
from particlespy_ml.columns.detection import matched_significance, poisson_significance, significance_threshold
from particlespy_ml.columns.noise import Noise, estimate_noise
from particlespy_ml.columns.refine import SMALLEST_SIGNAL, ColumnFit, refine_columns

SPACINGS = (0.105, 0.45)  # nm: lattice periods that are looked for
WIDTH = 0.21  # of the period: width of a column in most images, before it is fitted
CLOSEST = 0.62  # of the distance between neighbours: columns nearer to each other are one
FARTHEST = 1.6  # of the distance between neighbours: columns that far from all others are none of the particle's
FAINTEST = 0.05  # of the median volume: less is no atom, but what the Gaussians miss of the others


@dataclass(frozen=True)
class FoundColumns:
    """Columns of an image.

    Parameters
    ----------
    fit
        The fit, or None where there are no columns.
    significance
        Normal deviate of the likelihood ratio of each column, shape (n,).
    threshold
        Significance that a column needs.
    false_positives
        Expected number of false columns that it stands for.
    spacing
        Distance between neighbours in pixels.
    """

    fit: ColumnFit | None
    significance: np.ndarray
    threshold: float
    false_positives: float
    spacing: float

    def __len__(self) -> int:
        return len(self.significance)


def lattice_period(image: np.ndarray, pixel_size: float, spacings: tuple[float, float] = SPACINGS) -> float:
    """Return the period in pixels of the strongest fringes of an image, from its power spectrum.

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
    window = np.outer(*(np.hanning(n) for n in image.shape))
    shape = [int(2 ** np.ceil(np.log2(2 * n))) for n in image.shape]
    power = np.abs(np.fft.rfft2(smooth * window, s=shape)) ** 2
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None])
    power[(frequency < 1 / longest) | (frequency > 1 / shortest)] = 0
    return float(1 / frequency.flat[np.argmax(power)])


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
    peaks[[0, -1]] = peaks[:, [0, -1]] = False
    if not peaks.any():
        return np.empty((0, 2))
    heights = response[peaks]
    peaks &= response > 0.06 * np.percentile(heights, 90)
    return _subpixel(response, np.argwhere(peaks))


def find_columns_in(
    image,
    pixel_size: float,
    spacing: float | None = None,
    positions=None,
    *,
    false_positives: float = 0.05,
    shared_width: bool = True,
    background: int = 1,
    noise: Noise | None = None,
    mask=None,
    rounds: int = 4,
) -> FoundColumns:
    """Find the columns of an image, refine all of them together, and keep those that are significant.

    Maxima of the smoothed image are refined. What is then left of the image is searched for columns that were missed,
    columns below the threshold or too close to a stronger one are taken out, and the rest is refined again. Where the
    columns form a lattice its empty sites are tried too.

    Parameters
    ----------
    image
        Shape (rows, columns).
    pixel_size
        In nm.
    spacing
        Distance between neighbouring columns in pixels; by default from the power spectrum.
    positions
        First positions in pixels, in place of the maxima; then none is added or taken out.
    false_positives
        Expected number of columns found by chance where there are none, and of those on empty sites of the lattice.
    shared_width, background, noise
        See `particlespy_ml.columns.refine.refine_columns`.
    mask
        Pixels in which columns are looked for; by default all.
    rounds
        Upper limit of rounds of adding and taking out.
    """
    image = np.asarray(image, dtype=float)
    if positions is not None:
        positions = np.asarray(positions, float).reshape(-1, 2)
        if not len(positions):
            return FoundColumns(None, np.empty(0), np.nan, false_positives, spacing or np.nan)
        width = None if spacing is None else WIDTH * spacing
        fit = refine_columns(image, positions, width, shared_width=shared_width, background=background, noise=noise)
        found = column_significance(image, fit)
        return FoundColumns(fit, found, np.nan, false_positives, spacing or neighbour_distance(fit.positions))
    period = lattice_period(image, pixel_size) if spacing is None else spacing
    start = first_positions(image, period)
    if mask is not None and len(start):
        start = start[np.asarray(mask, bool)[tuple(np.rint(start).astype(int).T)]]
    settings = {"background": background, "noise": noise}
    first = {**settings, "max_iterations": 12}  # enough to judge columns by
    fit, found, threshold = None, np.empty(0), np.nan
    for number in range(rounds):
        if len(start) == 0:
            return FoundColumns(None, np.empty(0), threshold, false_positives, period)
        fit = refine_columns(image, start, WIDTH * period if fit is None else float(fit.widths.mean()), **first)
        spacing = neighbour_distance(fit.positions) if len(start) > 6 else period
        spacing = float(np.clip(spacing, 0.8 * period, 1.5 * period))
        threshold = significance_threshold(false_positives, fit.region.sum() / fit.widths.mean() ** 2)
        found = column_significance(image, fit)
        keep = (found > threshold) & (fit.volumes > FAINTEST * np.median(fit.volumes))
        keep &= strongest_of_close(fit.positions, fit.volumes, CLOSEST * spacing)
        keep &= np.linalg.norm(fit.positions - start, axis=1) < 0.5 * spacing
        new = missed_columns(image, fit, threshold, spacing, mask)
        if keep.all() and not len(new):
            break
        # a place that was searched and found empty is not searched again in the last round
        start = np.vstack([fit.positions[keep], new]) if number < rounds - 1 else fit.positions[keep]
    if len(start) and (len(start) != len(fit.positions) or not fit.converged or not shared_width):
        fit = refine_columns(image, start, float(fit.widths.mean()), shared_width=shared_width, **settings)
        found = column_significance(image, fit)
    completed = None
    if len(start):
        faintest = FAINTEST * float(np.median(fit.volumes))
        completed = complete_lattice(
            image, fit, column_significance, false_positives, noise, background, mask, faintest
        )
    if completed is not None:
        fit = completed
        if not shared_width:
            fit = refine_columns(image, fit.positions, float(fit.widths.mean()), shared_width=False, **settings)
        found = column_significance(image, fit)
    near = near_others(fit.positions, FARTHEST * spacing)
    if len(start) == 0 or not near.any():
        return FoundColumns(None, np.empty(0), threshold, false_positives, period)
    return FoundColumns(subset(fit, near), found[near], threshold, false_positives, spacing)


def subset(fit: ColumnFit, which: np.ndarray) -> ColumnFit:
    """Return a fit with some of its columns; model and region stay."""
    names = ("positions", "volumes", "widths", "position_errors", "volume_errors", "width_errors", "background")
    return replace(fit, **{name: getattr(fit, name)[which] for name in names})


def neighbour_distance(positions: np.ndarray) -> float:
    """Return the median distance to the nearest neighbour; NaN for fewer than two columns."""
    if len(positions) < 2:
        return np.nan
    return float(np.median(cKDTree(positions).query(positions, 2)[0][:, 1]))


def near_others(positions: np.ndarray, distance: float) -> np.ndarray:
    """Whether each column has another one within a distance."""
    if len(positions) < 2:
        return np.ones(len(positions), bool)
    return cKDTree(positions).query(positions, 2)[0][:, 1] <= distance


def strongest_of_close(positions: np.ndarray, volumes: np.ndarray, distance: float) -> np.ndarray:
    """Whether each column is the strongest of those within a distance of it."""
    keep = np.ones(len(positions), bool)
    tree = cKDTree(positions)
    for index in np.argsort(-volumes):
        if keep[index]:
            for other in tree.query_ball_point(positions[index], distance):
                keep[other] &= volumes[other] > volumes[index] or other == index
    return keep


def column_significance(image: np.ndarray, fit: ColumnFit) -> np.ndarray:
    """Return the significance of each column of a fit: the signed root of its likelihood ratio.

    The column's volume is taken over its error without the column, that is with the noise of what lies around and below
    it, and with the uncertainty that neighbours add.
    """
    variance, cubed = _null_noise(fit)
    width = fit.widths
    information = np.empty(len(width))
    third = np.empty(len(width))
    full = np.empty(len(width))
    half = int(np.ceil(3.5 * width.max()))
    for k, (position, volume, s) in enumerate(zip(fit.positions, fit.volumes, width, strict=True)):
        low = np.maximum(np.rint(position).astype(int) - half, 0)
        high = np.minimum(np.rint(position).astype(int) + half + 1, image.shape)
        vectors = []
        for axis in (0, 1):
            u = (np.arange(low[axis], high[axis]) - position[axis]) / s
            vectors.append(np.exp(-0.5 * u**2) / (np.sqrt(2 * np.pi) * s))
        shape = np.outer(*vectors)
        where = (slice(low[0], high[0]), slice(low[1], high[1]))
        without = np.maximum(variance[where] - fit.noise.gain * max(volume, 0) * shape, _least(fit))
        information[k] = np.sum(shape**2 / without)
        full[k] = np.sum(shape**2 / variance[where])
        third[k] = np.sum(shape**3 / without**3 * np.minimum(cubed[where], fit.noise.gain * without))
    # what the neighbours and the background leave of the information
    left = np.clip(1 / np.maximum(fit.volume_errors**2 * full, 1e-300), 0, 1)
    deviate = fit.volumes * np.sqrt(information * left)
    return poisson_significance(deviate, third / information**1.5)


def missed_columns(image, fit: ColumnFit, threshold: float, spacing: float, mask=None) -> np.ndarray:
    """Return places where the residual holds a significant column, away from those known."""
    variance, cubed = _null_noise(fit)
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
    peaks[[0, -1]] = peaks[:, [0, -1]] = False
    places = np.argwhere(peaks)
    if not len(places):
        return np.empty((0, 2))
    distance = cKDTree(fit.positions).query(places)[0]
    places = places[(distance > CLOSEST * spacing) & (distance < FARTHEST * spacing)]
    if not len(places):
        return np.empty((0, 2))
    keep = strongest_of_close(places.astype(float), found[tuple(places.T)], CLOSEST * spacing)
    return _subpixel(found, places[keep])


def _null_noise(fit: ColumnFit) -> tuple[np.ndarray, np.ndarray]:
    """Variance and third cumulant of every pixel under the model."""
    signal = np.maximum(fit.model, 0)
    variance = np.maximum(fit.noise.floor + fit.noise.gain * signal, _least(fit))
    return variance, fit.noise.gain * np.minimum(fit.noise.gain * signal, variance)


def _least(fit: ColumnFit) -> float:
    height = max(float(np.median(fit.volumes / (2 * np.pi * fit.widths**2))), 0)
    return max(fit.noise.floor + fit.noise.gain * SMALLEST_SIGNAL * height, 1e-12 * height**2, 1e-300)


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
    """Vertices of parabolas through pixels that are maxima and their neighbours."""
    found = places.astype(float)
    for axis in (0, 1):
        step = np.eye(2, dtype=int)[axis]
        before, middle, after = (image[tuple((places + k * step).T)] for k in (-1, 0, 1))
        curvature = before - 2 * middle + after
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = np.where(curvature < 0, 0.5 * (before - after) / curvature, 0)
        found[:, axis] += np.clip(np.nan_to_num(shift), -0.5, 0.5)
    return found
