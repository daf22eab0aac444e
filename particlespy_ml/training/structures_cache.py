"""Atomic models drawn once and kept on disk: their incoherent images, turned anew each time, give variety."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.simulation.isomer_library import IsomerLibraryRecipe
from particlespy_ml.simulation.library import check_recipe, write_recipe

if TYPE_CHECKING:
    from ase import Atoms

_logger = logging.getLogger(__name__)

_BLOCK = 40
# keep these random numbers apart from those of the library, whose streams are [seed, index], and from one another
_STREAMS = {"": 1_000_003, "held-out-": 1_000_033, "closed shells": 1_000_037}
_CLOSED_SHELLS = (55, 147, 309, 561, 923, 1415)  # of icosahedra, Ino decahedra and cuboctahedra alike


def structures(
    folder: str | Path, recipe: IsomerLibraryRecipe, counts: dict[str, int], held_out: bool = False
) -> list[tuple[np.ndarray, int]]:
    """Return drawn atomic models, made where the folder lacks them.

    The models come from the same distribution as those of the PRISM library, but from random numbers of their own,
    so none is the model of a held-out simulation.

    Parameters
    ----------
    folder
        Where blocks of models are kept. Blocks are made once; a stopped run goes on with the next.
    recipe
        Symbol, range of sizes, classes and seed.
    counts
        Number of models wanted of each class. Amorphous ones take seconds each, the others milliseconds.
    held_out
        Draw other models, which are never trained on.

    Returns
    -------
    list of (positions, label)
        Positions in Å about their middle, shape (n_atoms, 3), float32.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    check_recipe(folder, recipe)
    write_recipe(folder, recipe)
    prefix = "held-out-" if held_out else ""
    models = []
    for name, count in counts.items():
        label = recipe.classes.index(name)
        found: list[np.ndarray] = []
        for block in range(-(-count // _BLOCK)):
            path = folder / f"{prefix}{name}-{block:04d}.npz"
            if not path.exists():
                _logger.info("drawing %s", path.stem)
                _draw_block(path, recipe, label, (_STREAMS[prefix], label, block))
            found.extend(_read_block(path))
        models.extend((positions, label) for positions in found[:count])
    return models


def _draw_block(path: Path, recipe: IsomerLibraryRecipe, label: int, seed: tuple[int, ...]) -> None:
    from particlespy_ml.simulation.isomer_library import draw_model

    rng = np.random.default_rng([recipe.seed, *seed])
    sizes = np.exp(rng.uniform(*np.log(recipe.n_atoms), size=_BLOCK)).astype(int)
    drawn = [draw_model(recipe.classes[label], int(n), rng, recipe.symbol).positions for n in sizes]
    part = path.with_suffix(f".{os.getpid()}.part")
    with open(part, "wb") as file:
        np.savez(file, positions=np.vstack(drawn).astype(np.float32), lengths=[len(p) for p in drawn])
    os.replace(part, path)


def _read_block(path: Path) -> list[np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        parts = np.split(file["positions"], np.cumsum(file["lengths"])[:-1])
    return [part - (part.max(0) + part.min(0)) / 2 for part in parts]


def closed_shell_models(
    recipe: IsomerLibraryRecipe, count: int, drawn: list[tuple[np.ndarray, int]]
) -> list[tuple[np.ndarray, int]]:
    """Return Mackay icosahedra, Ino decahedra and cuboctahedra of the closed-shell sizes, with imperfect surfaces.

    These are what is made size-selected and studied most, and their outlines say more than those of `structures`, half
    of which have an unfinished shell. They lose up to 12 % of their surface atoms; half are displaced by up to 0.15 Å,
    half by up to 0.28 Å (rms along each axis). Amorphous particles of the same sizes, cut out of larger ones, keep the
    size from saying that a particle is a crystal.

    Parameters
    ----------
    recipe
        Symbol, range of sizes, classes and seed.
    count
        Number of models of each isomer.
    drawn
        Models as from `structures`, whose amorphous ones are cut.
    """
    from particlespy_ml.simulation.structures import closed_shell, displace, remove_surface_atoms

    rng = np.random.default_rng([recipe.seed, _STREAMS["closed shells"]])
    sizes = [n for n in _CLOSED_SHELLS if recipe.n_atoms[0] <= n <= recipe.n_atoms[1]]
    glass = recipe.classes.index("amorphous")
    glasses = sorted((positions for positions, label in drawn if label == glass), key=len)
    models = []
    for kind in ("icosahedron", "decahedron", "cuboctahedron", "amorphous") if sizes else ():
        crystals = {n: closed_shell(kind, n, recipe.symbol) for n in sizes} if kind != "amorphous" else {}
        for _ in range(count):
            n = int(rng.choice(sizes))
            large = [positions for positions in glasses if len(positions) >= n]
            if kind == "amorphous" and not large:
                continue
            whole = crystals[n].copy() if crystals else _cut_ball(large[rng.integers(len(large))], n, recipe.symbol)
            atoms = remove_surface_atoms(whole, rng.uniform(0, 0.12), rng)
            atoms = displace(atoms, rng.uniform(0, 0.15) if rng.random() < 0.5 else rng.uniform(0.15, 0.28), rng)
            middle = (atoms.positions.max(0) + atoms.positions.min(0)) / 2
            models.append(((atoms.positions - middle).astype(np.float32), recipe.classes.index(kind)))
    return models


def _cut_ball(positions: np.ndarray, n_atoms: int, symbol: str) -> Atoms:
    """The atoms that are nearest to the middle."""
    from ase import Atoms

    order = np.argsort(np.linalg.norm(positions - positions.mean(0), axis=1), kind="stable")[:n_atoms]
    return Atoms([symbol] * n_atoms, positions=positions[order])
