"""Make the bundled example images again: ``python -m particlespy_ml.data.make_examples`` (needs abTEM, two minutes).

The particles are drawn here, from seeds that no library of simulations uses, so no model is trained on them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from particlespy_ml.simulation.haadf import HAADFMicroscope, simulate_haadf
from particlespy_ml.simulation.scene import PlacedParticle, compose_haadf
from particlespy_ml.simulation.structures import closed_shell, displace, draw_isomer, random_rotation

SEED = 77_000_000
PIXEL_SIZE = 0.4
MICROSCOPE = HAADFMicroscope(energy=300e3, semiangle=22.0)
STILL = (  # isomer, atoms, centre (row, column) in Å
    ("decahedron", 300, (36, 40)),
    ("cuboctahedron", 586, (34, 110)),
    ("icosahedron", 561, (112, 38)),
    ("amorphous", 250, (85, 84)),
    ("icosahedron", 309, (80, 124)),
    ("decahedron", 500, (124, 114)),
)
CHANGING = (("icosahedron", 309), ("decahedron", 318))
STEADY = ("cuboctahedron", 405)
FRAMES = 24
CHANGES = (7, 11, 18)  # frames at which the particle changes
VIEWS = 8  # of each isomer of the Au309 particle


def main() -> None:
    """Write the example images beside this module."""
    folder = Path(__file__).parent
    _write_still(folder / "gold_on_carbon.npz")
    _write_movie(folder / "isomer_movie.npz")
    _write_views(folder / "gold_309_views.npz")


def _simulated(kind: str, n_atoms: int, seed: int) -> tuple[np.ndarray, int]:
    """Image every 0.3 Å and number of atoms of a particle with an imperfect surface, in a random orientation."""
    rng = np.random.default_rng([SEED, seed])
    atoms = random_rotation(draw_isomer(kind, n_atoms, rng), rng)
    images, _ = simulate_haadf(atoms, MICROSCOPE, frozen_phonons=3, seed=SEED + seed)
    return images.sum(0), len(atoms)


def _write_still(path: Path) -> None:
    made = [_simulated(kind, n_atoms, number) for number, (kind, n_atoms, _) in enumerate(STILL)]
    centres = [centre for _, _, centre in STILL]
    particles = [PlacedParticle(image, 0.3, centre) for (image, _), centre in zip(made, centres, strict=True)]
    data = compose_haadf(particles, (384, 384), PIXEL_SIZE, dose=5e3, seed=1)
    truth = {
        "pixel_size_nm": PIXEL_SIZE / 10,
        "isomers": [kind for kind, _, _ in STILL],
        "atoms": [n_atoms for _, n_atoms in made],
        "x_nm": [centre[1] / 10 for centre in centres],
        "y_nm": [centre[0] / 10 for centre in centres],
        "energy_eV": MICROSCOPE.energy,
        "dose_per_A2": 5e3,
    }
    np.savez_compressed(path, data=data, truth=json.dumps(truth))


def _write_movie(path: Path) -> None:
    rng = np.random.default_rng(3)
    drift = np.cumsum(rng.normal(scale=0.6, size=(FRAMES, 2)), axis=0)
    changing = [_simulated(*particle, seed=20 + number)[0] for number, particle in enumerate(CHANGING)]
    steady = _simulated(*STEADY, seed=30)[0]
    frames, isomers = [], []
    for number in range(FRAMES):
        state = sum(number >= change for change in CHANGES) % 2
        first, second = np.array([26.0, 26.0]) + drift[number], np.array([58.0, 60.0]) + drift[number]
        particles = [PlacedParticle(changing[state], 0.3, tuple(first)), PlacedParticle(steady, 0.3, tuple(second))]
        frames.append(compose_haadf(particles, (216, 216), PIXEL_SIZE, dose=3e3, seed=100 + number))
        isomers.append([CHANGING[state][0], STEADY[0]])
    truth = {
        "pixel_size_nm": PIXEL_SIZE / 10,
        "upper_left": [row[0] for row in isomers],
        "lower_right": [row[1] for row in isomers],
        "energy_eV": MICROSCOPE.energy,
        "dose_per_A2": 3e3,
    }
    np.savez_compressed(path, data=np.stack(frames), truth=json.dumps(truth))


def _write_views(path: Path) -> None:
    """Views of one Au309 particle as each of three isomers, in random orientations, middle in the middle."""
    kinds, images = ("icosahedron", "decahedron", "cuboctahedron"), []
    for number, kind in enumerate(kinds):
        rng = np.random.default_rng([SEED, 40 + number])
        for view in range(VIEWS):
            atoms = random_rotation(displace(closed_shell(kind, 309), 0.08, rng), rng)
            image = simulate_haadf(atoms, MICROSCOPE, frozen_phonons=2, seed=SEED + 40 + view)[0].sum(0)
            images.append(_cut(image, 100))
    data = np.array(images, dtype=np.float16).reshape(len(kinds), VIEWS, 100, 100)
    np.savez_compressed(path, data=data, truth=json.dumps({"isomers": kinds, "scan_step_A": 0.3}))


def _cut(image: np.ndarray, size: int) -> np.ndarray:
    """Middle of an image, with zeros around it where it is smaller."""
    padded = np.pad(image, max(0, (size - len(image) + 1) // 2))
    start = (len(padded) - size) // 2
    return padded[start : start + size, start : start + size]


if __name__ == "__main__":
    main()
