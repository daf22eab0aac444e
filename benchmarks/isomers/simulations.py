"""PRISM images of the benchmark's atomic models, made once and kept on disk in the format of the isomer library."""

from __future__ import annotations

import json
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.files import replacing
from particlespy_ml.simulation.atoms.out_of_range import OUT_OF_RANGE, draw_out_of_range
from particlespy_ml.simulation.atoms.structures import (
    ISOMERS,
    amorphous,
    closed_shell,
    displace,
    draw_isomer,
    lattice_constant,
    random_rotation,
    remove_surface_atoms,
)
from particlespy_ml.training.isomer.batches import Item, prism_items

if TYPE_CHECKING:
    from ase import Atoms

SEED = 77_001  # the libraries for training have seeds of their own
SIZES = (147, 309, 561)  # closed shells of icosahedra, cuboctahedra and Ino decahedra alike
REMOVED, DISORDER = 0.08, 0.25  # share of the surface atoms; Å rms along each axis
THERMAL_RMS, FROZEN_PHONONS, SLICE_THICKNESS = 0.08, 2, 3.0
FOREIGN = ("hcp", "hollow", "raft")  # kinds that no network was trained on
OTHER_SIZES = (100, 700)
SETS = ("hard", "in_range", *OUT_OF_RANGE, *FOREIGN)


def draw_hard(kind: str, n_atoms: int, rng: np.random.Generator) -> Atoms:
    """Gold particle in a random orientation that has lost surface atoms and all of whose atoms are displaced.

    Parameters
    ----------
    kind
        One of `ISOMERS`.
    n_atoms
        Number of atoms before some are removed, about.
    rng
        Random generator.
    """
    whole = amorphous(n_atoms, rng=rng) if kind == "amorphous" else closed_shell(kind, n_atoms)
    return displace(remove_surface_atoms(random_rotation(whole, rng), REMOVED, rng), DISORDER, rng)


def draw_foreign(kind: str, n_atoms: int, rng: np.random.Generator) -> Atoms:
    """Gold particle of a kind that neither the isomers nor `OUT_OF_RANGE` have.

    Parameters
    ----------
    kind
        One of `FOREIGN`: a ball of an hcp crystal, an fcc ball with a void in it, both in a random orientation,
        or a one-layer {111} raft that lies on the film, tilted by a few degrees.
    n_atoms
        Number of atoms, about. Rafts have a quarter of it.
    rng
        Random generator.

    Raises
    ------
    ValueError
        If the kind is unknown.
    """
    from ase import Atoms
    from ase.build import bulk

    if kind not in FOREIGN:
        raise ValueError(f"Unknown kind {kind!r}; expected one of {FOREIGN}.")
    a = lattice_constant("Au")
    d = a / np.sqrt(2)
    hexagonal = kind in ("hcp", "raft")
    cell = bulk("Au", "hcp", a=d, c=d * np.sqrt(8 / 3)) if hexagonal else bulk("Au", "fcc", a=a, cubic=True)
    block = cell.repeat((24, 24, 14) if hexagonal else 14)
    points = block.positions - block.cell.sum(0) / 2 + rng.uniform(-0.5, 0.5, 3)
    if kind == "raft":
        layer = np.unique(points[:, 2].round(3))[0]
        points = points[np.isclose(points[:, 2], layer, atol=0.01)] * (1, 1, 0)
        n_atoms = max(n_atoms // 4, 20)
    distance = np.linalg.norm(points, axis=1)
    void = 0.75 * (3 * n_atoms / (0.58 * 4 * np.pi) * a**3 / 4) ** (1 / 3) if kind == "hollow" else 0.0
    order = np.argsort(np.where(distance >= void, distance, np.inf), kind="stable")[:n_atoms]
    atoms = Atoms(["Au"] * n_atoms, positions=points[order] - points[order].mean(0))
    if kind == "raft":
        atoms.rotate(rng.normal(scale=5), (np.cos(angle := rng.uniform(0, 2 * np.pi)), np.sin(angle), 0))
    else:
        atoms = random_rotation(atoms, rng)
    return displace(atoms, rng.uniform(0, 0.15), rng)


def draw_model(name: str, index: int) -> tuple[Atoms, int]:
    """Model *index* of one of the `SETS` and its label: an index into `ISOMERS`, or -1 for what is none of them."""
    rng = np.random.default_rng([SEED, SETS.index(name), index])
    n_atoms = int(np.exp(rng.uniform(*np.log(OTHER_SIZES))))
    label = index % len(ISOMERS)
    if name == "hard":
        return draw_hard(ISOMERS[label], SIZES[index // len(ISOMERS) % len(SIZES)], rng), label
    if name == "in_range":
        return random_rotation(draw_isomer(ISOMERS[label], n_atoms, rng), rng), label
    if name in FOREIGN:
        return draw_foreign(name, n_atoms, rng), -1
    return draw_out_of_range(name, n_atoms, rng), -1


def simulated(folder: Path, wanted: dict[str, int], workers: int | None = None) -> dict[str, list[Item]]:
    """Simulate what the cache lacks and load it.

    Parameters
    ----------
    folder
        The cache, with a folder for each set.
    wanted
        Number of structures of each set.
    workers
        Number of processes, of one thread each; by default one for each core.

    Returns
    -------
    dict
        Items of each set, as `particlespy_ml.training.isomer.batches.prism_items` loads them.
    """
    from tqdm.auto import tqdm

    for name in wanted:
        (folder / name).mkdir(parents=True, exist_ok=True)
    missing = [(name, row) for name, count in wanted.items() for row in range(count)
               if not _entry(folder, name, row).exists()]  # fmt: skip
    if missing:
        with (
            ProcessPoolExecutor(workers or os.cpu_count(), initializer=_one_thread) as pool,
            tqdm(total=len(missing), desc="Simulating") as bar,
        ):
            for future in as_completed([pool.submit(_simulate, folder, name, row) for name, row in missing]):
                future.result()
                bar.update()
    return {name: prism_items(folder / name, list(range(count))) for name, count in wanted.items()}


def _entry(folder: Path, name: str, index: int) -> Path:
    return folder / name / f"{index:06d}.npz"


def _one_thread() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"


def _simulate(folder: Path, name: str, index: int) -> None:
    """Write one entry beside its place and rename it, so that a stopped run leaves whole entries only."""
    from particlespy_ml.simulation.waves.haadf import simulate_haadf

    atoms, label = draw_model(name, index)
    images, parameters = simulate_haadf(
        atoms,
        thermal_rms=THERMAL_RMS,
        frozen_phonons=FROZEN_PHONONS,
        slice_thickness=SLICE_THICKNESS,
        seed=1_000_000 * (1 + SETS.index(name)) + index,
    )
    with replacing(_entry(folder, name, index)) as part, open(part, "wb") as file:
        np.savez(
            file,
            images=images,
            positions=atoms.positions.astype(np.float32),
            label=np.int64(label),
            parameters=json.dumps({**parameters, "set": name, "index": index}),
        )
