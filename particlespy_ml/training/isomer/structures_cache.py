"""Atomic models drawn once and kept on disk: their incoherent images, turned anew each time, give variety."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from particlespy_ml.core.files import replacing
from particlespy_ml.simulation.datasets.isomers import IsomerLibraryRecipe
from particlespy_ml.simulation.datasets.store import check_recipe, write_recipe

_logger = logging.getLogger(__name__)

_BLOCK = 40
# keep these random numbers apart from those of the library, whose streams are [seed, index], and from one another
_STREAMS = {"": 1_000_003, "held-out-": 1_000_033}


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
    from particlespy_ml.simulation.datasets.isomers import draw_model

    rng = np.random.default_rng([recipe.seed, *seed])
    sizes = np.exp(rng.uniform(*np.log(recipe.n_atoms), size=_BLOCK)).astype(int)
    drawn = [draw_model(recipe.classes[label], int(n), rng, recipe.symbol).positions for n in sizes]
    with replacing(path) as part, open(part, "wb") as file:
        np.savez(file, positions=np.vstack(drawn).astype(np.float32), lengths=[len(p) for p in drawn])


def _read_block(path: Path) -> list[np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        parts = np.split(file["positions"], np.cumsum(file["lengths"])[:-1])
    return [part - (part.max(0) + part.min(0)) / 2 for part in parts]
