"""Particles of an image without parameters to tune.

Arrays in, arrays out; lengths are in nm and pixel sizes are (rows, columns).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.segmentation.background import subtract_background
from particlespy_ml.segmentation.blank import is_blank
from particlespy_ml.segmentation.grid import as_float, label_sizes, smooth_and_bin
from particlespy_ml.segmentation.outlines import outline_regions, upsample_labels
from particlespy_ml.segmentation.refine import refine_outlines
from particlespy_ml.segmentation.scale import choose_smoothing, find_blobs, find_polarity, particle_scale

POLARITIES = ("bright", "dark", "auto")
# Widths, in diameters of a particle, of what belongs to the background: of a smooth one, and of a textured support,
# where wide ones follow the support too little and narrow ones miss the larger particles.
WIDE, NARROW = 3, (1.5, 0.7)
# Texture of the background, as a fraction of the contrast of the particles, from which it counts as a support.
TEXTURED = 0.4
# What a region must have to count: pixels against specks of noise, and height in standard deviations of the noise.
MIN_PIXELS = 12


def segment_automatic(
    image: np.ndarray,
    pixel_size: tuple[float, float],
    *,
    polarity: str = "auto",
    smoothing: float | None = None,
    min_diameter: float = 0.8,
    background_diameter: float | None = None,
    split: bool = True,
    split_depth: float = 0.15,
    count: Callable[[int, int, np.ndarray], None] | None = None,
    on_texture: Callable[[], np.ndarray] | None = None,
) -> np.ndarray:
    """Label the particles of one image.

    The particles' size is estimated from the extrema of a scale space [1]_, the background is the image outside the
    particles averaged over a few of their diameters, each particle is outlined where it is steepest, at half of its
    own height above that background or lower down for one that thins out towards its edge, and outlines with a neck
    are cut by a watershed of their distance transform [2]_. A frame in which no outline stands out from the rest has no
    particles.

    Parameters
    ----------
    image : numpy.ndarray
        Real image, shape (rows, columns). Values that are not finite count as the median of the others.
    pixel_size : tuple of float
        Size of a pixel along rows and columns in nm.
    polarity : {"auto", "bright", "dark"}
        Whether particles are brighter (HAADF) or darker (bright field) than what surrounds them.
    smoothing : float, optional
        Sigma in nm of the Gaussian applied first. By default 0.12 nm, which blurs atomic columns, or one pixel,
        whichever is larger, and more, up to a twelfth of a particle's diameter, where noise requires it.
    min_diameter : float
        Regions whose equivalent diameter in nm is less are dropped, and so are those of fewer than 12 pixels.
    background_diameter : float, optional
        What is wider than this, in nm, belongs to the background. By default from the particles found.
    split : bool
        Whether to cut touching particles apart.
    split_depth : float
        How much narrower, as a fraction, a neck must be than the narrower of the two parts to be cut.
    count : callable, optional
        Called with the number of particles, the number of what *min_diameter* left out, and labels of all that was
        outlined.
    on_texture : callable, optional
        Called for the labels of a frame whose background is textured, which takes ten times as long as others.

    Returns
    -------
    numpy.ndarray
        Labels, int32, shape of `image`: 0 for the background, 1 to n for particles, those cut by the border included.

    Raises
    ------
    ValueError
        If an argument is out of range.

    References
    ----------
    .. [1] T. Lindeberg, Int. J. Comput. Vis. 30, 79 (1998), https://doi.org/10.1023/A:1008045108935
    .. [2] F. Meyer, Signal Process. 38, 113 (1994), https://doi.org/10.1016/0165-1684(94)90060-4

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.mgrid[:128, :128]
    >>> disk = (np.hypot(y - 60, x - 70) < 20) * 100.0
    >>> int(segment_automatic(disk, (0.1, 0.1)).max())
    1
    """
    if np.ndim(image) != 2 or np.iscomplexobj(image):
        raise ValueError(
            f"image must be a real array of 2 dimensions, not {np.ndim(image)} of {np.asarray(image).dtype}."
        )
    pixel = check_options(pixel_size, polarity, smoothing, min_diameter, background_diameter, split_depth)
    frame = as_float(image)
    if frame.size == 0 or frame.min() == frame.max():
        return np.zeros(frame.shape, np.int32)
    blobs = find_blobs(frame, pixel, min_diameter)
    sign = {"bright": 1, "dark": -1}.get(polarity) or find_polarity(frame, blobs)
    contrast, diameter = particle_scale(blobs, sign, frame.shape * pixel)
    if smoothing is None:
        smoothing = choose_smoothing(frame, pixel, contrast, diameter)
    # Nothing finer than the smoothing survives it, so the work is done on pixels of about half of it.
    factor = np.maximum(1, np.round(smoothing / 2 / pixel).astype(int))
    smooth = sign * smooth_and_bin(frame, smoothing / pixel, factor)
    step = pixel * factor
    wide = background_diameter or WIDE * diameter
    height, noise, texture = subtract_background(smooth, step, wide)
    labels = outline_regions(height, noise, smoothing / step)
    if background_diameter is None and texture > TEXTURED * contrast:
        if on_texture is not None:
            return on_texture()
        height, labels = _on_texture(smooth, step, diameter, smoothing)
    labels = refine_outlines(labels, height, step, smoothing, split_depth if split else None)
    outlined = upsample_labels(labels, height, factor, frame.shape)
    labels, lost = _drop(outlined, pixel, min_diameter)
    if is_blank(sign * frame, labels, pixel):
        return np.zeros_like(labels)
    if count is not None:
        count(int(labels.max()), lost, outlined)
    return labels


def check_options(
    pixel_size: tuple[float, float],
    polarity: str = "auto",
    smoothing: float | None = None,
    min_diameter: float = 0.8,
    background_diameter: float | None = None,
    split_depth: float = 0.15,
) -> np.ndarray:
    """Raise ValueError for options that `segment_automatic` cannot take; return the pixel size as an array."""
    pixel = np.asarray(pixel_size, float)
    if pixel.shape != (2,) or not np.all(np.isfinite(pixel) & (pixel > 0)):
        raise ValueError(f"pixel_size must be two positive lengths in nm (rows, columns), not {pixel_size!r}.")
    if polarity not in POLARITIES:
        raise ValueError(f"polarity must be one of {POLARITIES}, not {polarity!r}.")
    lengths = {"smoothing": smoothing, "min_diameter": min_diameter, "background_diameter": background_diameter}
    for name, value in lengths.items():
        if value is not None and not (isinstance(value, (int, float, np.number)) and 0 <= value < np.inf):
            raise ValueError(f"{name} must be a length in nm, 0 or more, not {value!r}.")
    if background_diameter == 0:
        raise ValueError("background_diameter must be a length in nm, more than 0, not 0.")
    if not 0 < split_depth < 1:
        raise ValueError(f"split_depth must lie between 0 and 1, not {split_depth!r}.")
    return pixel


def _on_texture(
    smooth: np.ndarray, pixel: np.ndarray, diameter: float, smoothing: float
) -> tuple[np.ndarray, np.ndarray]:
    """Height and outlines above a background that follows a textured support, the wider one first."""
    merged = found = None
    for width in NARROW:
        height, noise, _ = subtract_background(smooth, pixel, width * diameter)
        labels = outline_regions(height, noise, smoothing / pixel)
        if found is None:
            merged, found = height, labels
            continue
        overlap = np.bincount(labels.ravel(), (found > 0).ravel()) > 0
        new = (labels > 0) & ~overlap[labels]
        around = ndi.maximum_filter(new, 7) & (found == 0)
        merged = np.where(around, height, merged)
        found = np.where(new, labels + found.max(), found)
    return merged, found


def _drop(labels: np.ndarray, pixel: np.ndarray, min_diameter: float) -> tuple[np.ndarray, int]:
    """Remove regions that are small and number the others 1 to n; also how many were larger than specks of noise."""
    area = label_sizes(labels)
    keep = area >= max(MIN_PIXELS, np.pi / 4 * min_diameter**2 / pixel.prod())
    for line in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        # lines of pixels along the border, as cameras and compression leave them
        keep &= np.bincount(line, minlength=len(area)) < np.maximum(area, 1)
    if keep[1:].all():
        return labels.astype(np.int32, copy=False), 0
    keep[0] = False
    number = np.cumsum(keep) * keep
    return number.astype(np.int32)[labels], int(np.count_nonzero((area >= MIN_PIXELS)[1:] & ~keep[1:]))
