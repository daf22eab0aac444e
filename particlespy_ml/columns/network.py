"""Columns by a network that maps where they are, of which kind, and how high."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi
from scipy.spatial import cKDTree
from skimage.feature import peak_local_max
from skimage.segmentation import watershed

if TYPE_CHECKING:
    from particlespy_ml.models.column_mapper import ColumnMaps

WIDTH = 0.35  # Å, standard deviation of the peak that a column has in the map of a network
REACH = 12.0  # Å, over which the mean and the spread are taken that an image is normalised by
_CLIP = 8.0
_CONTRAST = 4.0  # by which contrasts are multiplied, so that they are about as large as local deviations
_LEAST_LIGHT = 0.5  # of the spread: a mean that is smaller is none of counts
_DISPLAYED_WHITE = (1.0, 255.0, 65535.0)
_BLOCK = 4  # pixels along each edge of the blocks whose means stand for them in the normalisation
_NEAREST = 0.7  # Å, distance from which two peaks of a map are two columns
_FAINTEST = 0.02  # of a peak of certain place and presence: what is below is no peak
# A column among others is believed sooner than one alone, as noise makes them: of the threshold, with as many columns
# above it within so many Å. Corners of small fcc particles have as many.
IN_COMPANY, COMPANY, COMPANY_WITHIN = 0.5, 8, 7.0
_FAR = 0.6  # Å, from a peak to where its pixels say that the column is


def normalise(images: np.ndarray, pixel_size: float) -> np.ndarray:
    """Return images less their local mean, divided by their local standard deviation.

    Mean and deviation are Gaussian averages over `REACH`, common to all images of a stack, so that what they differ by
    from one to the next is kept.

    Parameters
    ----------
    images
        Shape (images, rows, columns) or (rows, columns).
    pixel_size
        In Å.

    Returns
    -------
    numpy.ndarray
        Same shape, float32, within ±8. What is constant is zero.

    References
    ----------
    J. Madsen et al., Adv. Theory Simul. 1, 1800037 (2018).
    """
    images = np.asarray(images, np.float32)
    stack, _, mean, spread = _local(images, pixel_size)
    return _deviation(stack, mean, spread).reshape(images.shape)


def network_input(
    images: np.ndarray, pixel_size: float, channels: tuple[str, ...] = ("local",), counted: bool = True
) -> np.ndarray:
    """Return what a network sees of images.

    Parameters
    ----------
    images
        Shape (images, rows, columns).
    pixel_size
        In Å.
    channels
        For each image "local", as of `normalise`, and "contrast", the image over its local mean, less one, which tells
        how strong a contrast is. Networks learnt that it may be zero everywhere, where it is unknown.
    counted
        Whether the values are proportional to electrons: the contrast of others is unknown.

    Returns
    -------
    numpy.ndarray
        Shape (channels * images, rows, columns), float32, all images of one channel after another.
    """
    images = np.asarray(images, np.float32)
    stack, middle, mean, spread = _local(images, pixel_size)
    found = []
    for channel in channels:
        if channel == "local":
            found.append(_deviation(stack, mean, spread))
        elif channel == "contrast":
            light = mean + middle
            lit = light > _LEAST_LIGHT * np.maximum(spread, 1e-30)
            shown = _CONTRAST * (stack - mean) / np.where(lit, light, 1) if counted else np.zeros_like(stack)
            found.append(np.clip(np.where(lit, shown, 0), -_CLIP, _CLIP).astype(np.float32))
        else:
            raise ValueError(f"Unknown channel {channel!r}; expected 'local' or 'contrast'.")
    return np.concatenate(found)


def may_be_counts(image: np.ndarray) -> bool:
    """Return whether values of an image may be proportional to electrons.

    Those of pictures for the eye are not, whose black and white are a file format's own or 0 and 1, nor are those about
    zero, of which a background was taken off. A dark level that was left in cannot be seen.

    Parameters
    ----------
    image
        Pixels as they were recorded.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns.network import may_be_counts
    >>> counts = np.random.default_rng(0).poisson(50, (64, 64))
    >>> may_be_counts(counts), may_be_counts(counts - counts.mean()), may_be_counts((counts * 2).astype("u1"))
    (True, False, False)
    """
    if image.dtype.itemsize == 1:
        return False
    values = image[np.isfinite(image)] if image.dtype.kind == "f" else image
    if not values.size:
        return False
    lowest, highest, middle = float(values.min()), float(values.max()), float(values.mean())
    if lowest == 0 and highest in _DISPLAYED_WHITE:
        return False
    return middle > _LEAST_LIGHT * float(values.std())


def _local(images: np.ndarray, pixel_size: float) -> tuple[np.ndarray, np.float32, np.ndarray, np.ndarray]:
    """Images less their middle, their middle, and local mean and deviation of the images less their middle."""
    stack = images.reshape(-1, *images.shape[-2:])
    middle = stack.mean(dtype=float).astype(np.float32)
    stack = stack - middle  # squares of large numbers lose digits
    shape = stack.shape[1:]
    sums = [_block_means(values) for values in (stack.mean(0), (stack**2).mean(0))]
    sigma = REACH / pixel_size / _BLOCK
    mean, square = (ndi.gaussian_filter(values, sigma, mode="nearest", truncate=2.5) for values in sums)
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    mean, spread = (_enlarged(values, shape) for values in (mean, spread))
    return stack, middle, mean, spread


def _deviation(stack: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Deviations from the local mean in local standard deviations; zero where there is none."""
    floor = 1e-5 * float(np.abs(stack).max()) + 1e-30
    result = np.where(spread > floor, (stack - mean) / np.maximum(spread, floor), 0)
    return np.clip(result, -_CLIP, _CLIP).astype(np.float32)


def _block_means(values: np.ndarray) -> np.ndarray:
    padded = np.pad(values, [(0, -n % _BLOCK) for n in values.shape], mode="edge")
    rows, columns = (n // _BLOCK for n in padded.shape)
    return padded.reshape(rows, _BLOCK, columns, _BLOCK).mean((1, 3))


def _enlarged(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A map of blocks on the grid of pixels, linear between the middles of the blocks."""
    for axis, n in enumerate(shape):
        at = np.clip((np.arange(n) - (_BLOCK - 1) / 2) / _BLOCK, 0, values.shape[axis] - 1)
        low = np.minimum(np.floor(at).astype(int), max(values.shape[axis] - 2, 0))
        weight = (at - low).astype(np.float32)
        weight = weight[:, None] if axis == 0 else weight
        high = np.minimum(low + 1, values.shape[axis] - 1)
        values = np.take(values, low, axis) * (1 - weight) + np.take(values, high, axis) * weight
    return values


def maps_of_columns(places: np.ndarray, outputs: np.ndarray, shape: tuple[int, int], pixel_size: float) -> np.ndarray:
    """Return what a network should map of known columns.

    Parameters
    ----------
    places
        Row and column of each in pixels, shape (n, 2).
    outputs
        Number of the output of each, from 1 on, shape (n,); 0 is the background.
    shape
        Of the maps.
    pixel_size
        In Å.

    Returns
    -------
    numpy.ndarray
        Shape (4, rows, columns), float32: a peak of height one at each column, the output of the nearest one, and the
        vector to it, rows first, in Å.
    """
    result = np.zeros((4, *shape), np.float32)
    if not len(places):
        return result
    # pixels about each column; of a pixel that is about several, the nearest one is written last
    reach = int(np.ceil(4 * WIDTH / pixel_size))
    offsets = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2, indexing="ij"), -1).reshape(-1, 2)
    pixels = np.rint(places).astype(int)[:, None] + offsets
    vectors = (places[:, None] - pixels) * pixel_size
    distance = np.hypot(vectors[..., 0], vectors[..., 1])
    kept = (distance < 4 * WIDTH) & (pixels >= 0).all(-1) & (pixels < shape).all(-1)
    owner = np.broadcast_to(np.arange(len(places))[:, None], kept.shape)[kept]
    at, vectors, distance = pixels[kept], vectors[kept], distance[kept]
    order = np.argsort(-distance)
    rows, columns = at[order].T
    result[0, rows, columns] = np.exp(-0.5 * (distance[order] / WIDTH) ** 2)
    result[1, rows, columns] = outputs[owner[order]]
    result[2:, rows, columns] = vectors[order].T
    return result


@dataclass(frozen=True)
class MappedColumns:
    """Columns read from the maps of a network.

    Parameters
    ----------
    places
        Row and column of each in pixels of the maps, shape (n, 2).
    errors
        Standard error of the place along each axis in Å, shape (n,).
    probabilities
        Probability that there is a column, shape (n,).
    posterior
        Probability of each output but the background, given that there is a column, shape (n, outputs).
    """

    places: np.ndarray
    errors: np.ndarray
    probabilities: np.ndarray
    posterior: np.ndarray

    def chosen(self, which: np.ndarray) -> MappedColumns:
        """Return some of the columns."""
        return MappedColumns(self.places[which], self.errors[which], self.probabilities[which], self.posterior[which])

    def __len__(self) -> int:
        return len(self.places)


def columns_from_maps(maps: ColumnMaps, pixel_size: float, threshold: float = 0.7) -> MappedColumns:
    """Return the columns in the maps of a network.

    Peaks of the probability of any column are the seeds of a watershed. The volume of a basin, over that of a peak, is
    the probability that there is a column; the shares of the outputs in it are their probabilities; what its pixels say
    of where the column is, averaged, is the place. A column that has others about it, as one at the surface of a
    particle does, is taken at a smaller probability than one that is alone, as those are that noise makes.

    Parameters
    ----------
    maps
        From `particlespy_ml.models.column_mapper.ColumnMapper.maps`.
    pixel_size
        Of the maps, in Å.
    threshold
        Columns of a smaller probability are dropped; half of it is enough for those with eight or more columns above it
        within 7 Å.
    """
    presence = 1 - maps.background
    smooth = ndi.gaussian_filter(presence, 0.15 / pixel_size)
    seeds = peak_local_max(
        smooth,
        min_distance=max(1, round(_NEAREST / pixel_size)),
        threshold_abs=_FAINTEST,
        exclude_border=False,
    )
    number = len(seeds)
    outputs = len(maps.columns)
    if not number:
        return MappedColumns(np.empty((0, 2)), np.empty(0), np.empty(0), np.empty((0, outputs)))
    markers = np.zeros(presence.shape, np.int32)
    markers[tuple(seeds.T)] = np.arange(1, number + 1)
    basins = watershed(-smooth, markers, mask=smooth > 0.1 * _FAINTEST)
    at = np.nonzero(basins)
    owner = basins[at] - 1
    # pixels at the rim of a basin may tell of the column next to it
    vectors = maps.offsets[(slice(None), *at)] / pixel_size
    near = np.hypot(*(np.stack(at) + vectors - seeds[owner].T)) * pixel_size < _FAR
    at, owner, vectors = tuple(axis[near] for axis in at), owner[near], vectors[:, near]
    mass = presence[at]
    volume = np.bincount(owner, mass, number)

    def mean(values: np.ndarray, weights: np.ndarray = mass) -> np.ndarray:
        return np.bincount(owner, weights * values, number) / np.maximum(np.bincount(owner, weights, number), 1e-12)

    sharp = mass / maps.errors[at] ** 2
    places = np.stack([mean(axis + vector, sharp) for axis, vector in zip(at, vectors, strict=True)], axis=1)
    errors = np.exp(mean(np.log(maps.errors[at]), sharp))
    shares = np.stack([np.bincount(owner, one[at], number) for one in maps.columns], axis=1)
    posterior = shares / np.maximum(shares.sum(1, keepdims=True), 1e-12)
    probabilities = np.minimum(volume / _volumes(places, presence.shape, pixel_size), 1)
    found = MappedColumns(places, errors, probabilities, posterior)
    return found.chosen(_kept(places * pixel_size, probabilities, threshold))


def _kept(places: np.ndarray, probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Whether each column is probable enough for the company that it has; places in Å."""
    strong = probabilities >= threshold
    if strong.sum() < COMPANY:
        return strong
    near = cKDTree(places[strong]).query_ball_point(places, COMPANY_WITHIN, return_length=True)
    return strong | ((probabilities >= IN_COMPANY * threshold) & (near >= COMPANY))


def _volumes(places: np.ndarray, shape: tuple[int, int], pixel_size: float) -> np.ndarray:
    """Sum over the pixels of an image of the peak of a column at each place, shape (n,)."""
    from scipy.special import erf

    result = np.full(len(places), (WIDTH / pixel_size) ** 2 * np.pi / 2)
    for axis, n in enumerate(shape):
        scale = np.sqrt(2) * WIDTH / pixel_size
        result *= erf((places[:, axis] + 0.5) / scale) + erf((n - 0.5 - places[:, axis]) / scale)
    return np.maximum(result, 1e-3)
