"""The same three commands for every task: simulate, train, evaluate."""

from __future__ import annotations

import json
from pathlib import Path

from particlespy_ml.training.recipe import TASKS, load_recipe

NEEDS_NO_CACHE = ("isomer-atlas",)  # tasks whose images are made while they are recorded


def simulate(
    recipe: str | Path, cache_folder: str | Path, count: int, workers: int | None = None, held_out_only: bool = False
) -> list[Path]:
    """Simulate what a recipe trains on; see `particlespy_ml.simulation.datasets.store.simulate_entries`."""
    from particlespy_ml.simulation.datasets.exit_waves import simulate_exit_waves
    from particlespy_ml.simulation.datasets.isomers import simulate_library

    tables = load_recipe(recipe)
    task = tables["model"]["task"]
    if task in NEEDS_NO_CACHE:
        raise ValueError(f"The task {task!r} needs no simulations before it is trained: go on with `train`.")
    run = simulate_library if task == "isomer" else simulate_exit_waves
    settings = TASKS[task][0].from_dict(tables["simulation"])
    return run(cache_folder, count, settings, workers, held_out_only=held_out_only)


def evaluate(model: str | Path, cache_folder: str | Path | None, out_folder: str | Path) -> dict:
    """Measure a model on the test part of a cache and write ``evaluation.json`` and figures.

    Parameters
    ----------
    model
        Folder of the model, or name of a bundled one; its card says which simulations are held out.
    cache_folder
        Folder of the simulations; an atlas needs none.
    out_folder
        Where the results go.

    Returns
    -------
    dict
        See `particlespy_ml.training.isomer.evaluate.measure`,
        `particlespy_ml.training.crystallinity.evaluate.measure_crystallinity` and
        `particlespy_ml.training.segmentation.evaluate.measure_segmentation`.
    """
    from particlespy_ml.training.card import model_folder, read_model
    from particlespy_ml.training.crystallinity.evaluate import evaluate_crystallinity
    from particlespy_ml.training.figures import draw_crystallinity, draw_figures, draw_segmentation
    from particlespy_ml.training.isomer.evaluate import evaluate as evaluate_isomers
    from particlespy_ml.training.isomer_atlas.train import evaluate_atlas
    from particlespy_ml.training.segmentation.evaluate import evaluate_segmentation

    network, card = read_model(model_folder(model))
    _check_cache(card["task"], cache_folder)
    if card["task"] == "isomer":
        return evaluate_isomers(model, cache_folder, out_folder)
    out_folder = Path(out_folder)
    out_folder.mkdir(parents=True, exist_ok=True)
    if card["task"] == "isomer-atlas":
        results = evaluate_atlas(network, card)
        draw_figures(results, card["classes"], out_folder)
    elif card["task"] == "segmentation":
        results = evaluate_segmentation(network, card, cache_folder)
        draw_segmentation(results, out_folder)
    else:
        results = evaluate_crystallinity(network, card, cache_folder)
        draw_crystallinity(results, card["classes"], out_folder)
    (out_folder / "evaluation.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return results


def train(
    recipe: str | Path,
    cache_folder: str | Path | None,
    out_folder: str | Path,
    seed: int | None = None,
    *,
    workers: int = 1,
    pretrain_only: bool = False,
    show_progressbar: bool = True,
) -> Path:
    """Train a model as a recipe says, calibrate and evaluate it, and write its folder.

    Parameters
    ----------
    recipe
        Name of a bundled recipe, or a file.
    cache_folder
        Folder of the simulations; an atlas needs none.
    out_folder
        Folder of the model; an older model there is replaced.
    seed
        Seed, over the recipe's own.
    workers
        Processes that make batches.
    pretrain_only
        Train only the leading stages that need no simulations, and write no model (isomers).
    show_progressbar
        Show a progress bar.

    Returns
    -------
    Path
        The folder of the model: ``model.safetensors`` and ``card.json``; with *pretrain_only*, the checkpoint.
    """
    from particlespy_ml.training.crystallinity.train import train_crystallinity
    from particlespy_ml.training.isomer.train import train_isomers
    from particlespy_ml.training.isomer_atlas.train import train_atlas
    from particlespy_ml.training.segmentation.train import train_segmentation_network

    tables = load_recipe(recipe)
    if seed is not None:
        tables["training"] = {**tables["training"], "seed": seed}
    task = tables["model"]["task"]
    _check_cache(task, cache_folder)
    options = {"workers": workers, "show_progressbar": show_progressbar}
    if task == "isomer":
        return train_isomers(tables, cache_folder, out_folder, pretrain_only=pretrain_only, **options)
    if pretrain_only:
        raise ValueError(f"The task {task!r} has no stages that need no simulations; train without --pretrain-only.")
    if task == "isomer-atlas":
        return train_atlas(tables, out_folder, show_progressbar=show_progressbar)
    run = {"crystallinity": train_crystallinity, "segmentation": train_segmentation_network}[task]
    return run(tables, cache_folder, out_folder, **options)


def _check_cache(task: str, cache_folder: str | Path | None) -> None:
    if cache_folder is None and task not in NEEDS_NO_CACHE:
        raise ValueError(f"The task {task!r} needs simulations: give the folder that `particlespy-ml simulate` filled.")
