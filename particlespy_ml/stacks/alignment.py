"""Images of particles to one position and orientation: centring, rotation and mirrors, without a reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

ANGLES = 180  # samples of a turn, 2 degrees apart; the peak is interpolated
STARTS = 24  # images that may be the first reference
MOST_STEPS = 4  # of the search of a shift; two are taken where the first is within reach
FARTHEST = 2  # reaches of a step from the first guess


@dataclass(frozen=True, eq=False)
class Alignment:
    """How images are brought to their mean.

    Parameters
    ----------
    shifts
        Row and column of each particle's centre from the middle of its box, ``edge // 2``, in pixels, shape (n, 2).
    angles
        Angle in degrees by which each image is turned, from the columns towards the rows, shape (n,).
    mirrored
        Whether the image is mirrored, columns from right to left, before it is turned, shape (n,).
    scores
        Correlation of each aligned image with the mean of all, shape (n,).
    lost
        Whether no shift was found within reach of the first guess, which is then kept, shape (n,).
    """

    shifts: np.ndarray
    angles: np.ndarray
    mirrored: np.ndarray
    scores: np.ndarray
    lost: np.ndarray


def smoothed(images, smoothing: float) -> np.ndarray:
    """Return images smoothed by a Gaussian in pixels, float32: what angles and shifts are found on."""
    images = np.asarray(images, dtype=np.float32)
    return ndi.gaussian_filter(images, (0, smoothing, smoothing)) if smoothing else images


def background_of(image: np.ndarray) -> float:
    """Return the median of the pixels along the edges of an image."""
    return float(np.median(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])))


def centroid(image: np.ndarray) -> np.ndarray:
    """Return the sub-pixel centroid of what stands out of an image, from its middle ``edge // 2``, shape (2,).

    Bright or dark, above the background by more than a quarter of the smoothed maximum: noise beside the particle does
    not pull at it. The middle where nothing stands out.
    """
    values = np.asarray(image, dtype=np.float32) - background_of(image)
    smooth = ndi.gaussian_filter(values, max(1.0, min(values.shape) / 40))
    if abs(smooth.min()) > smooth.max():
        smooth = -smooth
    weight = np.maximum(smooth - 0.25 * smooth.max(), 0)
    labels, count = ndi.label(weight > 0)
    if count == 0:
        return np.zeros(2)
    largest = 1 + int(np.argmax(ndi.sum_labels(weight, labels, np.arange(1, count + 1))))
    return np.array(ndi.center_of_mass(weight * (labels == largest))) - np.array(values.shape) // 2


def transform(
    image: np.ndarray,
    shift: np.ndarray,
    angle: float,
    mirrored: bool = False,
    step: tuple[float, float] = (1.0, 1.0),
    order: int = 3,
) -> np.ndarray:
    """Return an image with its centre in the middle, mirrored and turned, by one interpolation.

    Parameters
    ----------
    image
        Shape (rows, columns).
    shift, angle, mirrored
        As in `Alignment`, of one image.
    step
        Size of a pixel along rows and columns, in any unit: turns are those of space, not of pixels.
    order
        Of the splines.

    Returns
    -------
    numpy.ndarray
        Same shape, float32. Beyond the edges the image goes on with its background.
    """
    back = np.diag([1.0, -1.0 if mirrored else 1.0]) @ np.linalg.inv(_forward(np.deg2rad(angle)))
    matrix = np.diag(1 / np.asarray(step)) @ back @ np.diag(step)
    middle = np.array(image.shape) // 2
    fill = background_of(image)
    return ndi.affine_transform(
        np.asarray(image, dtype=np.float32), matrix, middle + shift - matrix @ middle, order=order, cval=fill
    )


def _forward(radians: float) -> np.ndarray:
    """Rotation of (row, column) from the columns towards the rows."""
    return np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])


def polar(image: np.ndarray, shift: np.ndarray, step: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    """Return an image about its centre in polar coordinates, weighted so that each pixel counts alike.

    Parameters
    ----------
    image
        Shape (rows, columns).
    shift
        Its centre from the middle, in pixels.
    step
        Size of a pixel.

    Returns
    -------
    numpy.ndarray
        Shape (radii, angles), each ring without its mean and times the root of its radius, float32. Rings without
        their mean see what turns; the background has gone.
    """
    step = np.asarray(step) / min(step)
    reach = min(np.array(image.shape) * step) / 2 - 1
    radii = np.arange(1, max(2, int(reach)) + 1)
    turns = 2 * np.pi * np.arange(ANGLES) / ANGLES
    middle = np.array(image.shape) // 2 + shift
    rows = middle[0] + radii[:, None] * np.sin(turns) / step[0]
    columns = middle[1] + radii[:, None] * np.cos(turns) / step[1]
    values = ndi.map_coordinates(np.asarray(image, dtype=np.float32), [rows, columns], order=1, mode="nearest")
    return (values - values.mean(1, keepdims=True)) * np.sqrt(radii[:, None]).astype(np.float32)


def best_rotation(spectrum: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Return the angle in degrees by which an image is to be turned, and its correlation with the reference there.

    Parameters
    ----------
    spectrum, reference
        `numpy.fft.rfft` along the angles of `polar` of both, shape (radii, frequencies).

    References
    ----------
    M. Schatz and M. van Heel, Ultramicroscopy 32, 255 (1990), for rotational alignment by polar correlation.
    """
    correlation = np.fft.irfft((reference * spectrum.conj()).sum(0), ANGLES)
    peak = int(correlation.argmax())
    left, top, right = correlation[[peak - 1, peak, (peak + 1) % ANGLES]]
    curvature = left - 2 * top + right
    offset = 0.5 * (left - right) / curvature if curvature < 0 else 0.0
    scale = np.sqrt(_energy(spectrum) * _energy(reference))
    return (peak + offset) * 360 / ANGLES, float(top / scale) if scale > 0 else 0.0


def _energy(spectrum: np.ndarray) -> float:
    """Sum of squares of what a real spectrum is of."""
    power = np.abs(spectrum) ** 2
    return float((2 * power.sum() - power[:, 0].sum() - power[:, -1].sum()) / ANGLES)


def orient(image, shift, reference: np.ndarray, mirror: bool, step) -> tuple[float, bool, float]:
    """Return angle, mirror and correlation that bring an image to a reference.

    Parameters
    ----------
    image, shift, step
        As for `polar`.
    reference
        Spectrum of the polar reference.
    mirror
        Whether the image may be mirrored.
    """
    rings = polar(image, shift, step)
    angle, score = best_rotation(np.fft.rfft(rings), reference)
    if not mirror:
        return angle, False, score
    # columns from right to left: the angle t becomes 180 degrees - t
    flipped = np.roll(rings[:, ::-1], ANGLES // 2 + 1, axis=1)
    other, better = best_rotation(np.fft.rfft(flipped), reference)
    return (other, True, better) if better > score else (angle, False, score)


def search_reach(shape: tuple[int, int]) -> int:
    """Return how far in pixels a step of the search of a shift may go: an eighth of the box, 2 at least."""
    return max(2, min(shape) // 8)


def refine_shift(image: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the shift of an image from a reference, and whether it is a peak and not on the rim of the search.

    The shift is the peak of their cross-correlation, in parts of a pixel.
    """
    if min(np.ptp(values) - 1e-5 * np.abs(values).max() for values in (image, reference)) <= 0:
        return np.zeros(2), True  # a flat image has nothing to be centred
    product = np.fft.rfft2(image - image.mean()) * np.fft.rfft2(reference - reference.mean()).conj()
    correlation = np.fft.fftshift(np.fft.irfft2(product, image.shape))
    middle = np.array(image.shape) // 2
    reach = search_reach(image.shape)
    near = correlation[tuple(slice(m - reach, m + reach + 1) for m in middle)]
    shift = np.array(np.unravel_index(near.argmax(), near.shape)) - reach
    if np.abs(shift).max() == reach:
        return shift.astype(float), False
    peak = middle + shift
    shift = shift.astype(float)
    for axis in (0, 1):
        place = list(peak)
        values = []
        for offset in (-1, 0, 1):
            place[axis] = peak[axis] + offset
            values.append(correlation[tuple(place)])
        curvature = values[0] - 2 * values[1] + values[2]
        shift[axis] += 0.5 * (values[0] - values[2]) / curvature if curvature < 0 else 0.0
    return shift, True


def align_to(images, reference: np.ndarray, mirror: bool, rotate: bool, step, shifts=None) -> Alignment:
    """Return how images are brought to a reference.

    Parameters
    ----------
    images
        Shape (n, rows, columns).
    reference
        Centred image, shape (rows, columns).
    mirror, rotate
        Whether images may be mirrored, and turned.
    step
        Size of a pixel.
    shifts
        First guess of the shifts; by default the centroids.
    """
    spectrum = np.fft.rfft(polar(reference, np.zeros(2), step))
    count = len(images)
    guess = np.array([centroid(image) for image in images]).reshape(count, 2) if shifts is None else shifts
    shifts, angles, scores = guess.copy(), np.zeros(count), np.zeros(count)
    mirrored, lost = np.zeros(count, bool), np.zeros(count, bool)
    for i, image in enumerate(images):
        for turn in range(MOST_STEPS):
            if rotate:
                angles[i], mirrored[i], scores[i] = orient(image, shifts[i], spectrum, mirror, step)
            turned = transform(image, shifts[i], angles[i], mirrored[i], step, order=1)
            rest, found = refine_shift(turned, reference)
            shifts[i] += _back(angles[i], mirrored[i], step) @ rest
            if found and turn > 0:  # a better centre gives a better angle
                break
        if not found or np.abs(shifts[i] - guess[i]).max() >= FARTHEST * search_reach(image.shape):
            lost[i], shifts[i] = True, guess[i]
            if rotate:
                angles[i], mirrored[i], scores[i] = orient(image, shifts[i], spectrum, mirror, step)
        if not rotate:
            scores[i] = _correlation(transform(image, shifts[i], 0.0, False, step, order=1), reference)
    return Alignment(shifts, angles % 360, mirrored, scores, lost)


def _back(angle: float, mirrored: bool, step) -> np.ndarray:
    """From a displacement in the aligned image to one in the image, in pixels."""
    back = np.diag([1.0, -1.0 if mirrored else 1.0]) @ np.linalg.inv(_forward(np.deg2rad(angle)))
    return np.diag(1 / np.asarray(step)) @ back @ np.diag(step)


def _correlation(image: np.ndarray, reference: np.ndarray) -> float:
    a, b = image - image.mean(), reference - reference.mean()
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / scale) if scale > 0 else 0.0


def find_reference(images, mirror: bool, rotate: bool, step, iterations: int, seed: int) -> np.ndarray:
    """Return the mean of aligned images, found from the images alone.

    The first reference is that of a few images that is most like the others. Then images are aligned to the reference,
    and their mean is the next one.

    Parameters
    ----------
    images
        Shape (n, rows, columns).
    mirror, rotate, step
        As for `align_to`.
    iterations
        Number of times that all images are aligned at most; it ends when the angles stay the same to 0.1 degrees.
    seed
        Of the choice of the few.

    References
    ----------
    P. Penczek, M. Radermacher and J. Frank, Ultramicroscopy 40, 33 (1992), for alignment without a reference.
    """
    shifts = np.array([centroid(image) for image in images])
    few = np.sort(np.random.default_rng(seed).choice(len(images), min(STARTS, len(images)), replace=False))
    first = few[0]
    if rotate and len(few) > 2:
        spectra = [np.fft.rfft(polar(images[i], shifts[i], step)) for i in few]
        alike = [sum(best_rotation(a, b)[1] for b in spectra) for a in spectra]
        first = few[int(np.argmax(alike))]
    reference = transform(images[first], shifts[first], 0.0, False, step)
    previous = None
    for _ in range(iterations):
        found = align_to(images, reference, mirror, rotate, step, shifts)
        shifts = found.shifts
        reference = mean_aligned(images, found, step)
        offset = centroid(reference)
        reference = transform(reference, offset, 0.0, False, step)
        if previous is not None and np.abs((found.angles - previous + 180) % 360 - 180).max() < 0.1:
            break
        previous = found.angles
    return reference


def mean_aligned(images, alignment: Alignment, step) -> np.ndarray:
    """Return the mean of images once they are aligned, float32."""
    total = np.zeros(images[0].shape)
    for number, image in enumerate(images):
        total += transform(image, *_of(alignment, number), step)
    return (total / len(images)).astype(np.float32)


def _of(alignment: Alignment, number: int) -> tuple:
    return alignment.shifts[number], alignment.angles[number], bool(alignment.mirrored[number])
