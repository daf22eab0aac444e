"""Drawn patterns, without physics, that look like lattice fringes: dots and sine waves in disks on noise.

What a network learns from them does not transfer to images, which is what they are here to show.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.simulation.atoms.crystallinity import CRYSTALLINITY


def draw_pattern(
    label: str, diameter: float, pixels: int, pixel_size: float, rng: np.random.Generator, metal: float = 4.08
) -> np.ndarray:
    """Draw a disk with a pattern on noise.

    Single crystals are one lattice of dots or one to three sine waves, polycrystals two or three such domains divided
    by lines, and amorphous particles are dots at random places or noise of one wavelength.

    Parameters
    ----------
    label
        One of `CRYSTALLINITY`.
    diameter
        Diameter of the disk in Å.
    pixels, pixel_size
        Pixels along each edge, and their size in Å.
    rng
        Random generator.
    metal
        Lattice constant in Å, which sets the spacings.

    Returns
    -------
    numpy.ndarray
        Image, shape (pixels, pixels), float32; the particle is darker than the noise.

    References
    ----------
    N. Gumbiowski et al., Nanoscale Adv. 6, 4196 (2024).
    """
    if label not in CRYSTALLINITY:
        raise ValueError(f"Unknown class {label!r}; expected one of {CRYSTALLINITY}.")
    axis = (np.arange(pixels) - (pixels - 1) / 2) * pixel_size
    y, x = np.meshgrid(axis, axis, indexing="ij")
    inside = (y**2 + x**2 <= (diameter / 2) ** 2).astype(np.float32)
    if label == "amorphous":
        texture = _disorder(pixels, pixel_size, metal, rng)
    else:
        texture = _lattice(y, x, metal, rng)
        for _ in range(rng.integers(1, 3) if label == "polycrystalline" else 0):
            angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.25) * diameter
            texture = np.where(x * np.cos(angle) + y * np.sin(angle) > offset, _lattice(y, x, metal, rng), texture)
    noise = ndi.gaussian_filter(rng.standard_normal((pixels, pixels)), rng.uniform(0.3, 2.0))
    noise *= rng.uniform(0.1, 1.2) / noise.std()
    shadow = rng.uniform(0, 1.5)
    image = noise + ndi.gaussian_filter(inside, 1.0) * (texture - shadow)
    return (image + rng.standard_normal(image.shape) * rng.uniform(0, 0.8)).astype(np.float32)


def _lattice(y: np.ndarray, x: np.ndarray, metal: float, rng: np.random.Generator) -> np.ndarray:
    """Waves along one to three directions of a lattice; the product of two makes dots."""
    angle = rng.uniform(0, np.pi)
    between = rng.choice([np.pi / 2, np.pi / 3, np.arccos(1 / np.sqrt(3))])
    spacings = metal / np.sqrt(rng.choice([3.0, 4.0, 8.0], size=3))
    waves = []
    for number in range(3):
        direction = angle + number * between
        phase = 2 * np.pi * ((x * np.cos(direction) + y * np.sin(direction)) / spacings[number] + rng.random())
        waves.append(np.cos(phase))
    kind = rng.integers(4)
    if kind == 3:
        return 0.5 * (1 + waves[0]) * (1 + waves[1]) - 0.5
    return sum(waves[: kind + 1]) / np.sqrt(kind + 1)


def _disorder(pixels: int, pixel_size: float, metal: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of one wavelength, or dots at random places."""
    if rng.random() < 0.5:
        k = np.hypot(np.fft.fftfreq(pixels, pixel_size)[:, None], np.fft.rfftfreq(pixels, pixel_size))
        middle = np.sqrt(3) / metal * rng.uniform(0.8, 1.2)
        spectrum = np.fft.rfft2(rng.standard_normal((pixels, pixels))) * np.exp(-(((k - middle) / 0.1) ** 2))
        texture = np.fft.irfft2(spectrum, s=(pixels, pixels))
    else:
        dots = rng.random((pixels, pixels)) < (pixel_size / (metal / np.sqrt(3))) ** 2
        texture = ndi.gaussian_filter(dots.astype(float), 0.7 / pixel_size)
    return (texture - texture.mean()) / max(texture.std(), 1e-9)
