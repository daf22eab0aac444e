"""How large, how strong and of which sign the particles of an image are, from its scale space."""

from __future__ import annotations

import numpy as np

from particlespy_ml.core.quantiles import median, quantiles
from particlespy_ml.segmentation.grid import block_mean, blur, smooth_and_bin

# A Gaussian of this sigma leaves 1 % of a lattice contrast of period 0.25 nm: exp(-2 (pi sigma / period)^2).
COLUMN_SIGMA = 0.12
# Radius of the disk that answers most to a difference of Gaussians sigma, sqrt(2) sigma: sqrt(4 ln 2) sigma.
DOG_RADIUS = 1.665
# A blob counts from this many times the noise of its scale; in a million pixels noise reaches 5.
BLOB_TO_NOISE = 6
# More is an edge: the ratio of the principal curvatures of a blob.
CURVATURE_RATIO = 4
# Directions, and in how many of them the surroundings of a blob must be lower; at a straight edge it is 3.
DIRECTIONS = np.array([(-1, 0), (1, 0), (0, -1), (0, 1), (-0.7, -0.7), (-0.7, 0.7), (0.7, -0.7), (0.7, 0.7)])
SIDES = 5
# Contrast, as a fraction of that of a particle, below which blobs inside it are its texture.
TEXTURE = 0.5


def spread_about_zero(values: np.ndarray) -> float:
    """Standard deviation of noise, from the median of its absolute values.

    Where most values are next to zero, as in counts of less than one a pixel, from the tenth of them that is largest,
    half of whose width is noise at least.
    """
    middle, high = quantiles(np.abs(values), 0.5, 0.9)
    return max(1.4826 * middle, 0.5 * high / 1.645)


def find_blobs(frame: np.ndarray, pixel: np.ndarray, min_diameter: float) -> np.ndarray:
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
    work, step = _level_plane(block_mean(frame, factor)), pixel * factor
    sigma = 1.2 * step.max()
    work = blur(work, sigma / step)
    found, noise = [np.zeros((0, 4))], np.inf
    while DOG_RADIUS * sigma <= 0.5 * (frame.shape * pixel).max() and min(work.shape) >= 4:
        blurred = blur(work, sigma / step)
        # A disk of the radius that fits the scale answers with a quarter of its contrast.
        response = work - blurred
        response *= 4
        noise = min(noise, spread_about_zero(response))
        if DOG_RADIUS * sigma >= 0.5 * min_diameter:
            found.append(_extrema(response, work, step, DOG_RADIUS * sigma, BLOB_TO_NOISE * noise))
        sigma, work = sigma * np.sqrt(2), blurred
        if sigma > 2.3 * step.max():
            work, step = work[::2, ::2], step * 2
    return np.concatenate(found)


def _level_plane(frame: np.ndarray) -> np.ndarray:
    """Subtract the plane of the median slopes, which mirrored at the edges of the field would look like blobs."""
    for axis in (0, 1):
        profile = median(frame, axis=1 - axis)
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
    y, x = np.nonzero(np.abs(response) > floor)
    v = np.pad(response, 1, mode="symmetric")
    for i, j in ((0, 1), (2, 1), (1, 0), (1, 2), (0, 0), (0, 2), (2, 0), (2, 2)):
        value = response[y, x]
        peak = np.abs(value) >= np.sign(value) * v[y + i, x + j]
        y, x = y[peak], x[peak]
    if not len(y):
        return np.zeros((0, 4))
    yy = (v[y + 2, x + 1] + v[y, x + 1] - 2 * v[y + 1, x + 1]) / step[0] ** 2
    xx = (v[y + 1, x + 2] + v[y + 1, x] - 2 * v[y + 1, x + 1]) / step[1] ** 2
    yx = (v[y + 2, x + 2] + v[y, x] - v[y + 2, x] - v[y, x + 2]) / (4 * step[0] * step[1])
    round_ = (yy + xx) ** 2 * CURVATURE_RATIO < (yy * xx - yx**2) * (CURVATURE_RATIO + 1) ** 2
    y, x = y[round_], x[round_]
    contrast = response[y, x]
    away = np.maximum(1, np.round(1.5 * radius / step)).astype(int)
    rows, columns = (np.rint(DIRECTIONS * away).astype(int) + np.column_stack([y, x])[:, None]).transpose(2, 1, 0)
    rows, columns = np.clip(rows, 0, response.shape[0] - 1), np.clip(columns, 0, response.shape[1] - 1)
    fall = (blurred[y, x] - blurred[rows, columns]) * np.sign(contrast)
    lower = np.count_nonzero(fall > 0.25 * np.abs(contrast), axis=0)
    y, x = y[lower >= SIDES], x[lower >= SIDES]
    return np.column_stack([y * step[0], x * step[1], np.full(len(y), radius), response[y, x]])


def find_polarity(frame: np.ndarray, blobs: np.ndarray) -> int:
    """Sign of the particles, by `polarity_evidence`."""
    return -1 if polarity_evidence(frame, blobs) < 0 else 1


def polarity_evidence(frame: np.ndarray, blobs: np.ndarray) -> float:
    """Evidence, between -2 and 2, that particles are bright, and not dark.

    Two signs of it, each between -1 and 1, are added. The histogram has its tail on the side of the particles and of
    the support that holds them, though not where a gradient is all there is to see; the strongest blobs are
    particles, though gaps between large particles are blobs as well.
    """
    coarse = block_mean(frame, np.maximum(1, np.array(frame.shape) // 128))
    centred = coarse - coarse.mean(dtype=float)
    variance = float((centred**2).mean())
    skewness = float((centred**3).mean()) / variance**1.5 if variance > 0 else 0.0
    strength = blobs[:, 2] * blobs[:, 3] ** 3
    balance = strength.sum() / np.abs(strength).sum() if len(blobs) else 0.0
    return float(np.clip(skewness, -1, 1) + balance)


def particle_scale(blobs: np.ndarray, sign: int, field: np.ndarray) -> tuple[float, float]:
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


def choose_smoothing(frame: np.ndarray, pixel: np.ndarray, contrast: float, diameter: float) -> float:
    """Sigma in nm that blurs atomic columns and brings the noise below a twelfth of the particles' contrast.

    A particle of half the usual contrast then still stands out by six standard deviations.
    """
    sigma = max(COLUMN_SIGMA, pixel.max())
    limit = max(sigma, diameter / 12)
    # A sample of the field is enough to measure the noise.
    rows, columns = (slice(max(0, n // 2 - 128), n // 2 + 128) for n in frame.shape)
    while contrast > 0 and sigma < limit:
        factor = np.maximum(1, (sigma / 1.5 / pixel).astype(int))
        sample = smooth_and_bin(frame[rows, columns], sigma / pixel, factor)
        # Blurred further, by twice sigma in all, white noise keeps a quarter of its variance: the rest is measured.
        texture = sample - blur(sample, np.sqrt(3) * sigma / (pixel * factor))
        if spread_about_zero(texture) * 1.2 < contrast / 12:
            break
        sigma *= np.sqrt(2)
    return min(sigma, limit)
