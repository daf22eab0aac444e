"""What an ideal detector with known optics could tell: the error of a column's place, and whether it is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.columns_hrtem.images import GOLD
from particlespy_ml.simulation.atoms.column_structures import draw_structure
from particlespy_ml.simulation.recording.optics import Optics, image_intensity
from particlespy_ml.simulation.waves.exit_wave import simulate_exit_wave

OPTICS = Optics(
    energy=300e3, defocus=-80.0, spherical_aberration=-1e5, fifth_order=2.5e7, focal_spread=30.0, deflection=0.18
)
_STEP = 0.1  # Å by which a column is moved


@dataclass(frozen=True)
class Information:
    """What one electron per Å² tells of a column.

    Parameters
    ----------
    height
        Number of its atoms.
    of_place
        Fisher information of its x in 1/Å².
    of_presence
        Square of the distance, in standard deviations, between the images with and without it.
    """

    height: int
    of_place: float
    of_presence: float


def columns_information(count: int, per_structure: int = 4, seed: int = 5) -> list[Information]:
    """Return what is known of some columns of drawn structures without a film, by differences of their images."""
    found = []
    rng = np.random.default_rng(seed)
    for index in range(count):
        atoms, _ = draw_structure(GOLD, np.random.default_rng([seed, index]))
        positions = atoms.positions + [GOLD.edge / 2, GOLD.edge / 2, 0]
        whole = _image(atoms.symbols, positions)
        for column in rng.choice(len(atoms.kinds), min(per_structure, len(atoms.kinds)), replace=False):
            own = atoms.column == column
            images = [
                _image(atoms.symbols, positions + sign * _STEP / 2 * np.outer(own, [1, 0, 0])) for sign in (1, -1)
            ]
            slope = (images[0] - images[1]) / _STEP
            gone = _image(atoms.symbols[~own], positions[~own])
            area = (GOLD.edge / len(whole)) ** 2
            found.append(
                Information(
                    int(own.sum()),
                    float((slope**2 / whole).sum() * area),
                    float(((whole - gone) ** 2 / gone).sum() * area),
                )
            )
    return found


def _image(symbols: np.ndarray, positions: np.ndarray) -> np.ndarray:
    wave = simulate_exit_wave(symbols, positions, GOLD.edge, sampling=0.14, slice_thickness=2.0, pixels=256)
    return image_intensity(wave, GOLD.edge, OPTICS)
