"""Atlases of templates for particles of known sizes and a known microscope, and how their evidence is weighed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.simulation.closed_shells import ClosedShellRecipe, draw_closed_shells, template_models
from particlespy_ml.simulation.detector import DetectorRecipe
from particlespy_ml.simulation.structures import ISOMERS
from particlespy_ml.simulation.views import orientations
from particlespy_ml.training.card import evaluation_of, versions, write_model
from particlespy_ml.training.dataset import CANONICAL, MULTIPLE, Item, model_items
from particlespy_ml.training.evaluate import calibrate, features_of, measure

if TYPE_CHECKING:
    import torch

_logger = logging.getLogger(__name__)

GLASSY_STEP = 36.0  # degrees between the orientations of a glass, all of which look alike
THRESHOLD_DOSE = 100.0  # e/Å²
TEST_REALISATIONS = 8
_LOOSE = 4.0  # Å, by which the window of a particle may be larger than it need be


def train_atlas(tables: dict, out_folder: str | Path, *, show_progressbar: bool = True) -> Path:
    """Make an atlas as a recipe says, train what weighs its evidence, calibrate and measure it, and write its folder.

    All particles are drawn as the recipe says and imaged incoherently: no cache of simulations is needed.

    Parameters
    ----------
    tables
        Recipe, as from `particlespy_ml.training.recipe.load_recipe`.
    out_folder
        Folder of the model; an older model there is replaced.
    show_progressbar
        Show a progress bar.
    """
    from particlespy_ml.models.atlas import with_head

    recipe = ClosedShellRecipe.from_dict(tables["simulation"])
    detector = DetectorRecipe.from_dict(tables["detector"])
    training = tables["training"]
    atlas = make_atlas(recipe)
    _logger.info("%d templates", int(atlas.rotation_counts.sum()))
    particles = drawn_items(recipe, training["particles"], "training", loose=_LOOSE)
    features = features_of(
        atlas, particles, detector, training["realisations"], training["seed"], show_progressbar=show_progressbar
    )
    labels = np.repeat([item.label for item in particles], training["realisations"])
    network = with_head(atlas, int(tables["model"]["architecture"].get("hidden", 32)))
    fit_head(network[1], features.reshape(len(labels), -1), labels, training)
    return _finish(network.eval(), tables, recipe, detector, out_folder)


def make_atlas(recipe: ClosedShellRecipe) -> torch.nn.Module:
    """The atlas of the particles of a recipe; see `particlespy_ml.models.atlas.TemplateAtlas`."""
    from particlespy_ml.models.atlas import TemplateAtlas

    models, groups, group_classes = template_models(recipe)
    kinds = [ISOMERS[group_classes[group]] for group in groups]
    turned = [orientations(kind, GLASSY_STEP if kind == "amorphous" else recipe.step) for kind in kinds]
    settings = {"pixel_size": CANONICAL, "blur": recipe.blur, "saturation": recipe.saturation}
    return TemplateAtlas.from_models(models, groups, turned, group_classes, **settings)


def drawn_items(recipe: ClosedShellRecipe, count: int, part: str, loose: float = 0.0) -> list[Item]:
    """Particles of a part, whose images are made when they are recorded.

    Their windows are drawn for particles that are up to *loose* Å larger in radius, as outlines may have it.
    """
    items = model_items(draw_closed_shells(recipe, count, part))
    rng = np.random.default_rng(recipe.seed)
    for item in items:
        item.radius += loose * rng.random()
    return items


def fit_head(head: torch.nn.Module, features: np.ndarray, labels: np.ndarray, training: dict) -> None:
    """Fit the layers that weigh the evidence.

    Parameters
    ----------
    head
        Layers from features to logits.
    features
        Shape (n, features).
    labels
        Index of the class, shape (n,).
    training
        ``seed``, ``steps``, ``batch``, ``learning_rate`` (peak) and ``weight_decay``.
    """
    import torch

    torch.manual_seed(training["seed"])
    for layer in head:
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    inputs, wanted = torch.as_tensor(features), torch.as_tensor(labels)
    optimiser = torch.optim.AdamW(head.parameters(), weight_decay=training["weight_decay"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, training["learning_rate"], total_steps=training["steps"])
    head.train()
    for _ in range(training["steps"]):
        rows = torch.randint(len(inputs), (training["batch"],))
        loss = torch.nn.functional.cross_entropy(head(inputs[rows]), wanted[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    head.eval()


def _finish(network, tables: dict, recipe: ClosedShellRecipe, detector: DetectorRecipe, out_folder) -> Path:
    """Calibrate, measure and write."""
    training, model, card = tables["training"], dict(tables["model"]), dict(tables["card"])
    validation = drawn_items(recipe, training["validation_particles"], "validation")
    calibration = calibrate(network, validation, detector, len(ISOMERS), dose=THRESHOLD_DOSE)
    results = _measure(network, recipe, detector, calibration, training["test_particles"])
    _logger.info("accuracy %s", {dose: value["accuracy"] for dose, value in results["nominal"].items()})
    low, high = card.pop("window_range")
    conditions = "held-out particles, incoherent images, 0.4 Å pixels, 0.8 Å source (DetectorRecipe.nominal)"
    atlas = network[0]
    architecture = {
        "hidden": 32,
        **model["architecture"],
        **{"n_classes": len(ISOMERS), "n_groups": len(atlas.group_classes), "n_models": len(atlas.model_sizes)},
        **{"n_atoms": len(atlas.atoms), "n_rotations": len(atlas.rotations)},
        **{"pixel_size": CANONICAL, "blur": recipe.blur, "saturation": recipe.saturation},
    }
    return write_model(
        out_folder,
        network,
        {
            **model,
            "architecture": architecture,
            "classes": list(ISOMERS),
            "rejects": False,
            "pixel_size": {"value": CANONICAL, "unit": "Å"},
            "window_multiple": MULTIPLE,
            "windows": list(range(low, high + 1, MULTIPLE)),
            "normalisation": "window-standardised",
            **calibration,
            **evaluation_of(results, conditions),
            "training": {
                "recipe": training,
                "seed": training["seed"],
                "simulation": tables["simulation"],
                "detector": tables["detector"],
            },
            "versions": versions(),
            **card,
        },
    )


def evaluate_atlas(network: torch.nn.Module, card: dict) -> dict:
    """All numbers of a card, on particles never trained on; see `particlespy_ml.training.evaluate.measure`."""
    training = card["training"]
    recipe = ClosedShellRecipe.from_dict(training["simulation"])
    detector = DetectorRecipe.from_dict(training["detector"])
    return _measure(network, recipe, detector, card, training["recipe"]["test_particles"])


def _measure(network, recipe: ClosedShellRecipe, detector: DetectorRecipe, calibration: dict, count: int) -> dict:
    test = drawn_items(recipe, count, "test")
    return measure(network, test, detector, calibration, len(ISOMERS), TEST_REALISATIONS)
