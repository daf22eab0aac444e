"""Make the images of `surface_movie` again: ``python -m particlespy_ml.data.make.gold_surface`` (needs abTEM).

A gold particle along <110> whose surface sites are empty, and how the image changes where each of them is full.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import fft

from particlespy_ml.simulation.atoms.changing_surface import changing_surface, displaced_columns
from particlespy_ml.simulation.recording.optics import Optics, image_intensity
from particlespy_ml.simulation.waves.exit_wave import simulate_exit_wave

SEED = 40
EDGE, PIXELS = 30.0, 120  # Å and pixels of the images
SEEN = 7.0  # Å around a group, beyond which the image does not change
OPTICS = Optics(
    energy=300e3,
    defocus=-85.0,
    spherical_aberration=-1e5,
    fifth_order=2.5e7,
    astigmatism=6.0,
    astigmatism_angle=0.6,
    focal_spread=30.0,
    deflection=0.18,
)


def image_of(atoms: np.ndarray) -> np.ndarray:
    """Image of atoms in Å from the middle, 1 for the empty beam, shape (pixels, pixels)."""
    placed = atoms + [EDGE / 2, EDGE / 2, 0]
    wave = simulate_exit_wave(["Au"] * len(placed), placed, EDGE, sampling=0.2, slice_thickness=2.0, pixels=PIXELS)
    fine = image_intensity(wave, EDGE, replace(OPTICS, deflection=0.0))
    step, pixel = EDGE / (2 * PIXELS), EDGE / PIXELS
    ky, kx = fft.fftfreq(2 * PIXELS, step)[:, None], fft.rfftfreq(2 * PIXELS, step)[None]
    blur = np.sinc(ky * pixel) * np.sinc(kx * pixel) * np.exp(-2 * (np.pi * OPTICS.deflection) ** 2 * (kx**2 + ky**2))
    return fft.irfft2(fft.rfft2(fine) * blur, s=fine.shape)[::2, ::2]


def main() -> None:
    """Write the images into the folder above."""
    atoms, own, groups, kinds = changing_surface(SEED, (17.0, 19.0), (14.0, 18.0))
    empty = image_of(atoms)
    places = np.array([one[0, :2] for one in own])
    axis = np.arange(PIXELS) * EDGE / PIXELS - EDGE / 2
    changes = []
    for group in groups:
        x, y = places[list(group)].mean(0)
        near = np.hypot(axis[:, None] - y, axis[None] - x) < SEEN
        for code in range(1, 2 ** len(group)):
            full = [own[site] for bit, site in enumerate(group) if code >> bit & 1]
            changes.append(np.where(near, image_of(np.concatenate([atoms, *full])) - empty, 0))
    stable, heights = displaced_columns(atoms)
    truth = {
        "pixel_size_nm": 0.1 * EDGE / PIXELS,
        "energy_eV": OPTICS.energy,
        "x_nm": (0.1 * (places[:, 0] + EDGE / 2)).round(4).tolist(),
        "y_nm": (0.1 * (places[:, 1] + EDGE / 2)).round(4).tolist(),
        "heights": [len(one) for one in own],
        "groups": [list(group) for group in groups],
        "kinds": kinds,
        "stable_x_nm": (0.1 * (stable[:, 0] + EDGE / 2)).round(4).tolist(),
        "stable_y_nm": (0.1 * (stable[:, 1] + EDGE / 2)).round(4).tolist(),
        "stable_heights": heights.tolist(),
    }
    np.savez_compressed(
        Path(__file__).parent.parent / "gold_surface.npz",
        empty=empty.astype(np.float16),
        changes=np.array(changes, np.float16).round(3),
        truth=json.dumps(truth),
    )


if __name__ == "__main__":
    main()
