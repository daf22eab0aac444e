"""Particles of known columns: the 381 columns of 2406 atoms that results are compared on."""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest

INCREMENT = 0.0235  # Å² an atom
WIDTH, PIXEL, BACKGROUND = 0.42, 0.2, 0.002  # Å, Å, fraction of the beam
LIBRARY = INCREMENT * np.arange(1, 14)


def truncated_octahedron() -> tuple[np.ndarray, np.ndarray]:
    """Positions in Å and counts of the columns of 2406 atoms along <001>."""
    from ase.cluster import Octahedron

    atoms = Octahedron("Pt", 16, 5)
    keys, index, counts = np.unique(
        np.rint(atoms.positions[:, :2] / 0.98).astype(int), axis=0, return_inverse=True, return_counts=True
    )
    places = np.column_stack([np.bincount(index.ravel(), atoms.positions[:, k]) / counts for k in (0, 1)])
    return places - places.min(0), counts


def draw(dose: float, seed: int, scatter: float = 0.0, noise: bool = True):
    """Image in electrons, true positions in pixels, volumes in electrons and counts."""
    from particlespy_ml.columns.refine import gaussian_columns

    rng = np.random.default_rng([seed, int(dose)])
    places, counts = truncated_octahedron()
    positions = places / PIXEL + 8 / PIXEL + rng.uniform(-0.5, 0.5, 2)
    volumes = INCREMENT * counts * dose * (1 + scatter * rng.normal(size=len(counts)))
    shape = tuple(np.ceil(positions.max(0) + 8 / PIXEL).astype(int))
    clean = gaussian_columns(shape, positions, volumes, WIDTH / PIXEL, BACKGROUND * dose * PIXEL**2)
    return (rng.poisson(clean).astype(float) if noise else clean), positions, volumes, counts


def interval(values) -> str:
    """Mean with its 95 % interval over trials."""
    values = np.asarray(values, float)
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{values.mean():.3f} ({values.mean() - half:.3f} to {values.mean() + half:.3f})"


def share(hits, of) -> str:
    """Fraction with its Wilson interval."""
    found = binomtest(int(hits), int(of)).proportion_ci(method="wilson")
    return f"{hits / of:.3f} ({found.low:.3f} to {found.high:.3f}, n={of})"
