"""Recorded windows of simulated particles, the same for all that are compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from particlespy_ml.simulation.recording.detector import DetectorRecipe, detect
from particlespy_ml.training.isomer.batches import CANONICAL, STEP, Item, clean_images

OFF_CENTRE = 1.5  # Å, exact


def hard_conditions(dose: float) -> DetectorRecipe:
    """A well-run microscope with a thick, uneven support: 5 to 30 % of the particle, up to 10 % rms contrast."""
    return replace(DetectorRecipe().nominal(dose), off_centre=0.0, support_mean=(0.05, 0.3), support_contrast=0.1)


def nominal_conditions(dose: float) -> DetectorRecipe:
    """A well-run microscope with a clean, thin support."""
    return replace(DetectorRecipe().nominal(dose), off_centre=0.0)


def record(
    items: list[Item], conditions: DetectorRecipe, realisations: int, seed: int, off_centre: float = OFF_CENTRE
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Record each item several times, each time turned, shifted and with noise anew.

    Parameters
    ----------
    items
        Particles.
    conditions
        What the detector does; positions are not drawn from it if its ``off_centre`` is zero.
    realisations
        Number of windows of each particle.
    seed
        Seed of everything that is drawn.
    off_centre
        Distance of the particle from the middle of its window in Å, in a random direction.

    Yields
    ------
    rows, windows
        Numbers of up to eight items whose windows have one size, and their counts, shape (items, realisations, edge,
        edge).
    """
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    edges = np.array([item.window for item in items])
    for edge in np.unique(edges):
        for rows in _chunks(np.flatnonzero(edges == edge), 8):
            chosen = [items[row] for row in rows for _ in range(realisations)]
            clean, radius = clean_images(chosen, rng, generator)
            clean = torch.nn.functional.pad(clean, (4, 4, 4, 4))
            angle = 2 * np.pi * torch.rand(len(clean), generator=generator)
            clean = shift(clean, off_centre / STEP * torch.stack([torch.cos(angle), torch.sin(angle)], 1))
            counts = detect(clean, radius, conditions, generator, window=int(edge), step=STEP, canonical=CANONICAL)
            yield rows, counts.unflatten(0, (len(rows), realisations)).numpy()


def shift(images: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """Move images by fractions of pixels along rows and columns, *pixels* of shape (n, 2), in Fourier space."""
    fy = torch.fft.fftfreq(images.shape[-2])[:, None]
    fx = torch.fft.rfftfreq(images.shape[-1])
    phase = torch.exp(-2j * np.pi * (pixels[:, 0, None, None] * fy + pixels[:, 1, None, None] * fx))
    return torch.fft.irfft2(torch.fft.rfft2(images) * phase, s=images.shape[-2:]).clamp_(min=0)


def _chunks(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
