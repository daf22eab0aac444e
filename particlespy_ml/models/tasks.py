"""What models are for: each task is a class, and `TASKS` has them by the name that cards bear."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from particlespy_ml.models import fields
from particlespy_ml.models.column_mapper import PLACE_OUTPUTS, ColumnMapper, mapped_kinds
from particlespy_ml.models.model import Classifier, Model, ParticleFinder
from particlespy_ml.models.multiscale_finder import MultiscaleFinder

if TYPE_CHECKING:
    import torch


class Task:
    """What a model is for. A task is used as a class: it holds what is the same for all models of the task.

    How a model of the task is trained is told by the class of the same name in `particlespy_ml.training.registry`.

    Attributes
    ----------
    name
        The ``task`` of the card.
    model
        Class that a folder is loaded as.
    required, optional
        Fields of the card that the task needs or knows, and what each may hold (`particlespy_ml.models.fields`).
    default_models
        Name of the bundled model for a signal type, where there is one.
    needs_fringes
        Whether an image that shows no lattice fringes deserves a warning.
    any_scale
        Whether pixels of the images may have any size, so that cards have none.
    """

    name: ClassVar[str]
    model: ClassVar[type[Model]]
    required: ClassVar[dict[str, fields.Field]] = {}
    optional: ClassVar[dict[str, fields.Field]] = {}
    default_models: ClassVar[dict[str, str]] = {}
    needs_fringes: ClassVar[bool] = False
    any_scale: ClassVar[bool] = False

    @classmethod
    def wanted_outputs(cls, card: dict) -> tuple[int, str]:
        """Return the number of outputs that the network of a card must have, and in words what they are."""
        raise NotImplementedError

    @classmethod
    def output_shape(cls, card: dict, network: torch.nn.Module) -> tuple[int, ...]:
        """Return the shape that a network makes of one empty input with the channels on the card."""
        import torch

        edge = cls._edge(card)
        with torch.inference_mode():
            return tuple(network(torch.zeros(1, card["architecture"].get("in_channels", 1), edge, edge)).shape)

    @classmethod
    def wanted_shape(cls, card: dict) -> tuple[int, ...]:
        """Return the shape that `output_shape` must have: a number for each output, or a map where models map."""
        number = cls.wanted_outputs(card)[0]
        return (1, number, cls._edge(card), cls._edge(card)) if cls.model.makes_maps else (1, number)

    @staticmethod
    def _edge(card: dict) -> int:
        return min(card.get("windows", [64]))


class Classification(Task):
    """One of some classes for each particle: a task for classifiers of any other kind than those below.

    Examples
    --------
    >>> sorted(Classification.required)
    ['classes', 'min_probability', 'temperature', 'windows']
    >>> Classification.wanted_outputs({"classes": ["cube", "sphere", "rod"], "rejects": True})[0]
    4
    """

    name = "classification"
    model = Classifier
    required: ClassVar = {
        "classes": fields.CLASSES,
        "windows": fields.WINDOWS,
        "temperature": fields.POSITIVE,
        "min_probability": fields.PROBABILITY,
    }
    optional: ClassVar = {"rejects": fields.FLAG, "coarser_views": fields.FACTORS}

    @classmethod
    def wanted_outputs(cls, card: dict) -> tuple[int, str]:
        """One for each class, and one more if the model rejects."""
        number = len(card["classes"]) + bool(card.get("rejects", False))
        return number, f"{number} outputs (one for each class, and one more for what is none of them if it rejects)"


class Isomer(Classification):
    """The structural isomer of each particle."""

    name = "isomer"
    default_models: ClassVar = {"HAADF": "isomer-haadf"}


class IsomerAtlas(Classification):
    """The structural isomer of each particle, from templates instead of layers that were trained."""

    name = "isomer-atlas"

    @classmethod
    def output_shape(cls, card: dict, network: torch.nn.Module) -> tuple[int, ...]:
        """Return the shape that the head gives; templates, which take seconds to make, are left alone."""
        import torch

        architecture = card["architecture"]
        if architecture["name"] != "template_atlas":
            raise ValueError(f"an atlas has the architecture 'template_atlas', not {architecture['name']!r}.")
        templates, windows = architecture.get("pixel_size"), card["pixel_size"]["value"]
        if templates != windows:
            raise ValueError(f"its templates have pixels of {templates} Å, its windows of {windows} Å.")
        with torch.inference_mode():
            return tuple(network[1](torch.zeros(1, network[0].n_features)).shape)


class Crystallinity(Classification):
    """Whether each particle is one crystal, several or none."""

    name = "crystallinity"
    default_models: ClassVar = {"HRTEM": "crystallinity-hrtem"}
    needs_fringes = True


class Segmentation(Task):
    """Where the particles of a frame are."""

    name = "segmentation"
    model = ParticleFinder
    required: ClassVar = {"threshold": fields.THRESHOLD}
    default_models: ClassVar = {"HRTEM": "particles-hrtem"}

    @classmethod
    def wanted_outputs(cls, card: dict) -> tuple[int, str]:
        """Two maps."""
        return 2, "two maps (particle, depth)"


class MultiscaleSegmentation(Segmentation):
    """Where the particles of a frame are, on any support and whatever a pixel measures."""

    name = "multiscale_segmentation"
    model = MultiscaleFinder
    required: ClassVar = {
        "threshold": fields.THRESHOLD,
        "diameter_range_px": fields.RANGE,
        "detection": fields.COEFFICIENTS,
    }
    default_models: ClassVar = {"HAADF": "particles-stem"}
    any_scale = True

    @classmethod
    def wanted_outputs(cls, card: dict) -> tuple[int, str]:
        """Three maps."""
        return 3, "three maps (particle, depth, contact)"


class MapColumns(Task):
    """Where the columns of an image are, of which kind, and how many atoms they have."""

    name = "map_columns"
    model = ColumnMapper
    required: ClassVar = {"threshold": fields.THRESHOLD, "columns": fields.COLUMNS}
    optional: ClassVar = {"error_scale": fields.POSITIVE, "reader": fields.READER}

    @classmethod
    def wanted_outputs(cls, card: dict) -> tuple[int, str]:
        """Background, a map for each kind and height, and three of the place."""
        number = sum(heights for _, heights in mapped_kinds(card))
        total = 1 + number + PLACE_OUTPUTS
        return total, f"{total} maps (background, {number} of columns, {PLACE_OUTPUTS} of their place)"


TASKS: dict[str, type[Task]] = {
    task.name: task
    for task in (Classification, Isomer, IsomerAtlas, Crystallinity, Segmentation, MultiscaleSegmentation, MapColumns)
}
