"""Particles in one image without parameters to tune: local half-height outlines on a background found by scale.

All functions take and return plain numpy arrays; lengths are in nm and pixel sizes are (rows, columns).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi
from skimage.segmentation import watershed

POLARITIES = ("bright", "dark", "auto")
# A Gaussian of this sigma leaves 1 % of a lattice contrast of period 0.25 nm: exp(-2 (pi sigma / period)^2).
COLUMN_SIGMA = 0.12
# Radius of the disk that answers most to a difference of Gaussians sigma, sqrt(2) sigma: sqrt(4 ln 2) sigma.
DOG_RADIUS = 1.665
# A blob counts from this many times the noise of its scale; in a million pixels noise reaches 5.
BLOB_TO_NOISE = 6
# More is an edge: the ratio of the principal curvatures of a blob.
CURVATURE_RATIO = 4
# Directions out of 8 in which the surroundings of a blob must be lower; at a straight edge it is 3.
SIDES = 5
# Contrast, as a fraction of that of a particle, below which blobs inside it are its texture.
TEXTURE = 0.5
# Widths, in diameters of a particle, of what belongs to the background: of a smooth one, and of a textured support,
# where wide ones follow the support too little and narrow ones miss the larger particles.
WIDE, NARROW = 3, (1.5, 0.7)
# Texture of the background, as a fraction of the contrast of the particles, from which it counts as a support.
TEXTURED = 0.4
# What a region must have to count: pixels against specks of noise, and height in standard deviations of the noise.
MIN_PIXELS = 12
MIN_CONTRAST_TO_NOISE = 5


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
) -> np.ndarray:
    """Label the particles of one image.

    The particles' size is estimated from the extrema of a scale space [1]_, the background is the image outside the
    particles averaged over a few of their diameters, each particle is outlined at half of its own height above
    that background, and outlines with a neck are cut by a watershed of their distance transform [2]_.

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
    frame = _as_float(image)
    if frame.size == 0 or frame.min() == frame.max():
        return np.zeros(frame.shape, np.int32)
    blobs = _blobs(frame, pixel, min_diameter)
    sign = {"bright": 1, "dark": -1}.get(polarity) or _polarity(frame, blobs)
    contrast, diameter = _particle_scale(blobs, sign, frame.shape * pixel)
    if smoothing is None:
        smoothing = _choose_smoothing(frame, pixel, contrast, diameter)
    # Nothing finer than the smoothing survives it, so the work is done on pixels of about two thirds of it.
    factor = np.maximum(1, (smoothing / 1.5 / pixel).astype(int))
    smooth = sign * _smooth(frame, smoothing / pixel, factor)
    step = pixel * factor
    wide = background_diameter or WIDE * diameter
    height, noise, texture = _subtract_background(smooth, step, wide)
    labels = _outline(height, noise, smoothing / step)
    if background_diameter is None and texture > TEXTURED * contrast:
        height, labels = _on_texture(smooth, step, diameter, smoothing)
    labels = _refine(labels, height, step, smoothing, split_depth if split else None)
    labels = _upsample(labels, height, factor, frame.shape)
    return _drop(labels, pixel, min_diameter)


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
        if value is not None and not (np.isfinite(value) and value >= 0):
            raise ValueError(f"{name} must be a length in nm, 0 or more, not {value!r}.")
    if background_diameter == 0:
        raise ValueError("background_diameter must be a length in nm, more than 0, not 0.")
    if not 0 < split_depth < 1:
        raise ValueError(f"split_depth must lie between 0 and 1, not {split_depth!r}.")
    return pixel


def _as_float(image: np.ndarray) -> np.ndarray:
    """Return the image as float32 between -1 and 1 about its mean: no offset or unit of it costs precision."""
    frame = np.asarray(image)
    if frame.dtype.kind == "f" and not np.isfinite(frame).all():
        finite = np.isfinite(frame)
        frame = np.where(finite, frame, np.median(frame[finite]) if finite.any() else 0)
    if frame.size == 0 or frame.min() == frame.max():
        return np.zeros(frame.shape, np.float32)
    exact = np.float32 if frame.dtype.itemsize <= 2 else np.float64
    frame = frame.astype(exact)
    frame -= frame.mean(dtype=np.float64)
    frame *= 1 / max(float(frame.max()), -float(frame.min()))
    return frame.astype(np.float32, copy=False)


def _bin(frame: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Average blocks of `factor` pixels; incomplete blocks at the far edges are filled by repeating the edge."""
    rows, columns = (int(f) for f in factor)
    if rows == columns == 1:
        return frame
    pad = [(0, -frame.shape[0] % rows), (0, -frame.shape[1] % columns)]
    if pad[0][1] or pad[1][1]:
        frame = np.pad(frame, pad, mode="edge")
    # Sums of strided views are several times faster than a mean over two axes of a reshaped array.
    partial = sum(frame[i::rows] for i in range(rows))
    return sum(partial[:, i::columns] for i in range(columns)) * np.float32(1 / (rows * columns))


def _smooth(frame: np.ndarray, sigma: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Gaussian of `sigma` pixels on an image binned by `factor`, the blur of the binning taken into account."""
    rest = np.sqrt(np.maximum(sigma**2 - (factor**2 - 1) / 12, 0)) / factor
    binned = _bin(frame, factor)
    return ndi.gaussian_filter(binned, rest, truncate=3) if rest.any() else binned


def _blobs(frame: np.ndarray, pixel: np.ndarray, min_diameter: float) -> np.ndarray:
    """Find blobs of both signs in a scale space.

    Returns
    -------
    numpy.ndarray
        One row a blob: row, column and radius in nm, contrast (negative for dark blobs). Those are kept that stand
        out from what most of the image does at their scale or at a finer one: noise, but not particles that fill
        the field, has at coarse scales less contrast than at fine ones.
    """
    grid = max((frame.shape * pixel).max() / 512, pixel.min(), min_diameter / 8)
    factor = np.maximum(1, np.round(grid / pixel)).astype(int)
    work, step = _level_plane(_bin(frame, factor)), pixel * factor
    sigma = 1.2 * step.max()
    work = ndi.gaussian_filter(work, sigma / step, truncate=3)
    found, noise = [np.zeros((0, 4))], np.inf
    while DOG_RADIUS * sigma <= 0.5 * (frame.shape * pixel).max() and min(work.shape) >= 4:
        blurred = ndi.gaussian_filter(work, sigma / step, truncate=3)
        # A disk of the radius that fits the scale answers with a quarter of its contrast.
        response = 4 * (work - blurred)
        noise = min(noise, 1.4826 * float(np.median(np.abs(response))))
        if DOG_RADIUS * sigma >= 0.5 * min_diameter:
            found.append(_extrema(response, work, step, DOG_RADIUS * sigma, BLOB_TO_NOISE * noise))
        sigma, work = sigma * np.sqrt(2), blurred
        if sigma > 2.3 * step.max():
            work, step = work[::2, ::2], step * 2
    return np.concatenate(found)


def _level_plane(frame: np.ndarray) -> np.ndarray:
    """Subtract the plane of the median slopes, which mirrored at the edges of the field would look like blobs."""
    for axis in (0, 1):
        profile = np.median(frame, axis=1 - axis)
        half = profile.size // 2
        slope = np.median(profile[-half:] - profile[:half]) / (profile.size - half) if half else 0.0
        ramp = (slope * np.arange(profile.size)).astype(np.float32)
        frame = frame - (ramp[:, None] if axis == 0 else ramp)
    return frame


def _extrema(response: np.ndarray, blurred: np.ndarray, step: np.ndarray, radius: float, floor: float) -> np.ndarray:
    """Rows (row, column, radius in nm, contrast) of the local extrema of one scale beyond `floor`.

    Outlines of what is wider answer too. Their curvature along the outline is less than across it, and only on the
    outer side do they stand out from their surroundings.
    """
    v = np.pad(response, 1, mode="symmetric")
    y, x = np.nonzero(np.abs(response) > floor)
    value = np.abs(response[y, x])
    sign = np.sign(response[y, x])
    peak = np.ones(len(y), bool)
    for i, j in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2)):
        peak &= value >= sign * v[y + i, x + j]
    y, x = y[peak], x[peak]
    yy = (v[y + 2, x + 1] + v[y, x + 1] - 2 * v[y + 1, x + 1]) / step[0] ** 2
    xx = (v[y + 1, x + 2] + v[y + 1, x] - 2 * v[y + 1, x + 1]) / step[1] ** 2
    yx = (v[y + 2, x + 2] + v[y, x] - v[y + 2, x] - v[y, x + 2]) / (4 * step[0] * step[1])
    round_ = (yy + xx) ** 2 * CURVATURE_RATIO < (yy * xx - yx**2) * (CURVATURE_RATIO + 1) ** 2
    y, x = y[round_], x[round_]
    contrast = response[y, x]
    away = np.maximum(1, np.round(1.5 * radius / step)).astype(int)
    lower = np.zeros(len(y), int)
    for i, j in ((-1, 0), (1, 0), (0, -1), (0, 1), (-0.7, -0.7), (-0.7, 0.7), (0.7, -0.7), (0.7, 0.7)):
        row = np.clip(y + round(i * away[0]), 0, response.shape[0] - 1)
        column = np.clip(x + round(j * away[1]), 0, response.shape[1] - 1)
        lower += (blurred[y, x] - blurred[row, column]) * np.sign(contrast) > 0.25 * np.abs(contrast)
    y, x = y[lower >= SIDES], x[lower >= SIDES]
    return np.column_stack([y * step[0], x * step[1], np.full(len(y), radius), response[y, x]])


def _polarity(frame: np.ndarray, blobs: np.ndarray) -> int:
    """Sign of the particles.

    Two signs of it, each between -1 and 1, are added. The histogram has its tail on the side of the particles and of
    the support that holds them, though not where a gradient is all there is to see; the strongest blobs are
    particles, though gaps between large particles are blobs as well.
    """
    coarse = _bin(frame, np.maximum(1, np.array(frame.shape) // 128))
    centred = coarse - coarse.mean(dtype=float)
    variance = float((centred**2).mean())
    skewness = float((centred**3).mean()) / variance**1.5 if variance > 0 else 0.0
    strength = blobs[:, 2] * blobs[:, 3] ** 3
    balance = strength.sum() / np.abs(strength).sum() if len(blobs) else 0.0
    return -1 if np.clip(skewness, -1, 1) + balance < 0 else 1


def _particle_scale(blobs: np.ndarray, sign: int, field: np.ndarray) -> tuple[float, float]:
    """Return contrast and diameter (nm) of the larger among the particles; half the field if there are none.

    Blobs inside a blob of more than twice their own contrast are its texture, and a particle found at several scales
    counts where it answers most.
    """
    own = blobs[blobs[:, 3] * sign > 0]
    own[:, 3] *= sign
    own = own[np.argsort(-own[:, 3], kind="stable")]
    own = own[:2000]
    kept = np.ones(len(own), bool)
    for i in range(len(own)):
        if not kept[i]:
            continue
        away = np.hypot(*(own[i + 1 :, :2] - own[i, :2]).T)
        ratio = own[i + 1 :, 2] / own[i, 2]
        same = (ratio > 0.4) & (away < np.maximum(own[i, 2], own[i + 1 :, 2]))
        texture = (own[i + 1 :, 3] < TEXTURE * own[i, 3]) & (ratio <= 0.4) & (away < own[i, 2])
        kept[i + 1 :] &= ~(same | texture)
    own = own[kept]
    if not len(own):
        return 0.0, 0.5 * float(field.max())
    order = np.argsort(own[:, 2])
    weight = np.cumsum(own[order, 3])
    radius = own[order, 2][np.searchsorted(weight, 0.8 * weight[-1])]
    contrast = np.median(own[:, 3])
    return float(contrast), 2 * float(radius)


def _choose_smoothing(frame: np.ndarray, pixel: np.ndarray, contrast: float, diameter: float) -> float:
    """Sigma in nm that blurs atomic columns and brings the noise below an eighth of the particles' contrast."""
    sigma = max(COLUMN_SIGMA, pixel.max())
    limit = max(sigma, diameter / 12)
    # A sample of the field is enough to measure the noise.
    rows, columns = (slice(max(0, n // 2 - 128), n // 2 + 128) for n in frame.shape)
    while contrast > 0 and sigma < limit:
        factor = np.maximum(1, (sigma / 1.5 / pixel).astype(int))
        sample = _smooth(frame[rows, columns], sigma / pixel, factor)
        # Blurred further, by twice sigma in all, white noise keeps a quarter of its variance: the rest is measured.
        texture = sample - ndi.gaussian_filter(sample, np.sqrt(3) * sigma / (pixel * factor), truncate=3)
        if 1.4826 * np.median(np.abs(texture)) * 1.2 < contrast / 8:
            break
        sigma *= np.sqrt(2)
    return min(sigma, limit)


def _interpolate(coarse: np.ndarray, factor: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Linear interpolation of a grid of block means to the pixels of the blocks, one axis after the other."""
    for axis in (0, 1):
        position = np.clip((np.arange(shape[axis]) + 0.5) / factor[axis] - 0.5, 0, coarse.shape[axis] - 1)
        below = np.minimum(position.astype(int), max(coarse.shape[axis] - 2, 0))
        above = np.minimum(below + 1, coarse.shape[axis] - 1)
        share = (position - below).astype(np.float32)
        share = share[:, None] if axis == 0 else share
        low, high = np.take(coarse, below, axis), np.take(coarse, above, axis)
        coarse = low + (high - low) * share
    return coarse


def _subtract_background(
    smooth: np.ndarray, pixel: np.ndarray, diameter: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the height above the background, its noise, both of the image's shape, and the contrast of its texture.

    An opening, which is free of particles but lies below the background by its noise and texture, tells where there
    are no particles; the image is averaged there.
    """
    factor = np.maximum(1, (diameter / 12 / pixel).astype(int))
    coarse = _bin(smooth, factor)
    inner = np.maximum(_bin(smooth**2, factor) - coarse**2, 0)
    step = pixel * factor
    size = np.maximum(1, 2 * (diameter / step / 2).astype(int) + 1)
    opened = ndi.grey_opening(coarse, size=tuple(np.minimum(size, 2 * np.array(coarse.shape) + 1)))
    opened = ndi.uniform_filter(opened, np.maximum(1, size // 2))
    residual = coarse - opened
    none = np.zeros_like(coarse)
    weight, far = none + 1, 0.5 * diameter / step
    for cut in (0, 2, 2.5, 3):
        # Clipping at a local level: the texture of a support is no particle, however smooth the vacuum beside it.
        mean = _average(residual, weight, far, none)
        spread = np.sqrt(np.maximum(_average(residual**2, weight, far, none) - mean**2, 0))
        outside = residual <= mean + cut * spread
        weight = outside.astype(np.float32)
    kept = ndi.binary_erosion(outside, border_value=1)
    weight = (kept if kept.any() else outside).astype(np.float32)
    level = _average(coarse, weight, 0.25 * diameter / step, opened + mean)
    texture = _average((coarse - level) ** 2, weight, far, spread**2)
    # The noise of the pixels themselves is what block means have lost.
    deviation = np.sqrt(np.maximum(texture + _average(inner, weight, far, none), 0))
    deviation = np.maximum(deviation, 0.3 * np.median(deviation))
    height, noise = smooth - _interpolate(level, factor, smooth.shape), _interpolate(deviation, factor, smooth.shape)
    return height, noise, _correlated(coarse - _average(coarse, weight, 2 * far, opened + mean), weight > 0)


def _correlated(residual: np.ndarray, outside: np.ndarray, lag: int = 3) -> float:
    """Root of the covariance at a distance of `lag` pixels: texture without the noise, which is not correlated."""
    products = []
    for a, b in ((np.s_[lag:], np.s_[:-lag]), (np.s_[:, lag:], np.s_[:, :-lag])):
        both = outside[a] & outside[b]
        products.append((residual[a] * residual[b])[both])
    products = np.concatenate(products)
    return float(np.sqrt(max(products.mean(), 0))) if products.size else 0.0


def _on_texture(
    smooth: np.ndarray, pixel: np.ndarray, diameter: float, smoothing: float
) -> tuple[np.ndarray, np.ndarray]:
    """Height and outlines above a background that follows a textured support, the wider one first."""
    merged = found = None
    for width in NARROW:
        height, noise, _ = _subtract_background(smooth, pixel, width * diameter)
        labels = _outline(height, noise, smoothing / pixel)
        if found is None:
            merged, found = height, labels
            continue
        overlap = np.bincount(labels.ravel(), (found > 0).ravel()) > 0
        new = (labels > 0) & ~overlap[labels]
        around = ndi.maximum_filter(new, 7) & (found == 0)
        merged = np.where(around, height, merged)
        found = np.where(new, labels + found.max(), found)
    return merged, found


def _average(values: np.ndarray, weight: np.ndarray, sigma: np.ndarray, fallback) -> np.ndarray:
    """Gaussian average of the weighted pixels; where they are few, a wider one, and at last `fallback`."""
    weighted = values * weight
    # The running sums of a box filter may end a rounding error below zero.
    wide = (_blur(weighted, 3 * sigma) + 1e-6 * fallback) / (np.maximum(_blur(weight, 3 * sigma), 0) + 1e-6)
    return (_blur(weighted, sigma) + 1e-3 * wide) / (np.maximum(_blur(weight, sigma), 0) + 1e-3)


def _blur(values: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Gaussian approximated by a box applied twice, whose cost does not depend on the width."""
    # No wider than the field: a mirrored field has no more to average.
    size = np.clip(np.sqrt(6 * sigma**2 + 1).astype(int), 1, values.shape)
    return ndi.uniform_filter(ndi.uniform_filter(values, size), size)


def _level(values: np.ndarray, labels: np.ndarray, count: int, upper: bool = False) -> np.ndarray:
    """Mean within each label, or of its upper part, that above the mean; entry 0 is infinite."""
    inside = np.flatnonzero(labels)
    keys, values = labels.ravel()[inside], values.ravel()[inside]
    mean = np.bincount(keys, values, count + 1) / np.maximum(np.bincount(keys, minlength=count + 1), 1)
    if upper:
        above = values >= mean[keys] * (1 - 1e-6)
        keys, values = keys[above], values[above]
        mean = np.bincount(keys, values, count + 1) / np.maximum(np.bincount(keys, minlength=count + 1), 1)
    mean[0] = np.inf
    return mean.astype(np.float32)


def _outline(height: np.ndarray, noise: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Label regions at half of their own height.

    A faint particle connected to a bright one is lost at half the height of the bright one: what is left outside the
    bright ones and their blur is looked at again. It is a particle if it rises above its contact with them.
    """
    rest = height > 3 * noise
    found = np.zeros(height.shape, bool)
    contact = None
    margin = tuple(2 * np.ceil(2 * sigma).astype(int) + 1)
    for _ in range(3):
        labels, count = ndi.label(rest)
        if not count:
            break
        level = _level(height, labels, count, upper=True)
        candidate = height > 0.5 * level[labels]
        labels, count = ndi.label(candidate)
        level = _level(height, labels, count, upper=True)
        strong = level > MIN_CONTRAST_TO_NOISE * _level(noise, labels, count)
        if contact is not None:
            skirt = np.full(count + 1, -np.inf)
            np.maximum.at(skirt, labels[contact], height[contact])
            strong &= level > 1.2 * skirt
        strong[0] = False
        new = strong[labels]
        if not new.any():
            break
        found |= new
        taken = ndi.maximum_filter(found, margin)
        rest = (height > 3 * noise) & ~taken
        contact = rest & ndi.maximum_filter(taken, 3)
    return ndi.label(found)[0]


def _plateau(values: np.ndarray, pixel: np.ndarray, smoothing: float) -> float:
    """Median of the values of a region that lie further inside than the blur reaches."""
    radius = np.sqrt(values.size * pixel.prod() / np.pi)
    inside = max(1 - 1.5 * smoothing / radius, 0) ** 2
    place = int((1 - inside / 2) * (values.size - 1))
    return float(np.partition(values, place)[place])


def _refine(
    labels: np.ndarray, height: np.ndarray, pixel: np.ndarray, smoothing: float, split_depth: float | None
) -> np.ndarray:
    """Move each outline to half of the height of the plateau inside it, fill its holes, and cut it at necks."""
    result = np.zeros_like(labels)
    count = 0
    for number, box in enumerate(ndi.find_objects(labels), start=1):
        if box is None:
            continue
        box = tuple(slice(max(0, s.start - 3), s.stop + 3) for s in box)
        crop, taken = height[box], labels[box]
        free = ((taken == number) | (taken == 0)) & (result[box] == 0)
        mask = taken == number
        for _ in range(2):
            mask = (crop > 0.5 * _plateau(crop[mask], pixel, smoothing)) & free
            parts, n = ndi.label(mask)
            if n > 1:
                share = np.bincount(parts[taken == number], minlength=n + 1)
                share[0] = 0
                mask = parts == share.argmax()
            if not mask.any():
                break
        if not mask.any():
            continue
        mask = _fill_holes(mask)
        pieces = _split(mask, pixel, split_depth) if split_depth else mask.astype(np.int32)
        result[box][mask] = pieces[mask] + count
        count += int(pieces.max())
    return result


def _fill_holes(mask: np.ndarray) -> np.ndarray:
    """Fill the holes of one region, but not what a ring of particles encloses (more than a third of its area)."""
    holes, count = ndi.label(~np.pad(mask, 1))
    if count < 2:
        return mask
    holes = holes[1:-1, 1:-1]
    size = np.bincount(holes.ravel(), minlength=count + 1)
    fill = size <= mask.sum() / 3
    fill[0] = False
    edge = np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]])
    fill[edge] = False
    return mask | fill[holes]


def _split(mask: np.ndarray, pixel: np.ndarray, depth: float) -> np.ndarray:
    """Cut one region at its necks.

    Parts are the basins of the distance to the outline. Two are one particle if the way from one to the other is
    nowhere narrower than (1 - depth) times the narrower of the two, less the roughness of a pixel.
    """
    # A dozen pixels along a radius are enough to judge a neck.
    reduce = max(1, int(np.sqrt(mask.sum()) / 24))
    small = np.pad(mask, 1)[::reduce, ::reduce]
    distance = ndi.distance_transform_edt(small, sampling=pixel * reduce)
    distance = ndi.gaussian_filter(distance, 1.0) * small
    peaks = (distance == ndi.maximum_filter(distance, 3)) & small
    markers, count = ndi.label(peaks, np.ones((3, 3)))
    if count < 2:
        return mask.astype(np.int32)
    basins = watershed(-distance, markers, mask=small)
    group = _merge(basins, distance, count, depth, 0.5 * float(pixel.max()) * reduce)
    basins = group[basins]
    if basins.max() < 2:
        return mask.astype(np.int32)
    if reduce == 1:
        return basins[1:-1, 1:-1] * mask
    index = ndi.distance_transform_edt(basins == 0, return_distances=False, return_indices=True)
    basins = basins[tuple(index)]
    rows, columns = (
        np.minimum((np.arange(1, n + 1) + reduce // 2) // reduce, m - 1)
        for n, m in zip(mask.shape, basins.shape, strict=True)
    )
    return basins[np.ix_(rows, columns)] * mask


def _merge(basins: np.ndarray, distance: np.ndarray, count: int, depth: float, roughness: float) -> np.ndarray:
    """Return the group of each basin, 1 to n, basins without a neck between them in one group."""
    top = np.zeros(count + 1)
    np.maximum.at(top, basins.ravel(), distance.ravel())
    saddle = np.zeros((count + 1, count + 1))
    for a, b, d, e in (
        (basins[1:], basins[:-1], distance[1:], distance[:-1]),
        (basins[:, 1:], basins[:, :-1], distance[:, 1:], distance[:, :-1]),
    ):
        border = (a != b) & (a > 0) & (b > 0)
        low = np.minimum(d[border], e[border])
        np.maximum.at(saddle, (a[border], b[border]), low)
    saddle = np.maximum(saddle, saddle.T)
    group = np.arange(count + 1)
    while True:
        lower = np.minimum.outer(top, top)
        ratio = np.where(saddle > 0, (saddle + roughness) / np.maximum(lower, 1e-12), 0)
        i, j = np.unravel_index(np.argmax(ratio), ratio.shape)
        if ratio[i, j] <= 1 - depth:
            break
        group[group == j] = i
        top[i], top[j] = max(top[i], top[j]), 0
        saddle[i] = np.maximum(saddle[i], saddle[j])
        saddle[:, i] = saddle[i]
        saddle[i, i] = saddle[j] = saddle[:, j] = 0
    return np.unique(group, return_inverse=True)[1]


def _upsample(labels: np.ndarray, height: np.ndarray, factor: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Bring labels to the pixels of the image, their outlines interpolated between the binned pixels."""
    if (factor == 1).all():
        return labels
    count = int(labels.max())
    threshold = 0.5 * _level(height, labels, count)
    threshold[0] = 0
    wide = ndi.maximum_filter(labels, 5)
    wide = np.where(labels > 0, labels, wide)
    # Inside, where columns or holes may lie below the threshold, the outline is not in question.
    inner = ndi.minimum_filter(labels, 3) == ndi.maximum_filter(labels, 3)
    excess = height - threshold[wide]
    excess[inner & (labels > 0)] = np.abs(excess[inner & (labels > 0)])
    # Background further off has no threshold of its own and must not add to what is interpolated beside it.
    excess[wide == 0] = -np.abs(excess[wide == 0])
    rows, columns = (np.arange(n) // f for n, f in zip(shape, factor, strict=True))
    return wide[np.ix_(rows, columns)] * (_interpolate(excess, factor, shape) > 0)


def _drop(labels: np.ndarray, pixel: np.ndarray, min_diameter: float) -> np.ndarray:
    """Remove regions that are small and number the others 1 to n."""
    area = np.bincount(labels.ravel())
    keep = area >= max(MIN_PIXELS, np.pi / 4 * min_diameter**2 / pixel.prod())
    keep[0] = False
    number = np.cumsum(keep) * keep
    return number.astype(np.int32)[labels]
