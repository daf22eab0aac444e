"""Fields of view with several simulated particles on a support, as a detector records them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi


@dataclass(frozen=True)
class PlacedParticle:
    """A simulated particle image and where it goes.

    Parameters
    ----------
    image
        Fraction of the beam on the detector, shape (rows, columns).
    scan_step
        Pixel size of the image in Å.
    centre
        Centre (row, column) in the field, in Å.
    """

    image: np.ndarray
    scan_step: float
    centre: tuple[float, float]


def compose_haadf(
    particles: list[PlacedParticle],
    shape: tuple[int, int],
    pixel_size: float,
    *,
    dose: float,
    source_size: float = 0.9,
    support: float = 0.004,
    support_roughness: float = 0.15,
    gradient: float = 0.3,
    gain: float = 20.0,
    offset: float = 200.0,
    seed: int = 0,
) -> np.ndarray:
    """Place particles in a field and record it.

    Parameters
    ----------
    particles
        Particles; where they overlap their intensities add.
    shape
        Rows and columns of the field.
    pixel_size
        Pixel size of the field in Å.
    dose
        Electrons per Å².
    source_size
        Full width at half maximum of the effective source in Å.
    support
        Fraction of the beam that the support scatters to the detector, on average.
    support_roughness
        Standard deviation of the support's thickness over its mean.
    gradient
        Relative difference of the support's thickness between opposite edges.
    gain, offset
        Counts for each electron, and counts without beam.
    seed
        Seed of support and noise.

    Returns
    -------
    numpy.ndarray
        Counts, uint16.
    """
    rng = np.random.default_rng(seed)
    rough = ndi.gaussian_filter(rng.normal(size=shape), 3.0 / pixel_size)
    rough /= rough.std()
    slope = np.linspace(-0.5, 0.5, shape[0])[:, None] + np.linspace(-0.5, 0.5, shape[1])[None, :]
    field = support * (1 + support_roughness * rough + gradient * slope)
    for particle in particles:
        _add(field, particle, pixel_size)
    field = ndi.gaussian_filter(field, source_size / 2.3548 / pixel_size)
    electrons = rng.poisson(np.clip(field, 0, None) * dose * pixel_size**2)
    counts = gain * electrons + offset + rng.normal(scale=0.3 * gain, size=shape)
    return np.clip(np.rint(counts), 0, np.iinfo(np.uint16).max).astype(np.uint16)


def _add(field: np.ndarray, particle: PlacedParticle, pixel_size: float) -> None:
    """Add a particle to the field, resampled to its pixels."""
    step = pixel_size / particle.scan_step
    half = (np.array(particle.image.shape) - 1) / 2
    centre = np.array(particle.centre) / pixel_size
    reach = np.ceil(half / step).astype(int) + 1
    low = np.maximum(np.floor(centre).astype(int) - reach, 0)
    high = np.minimum(np.ceil(centre).astype(int) + reach + 1, field.shape)
    if (high <= low).any():
        return
    rows, columns = np.meshgrid(*(np.arange(lo, hi) for lo, hi in zip(low, high, strict=True)), indexing="ij")
    source = [(rows - centre[0]) * step + half[0], (columns - centre[1]) * step + half[1]]
    image = ndi.gaussian_filter(particle.image, 0.3 * max(step, 1))
    field[low[0] : high[0], low[1] : high[1]] += ndi.map_coordinates(image, source, order=1)
