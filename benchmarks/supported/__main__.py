"""Particles on supports: builders, cameras, relaxation, and the strain of images beside that of models.

``python -m benchmarks.supported`` prints how long builders take and what their structures are like; what bonds do to an
image, where GPAW is installed; the transfer, gain and dose of cameras from the noise of one image; whether relaxation
and dynamics keep particles whole and repeat; and columns and strain of an image at 10 nm of defocus, beside those of
the model that was imaged, by layer. Two parts take longer, and with ``--cache FOLDER`` go on where they stopped:
``network`` trains networks that find columns with a camera estimated from one image and with white noise, and tries
both on images of that camera (half an hour); ``support`` relaxes particles together with their supports by a potential
of all elements (``--calculator``; hours).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks.supported.bonds import print_bonds
from benchmarks.supported.camera_network import print_network
from benchmarks.supported.image_strain import print_strain
from benchmarks.supported.support_strain import THICKNESS, print_support
from particlespy_ml.quality.mtf import estimate_mtf, transfer
from particlespy_ml.simulation.atoms.check_structure import check_structure
from particlespy_ml.simulation.atoms.supported_particle import supported_particle
from particlespy_ml.simulation.potentials.relax_structure import relax_structure, run_dynamics
from particlespy_ml.simulation.recording.camera import Camera

PARTS = ("builders", "bonds", "camera", "dynamics", "strain")
SYSTEMS = (
    ("Pt", "c-ZrO2", "111", "111"),
    ("Pt", "TiO2-anatase", "100", "001"),
    ("Pt", "CeO2", "111", "111"),
    ("Au", "TiO2-rutile", "111", "110"),
    ("Au", "graphite", "111", "0001"),
    ("Au", "MgO", "100", "100"),
)
CAMERAS = ((0.07, 0.196, 2.29), (0.15, 0.35, 1.6), (0.02, 0.7, 2.0), (0.2, 0.25, 1.3))


def print_builders(size: float) -> None:
    """What is built, and how long it takes."""
    print(f"Half Wulff particles of {size:g} Å")
    for metal, support, facet, face in SYSTEMS:
        started = time.process_time()
        atoms = supported_particle(metal, support, facet, size, face=face)
        seconds = time.process_time() - started
        told, found = atoms.info["supported"], check_structure(atoms)
        print(
            f"  {metal}{{{facet}}} on {support} ({face}): {told['atoms'][0]} + {told['atoms'][1]} atoms, "
            f"{told['coincidence']}; closest {found['closest']:.2f}, dipole {abs(found['dipole']):.1e} e/Å, "
            f"{seconds:.2f} s"
        )


def scene(size: int, seed: int) -> np.ndarray:
    """Fringes in a disc, a film of carbon beside a third of vacuum, uneven illumination: 1 is the empty beam."""
    from scipy import ndimage as ndi

    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    inside = np.hypot(x - 0.5, y - 0.5) < 0.32
    image = np.ones((size, size))
    for angle, period in ((0.2, 11.5), (1.3, 11.5), (2.2, 6.0)):
        wave = np.cos(angle) * x + np.sin(angle) * y
        image += 0.12 * inside * np.cos(2 * np.pi * size / period * wave)
    film = ndi.gaussian_filter(rng.normal(size=(size, size)), 2.5)
    return (image + 0.05 * film / film.std() * (x > 0.35)) * (1 + 0.05 * (x - 0.5))


def print_camera(draws: int, edge: int) -> None:
    """Errors of transfer and dose from single images."""
    print(f"Cameras from the noise of one image of a lattice and a film, {edge} x {edge} pixels, {draws} images each")
    q = np.linspace(0.02, 0.8, 80)
    for electrons in (3.0, 30.0, 300.0):
        for camera in CAMERAS:
            away, doses, inside, errors = [], [], [], []
            for seed in range(draws):
                image = Camera(*camera, gain=40.0).record(electrons * scene(edge, seed), np.random.default_rng(seed))
                found = estimate_mtf(image)
                away.append(np.abs(found.transfer(q) - transfer(q, *camera)).max())
                errors.append(found.transfer_error(q).max())
                doses.append(found.dose / electrons)
                inside.append(abs(found.dose - electrons) < 1.96 * found.dose_error)
            print(
                f"  {electrons:3.0f} electrons a pixel, camera {camera}: transfer up to .8 within {np.max(away):.3f} "
                f"(largest standard error {np.mean(errors):.3f}), "
                f"dose {np.mean(doses):.3f} ± {np.std(doses):.3f} of the true, in its interval {np.mean(inside):.2f}"
            )


def print_dynamics(size: float) -> None:
    """Whether particles stay whole, and energies repeat."""
    print("Relaxation and dynamics with EMT on a support that is held")
    for metal, support, facet, face in SYSTEMS[:4]:
        atoms = supported_particle(metal, support, facet, size, face=face)
        relaxed = relax_structure(atoms, "emt", fmax=0.05, steps=300)
        options = {"temperatures": (300, 800, 300), "steps": 60, "snapshots": 5, "seed": 1}
        runs = [run_dynamics(relaxed, "emt", **options) for _ in range(2)]
        energies = [[one.info["dynamics"]["energy"] for one in run] for run in runs]
        pieces = check_structure(runs[0][-1])["particle_pieces"]
        told = relaxed.info["relaxation"]
        print(
            f"  {metal}{{{facet}}} on {support}: converged {told['converged']} in {told['steps']} steps, largest move "
            f"{told['largest_move']:.2f} Å; pieces after 800 K {pieces}; energies repeat {energies[0] == energies[1]}"
        )


def print_camera_network(options: argparse.Namespace) -> None:
    """What it is worth to know the camera, as one image of it tells."""
    camera = Camera(*CAMERAS[0], gain=40.0)
    estimate = estimate_mtf(camera.record(30.0 * scene(2048, 0), np.random.default_rng(0)))
    print_network(options.cache, camera, estimate, options.fields, options.structures, options.training, options.seeds)


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.supported", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=(*PARTS, "network", "support"), default=list(PARTS))
    parser.add_argument("--size", type=float, default=30.0, help="of the particles in Å")
    parser.add_argument("--draws", type=int, default=5, help="images of each camera")
    parser.add_argument("--edge", type=int, default=1024, help="of these images in pixels")
    parser.add_argument("--doses", nargs="+", type=float, default=[1e3, 1e4, 1e5])
    parser.add_argument("--calculator", default="sevennet", help="of the part support")
    parser.add_argument("--thickness", type=float, default=THICKNESS, help="of its slabs in Å")
    parser.add_argument("--systems", nargs="+", type=int, help="of its systems, from 0 on; by default all")
    parser.add_argument("--figure", type=Path, help="file of a figure of its strain, by model, columns and image")
    parser.add_argument("--steps", type=int, default=80, help="of its relaxations, at most")
    parser.add_argument("--fields", type=int, default=600, help="exit waves of the part network")
    parser.add_argument("--structures", type=int, default=60, help="that it is tried on")
    parser.add_argument("--training", type=int, default=1200, help="steps of its training")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each of its networks")
    parser.add_argument("--cache", type=Path, default=Path("cache/supported"), help="folder of both")
    options = parser.parse_args(arguments)
    parts = {
        "builders": lambda: print_builders(options.size),
        "bonds": print_bonds,
        "camera": lambda: print_camera(options.draws, options.edge),
        "dynamics": lambda: print_dynamics(options.size),
        "strain": lambda: print_strain(options.size, tuple(options.doses)),
        "network": lambda: print_camera_network(options),
        "support": lambda: print_support(
            options.calculator,
            options.size,
            options.steps,
            options.cache,
            options.thickness,
            options.systems,
            options.figure,
        ),
    }
    for name in options.parts:
        parts[name]()


if __name__ == "__main__":
    main()
