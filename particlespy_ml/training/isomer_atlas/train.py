"""Atlases of templates for particles of known sizes and a known microscope, and how their evidence is weighed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.simulation.atoms.closed_shells import ClosedShellRecipe, draw_closed_shells, template_models
from particlespy_ml.simulation.atoms.structures import ISOMERS, lattice_constant
from particlespy_ml.simulation.atoms.views import orientations
from particlespy_ml.simulation.recording.detector import DetectorRecipe
from particlespy_ml.training.card import evaluation_of, versions, write_model
from particlespy_ml.training.isomer.batches import CANONICAL, MULTIPLE, Item, model_items, window_for
from particlespy_ml.training.isomer.evaluate import calibrate, features_of, measure

if TYPE_CHECKING:
    import torch

_logger = logging.getLogger(__name__)

GLASSY_STEP = 36.0  # degrees between the orientations of a glass, all of which look alike
THRESHOLD_DOSE = 100.0  # e/Å²
TEST_REALISATIONS = 4
_SETTINGS = (
    "hidden",
    "low_pass",
    "high_pass",
    "band",
    "max_shift",
    "near_shift",
    "shift_step",
    "coarse_step",
    "refined",
)
_IMAGING = ("pixel_size", "blur", "saturation", *_SETTINGS[1:])
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
    training, settings = tables["training"], _settings(tables["model"]["architecture"])
    hidden = settings.pop("hidden", 32)
    atlas = make_atlas(recipe, **settings)
    _logger.info("%d templates", len(atlas.rotations))
    particles = drawn_items(recipe, training["particles"], "training", loose=_LOOSE)
    features = features_of(
        atlas, particles, detector, training["realisations"], training["seed"], show_progressbar=show_progressbar
    )
    labels = np.repeat([item.label for item in particles], training["realisations"])
    network = with_head(atlas, hidden, len(recipe.classes))
    fit_head(network[1], features.reshape(len(labels), -1), labels, training)
    _logger.info("trained on %d images of %d particles", len(labels), len(particles))
    return _finish(network.eval(), tables, recipe, detector, out_folder)


def _settings(architecture: dict) -> dict:
    """Settings of the atlas and of what weighs its evidence, from the table of a recipe."""
    settings = dict(architecture)
    name = settings.pop("name", None)
    unknown = sorted(set(settings) - set(_SETTINGS))
    if name != "template_atlas" or unknown:
        raise ValueError(
            f"An atlas has the architecture 'template_atlas', whose settings are {', '.join(_SETTINGS)}; got {name!r} "
            f"with {unknown}. Blur and saturation belong to [simulation]."
        )
    return settings


def make_atlas(recipe: ClosedShellRecipe, **settings: float) -> torch.nn.Module:
    """The atlas of the particles of a recipe; see `particlespy_ml.models.atlas.TemplateAtlas` for other settings."""
    from particlespy_ml.models.atlas import TemplateAtlas

    models, groups, group_classes = template_models(recipe)
    kinds = [ISOMERS[group_classes[group]] for group in groups]
    turned = [orientations(kind, GLASSY_STEP if kind == "amorphous" else recipe.step) for kind in kinds]
    imaging = {"pixel_size": CANONICAL, "blur": recipe.blur, "saturation": recipe.saturation}
    return TemplateAtlas.from_models(models, groups, turned, group_classes, **imaging, **settings)


def drawn_items(recipe: ClosedShellRecipe, count: int, part: str, loose: float = 0.0) -> list[Item]:
    """Particles of a part, whose images are made when they are recorded.

    Their windows are drawn for particles that are up to *loose* Å larger in radius, as outlines may have it. Those that
    need a larger window than `windows_of` has are left out.
    """
    items = model_items(draw_closed_shells(recipe, count, part), lying=len(ISOMERS))
    rng = np.random.default_rng(recipe.seed)
    largest = windows_of(recipe)[-1]
    for item in items:
        item.radius += loose * rng.random()
    return [item for item in items if item.window <= largest]


def windows_of(recipe: ClosedShellRecipe) -> list[int]:
    """Windows in pixels for all particles of a recipe, with room for outlines that are too large."""
    largest = max(2 * float(np.linalg.norm(model[:, :2], axis=1).max()) for model in template_models(recipe)[0])
    return list(range(48, window_for(largest + 2 * _LOOSE) + 1, MULTIPLE))


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
    training, model = tables["training"], tables["model"]
    validation = drawn_items(recipe, training["validation_particles"], "validation", loose=_LOOSE)
    options = {"doses": detector.dose, "dose": THRESHOLD_DOSE, "only_classes": True}
    calibration = calibrate(network, validation, detector, len(ISOMERS), **options)
    results = _measure(network, recipe, detector, calibration, training["test_particles"])
    _logger.info("accuracy %s", {dose: value["accuracy"] for dose, value in results["nominal"].items()})
    conditions = "held-out particles, incoherent images, 0.4 Å pixels, 0.8 Å source (DetectorRecipe.nominal)"
    atlas, head = network
    architecture = {
        **model["architecture"],
        **{"outputs": len(recipe.classes), "hidden": head[-1].in_features, "n_classes": len(ISOMERS)},
        **{"n_groups": len(atlas.group_classes), "n_models": len(atlas.model_sizes)},
        **{"n_atoms": len(atlas.atoms), "n_rotations": len(atlas.rotations)},
        **{name: getattr(atlas, name) for name in _IMAGING},
    }
    diameters = [equivalent_diameter(part.numpy()) for part in atlas.atoms.split(atlas.model_sizes.tolist())]
    return write_model(
        out_folder,
        network,
        {
            **model,
            "architecture": architecture,
            "classes": list(ISOMERS),
            "rejects": len(recipe.classes) > len(ISOMERS),
            "pixel_size": {"value": CANONICAL, "unit": "Å"},
            "window_multiple": MULTIPLE,
            "windows": windows_of(recipe),
            "normalisation": "window-standardised",
            # outlines at half of the contrast are smaller
            "diameter_range_nm": [round(0.07 * min(diameters), 2), round(0.12 * max(diameters), 2)],
            "lattice_constant_nm": round(lattice_constant(recipe.symbol) / 10, 4),
            **calibration,
            "min_probability_dose": THRESHOLD_DOSE,
            **evaluation_of(results, conditions),
            "training": {
                "recipe": training,
                "seed": training["seed"],
                "simulation": tables["simulation"],
                "detector": tables["detector"],
            },
            "versions": versions(),
            **tables["card"],
        },
    )


def equivalent_diameter(positions: np.ndarray) -> float:
    """Diameter in Å of the ball with the radius of gyration of a particle, and half an atom on each side."""
    gyration = np.sqrt(((positions - positions.mean(0)) ** 2).sum(1).mean())
    return 2 * float(np.sqrt(5 / 3) * gyration) + 2.8


def evaluate_atlas(network: torch.nn.Module, card: dict) -> dict:
    """All numbers of a card, on particles never trained on; see `particlespy_ml.training.isomer.evaluate.measure`."""
    training = card["training"]
    recipe = ClosedShellRecipe.from_dict(training["simulation"])
    detector = DetectorRecipe.from_dict(training["detector"])
    return _measure(network, recipe, detector, card, training["recipe"]["test_particles"])


def _measure(network, recipe: ClosedShellRecipe, detector: DetectorRecipe, calibration: dict, count: int) -> dict:
    test = drawn_items(recipe, count, "test")
    return measure(network, test, detector, calibration, len(ISOMERS), TEST_REALISATIONS)
