"""Crystallinity of particles of another make than those of the training.

Single crystals are Wulff constructions, polycrystals Voronoi's domains, amorphous particles are cut from quenched
melts; small ones are snapshots of molecular dynamics by effective medium theory, after ASE. Films are random sequential
additions of carbon, at a lower density, or there is none. Waves and lens are abTEM's, with the potentials of Lobato and
Van Dyck and thinner slices. None of this makes anything that the networks were trained on.
"""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from particlespy_ml.core.files import replacing
from particlespy_ml.simulation.atoms.crystallinity import CRYSTALLINITY
from particlespy_ml.simulation.atoms.visibility import count_visible_lattices
from particlespy_ml.simulation.waves.engine import abtem_engine
from particlespy_ml.training.card import model_folder

A = 4.08  # Å
DOSES = (1e3, 1e4)
DEFOCI = ((-50.0, 0.0), (0.0, 50.0))  # Å, the halves of the range of Gumbiowski et al.
SIZES = (10.0, 20.0, 30.0, 60.0, 120.0)  # Å
_MOVING = 1200  # atoms up to which dynamics are affordable
_CRYSTAL = 15.0  # intensity of a reflection for an atom, in what is a melt no more
_SEED = 9157
_CONDITIONS = (
    "particles of 1.2 to 11 nm by other rules than those of the training (Wulff constructions, Voronoi's domains, "
    "quenched melts, molecular dynamics; other films or none; waves and lens by abTEM), cut out by their true masks, "
    "two images each within 5 nm of focus; intervals of 95 % over particles"
)


def main(model_path: Path, cache: Path, count: int, write: bool = False, min_accuracy: float = 0.95) -> None:
    """Simulate what the folder lacks, and print accuracies with their intervals; with *write*, onto the card too."""
    from particlespy_ml.models.load import load_model
    from particlespy_ml.training.isomer.evaluate import accuracy_with_interval

    model, folder = load_model(model_path), Path(cache)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(count) if not (folder / f"{number:05d}.npz").exists()]
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(_simulate, folder), missing))
    entries = [_load(folder, number) for number in range(count)]
    labels = np.array([entry["label"] for entry in entries])
    diameters = np.array([entry["diameter"] for entry in entries])
    lattices = np.array([entry["lattices"] for entry in entries])
    films = np.array([entry["film"] for entry in entries])

    def text(right: np.ndarray, rows: np.ndarray) -> str:
        part = accuracy_with_interval(right[rows])
        low, high = part["interval"]
        return f"{part['accuracy']:.3f} ({low:.3f} to {high:.3f})"

    print(f"Crystallinity of another make: {count} particles of 1.2 to 11 nm, two images each at a dose")
    rows_of_card: dict[str, dict] = {}
    hidden = np.mean(lattices[labels == 1] < 2)
    print(f"  {hidden:.3f} of the polycrystals show one lattice or none in projection: at most {1 - hidden / 3:.3f}")
    for dose in DOSES:
        said, asked = (_classify(entries, model, dose, target) for target in (None, min_accuracy))
        three = said == labels[:, None]
        two = (said == 2) == (labels == 2)[:, None]
        everything = np.ones(count, bool)
        rows_of_card[f"{dose:g}"] = {
            "two_class": accuracy_with_interval(two),
            "three_class": accuracy_with_interval(three),
        }
        print(f"  {dose:g} e/Å²: three classes {text(three, everything)}, two {text(two, everything)}")
        for number, name in enumerate(CRYSTALLINITY):
            print(f"    {name:<18} {text(three, labels == number)}  n = {np.sum(labels == number)}")
        for column, (low, high) in enumerate(DEFOCI):
            print(f"    defocus {low / 10:g} to {high / 10:g} nm  {text(three[:, [column]], everything)}")
        for low, high in zip(SIZES, SIZES[1:], strict=False):
            rows = (diameters >= low) & (diameters < high)
            if rows.any():
                print(f"    {low / 10:g} to {high / 10:g} nm  {text(three, rows)}  n = {rows.sum()}")
        for film in (True, False):
            print(f"    {'film' if film else 'vacuum'}  {text(three, films == film)}  n = {np.sum(films == film)}")
        answered = asked >= 0
        share = (asked == labels[:, None])[answered].mean() if answered.any() else np.nan
        print(f"    target_accuracy={min_accuracy}: {answered.mean():.3f} answered, {share:.3f} of these right")
    print()
    if write:
        write_evaluation(model_path, rows_of_card, f"{count} {_CONDITIONS}")


def write_evaluation(folder: str | Path, rows: dict, conditions: str) -> None:
    """Put what was measured onto the card of a model folder, before its own evaluation."""
    path = model_folder(folder) / "card.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    told = {"evaluation_other_make": rows, "evaluation_other_make_conditions": conditions}
    for name in told:
        card.pop(name, None)
    ordered: dict = {}
    for name, value in card.items():
        ordered |= told if name == "evaluation" else {}
        ordered[name] = value
    with replacing(path) as beside:
        beside.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _classify(entries: list[dict], model, dose: float, target: float | None) -> np.ndarray:
    """Classes said, shape (particles, images); -1 where there is none."""
    from hyperspy.signals import Signal2D

    said = np.full((len(entries), len(DEFOCI)), -1)
    for row, entry in enumerate(entries):
        rng = np.random.default_rng([_SEED, row, int(dose)])
        size = float(entry["pixel_size"])
        for column, image in enumerate(entry["images"]):
            counts = rng.poisson(np.maximum(image, 0) * dose * size**2).astype(np.float32)
            signal = Signal2D(counts)
            signal.axes_manager.signal_axes.set(scale=size / 10 * (1 + rng.uniform(-0.015, 0.015)), units="nm")
            signal.set_signal_type("HRTEM")
            options = {"min_probability": 0.0} if target is None else {"target_accuracy": target}
            table = signal.classify_particles(
                model, labels=entry["mask"].astype(np.int32), exclude_border=False, show_progressbar=False, **options
            )
            if len(table["class_index"]) == 1:
                said[row, column] = int(table["class_index"][0])
    return said


def _load(folder: Path, number: int) -> dict:
    with np.load(folder / f"{number:05d}.npz", allow_pickle=False) as file:
        entry = {name: file[name] for name in file.files}
    return {**entry, **json.loads(str(entry.pop("told")))}


def _simulate(folder: Path, number: int) -> None:
    """Simulate one particle and write its images."""
    import torch

    torch.set_num_threads(1)
    rng = np.random.default_rng([_SEED, number])
    label = number % len(CRYSTALLINITY)
    diameter = float(np.exp(rng.uniform(*np.log((12.0, 110.0)))))
    positions, domains = (_single, _voronoi, _quenched)[label](diameter, rng)
    positions = positions - (positions.max(0) + positions.min(0)) / 2
    film = rng.random() < 0.75
    images, mask, size = _images(positions, film, rng)
    told = {
        "label": label,
        "diameter": float(np.sqrt(np.prod(np.ptp(positions[:, :2], axis=0) + 3.0))),
        "lattices": int(count_visible_lattices(positions, domains)),
        "film": bool(film),
        "pixel_size": size,
    }
    with replacing(folder / f"{number:05d}.npz") as part, open(part, "wb") as file:
        np.savez(file, images=images.astype(np.float32), mask=mask, told=json.dumps(told))


def _single(diameter: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A Wulff construction."""
    from ase.cluster.wulff import wulff_construction

    energies = (1.0, rng.uniform(1.0, 1.25), rng.uniform(1.1, 1.4))
    atoms = wulff_construction(
        "Au", [(1, 1, 1), (1, 0, 0), (1, 1, 0)], energies, _atoms_in(diameter), "fcc", "closest", latticeconstant=A
    )
    points = Rotation.random(rng=rng).apply(atoms.positions - atoms.positions.mean(0))
    return _moved(points, rng), np.zeros(len(points), int)


def _voronoi(diameter: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two to four domains about random seeds, every atom in that of the nearest."""
    radius = diameter / 2
    count = int(rng.integers(2, 5))
    seeds = rng.normal(size=(count, 3))
    seeds *= radius * rng.uniform(0.3, 0.6, (count, 1)) / np.linalg.norm(seeds, axis=1, keepdims=True)
    span = np.arange(-int(radius / A) - 2, int(radius / A) + 3)
    cells = np.stack(np.meshgrid(span, span, span, indexing="ij"), -1).reshape(-1, 1, 3)
    basis = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    lattice = A * (cells + basis).reshape(-1, 3)
    points, domains = [], []
    for number in range(count):
        own = Rotation.random(rng=rng).apply(lattice + A * rng.random(3))
        own = own[np.linalg.norm(own, axis=1) <= radius]
        own = own[np.argmin(np.linalg.norm(own[:, None] - seeds, axis=2), axis=1) == number]
        points.append(own)
        domains.append(np.full(len(own), number))
    points, domains = np.concatenate(points), np.concatenate(domains)
    pairs = cKDTree(points).query_pairs(2.3, output_type="ndarray")
    keep = np.ones(len(points), bool)
    for one, other in rng.permutation(pairs):
        if keep[one] and keep[other]:
            keep[one if rng.random() < 0.5 else other] = False
    return _moved(points[keep], rng), domains[keep]


def _quenched(diameter: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A ball cut from a periodic cell of a melt that was quenched."""
    from ase import Atoms, units
    from ase.calculators.emt import EMT
    from ase.md.langevin import Langevin
    from ase.optimize import FIRE

    edge, strongest = 25.0, np.inf
    while strongest > _CRYSTAL:  # few melts crystallise
        points = _sequential(0.055, edge, edge, rng, distance=2.1)
        atoms = Atoms(f"Au{len(points)}", positions=points, cell=[edge] * 3, pbc=True, calculator=EMT())
        FIRE(atoms, logfile=None, maxstep=0.1).run(fmax=0.5, steps=25)
        Langevin(atoms, 4 * units.fs, temperature_K=1800, friction=0.05 / units.fs, fixcm=False, rng=rng).run(80)
        FIRE(atoms, logfile=None, maxstep=0.1).run(fmax=0.1, steps=30)
        strongest = _strongest_reflection(atoms)
    many = 2 * int(np.ceil(diameter / 2 / edge)) + 1
    points = atoms.repeat(many).positions - many * edge / 2 + edge * (rng.random(3) - 0.5)
    points = points[np.linalg.norm(points / rng.uniform(0.9, 1.1, 3), axis=1) <= diameter / 2]
    return Rotation.random(rng=rng).apply(points), np.zeros(len(points), int)


def _strongest_reflection(atoms) -> float:
    """Largest intensity for an atom of the waves of a cell with spacings of 1.8 to 3.3 Å: 3 to 8 in a melt."""
    edge = atoms.cell[0, 0]
    span = np.arange(-int(edge / 1.8) - 1, int(edge / 1.8) + 2)
    waves = np.stack(np.meshgrid(span, span, span[span >= 0], indexing="ij"), -1).reshape(-1, 3) / edge
    length = np.linalg.norm(waves, axis=1)
    waves = waves[(length > 1 / 3.3) & (length < 1 / 1.8)]
    return float((np.abs(np.exp(2j * np.pi * waves @ atoms.positions.T).sum(1)) ** 2).max() / len(atoms))


def _atoms_in(diameter: float) -> int:
    return max(13, round(np.pi / 6 * diameter**3 * 4 / A**3))


def _moved(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A snapshot at room temperature of a small particle; displacements drawn for a large one."""
    from ase import Atoms, units
    from ase.calculators.emt import EMT
    from ase.md.langevin import Langevin
    from ase.optimize import FIRE

    if len(points) > _MOVING:
        return points + rng.normal(scale=0.085, size=points.shape)
    atoms = Atoms(f"Au{len(points)}", positions=points, calculator=EMT())
    FIRE(atoms, logfile=None, maxstep=0.1).run(fmax=0.1, steps=25)
    Langevin(atoms, 5 * units.fs, temperature_K=300, friction=0.02 / units.fs, fixcm=False, rng=rng).run(80)
    return atoms.positions


def _images(positions: np.ndarray, film: bool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """Intensities at two defoci, where the particle is, and the pixel size in Å."""
    from ase import Atoms

    edge = float(np.ceil(np.ptp(positions[:, :2], axis=0).max() + 36.0))
    placed = positions + (edge / 2, edge / 2, 0)
    symbols = ["Au"] * len(placed)
    if film:
        depth = rng.uniform(12.0, 30.0)
        carbon = _sequential(0.085, edge, depth, rng)
        carbon[:, 2] += placed[:, 2].max() - rng.uniform(0.0, 3.0)
        far = cKDTree(placed).query(carbon)[0] > 2.1
        placed, symbols = np.concatenate([placed, carbon[far]]), symbols + ["C"] * int(far.sum())
        placed += rng.normal(scale=0.05, size=placed.shape) * (np.array(symbols) == "C")[:, None]
    placed[:, 2] -= placed[:, 2].min() - 2.0
    atoms = Atoms(symbols, positions=placed, cell=[edge, edge, placed[:, 2].max() + 2.0])
    atoms.wrap(pbc=(True, True, False))
    size = float(rng.uniform(0.25, 0.55))
    energy = float(rng.choice((200e3, 300e3)))
    cs, spread = float(rng.uniform(-2e4, 2e4)), float(rng.uniform(30.0, 60.0))
    with abtem_engine() as abtem:
        potential = abtem.Potential(
            atoms, sampling=0.12 if edge < 100 else 0.16, slice_thickness=1.5, parametrization="lobato"
        )
        wave = abtem.PlaneWave(energy=energy).multislice(potential, lazy=False)
        images = []
        for low, high in DEFOCI:
            ctf = abtem.CTF(energy=energy, defocus=float(rng.uniform(low, high)), Cs=cs, focal_spread=spread)
            seen = wave.apply_ctf(ctf).intensity().interpolate(sampling=size)
            images.append(np.asarray(seen.to_cpu().array).T)
    shape = images[0].shape
    grid = np.stack(np.meshgrid(*[(np.arange(n)) * edge / n for n in shape], indexing="ij"), -1).reshape(-1, 2)
    own = positions[:, 1::-1] + edge / 2
    mask = cKDTree(own).query(grid, distance_upper_bound=1.8)[0] < 1.8
    return np.stack(images), mask.reshape(shape), edge / shape[0]


def _sequential(
    density: float, edge: float, depth: float, rng: np.random.Generator, distance: float = 1.25
) -> np.ndarray:
    """Points drawn one after another, kept where they are far enough from those before, shape (n, 3)."""
    wanted = round(density * edge**2 * depth)
    kept = np.empty((0, 3))
    while len(kept) < wanted:
        new = rng.random((wanted - len(kept), 3)) * (edge, edge, depth)
        if len(kept):
            new = new[cKDTree(kept).query(new)[0] > distance]
        pairs = cKDTree(new).query_pairs(distance, output_type="ndarray")
        new = np.delete(new, pairs[:, 1], axis=0) if len(pairs) else new
        kept = np.concatenate([kept, new])
    return kept
