"""abTEM images of platinum particles on zone axes, and the libraries of their columns, simulated once into a cache.

``python -m benchmarks.counting.simulations`` makes them all: about two hours on one core, of which a
thermal configuration of 201, 586, 1289 and 2406 atoms takes 6, 15, 40 and 50 s.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

SYMBOL = "Pt"
INNER, OUTER = 50.0, 80.0  # mrad
SAMPLING = 0.1  # Å
SCAN_STEP = 0.24  # Å; a probe of 22 mrad at 200 kV needs 0.28
# Å: PRISM's window of the probe. In one of 6 Å the detector is a few pixels of 4 mrad, which add up to 4 % more than
# the annulus; in this one to 0.2 %
WINDOW = 8.4
VACUUM = 7.5  # Å around the particle, both sides together
PHONONS = {201: 32, 586: 32, 1289: 24, 2406: 24, 4033: 6}  # fewer leave columns of one number of atoms apart
LIBRARY_PHONONS = 40  # 6 leave an error of 2 to 4 %, which all columns of a number of atoms share
SIZES = {201: (7, 2), 586: (10, 3), 1289: (13, 4), 2406: (16, 5), 4033: (19, 6)}
ZONES = ("<001>", "<011>", "<111>")
CASES = [(size, zone) for size in (201, 586) for zone in ("<011>", "<001>", "<111>")]
CASES += [(2406, "<011>"), (1289, "<011>"), (4033, "<011>")]


def particle(size: int, zone_axis: str, seed: int):
    """A truncated octahedron that lost 8 % of its surface atoms, along a zone axis, turned about the beam."""
    from ase import Atoms
    from ase.cluster import Octahedron
    from scipy.spatial.transform import Rotation

    from particlespy_ml.crystals.projection import ZONE_AXES
    from particlespy_ml.simulation.atoms.structures import remove_surface_atoms, rotate

    rng = np.random.default_rng([seed, size])
    cluster = Octahedron(SYMBOL, *SIZES[size])
    atoms = Atoms(cluster.get_chemical_symbols(), positions=cluster.positions)
    atoms = remove_surface_atoms(atoms, 0.08, rng)
    axis = np.array(ZONE_AXES[zone_axis], float)
    to_beam, _ = Rotation.align_vectors([[0, 0, 1]], [axis / np.linalg.norm(axis)])
    return rotate(atoms, Rotation.from_euler("z", rng.uniform(0, 90), degrees=True) * to_beam)


def columns_of(atoms) -> tuple[np.ndarray, np.ndarray]:
    """Positions (x, y) in Å and numbers of atoms of the columns along z."""
    from scipy.cluster.hierarchy import fclusterdata

    label = fclusterdata(atoms.positions[:, :2], 0.5, criterion="distance", method="single")
    count = np.bincount(label)[1:]
    place = [np.bincount(label, atoms.positions[:, k])[1:] / count for k in (0, 1)]
    return np.column_stack(place), count


def layer_distance(zone_axis: str) -> float:
    """Distance in Å of the atomic layers across a zone axis."""
    from particlespy_ml.crystals.crystal import cubic_element
    from particlespy_ml.crystals.projection import projection

    structure, constant = cubic_element(SYMBOL)
    seen = projection(structure, zone_axis)
    return seen.period * constant / {"<001>": 2, "<011>": 2, "<111>": 3}[zone_axis]


def scattered_fraction(atoms, zone_axis: str, frozen_phonons: int, seed: int, first: int = 0) -> np.ndarray:
    """Image (rows, columns) in fractions of the beam, by PRISM with one slice for each atomic layer.

    The mean of the thermal configurations from *first* on.

    Slices that do not follow the layers move the atoms of a column along it. What is scattered by less than 80 mrad
    interferes along the column, so that slices of 2 Å make <011> columns of six atoms 12 % brighter.
    """
    import abtem
    import dask

    extent = np.ptp(atoms.positions, axis=0)
    factor = int(np.ceil((extent[:2].max() + VACUUM) / WINDOW))
    edge, layer = factor * WINDOW, layer_distance(zone_axis)
    particle = atoms.copy()
    particle.set_cell([edge, edge, extent[2] + layer])
    particle.center()
    settings = {"precision": "float32", "fftw.planning_effort": "FFTW_ESTIMATE", "diagnostics.progress_bar": False}
    beam = {"energy": 200e3, "semiangle_cutoff": 22.0}
    points = round(edge / SCAN_STEP)
    runs = []
    with abtem.config.set(settings), dask.config.set(scheduler="synchronous"):
        for number, configuration in enumerate(abtem.FrozenPhonons(particle, frozen_phonons, sigmas=0.08, seed=seed)):
            if number < first:
                continue
            potential = abtem.Potential(
                configuration, gpts=round(edge / SAMPLING), slice_thickness=layer * (1 + 1e-6), projection="infinite"
            ).build(lazy=False)
            matrix = abtem.SMatrix(potential=potential, interpolation=factor, **beam).build(lazy=False)
            scan = abtem.GridScan((0, 0), (edge, edge), gpts=(points, points), endpoint=False)
            found = matrix.reduce(
                scan=scan,
                detectors=[abtem.AnnularDetector(INNER, OUTER)],
                ctf=abtem.CTF(**beam),
                max_batch_reduction=256,
            )
            found = found[0] if isinstance(found, (list, tuple)) else found
            runs.append(np.asarray(found.to_cpu().array).T)
    return np.mean(runs, axis=0)


def image(cache: Path, size: int, zone_axis: str, seed: int = 0) -> dict:
    """Image in fractions of the beam, columns in pixels (row, column), counts, pixel size in Å.

    Thermal configurations that the cache lacks are added to those that it has.
    """
    path = cache / f"{SYMBOL}{size}-{zone_axis.strip('<>')}-{seed}.npz"
    kept, first = 0.0, 0
    if path.exists():
        with np.load(path) as file:
            kept, first = file["image"], int(file["configurations"])
    wanted = PHONONS[size]
    if first < wanted:
        atoms = particle(size, zone_axis, seed)
        found = scattered_fraction(atoms, zone_axis, wanted, seed, first)
        found = (kept * first + found * (wanted - first)) / wanted
        edge = found.shape[-1] * SCAN_STEP
        place, count = columns_of(atoms)
        # the simulation centres the box of the particle, not its mass
        middle = 0.5 * (atoms.positions.min(0) + atoms.positions.max(0))[:2]
        place = place - middle + edge / 2
        cache.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            path, image=found, positions=place[:, ::-1] / SCAN_STEP, counts=count, configurations=wanted
        )
    with np.load(path) as file:
        return {"pixel": SCAN_STEP, **{name: file[name] for name in file.files}}


def library(cache: Path, zone_axis: str):
    """Library of a zone axis."""
    from particlespy_ml.counting.library import load_library, save_library

    path = cache / f"{SYMBOL}-{zone_axis.strip('<>')}.json"
    n_atoms = {"<001>": 14, "<011>": 20, "<111>": 9}[zone_axis]
    if not path.exists() or len(load_library(path)) < n_atoms:
        from particlespy_ml.simulation.waves.column_cross_sections import simulate_column_library

        made = simulate_column_library(
            SYMBOL, zone_axis, n_atoms, inner=INNER, outer=OUTER, frozen_phonons=LIBRARY_PHONONS
        )
        cache.mkdir(parents=True, exist_ok=True)
        save_library(made, path)
    return load_library(path)


def main() -> None:
    """Simulate what the cache lacks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=Path("cache/counting"))
    options = parser.parse_args()
    for zone in ZONES:
        found = library(options.cache, zone)
        print(f"{SYMBOL} {zone}: {len(found)} cross-sections, {found.cross_sections[0]:.4f} to", end=" ")
        print(f"{found.cross_sections[-1]:.4f} Å²", flush=True)
    for size, zone in CASES:
        found = image(options.cache, size, zone)
        print(f"{SYMBOL}{size} {zone}: {found['image'].shape}, {len(found['counts'])} columns", flush=True)


if __name__ == "__main__":
    main()
