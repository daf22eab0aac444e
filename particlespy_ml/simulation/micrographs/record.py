"""What a microscope, its detector and a file format make of a micrograph."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.simulation.micrographs.recipe import MicrographRecipe
from particlespy_ml.simulation.micrographs.supports import random_field


@dataclass(frozen=True)
class Recorded:
    """What was recorded of a micrograph.

    Parameters
    ----------
    image
        Shape (rows, columns), float32.
    noise
        Standard deviation of a pixel in units of the signal, same shape.
    shared
        By how much noise that neighbours share is stronger in means over large areas than noise of single pixels.
    shift
        Pixels by which each row moved to the right.
    """

    image: np.ndarray
    noise: np.ndarray
    shared: float
    shift: np.ndarray


def record_micrograph(
    signal: np.ndarray, contrast: float, diameter: float, recipe: MicrographRecipe, rng: np.random.Generator
) -> Recorded:
    """Blur, add noise and what goes wrong.

    Parameters
    ----------
    signal
        Shape (rows, columns).
    contrast, diameter
        Of the particles, the diameter in pixels.
    recipe
        What happens.
    rng
        Random generator.
    """
    image = ndi.gaussian_filter(signal, min(rng.uniform(*recipe.blur), diameter / 5))
    if rng.random() < recipe.gradient:
        image = _uneven(image, contrast, rng)
    largest = contrast * diameter / recipe.signal
    low, high = np.log(recipe.noise) + np.log(contrast)
    noise = float(np.exp(rng.uniform(low, max(min(high, np.log(largest)), low + 0.1))))
    added, strength, shared = _noise(image, noise, recipe, rng)
    image, shift = image + added, np.zeros(len(image))
    if rng.random() < recipe.scan_noise:
        image, shift = _scan_lines(image, noise, contrast, rng)
    low, high = np.quantile(image, (0.001, 0.999))
    image = (image - low) / max(high - low, 1e-9)
    if rng.random() < recipe.gamma:
        image = np.clip(image, 0, None) ** np.exp(rng.uniform(-0.6, 0.6))
    if rng.random() < recipe.clipped:
        image = np.clip(image, *np.quantile(image, (rng.uniform(0, 0.3), rng.uniform(0.93, 1.0))))
    if rng.random() < recipe.annotated:
        annotate(image, rng)
    if rng.random() < recipe.compressed:
        image = compressed(image, int(rng.integers(25, 92)))
    return Recorded(image.astype(np.float32), strength, shared, shift)


def _uneven(image: np.ndarray, contrast: float, rng: np.random.Generator) -> np.ndarray:
    """A brightness, and a gain, that change across the view."""
    slow = random_field(image.shape, 4.0, rng)
    rows, columns = (np.linspace(-1, 1, n) for n in image.shape)
    slope = rng.uniform(-1, 1) * rows[:, None] + rng.uniform(-1, 1) * columns
    return image * (1 + rng.uniform(0, 0.15) * slow) + rng.uniform(0, 2.5) * contrast * slope


def _noise(
    image: np.ndarray, sigma: float, recipe: MicrographRecipe, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float]:
    """Noise of a detector and of counting; neighbouring pixels share it where images were resampled or filtered.

    Returns the noise, its standard deviation, and how much stronger it is in means over large areas.
    """
    white, shared = rng.normal(size=image.shape).astype(np.float32), 1.0
    if rng.random() < recipe.smoothed:
        width = rng.uniform(0.4, 1.3)
        white = ndi.gaussian_filter(white, width)
        shared = 1 / max(float(white.std()), 1e-6)  # a filter that keeps the mean keeps the mean's noise
        white *= shared
    counting = rng.random()
    level = np.maximum(image - image.min(), 0) / max(float(np.mean(image - image.min())), 1e-6)
    deviation = sigma * np.sqrt(1 - counting + counting * level)
    return deviation * white, deviation, shared


def _scan_lines(
    image: np.ndarray, noise: float, contrast: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Lines of the scan that are shifted, brighter or darker; and by how many pixels each was shifted."""
    rows, shift = len(image), np.zeros(len(image))
    if rng.random() < 0.5:
        shift = rng.uniform(0, 1.0) * rng.normal(size=rows) + np.linspace(0, rng.normal(scale=4), rows)
        columns = np.arange(image.shape[1])
        image = np.stack([np.interp(columns - s, columns, row) for s, row in zip(shift, image, strict=True)])
    streaks = rng.normal(size=(rows, 1)) * rng.uniform(0, 0.5) * min(noise, contrast)
    return image + streaks, shift


def annotate(image: np.ndarray, rng: np.random.Generator) -> None:
    """Burn a scale bar, a line of text or a box into an image with values about 0 to 1."""
    rows, columns = image.shape
    height, width = int(rng.integers(2, max(rows // 16, 4))), int(rng.integers(columns // 8, columns // 2))
    row = int(rng.integers(0, rows - height)) if rng.random() < 0.3 else rows - height - int(rng.integers(2, rows // 6))
    column = int(rng.integers(0, columns - width))
    value = rng.choice((-0.1, 0.0, 1.0, 1.2))
    if rng.random() < 0.4:
        margin = int(rng.integers(2, 8))
        image[max(row - margin, 0) : row + height + margin, max(column - margin, 0) : column + width + margin] = (
            1.0 - np.clip(value, 0, 1)
        )
    image[row : row + height, column : column + width] = value
    if rng.random() < 0.6:  # letters, as blocks
        size = int(rng.integers(4, 14))
        top = max(row - size - 3, 0)
        for k in range(int(rng.integers(2, 7))):
            left = column + k * (size + 2)
            letter = ndi.zoom((rng.random((5, 4)) < 0.6).astype(float), size / 4, order=0)[: rows - top]
            part = image[top : top + letter.shape[0], left : left + letter.shape[1]]
            part[letter[: part.shape[0], : part.shape[1]] > 0.5] = value


def compressed(image: np.ndarray, quality: int) -> np.ndarray:
    """What JPEG leaves of an image, with values about 0 to 1."""
    from PIL import Image

    low, high = float(image.min()), float(image.max())
    grey = np.rint((image - low) / max(high - low, 1e-9) * 255).astype(np.uint8)
    held = io.BytesIO()
    Image.fromarray(grey).save(held, "JPEG", quality=quality)
    return np.asarray(Image.open(held), np.float32) / 255 * (high - low) + low
