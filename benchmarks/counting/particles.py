"""Particles of known columns: the 381 columns of 2406 atoms that results are compared on."""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest, norm, t

INCREMENT = 0.0235  # Å² an atom
WIDTH, PIXEL, BACKGROUND = 0.42, 0.2, 0.002  # Å, Å, fraction of the beam
LIBRARY = INCREMENT * np.arange(1, 14)


def truncated_octahedron(length: int = 16, cutoff: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Positions in Å and counts of the columns of a particle along <001>; by default of 2406 atoms."""
    from ase.cluster import Octahedron

    atoms = Octahedron("Pt", length, cutoff)
    keys, index, counts = np.unique(
        np.rint(atoms.positions[:, :2] / 0.98).astype(int), axis=0, return_inverse=True, return_counts=True
    )
    places = np.column_stack([np.bincount(index.ravel(), atoms.positions[:, k]) / counts for k in (0, 1)])
    return places - places.min(0), counts


def draw(dose: float, seed: int, scatter: float = 0.0, noise: bool = True, size: tuple[int, int] = (16, 5)):
    """Image in electrons, true positions in pixels, volumes in electrons and counts."""
    from particlespy_ml.columns.fit.refine import gaussian_columns

    rng = np.random.default_rng([seed, int(dose)])
    places, counts = truncated_octahedron(*size)
    positions = places / PIXEL + 8 / PIXEL + rng.uniform(-0.5, 0.5, 2)
    volumes = INCREMENT * counts * dose * (1 + scatter * rng.normal(size=len(counts)))
    shape = tuple(np.ceil(positions.max(0) + 8 / PIXEL).astype(int))
    clean = gaussian_columns(shape, positions, volumes, WIDTH / PIXEL, BACKGROUND * dose * PIXEL**2)
    return (rng.poisson(clean).astype(float) if noise else clean), positions, volumes, counts


def shot_noise_bound(counts, library, dose: float, scatter: float, rng) -> float:
    """Exact counts of the best classifier of isolated columns on no background, the frequencies of counts known.

    *library* has the cross-sections in Å² from one atom on, *scatter* is that of cross-sections, relative.
    """
    prior = np.bincount(counts, minlength=len(library) + 1)[1:] / len(counts)
    many = rng.choice(counts, 200_000)
    seen = rng.poisson(library[many - 1] * dose * (1 + scatter * rng.normal(size=len(many))).clip(0))
    variance = library * dose + (scatter * library * dose) ** 2
    logs = norm.logpdf(seen[:, None], library * dose, np.sqrt(variance)) + np.log(prior + 1e-12)
    return float(np.mean(logs.argmax(1) + 1 == many))


def volume_bound(clean, positions, counts, library, scatter: float, rng, draws: int = 400) -> float:
    """Exact counts of the best classifier of unbiased volumes in an image, the frequencies of counts known.

    Columns overlap, and positions, width and background are found from the same electrons: the variance of each volume
    is its Cramer-Rao bound with all of them unknown, from the Fisher matrix of the image without noise.

    *clean* and *library* are in electrons, *positions* in pixels, *scatter* is that of cross-sections, relative.
    """
    from particlespy_ml.columns.fit.refine import refine_columns
    from particlespy_ml.quality.noise import Noise

    variance = refine_columns(clean, positions, noise=Noise(1.0, 0.0)).volume_errors ** 2
    # under another number of atoms a column has another shot noise, in proportion
    own = library[counts - 1]
    slope = np.polyfit(own, variance, 1)[0]
    under = variance[:, None] + slope * (library - own[:, None])
    under = np.maximum(under, 0.25 * variance[:, None]) + (scatter * library) ** 2
    prior = np.bincount(counts, minlength=len(library) + 1)[1:] / len(counts)
    width = np.sqrt(np.take_along_axis(under, counts[:, None] - 1, 1)[:, 0])
    seen = own + width * rng.normal(size=(draws, len(counts)))
    logs = norm.logpdf(seen[..., None], library, np.sqrt(under)) + np.log(prior + 1e-12)
    return float(np.mean(logs.argmax(-1) + 1 == counts))


def interval(values) -> str:
    """Mean with its 95 % interval over trials, by Student's t."""
    values = np.asarray(values, float)
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{values.mean():.3f} ({values.mean() - half:.3f} to {values.mean() + half:.3f})"


def share(hits, of) -> str:
    """Fraction with its Wilson interval."""
    found = binomtest(int(hits), int(of)).proportion_ci(method="wilson")
    return f"{hits / of:.3f} ({found.low:.3f} to {found.high:.3f}, n={of})"
