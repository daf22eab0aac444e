"""Make the bundled example images again: ``python -m particlespy_ml.data.make.examples`` (needs abTEM, two minutes).

The particles are drawn here, from seeds that no library of simulations uses, so no model is trained on them.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from skimage.measure import label, regionprops

from particlespy_ml.simulation.atoms.crystallinity import CRYSTALLINITY
from particlespy_ml.simulation.atoms.field import draw_field, particle_masks
from particlespy_ml.simulation.atoms.structures import closed_shell, displace, draw_isomer, random_rotation
from particlespy_ml.simulation.datasets.exit_waves import Field
from particlespy_ml.simulation.recording.imaging import ImagingRecipe, record
from particlespy_ml.simulation.recording.scene import PlacedParticle, compose_haadf
from particlespy_ml.simulation.waves.exit_wave import simulate_exit_wave
from particlespy_ml.simulation.waves.haadf import HAADFMicroscope, simulate_haadf

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
    """Write the example images into the folder above."""
    folder = Path(__file__).parent.parent
    _write_still(folder / "gold_on_carbon.npz")
    _write_movie(folder / "isomer_movie.npz")
    _write_views(folder / "gold_309_views.npz")
    _write_hrtem(folder / "gold_hrtem.npz")


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


def _write_hrtem(path: Path) -> None:
    """A field of 18 nm in the middle of a larger one, so that some particles are cut by the border."""
    edge, view, pixels = 200.0, 180.0, 450
    rng = np.random.default_rng([SEED, 60])
    particles, film = draw_field(edge, 26, (13.0, 42.0), "C", 18.0, rng, max_coverage=0.32, overlapping=0.0)
    positions = np.concatenate([film, *(particle.positions for particle in particles)])
    symbols = ["C"] * len(film) + ["Au"] * (len(positions) - len(film))
    moved = positions + rng.normal(scale=0.07, size=positions.shape)
    wave = simulate_exit_wave(symbols, moved, edge, sampling=0.125, pixels=450)
    masks = particle_masks(particles, edge, 450)
    labels = np.array([particle.crystallinity for particle in particles])
    kinds = tuple(particle.kind for particle in particles)
    diameters = np.array([particle.diameter for particle in particles])
    field = Field(wave, masks, labels, kinds, diameters, {"edge": edge, "energy": 300e3})
    recipe = replace(ImagingRecipe().nominal(5e3), shear=0.0, scale_error=0.0, focus=40.0, defocus=(0.0, 0.0))
    seen = record(field, recipe, rng, view=view, middle=np.full(2, edge / 2))
    # the field is periodic, so a particle may be in view twice
    regions = [region for region in regionprops(label(seen.labels, background=0), seen.labels) if region.area > 60]
    shown = [int(region.intensity_max) - 1 for region in regions]
    places = [np.array(region.centroid) * view / pixels / 10 for region in regions]
    truth = {
        "pixel_size_nm": view / pixels / 10,
        "classes": [CRYSTALLINITY[labels[number]] for number in shown],
        "kinds": [kinds[number] for number in shown],
        "x_nm": [float(place[1]) for place in places],
        "y_nm": [float(place[0]) for place in places],
        "energy_eV": 300e3,
        "dose_per_A2": 5e3,
        "defocus_nm": 4.0,
    }
    np.savez_compressed(path, data=np.rint(seen.image).astype(np.uint16), truth=json.dumps(truth))


def _cut(image: np.ndarray, size: int) -> np.ndarray:
    """Middle of an image, with zeros around it where it is smaller."""
    padded = np.pad(image, max(0, (size - len(image) + 1) // 2))
    start = (len(padded) - size) // 2
    return padded[start : start + size, start : start + size]


if __name__ == "__main__":
    main()
