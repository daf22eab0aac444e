"""The verb `classify_particles`, for any image signal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from particlespy_ml.core.options import spelled_out
from particlespy_ml.segmentation.options import SegmentationOptions

if TYPE_CHECKING:
    from pathlib import Path

    from hyperspy.signals import BaseSignal, Signal2D
    from numpy.typing import ArrayLike
    from particlespy.particle_analysis import parameters

    from particlespy_ml.models.model import Classifier
    from particlespy_ml.segmentation.particlespy import TrainedSegmentation


@spelled_out(SegmentationOptions, without=("model",))
def classify_particles(
    signal: Signal2D,
    model: str | Path | Classifier | None = None,
    *,
    labels: BaseSignal | ArrayLike | None = None,
    method: str | TrainedSegmentation | parameters | None = None,
    mask: BaseSignal | ArrayLike | None = None,
    min_probability: float | None = None,
    target_accuracy: float | None = None,
    calibrated: bool = True,
    exclude_border: bool | None = None,
    return_labels: bool = False,
    lattice_constant: float | str | None = None,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
    **options: Unpack[SegmentationOptions],
) -> BaseSignal | tuple[BaseSignal, Signal2D]:
    """Find, measure and classify every particle of every frame.

    Parameters
    ----------
    signal
        Image or series of images of any navigation shape, lazy or not, calibrated in a unit of length.
    model
        Name of a bundled model (see `list_models`), the folder of a model of your own, or a loaded model. By default
        the model of the signal type: "isomer-haadf" for HAADF images, "crystallinity-hrtem" for HRTEM images.
        "isomer-atlas" gets more out of HAADF images of less than 300 electrons per Å², if the particles have about 147,
        309 or 561 atoms and the microscope is a well-run one; `particlespy-ml train` makes an atlas of other sizes.
    labels
        Labels or a mask, as `segment_particles` returns them; without, the frames are segmented in the same pass.
    min_probability
        Particles whose most probable class is less probable than this are "undefined". By default the value on the
        model's card, above which 95 % of the held-out images were right.
    target_accuracy
        Share of the classes given that shall be right, such as 0.95. What is less certain is "undefined": each particle
        needs a probability that depends on the noise in its image, the column ``min_probability``, as was found on
        held-out simulations. In place of *min_probability*.
    calibrated
        Whether probabilities are calibrated. ``min_probability=0.8, calibrated=False`` is the rule of Gumbiowski et
        al., Nanoscale Adv. 6, 4196 (2024), on an uncalibrated softmax.
    lattice_constant
        Lattice constant of the metal, a number in the image's unit or a text with a unit, for metals other than the one
        that the model was trained on ("3.92 Å" for Pt, "3.89 Å" for Pd, "3.61 Å" for Cu): images are seen in units of
        it. By default that of the model, 4.08 Å for gold. Without it, a metal whose lattice differs by more than about
        3 % looks out of range.
    exclude_border
        Leave out the particles that the border cuts. By default as `segment_particles` for all images but HRTEM ones,
        where they are left out unless this is False.
    method, mask, lazy_output, show_progressbar
        As for `segment_particles`.
    return_labels
        Return the labels too. Computed together, labels and table take one segmentation.
    polarity, smoothing, min_diameter, background_diameter, split, split_depth
        Options of *method*, as for `segment_particles`.
    threshold, min_detection, outline, watershed, watershed_size, watershed_erosion
        The same.
    min_size, invert, rb_kernel, gaussian, local_size
        The same.

    Returns
    -------
    ParticleTable or LazyParticleTable
        The measured columns, and ``class_index``, ``probability`` and one ``probability_*`` column for each class.
        ``probability_none``, of models that know it, is that of a particle that is none of the classes.
        ``table["class"]`` gives the names. Particles outside the model's range of sizes are "undefined". Without
        probabilities are those of pixels that the model does not take and, where crystallinity is asked for, those that
        are undefined in a frame without lattice fringes.
    Signal2D or LazySignal2D
        The labels, with *return_labels*.

    Raises
    ------
    ValueError
        If the image is not calibrated, the model is unknown, damaged or does not fit its card, or its card does not
        tell how to reach a *target_accuracy*.

    Warns
    -----
    UserWarning
        If pixels have a size that the model does not take, or, when frames are computed, if crystallinity is asked for
        and the first of them holds nothing at the {111} spacing.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> s = pml.data.gold_on_carbon()
    >>> table = s.classify_particles()
    >>> sorted(set(table["class"]) - set(table.classes) - {"undefined"})
    []
    """
    from functools import partial

    from particlespy_ml.classification.classifier import ParticleClassifier, warn_out_of_range
    from particlespy_ml.classification.selective import check_target
    from particlespy_ml.core.image import ImageFrames
    from particlespy_ml.core.lengths import in_nanometres
    from particlespy_ml.models.load import DEFAULT_MODELS, default_model, load_model
    from particlespy_ml.models.model import Classifier
    from particlespy_ml.models.tasks import TASKS
    from particlespy_ml.particles.frame_pass import run_pass
    from particlespy_ml.quality.fringes import warn_without_fringes
    from particlespy_ml.segmentation.choose import choose_segmenter
    from particlespy_ml.tables.classes import class_columns

    image = ImageFrames.of(signal)
    if exclude_border is None:
        exclude_border = image.signal_type == "HRTEM"
    segmenter, others = choose_segmenter(image, method, labels, exclude_border, options, mask)
    model = load_model(default_model(image.signal_type) if model is None else model)
    if not isinstance(model, Classifier):
        raise ValueError(
            f"The model {model.name!r} finds particles and does not classify them; it goes in "
            f'method="network", model= of segment_particles. Expected a classifier, such as those for '
            f"{sorted(DEFAULT_MODELS)}: {sorted(DEFAULT_MODELS.values())}."
        )
    if target_accuracy is not None:
        check_target(model.name, model.card, target_accuracy, min_probability, calibrated)
        min_probability = 0.0
    if min_probability is None:
        min_probability = model.min_probability
    if not 0 <= min_probability <= 1:
        raise ValueError(f"min_probability={min_probability}; expected a probability between 0 and 1.")
    if lattice_constant is not None:
        lattice_constant = in_nanometres(lattice_constant, image.grid, "lattice_constant")
    scale = _scale(model, lattice_constant)
    spacing = None
    if TASKS[model.card["task"]].needs_fringes:
        spacing = (lattice_constant or model.card["lattice_constant_nm"]) / 3**0.5  # of {111}
    grid = image.grid.ascending()
    classifier = ParticleClassifier(model, grid, float(min_probability), scale, calibrated, spacing, target_accuracy)
    warn_out_of_range(classifier)
    inspect = None
    if spacing is not None and classifier.in_pixel_range():
        inspect = partial(warn_without_fringes, pixel_size=image.grid.nanometres, spacing=spacing)
    outputs = ("table", "labels") if return_labels else ("table",)
    record = {
        "classes": list(model.classes),
        "model": _model_record(model, min_probability, target_accuracy, calibrated, scale, lattice_constant),
    }
    extra = {name: "" for name, _ in class_columns(model.classes, classifier.beside)}
    results = run_pass(
        image, segmenter, others, outputs, classifier, record, extra, lazy_output, show_progressbar, inspect
    )
    return tuple(results) if return_labels else results[0]


def _model_record(model, min_probability, target_accuracy, calibrated, scale, lattice_constant) -> dict:
    """What is recorded of the model, and of how it was asked."""
    # the card's matrix above a probability is one above a calibrated one
    known = target_accuracy is None and (calibrated or min_probability == 0)
    return {
        "name": model.name,
        "sha256": model.sha256,
        "min_probability": float(min_probability),
        **({} if target_accuracy is None else {"target_accuracy": float(target_accuracy)}),
        "calibrated": bool(calibrated),
        "diameter_range_nm": [float(limit * scale) for limit in model.card["diameter_range_nm"]],
        **({} if lattice_constant is None else {"lattice_constant_nm": float(lattice_constant)}),
        "confusion_matrix": model.confusion_matrix(min_probability).ravel().tolist() if known else [],
    }


def _scale(model, lattice_constant: float | None) -> float:
    """Factor between the lattice of the sample and that of the model."""
    if lattice_constant is None:
        return 1.0
    own = model.card.get("lattice_constant_nm")
    if own is None:
        raise ValueError(
            f"The card of the model {model.name!r} has no lattice constant to scale lattice_constant= with."
        )
    if not 0.5 < lattice_constant / own < 2:
        raise ValueError(
            f"lattice_constant is {lattice_constant:.4g} nm, but {own} nm is that of the model {model.name!r}; "
            'expected one near it, as a number in the unit of the image or as a text, for example "3.92 Å".'
        )
    return lattice_constant / own
