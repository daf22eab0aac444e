"""Three-dimensional reconstruction: poses, first volumes, clusters, other people's projections, memory."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.populations.particles import PIXEL, aligned_cluster, as_stack, exposed, views, with_noise
from particlespy_ml.reconstruction import (
    fourier_shell_correlation,
    point_group,
    pose_error,
    project,
    register_volume,
    volume_of_atoms,
)
from particlespy_ml.reconstruction.fourier import low_pass
from particlespy_ml.reconstruction.resolution import resolution_radius

BOX = 64
GROUPS = {"cuboctahedron": "Oh", "icosahedron": "Ih", "decahedron": "D5h", "truncated decahedron": "C1"}


def median_with_interval(values: np.ndarray, seed: int = 0) -> str:
    """Median and its 95 % interval, by bootstrap over particles."""
    rng = np.random.default_rng(seed)
    medians = np.median(rng.choice(values, (2000, len(values))), axis=1)
    return f"{np.median(values):.2f} ({np.quantile(medians, 0.025):.2f} to {np.quantile(medians, 0.975):.2f})"


def against(truth: np.ndarray, found: np.ndarray, pixel: float = PIXEL) -> tuple[float, float]:
    """Resolution in Å where the correlation with the truth falls below 0.5, and the correlation coefficient.

    The volume is first turned, and mirrored where that fits better, onto the truth.
    """
    registered = register_volume(found, truth, 12)
    correlation = fourier_shell_correlation(registered.volume, truth)
    radius = resolution_radius(correlation, 0.5)
    return len(truth) * pixel / radius, float(np.corrcoef(registered.volume.ravel(), truth.ravel())[0, 1])


def poses(count: int = 100) -> None:
    """Orientations in a known model at a signal-to-noise ratio of 0.5."""
    print(f"Poses of {count} particles in a known model, signal-to-noise ratio 0.5 (variances over the box of {BOX})")
    for kind, group in GROUPS.items():
        atoms = aligned_cluster(kind, 561)
        rotations = Rotation.random(count, random_state=11).as_matrix()
        images = with_noise(views(atoms, rotations, BOX), 0.5, np.random.default_rng(12))
        start = time.perf_counter()
        found = as_stack(images).reconstruct(atoms, point_group=group, max_iterations=0, show_progressbar=False)
        seconds = time.perf_counter() - start
        error = pose_error(found.rotations, rotations, point_group(group))
        text = f"median error {median_with_interval(error)} degrees modulo {group}"
        print(f"  {kind:22s} {text}, 90 % below {np.quantile(error, 0.9):.2f}; {seconds:.1f} s", flush=True)


def ab_initio(count: int = 300, dose: float = 1e3) -> None:
    """Volumes from images alone."""
    print(f"\nAb initio, {count} views of Au561 at {dose:g} e/Å², pixels of {PIXEL} Å, Nyquist limit {2 * PIXEL} Å")
    for kind in ("cuboctahedron", "icosahedron", "decahedron"):
        atoms = aligned_cluster(kind, 561)
        rotations = Rotation.random(count, random_state=13).as_matrix()
        images = exposed(views(atoms, rotations, BOX), dose, np.random.default_rng(14))
        truth = volume_of_atoms(atoms, BOX, PIXEL)
        for group in dict.fromkeys((GROUPS[kind], "C1")):
            start = time.perf_counter()
            found = as_stack(images).reconstruct(point_group=group, show_progressbar=False)
            seconds = time.perf_counter() - start
            true, correlation = against(truth, found.volume.data)
            text = f"FSC(0.143) of halves {10 * found.resolution:.2f} Å; FSC(0.5) with the truth {true:.2f} Å"
            print(f"  {kind:14s} {group:4s} {text}, correlation {correlation:.3f}; {seconds:.0f} s", flush=True)


def prism(dose: float = 1e4) -> None:
    """Eight PRISM images of each isomer of Au309 that the project carries: channelling and phonons are in them."""
    import json
    from importlib.resources import files

    from scipy.ndimage import gaussian_filter

    with np.load(str(files("particlespy_ml.data") / "gold_309_views.npz"), allow_pickle=False) as file:
        images, kinds = file["data"].astype(float), json.loads(str(file["truth"]))["isomers"]
    pixel = 0.6
    images = gaussian_filter(images, (0, 0, 1.2, 1.2))[..., ::2, ::2]  # a source of 0.85 Å
    box = images.shape[-1] // 2 * 2
    rng = np.random.default_rng(18)
    print(f"\n{images.shape[1]} PRISM images of each isomer of Au309 at {dose:g} e/Å², pixels of {pixel} Å")
    for kind, clean in zip(kinds, images[..., :box, :box], strict=True):
        atoms = aligned_cluster(kind, 309)
        stack = as_stack(exposed(clean, dose, rng, pixel), pixel)
        truth = volume_of_atoms(atoms, box, pixel)
        for name, model in (("images alone", None), ("from its model", atoms)):
            found = stack.reconstruct(model, point_group=GROUPS[kind], max_iterations=6, show_progressbar=False)
            true, correlation = against(truth, found.volume.data, pixel)
            text = f"FSC(0.5) with the atoms {true:.2f} Å, correlation {correlation:.3f}"
            print(f"  {kind:14s} {GROUPS[kind]:4s} {name:14s} {text}, halves {10 * found.resolution:.2f} Å", flush=True)


def mixture(count: int = 100, dose: float = 1e3) -> None:
    """Three isomers reconstructed together and each for itself, with the same settings."""
    kinds = ("cuboctahedron", "icosahedron", "decahedron")
    print(f"\nThree isomers of 561 atoms, {count} views of each at {dose:g} e/Å², no symmetry imposed")
    rng = np.random.default_rng(15)
    images, truths = [], []
    for number, kind in enumerate(kinds):
        atoms = aligned_cluster(kind, 561)
        rotations = Rotation.random(count, random_state=16 + number).as_matrix()
        images.append(exposed(views(atoms, rotations, BOX), dose, rng))
        truths.append(volume_of_atoms(atoms, BOX, PIXEL))
    stack = as_stack(np.concatenate(images))
    together = stack.reconstruct(show_progressbar=False)
    apart = stack.reconstruct(clusters=np.repeat(np.arange(3), count), show_progressbar=False)
    for number, kind in enumerate(kinds):
        for name, found in (("together", together), ("its cluster", apart[number])):
            true, correlation = against(truths[number], found.volume.data)
            text = f"FSC(0.5) with the truth {true:.2f} Å, correlation {correlation:.3f}"
            print(f"  {kind:14s} {name:12s} {text}, halves {10 * found.resolution:.2f} Å", flush=True)


def projections(folder: Path) -> None:
    """Projections of a volume that others made, with their rotations."""
    import mrcfile

    images = mrcfile.read(folder / "hand.mrcs").astype(np.float32)
    rotations = np.load(folder / "hand_rot.npy")
    stack = as_stack(images, 1.0)
    print(f"\n{len(images)} projections of {folder.name}, {images.shape[1]} pixels")
    half = np.arange(len(images)) % 2 == 0
    known = as_stack(images[half], 1.0).reconstruct(poses=rotations[half], diameter=4.6, show_progressbar=False)
    expected = project(known.volume.data, rotations[~half])
    pairs = zip(expected, images[~half], strict=True)
    predicted = np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs])
    print(
        f"  known rotations: a volume of half of the images predicts the others with a correlation of {predicted:.4f}"
    )
    given = mrcfile.read(folder / "hand-vol.mrc")
    shown = np.mean(
        [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(project(given, rotations), images, strict=True)]
    )
    print(f"  the volume that came with them predicts them with {shown:.3f}: it is not theirs, so ours is used below")
    volume = stack.reconstruct(poses=rotations, diameter=4.6, show_progressbar=False)
    again = as_stack(project(volume.volume.data, rotations), 1.0)
    again = again.reconstruct(poses=rotations, diameter=4.6, show_progressbar=False)
    correlation = np.corrcoef(again.volume.data.ravel(), volume.volume.data.ravel())[0, 1]
    print(f"  our volume, projected at the known rotations, comes back with a correlation of {correlation:.4f}")
    quarter = low_pass(volume.volume.data, len(volume.volume.data) // 8)
    start = time.perf_counter()
    found = stack.reconstruct(quarter, diameter=4.6, show_progressbar=False)
    error = pose_error(found.rotations, rotations, point_group("C1"))
    correlation = np.corrcoef(found.volume.data.ravel(), volume.volume.data.ravel())[0, 1]
    print(
        f"  unknown rotations, from a quarter of the Nyquist frequency: median error {median_with_interval(error)} "
        f"degrees, correlation of the volumes {correlation:.4f}; {time.perf_counter() - start:.0f} s"
    )


def memory(counts: tuple[int, ...] = (1000, 8000)) -> None:
    """Largest memory of a lazy stack's reconstruction, in a process for each length."""
    print("\nMemory of lazy stacks made as they are read, boxes of 96 pixels, poses refined once in a known model")
    for count in counts:
        command = [sys.executable, "-m", "benchmarks.populations.reconstruction", str(count)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(f"  {count:6d} particles, {count * 96 * 96 * 4 / 2**20:.0f} MB: {done.stdout.strip()}", flush=True)


def _memory_of(count: int) -> None:
    import dask.array as da

    atoms = aligned_cluster("cuboctahedron", 147)
    clean = views(atoms, Rotation.random(64, random_state=1).as_matrix(), 96, 0.5)

    def draw(block_info=None):
        (first, last) = block_info[None]["array-location"][0]
        rng = np.random.default_rng(first)
        return exposed(clean[np.arange(first, last) % 64], 1e4, rng, 0.5)

    blocks = tuple([250] * (count // 250)), (96,), (96,)
    stack = as_stack(da.map_blocks(draw, chunks=blocks, dtype=np.float32, meta=clean[:0]), 0.5).as_lazy()
    start = time.perf_counter()
    found = stack.reconstruct(atoms, point_group="Oh", max_iterations=0, initial_resolution=0.3, show_progressbar=False)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak {peak:.2f} GB, {seconds:.0f} s, {found.resolution * 10:.2f} Å")


if __name__ == "__main__":
    _memory_of(int(sys.argv[1]))
