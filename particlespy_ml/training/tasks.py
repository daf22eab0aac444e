"""The same commands for every task: simulate, train, evaluate, report."""

from __future__ import annotations

import json
from pathlib import Path

from particlespy_ml.training.recipe import load_recipe
from particlespy_ml.training.registry import training_of
from particlespy_ml.training.training import Training


def simulate(
    recipe: str | Path, cache_folder: str | Path, count: int, workers: int | None = None, held_out_only: bool = False
) -> list[Path]:
    """Simulate what a recipe trains on; see `particlespy_ml.simulation.datasets.store.simulate_entries`."""
    tables = load_recipe(recipe)
    training = training_of(tables["model"]["task"])
    if not training.needs_simulations:
        raise ValueError(f"The task {training.name!r} needs no simulations before it is trained: go on with `train`.")
    settings = training.simulation.from_dict(tables["simulation"])
    return training.simulate(cache_folder, count, settings, workers, held_out_only)


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

    network, card = read_model(model_folder(model))
    training = training_of(card["task"])
    _check_cache(training, cache_folder)
    results = training.evaluate(network, card, cache_folder)
    out_folder = Path(out_folder)
    out_folder.mkdir(parents=True, exist_ok=True)
    (out_folder / "evaluation.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    training.draw(results, card, out_folder)
    return results


def report(model: str | Path, results: dict) -> str:
    """Return the results of `evaluate` for a model as tables of text."""
    from particlespy_ml.training.card import model_folder

    card = json.loads((model_folder(model) / "card.json").read_text(encoding="utf-8"))
    return "\n".join(training_of(card["task"]).report(results))


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
    tables = load_recipe(recipe)
    if seed is not None:
        tables["training"] = {**tables["training"], "seed": seed}
    training = training_of(tables["model"]["task"])
    _check_cache(training, cache_folder)
    options = {"workers": workers, "show_progressbar": show_progressbar}
    if pretrain_only:
        if not training.has_pretraining:
            raise ValueError(
                f"The task {training.name!r} has no stages that need no simulations; train without --pretrain-only."
            )
        options["pretrain_only"] = True
    return training.train(tables, cache_folder, out_folder, **options)


def _check_cache(training: type[Training], cache_folder: str | Path | None) -> None:
    if cache_folder is None and training.needs_simulations:
        raise ValueError(
            f"The task {training.name!r} needs simulations: give the folder that `particlespy-ml simulate` filled."
        )
