"""The image outside its particles, as a smooth background."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.segmentation.grid import block_mean, interpolate_blocks


def subtract_background(smooth: np.ndarray, pixel: np.ndarray, diameter: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the height above the background, its noise, both of the image's shape, and the contrast of its texture.

    An opening, which is free of particles but lies below the background by its noise and texture, tells where there
    are no particles; the image is averaged there.
    """
    factor = np.maximum(1, (diameter / 12 / pixel).astype(int))
    coarse = block_mean(smooth, factor)
    inner = np.maximum(block_mean(smooth**2, factor) - coarse**2, 0)
    step = pixel * factor
    size = np.maximum(1, 2 * (diameter / step / 2).astype(int) + 1)
    opened = ndi.grey_opening(coarse, size=tuple(np.minimum(size, 2 * np.array(coarse.shape) + 1)))
    opened = ndi.uniform_filter(opened, np.maximum(1, size // 2))
    residual = coarse - opened
    none = np.zeros_like(coarse)
    weight, far = none + 1, 0.5 * diameter / step
    for cut in (0, 2, 2.5, 3):
        # Clipping at a local level: the texture of a support is no particle, however smooth the vacuum beside it.
        mean, square = local_mean(np.stack([residual, residual**2]), weight, far, none)
        spread = np.sqrt(np.maximum(square - mean**2, 0))
        outside = residual <= mean + cut * spread
        weight = outside.astype(np.float32)
    kept = ndi.binary_erosion(outside, border_value=1)
    weight = (kept if kept.any() else outside).astype(np.float32)
    level = local_mean(coarse, weight, 0.25 * diameter / step, opened + mean)
    texture = local_mean((coarse - level) ** 2, weight, far, spread**2)
    # The noise of the pixels themselves is what block means have lost.
    deviation = np.sqrt(np.maximum(texture + local_mean(inner, weight, far, none), 0))
    deviation = np.maximum(deviation, 0.3 * np.median(deviation))
    height, noise = (
        smooth - interpolate_blocks(level, factor, smooth.shape),
        interpolate_blocks(deviation, factor, smooth.shape),
    )
    return height, noise, _correlated(coarse - local_mean(coarse, weight, 2 * far, opened + mean), weight > 0)


def _correlated(residual: np.ndarray, outside: np.ndarray, lag: int = 3) -> float:
    """Root of the covariance at a distance of `lag` pixels: texture without the noise, which is not correlated."""
    products = []
    for a, b in ((np.s_[lag:], np.s_[:-lag]), (np.s_[:, lag:], np.s_[:, :-lag])):
        both = outside[a] & outside[b]
        products.append((residual[a] * residual[b])[both])
    products = np.concatenate(products)
    return float(np.sqrt(max(products.mean(), 0))) if products.size else 0.0


def local_mean(values: np.ndarray, weight: np.ndarray, sigma: np.ndarray, fallback) -> np.ndarray:
    """Gaussian average of the weighted pixels; where they are few, a wider one, and at last `fallback`.

    There may be several values of each pixel, one image after the other.
    """
    shape, images = values.shape, np.concatenate([(values * weight).reshape(-1, *weight.shape), weight[None]])
    average = fallback
    for width, share in ((3 * sigma, 1e-6), (sigma, 1e-3)):
        blurred = _blur(images, width)
        # The running sums of a box filter may end a rounding error below zero.
        average = (blurred[:-1].reshape(shape) + share * average) / (np.maximum(blurred[-1], 0) + share)
    return average


def _blur(values: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Gaussian of images, approximated by a box applied twice, whose cost does not depend on the width."""
    # No wider than the field: a mirrored field has no more to average.
    size = np.clip(np.sqrt(6 * sigma**2 + 1).astype(int), 1, values.shape[1:])
    return ndi.uniform_filter(ndi.uniform_filter(values, (1, *size)), (1, *size))
