"""Libraries of simulations on disk: made once by a recipe, resumable, an entry a file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

import numpy as np

from particlespy_ml.core.files import replacing

_RECIPE = "recipe.json"


def simulate_entries(
    folder: str | Path,
    indices: Iterable[int],
    recipe,
    simulate: Callable[[object, int], dict],
    workers: int | None = None,
    show_progressbar: bool = True,
) -> list[Path]:
    """Make the entries that a folder lacks, each in a file of its own.

    An entry is written beside and renamed, so a stopped run leaves whole entries only, and the next run goes on.

    Parameters
    ----------
    folder
        Where the entries are. It is made where missing; a folder of another recipe is refused.
    indices
        Numbers of the entries wanted.
    recipe
        A data class; what is drawn for entry *i* depends on it and on *i* alone.
    simulate
        Called with the recipe and the number of an entry; returns its arrays by name. It must be picklable.
    workers
        Number of processes; by default one for each core.
    show_progressbar
        Show a progress bar.

    Returns
    -------
    list of Path
        The files of the entries, in order.
    """
    from tqdm.auto import tqdm

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    check_recipe(folder, recipe)
    write_recipe(folder, recipe)
    indices = list(indices)
    missing = [index for index in indices if not entry_path(folder, index).exists()]
    with (
        ProcessPoolExecutor(workers or os.cpu_count(), initializer=_one_thread) as pool,
        tqdm(total=len(missing), disable=not show_progressbar, desc="Simulating") as bar,
    ):
        futures = [pool.submit(_simulate_to_file, folder, recipe, simulate, index) for index in missing]
        for future in as_completed(futures):
            future.result()
            bar.update()
    return [entry_path(folder, index) for index in indices]


def entry_path(folder: str | Path, index: int) -> Path:
    """File of an entry."""
    return Path(folder) / f"{index:06d}.npz"


def entry_indices(folder: str | Path) -> list[int]:
    """Numbers of the entries that a folder has, in order."""
    return sorted(int(path.stem) for path in Path(folder).glob("[0-9]*.npz"))


def load_entry(folder: str | Path, index: int) -> dict:
    """Load an entry: its arrays, its ``index``, and its ``parameters`` as a dictionary."""
    with np.load(entry_path(folder, index), allow_pickle=False) as file:
        entry = {name: file[name] for name in file.files}
    return {**entry, "parameters": json.loads(str(entry["parameters"])), "index": index}


def check_recipe(folder: str | Path, recipe) -> None:
    """Refuse a folder whose simulations were made by another recipe."""
    path = Path(folder) / _RECIPE
    if path.exists() and path.read_text() != _as_text(recipe):
        raise ValueError(f"{folder} holds simulations of another recipe: choose another folder, or remove it.")


def write_recipe(folder: str | Path, recipe) -> None:
    """Write down what a folder was made by, for `check_recipe`."""
    (Path(folder) / _RECIPE).write_text(_as_text(recipe))


def _as_text(recipe) -> str:
    return json.dumps(asdict(recipe), indent=1)


def _one_thread() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    if hasattr(os, "nice"):
        os.nice(10)


def _simulate_to_file(folder: Path, recipe, simulate: Callable, index: int) -> None:
    entry = simulate(recipe, index)
    with replacing(entry_path(folder, index)) as part, open(part, "wb") as file:
        np.savez(file, **entry)
