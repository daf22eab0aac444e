"""Make the bundled example images again: ``python -m particlespy_ml.data.make_examples CACHE``.

CACHE is the folder of simulations that ``particlespy-ml simulate isomer-haadf`` fills. Only simulations that no model
is trained on are used.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from particlespy_ml.simulation.isomer_library import IsomerLibraryRecipe, load_entries
from particlespy_ml.simulation.scene import PlacedParticle, compose_haadf

PIXEL_SIZE = 0.4
STILL = {36: (36, 40), 37: (34, 110), 58: (112, 38), 79: (85, 84), 16: (80, 124), 17: (124, 114)}
CHANGING = (96, 57)  # an icosahedron and a decahedron of about the same size
STEADY = 58  # a truncated octahedron
FRAMES = 24
CHANGES = (7, 11, 18)  # frames at which the particle changes


def main(cache: str) -> None:
    """Write the example images beside this module."""
    folder = Path(__file__).parent
    entries = {entry["index"]: entry for entry in load_entries(cache, sorted({*STILL, *CHANGING, STEADY}))}
    assert all(IsomerLibraryRecipe().is_held_out(index) for index in entries)
    _write_still(entries, folder / "gold_on_carbon.npz")
    _write_movie(entries, folder / "isomer_movie.npz")


def _placed(entry: dict, centre: tuple[float, float]) -> PlacedParticle:
    return PlacedParticle(entry["images"].sum(0), entry["parameters"]["scan_step"], centre)


def _write_still(entries: dict, path: Path) -> None:
    particles = [_placed(entries[index], centre) for index, centre in STILL.items()]
    data = compose_haadf(particles, (384, 384), PIXEL_SIZE, dose=5e3, seed=1)
    truth = {
        "pixel_size_nm": PIXEL_SIZE / 10,
        "isomers": [entries[index]["parameters"]["class"] for index in STILL],
        "atoms": [len(entries[index]["positions"]) for index in STILL],
        "x_nm": [centre[1] / 10 for centre in STILL.values()],
        "y_nm": [centre[0] / 10 for centre in STILL.values()],
        "energy_eV": 300e3,
        "dose_per_A2": 5e3,
    }
    np.savez_compressed(path, data=data, truth=json.dumps(truth))


def _write_movie(entries: dict, path: Path) -> None:
    rng = np.random.default_rng(3)
    drift = np.cumsum(rng.normal(scale=0.6, size=(FRAMES, 2)), axis=0)
    frames, isomers = [], []
    for number in range(FRAMES):
        state = sum(number >= change for change in CHANGES) % 2
        changing, steady = entries[CHANGING[state]], entries[STEADY]
        first, second = np.array([26.0, 26.0]) + drift[number], np.array([58.0, 60.0]) + drift[number]
        particles = [_placed(changing, tuple(first)), _placed(steady, tuple(second))]
        frames.append(compose_haadf(particles, (216, 216), PIXEL_SIZE, dose=3e3, seed=100 + number))
        isomers.append([changing["parameters"]["class"], steady["parameters"]["class"]])
    truth = {
        "pixel_size_nm": PIXEL_SIZE / 10,
        "upper_left": [row[0] for row in isomers],
        "lower_right": [row[1] for row in isomers],
        "energy_eV": 300e3,
        "dose_per_A2": 3e3,
    }
    np.savez_compressed(path, data=np.stack(frames), truth=json.dumps(truth))


if __name__ == "__main__":
    main(sys.argv[1])
