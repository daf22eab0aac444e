"""Along which zone axis a particle is seen, if along any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, label, maximum_filter

from particlespy_ml.crystals.crystal import Crystal, as_crystal
from particlespy_ml.crystals.directions import low_index_zone_axes
from particlespy_ml.crystals.reflections import Pattern, patterns

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

COARSE = 11.0  # pixels a lattice constant: finer images are binned
STRETCH = 0.12  # how much the lattice may differ from the constant that is given: calibrations are often wrong by that
ANISOTROPY = 0.08  # how much more along one direction than along the other, by drift of the scan
SHEAR = 0.04  # how much its two vectors may differ from each other in the first search
FEWEST_PIXELS = 2.2  # a reflection of a shorter period cannot be seen
# logarithm of the power of fringes that are longer than those of a zone axis, over the median: noise alone has less
LONGER = 2.2
# of the strongest power at a radius: reflections of one length are blurred alike, and weak only where the particle is
# tilted; in a twin of two halves one that they do not share has a quarter of the power of one that they do
BALANCE = 0.03
# of the strongest, each beside what the crystal alone has: reflections of nearly one length in a crystal with a basis;
# less than the quarter of a twin
EQUAL = 0.2
WEAKEST = 1e-5  # of the power at zero frequency
# score of a zone axis that is not quite there, but would need much less distortion than the one that is: both are open
RIVAL = 0.7
DARKEST = 0.05  # of the pixels: that much of an image is no particle
APART = 0.3  # of the brightness of the particle in the middle: what is darker parts it from others


@dataclass(frozen=True)
class ZoneAxis:
    """Zone axis of a particle.

    Parameters
    ----------
    zone_axis
        Its name, such as "<011>"; empty where there is none.
    score
        How far the weakest reflection stands out of what surrounds it, over what is needed: 1 or more on an axis. In a
        crystal with a basis also how strong it is beside the others and beside a crystal on the axis.
    scores
        The same for each zone axis that was looked for, in their order.
    basis
        Vectors of the plane lattice in pixels (row, column), shape (2, 2); NaN where there is none.
    lattice_constant
        In pixels; NaN where there is none.
    """

    zone_axis: str
    score: float
    scores: tuple[float, ...]
    basis: np.ndarray
    lattice_constant: float


def without_padding(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an image without constant rows and columns at its rim, and the middle of the whole image in it.

    A particle at the border of an image is cut out with padding, whose edge is no part of the particle.
    """
    rows, columns = (np.flatnonzero(np.ptp(image, axis=axis) > 0) for axis in (1, 0))
    if not len(rows):
        return image, (np.array(image.shape) - 1) / 2
    middle = (np.array(image.shape) - 1) / 2 - [rows[0], columns[0]]
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], middle


def particle_outline(image: np.ndarray, period: float, middle=None) -> tuple[np.ndarray, float]:
    """Return the smooth height of the particle in the middle, zero elsewhere, and the level that it stands on.

    Parameters
    ----------
    image
        Shape (rows, columns).
    period
        Longest lattice period in pixels.
    middle
        Row and column near the particle; by default those of the middle of the image.
    """
    smooth = gaussian_filter(image, 0.8 * period)
    level = float(np.quantile(smooth, DARKEST))
    outline = np.clip(smooth - level, 0, None)
    middle = (np.array(image.shape) - 1) / 2 if middle is None else np.asarray(middle, float)
    distance = np.hypot(*(np.indices(image.shape) - middle[:, None, None]))
    height = np.quantile(outline[distance <= max(2 * period, distance.min() + 1)], 0.9)
    if height < 0.1 * outline.max():  # nothing is there
        return outline, level
    parts = label(outline > APART * height)[0]
    own = parts == parts.flat[np.argmin(np.where(parts > 0, distance, np.inf))]
    # other particles are shut out softly, by how much nearer a place is to this one
    near = distance_transform_edt(~own)
    others = (parts > 0) & ~own
    share = np.clip(0.5 + (distance_transform_edt(~others) - near) / (2 * period), 0, 1) if others.any() else 1.0
    return outline * share * (near < 2 * period), level


def power_spectrum(image: np.ndarray, period: float, middle=None) -> tuple[np.ndarray, float]:
    """Return the power spectrum of a particle, centred, over that at zero, and its sampling in 1 / pixels.

    The image is multiplied by the smooth outline of the particle, so that a small one is not diluted by what surrounds
    it, and other particles are left out.

    Parameters
    ----------
    image
        Shape (rows, columns).
    period
        Longest lattice period in pixels; what is smoother is taken out.
    middle
        See `particle_outline`.
    """
    detail, weight, level = lattice_detail(image, period, middle)
    # a small particle needs a finely sampled spectrum, a large image has one
    size = int(2 ** np.ceil(np.log2(max(1.2 * max(detail.shape), min(2.5 * max(detail.shape), 512)))))
    power = np.abs(np.fft.fftshift(np.fft.fft2(detail, s=(size, size)))) ** 2
    return power / max(float(np.sum(weight * (image - level))) ** 2, 1e-300), 1 / size


def lattice_detail(image, period: float, middle=None) -> tuple[np.ndarray, np.ndarray, float]:
    """Return what is finer than a period in the particle in the middle, its weight, and the level that it stands on.

    Parameters
    ----------
    image, period, middle
        See `power_spectrum`.
    """
    image = np.asarray(image, float)
    outline, level = particle_outline(image, period, middle)
    edge = np.outer(*(np.clip(2 * np.hanning(n), 0, 1) for n in image.shape))
    weight = outline / max(outline.max(), 1e-300) * edge  # facets would give streaks, but for a soft outline
    return (image - gaussian_filter(image, 0.45 * period)) * weight, weight, level


def find_zone_axis_in(
    image: ArrayLike,
    lattice_constant: float,
    structure: Crystal | str = "fcc",
    zone_axes: Sequence | None = None,
) -> ZoneAxis:
    """Find the zone axis of the particle of an image from its power spectrum.

    For each zone axis all rotations, and some stretch along each of the lattice vectors, are tried. A zone axis is one
    if all of its shortest reflections stand out of the powers at the same radius, and are of similar strength. Where
    the image holds several particles, it is that of the one in the middle.

    Parameters
    ----------
    image
        One particle, shape (rows, columns).
    lattice_constant
        Length of the first vector of the crystal's conventional cell in pixels.
    structure
        A crystal, or its name: "fcc", "bcc", or one that `particlespy_ml.crystals.crystal.crystal` knows.
    zone_axes
        Those that are looked for, as names or whole numbers, see `particlespy_ml.crystals.directions.direction`; by
        default those of low indices: "<001>", "<011>" and "<111>" of a cubic crystal, "<0001>", "<11-20>" and "<10-10>"
        of a hexagonal one.

    Raises
    ------
    ValueError
        If the crystal is unknown, a zone axis is none, or there are no zone axes.

    References
    ----------
    The idea is that of ParticleSpy's ``find_zoneaxis``, which compares single peaks with lengths.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns.fit.gaussians import gaussian_columns
    >>> from particlespy_ml.crystals.zone_axis import find_zone_axis_in
    >>> rows, columns = np.mgrid[:9, :9]
    >>> places = np.column_stack([21.0 + 9.8 * rows.ravel(), 20.0 + 9.8 * columns.ravel()])
    >>> find_zone_axis_in(gaussian_columns((120, 120), places, 50.0, 2.1), 19.6).zone_axis
    '<001>'
    """
    crystal = as_crystal(structure)
    axes = low_index_zone_axes(crystal) if zone_axes is None else tuple(zone_axes)
    if not axes or isinstance(zone_axes, str):
        raise ValueError(f"zone_axes={zone_axes!r}; expected a list of zone axes, such as ['<001>', '<011>'].")
    sought = patterns(crystal, tuple(axis if isinstance(axis, str) else tuple(axis) for axis in axes))
    image, middle = without_padding(np.asarray(image, float))
    factor = int(lattice_constant / COARSE)
    if factor > 1 and min(image.shape) >= 2 * lattice_constant:
        rows, columns = (n // factor for n in image.shape)
        blocks = image[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
        found = _find(blocks.mean((1, 3)), (middle + 0.5) / factor - 0.5, lattice_constant / factor, sought)
        return replace(found, basis=found.basis * factor, lattice_constant=found.lattice_constant * factor)
    return _find(image, middle, lattice_constant, sought)


def _find(image, middle, lattice_constant: float, sought: tuple[Pattern, ...]) -> ZoneAxis:
    nothing = ZoneAxis("", 0.0, (0.0,) * len(sought), np.full((2, 2), np.nan), np.nan)
    if np.ptp(image) == 0 or min(image.shape) < 2 * lattice_constant:
        return nothing
    longest = lattice_constant / min(np.linalg.norm(pattern.vectors[0]) for pattern in sought)
    power, sampling = power_spectrum(image, 1.15 * longest, middle)
    width = max(1.0, 0.5 * power.shape[0] / max(image.shape))
    smooth = gaussian_filter(power, width)
    found = [_best_rotation(smooth, sampling, lattice_constant, pattern) for pattern in sought]
    scores = tuple(score for score, _, _ in found)
    best = _likeliest(found, sought)
    if best is None:
        return replace(nothing, score=max(scores), scores=scores)
    _, basis, constant = found[best]
    return ZoneAxis(sought[best].seen.zone_axis, scores[best], scores, basis, constant)


def _likeliest(found, sought: tuple[Pattern, ...]) -> int | None:
    """Number of the zone axis, None where there is none, or one cannot be told from another one.

    One pattern may be another one, distorted: of those that are there the right one needs the least distortion.
    """
    distortion = [
        np.inf if basis is None else _anisotropy(np.linalg.inv(pattern.seen.basis) @ basis)
        for (_, basis, _), pattern in zip(found, sought, strict=True)
    ]
    there = [k for k, (score, _, _) in enumerate(found) if score >= 1]
    if not there:
        return None
    best = min(there, key=lambda k: distortion[k])
    rivals = [k for k, (score, _, _) in enumerate(found) if score >= RIVAL]
    return best if distortion[best] - min(distortion[k] for k in rivals) < SHEAR else None


def _best_rotation(smooth, sampling: float, constant: float, pattern: Pattern):
    """Score, basis and lattice constant in pixels of a zone axis at its best rotation and stretch."""
    vectors = pattern.vectors / constant
    lengths = np.linalg.norm(vectors, axis=1)
    if lengths.max() * (1 + STRETCH) > 1 / FEWEST_PIXELS:
        return 0.0, None, np.nan
    centre = smooth.shape[0] // 2
    slack = int(np.ceil(SHEAR * lengths.max() / sampling))
    reach = int(np.ceil((1 + STRETCH) * 1.05 * lengths.max() / sampling)) + 2 * slack
    low = max(centre - reach, 0)
    smooth = smooth[low : centre + reach + 1, low : centre + reach + 1]  # what no reflection reaches is not looked at
    centre -= low
    score, at = _search(smooth, centre, slack, sampling * constant, pattern)
    if at is None:
        return 0.0, None, np.nan
    # the same reflections in the places of each other, where the pattern nearly allows it
    maps = [
        _linear_map(smooth, centre, slack, sampling, vectors, places)
        for places in (at, *(at @ turn.T for turn in pattern.turns))
    ]
    change, powers = min(maps, key=lambda found: _anisotropy(found[0]))
    if np.isfinite(pattern.powers).any():
        beside = powers / pattern.powers
        equal = float(np.nanmin(beside) / np.nanmax(beside)) / EQUAL
        score = min(score, equal, float(np.nanmin(powers / pattern.least)))
    stretched = np.linalg.svd(change, compute_uv=False)
    if np.abs(np.log(stretched)).max() > np.log1p(STRETCH) + SHEAR or _anisotropy(change) > ANISOTROPY:
        return 0.0, None, np.nan
    seen = pattern.seen
    basis = seen.basis * constant @ np.linalg.inv(change)
    found = constant * float(np.sqrt(abs(np.linalg.det(basis)) / (seen.area * constant**2)))
    return score, basis, found


def _search(smooth, centre: int, slack: int, sampling: float, pattern: Pattern):
    """Score of the best rotation and stretch, and the places of the reflections from the centre; None where none is.

    *sampling* is that of the spectrum in 1 / lattice constant.
    """
    vectors = pattern.vectors
    lengths = np.linalg.norm(vectors, axis=1)
    highest = maximum_filter(smooth, size=2 * int(np.ceil(0.85 * slack)) + 1)
    distance = np.hypot(*(np.indices(smooth.shape) - centre))
    radius = np.rint(distance).astype(int)
    step = np.degrees(SHEAR) * 0.7
    turns = np.radians(np.arange(0, 180, step))
    rotation = np.array([[[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]] for t in turns])
    if pattern.both_hands:
        rotation = np.concatenate([rotation, rotation * (1, -1)])
    stretches = np.exp(np.linspace(-1, 1, max(3, int(np.ceil(STRETCH / SHEAR * 3)) | 1)) * np.log1p(STRETCH))
    places = np.einsum("tij,kj->tki", rotation, vectors)  # turns, reflections, 2
    best = (0.0, None)
    for stretch in stretches:
        at = places / stretch / sampling
        index = np.rint(at).astype(int) + centre
        power = highest[index[..., 0], index[..., 1]]
        around = np.array([_level(highest, radius, length / stretch / sampling) for length in lengths])
        contrast = (np.log(power / around) / pattern.needed).min(1)
        # fringes longer than the longest of this zone axis are those of another orientation
        for length in pattern.foreign:
            ring = smooth[np.abs(distance * sampling * stretch - length) < 0.05 * length]
            if np.log(ring.max() / max(np.median(ring), WEAKEST)) > LONGER:
                contrast[power.min(1) < ring.max()] = 0
        top = int(np.argmax(contrast))
        if contrast[top] > best[0]:
            best = (float(contrast[top]), at[top])
    return best


def _linear_map(smooth, centre: int, slack: int, sampling: float, vectors, at) -> tuple[np.ndarray, np.ndarray]:
    """The reflections that are found near some places as a linear map of the ideal ones, and their powers."""
    peaks = np.array([_peak(smooth, place + centre, slack) for place in at])
    change = np.linalg.lstsq(vectors, (peaks - centre) * sampling, rcond=None)[0].T
    return change, smooth[tuple(np.rint(peaks).astype(int).T)]


def _anisotropy(change: np.ndarray) -> float:
    """Logarithm of the greatest over the least stretch of a linear map."""
    return float(np.ptp(np.log(np.maximum(np.linalg.svd(change, compute_uv=False), 1e-300))))


def _level(highest, radius, at: float) -> float:
    ring = highest[np.abs(radius - at) <= 1.5]
    return float(max(np.quantile(ring, 0.4), BALANCE * ring.max(), WEAKEST))


def _peak(smooth, place, slack: int) -> np.ndarray:
    """Centre of mass of what stands out around a place."""
    low = np.rint(place).astype(int) - slack
    window = smooth[low[0] : low[0] + 2 * slack + 1, low[1] : low[1] + 2 * slack + 1]
    top = np.array(np.unravel_index(np.argmax(window), window.shape)) + low
    near = smooth[top[0] - 2 : top[0] + 3, top[1] - 2 : top[1] + 3]
    excess = np.clip(near - 0.5 * near.max(), 0, None)
    offsets = np.arange(-2, 3)
    return top + np.array([excess.sum(1) @ offsets, excess.sum(0) @ offsets]) / excess.sum()
