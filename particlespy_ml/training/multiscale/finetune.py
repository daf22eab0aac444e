"""A network that finds particles on any support, trained further on a few images of one's own."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.models.load import load_model
from particlespy_ml.models.multiscale_finder import MultiscaleFinder
from particlespy_ml.segmentation.grid import as_float, label_sizes
from particlespy_ml.segmentation.multiscale import segment_multiscale, view_maps, view_steps
from particlespy_ml.segmentation.score import count_agreement
from particlespy_ml.simulation.micrographs.draw import Micrograph
from particlespy_ml.simulation.micrographs.recipe import MicrographRecipe
from particlespy_ml.training.card import model_folder, read_model, versions, write_model
from particlespy_ml.training.loop import fit
from particlespy_ml.training.losses import WeightedMapLoss
from particlespy_ml.training.multiscale.batches import SMALLEST
from particlespy_ml.training.multiscale.evaluate import finder_of, fit_detection, found_and_true
from particlespy_ml.training.multiscale.label_files import LabelledImage
from particlespy_ml.training.multiscale.labelled_tiles import LabelledMaker

if TYPE_CHECKING:
    import torch

_logger = logging.getLogger(__name__)

FEWEST = 3
STEPS, RATE, BATCH = 400, 3e-4, 8
ENOUGH = 10  # found particles that are right, and wrong, from which on probabilities are told by them
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)  # of pixels
CLEARLY = 0.02  # by how much F1 of labelled images must be better with another threshold


def finetune(
    model: str | Path,
    images: list[LabelledImage],
    out_folder: str | Path,
    *,
    steps: int = STEPS,
    folds: int = 3,
    seed: int = 0,
    workers: int = 0,
    show_progressbar: bool = True,
) -> dict:
    """Train a model further on labelled images, and write the folder of the new one.

    Parameters
    ----------
    model
        Bundled model or folder.
    images
        From `read_labelled`, three or more.
    out_folder
        Folder of the new model.
    steps
        Of training, of eight tiles each; a third of a second each on two cores.
    folds
        Parts that are left out in turn, so that the report tells of images that were not trained on; 0 for no report.
    seed
        Of the training.
    workers
        Processes that make tiles.
    show_progressbar
        Show a progress bar.

    Returns
    -------
    dict
        F1 of the images that were left out, "before" and "after", each with the numbers of particles it is of.

    Raises
    ------
    ValueError
        If there are fewer than three images, none has a particle, or the model is of another task.
    """
    finder = load_model(model)
    if not isinstance(finder, MultiscaleFinder):
        raise ValueError(f"The model {finder.name!r} cannot be trained further; expected one such as 'particles-stem'.")
    if len(images) < FEWEST:
        raise ValueError(f"Expected {FEWEST} labelled images or more, not {len(images)}.")
    if not any(one.labels.any() for one in images):
        raise ValueError("No image has a labelled particle.")
    images = [bright(one) for one in images]
    report = {}
    if folds:
        parts = np.array_split(np.random.default_rng(seed).permutation(len(images)), min(folds, len(images)))
        counts: dict[str, list] = {"before": [], "after": []}
        for left_out in parts:
            others = [one for number, one in enumerate(images) if number not in left_out]
            network = _train(model, others, steps, seed, workers, show_progressbar)
            after = finder_of(network, with_own_threshold(network, finder.card, others))
            for name, one in (("before", finder), ("after", after)):
                counts[name] += [_scores(one, images[number], [one.threshold])[0] for number in left_out]
        report = {name: _f1(rows) for name, rows in counts.items()}
        _logger.info("F1 of images left out: %s", report)
    network = _train(model, images, steps, seed, workers, show_progressbar)
    card = with_own_threshold(network, finder.card, images)
    card = {key: value for key, value in card.items() if key not in ("sha256", "format_version")}
    told = {"images": [one.name for one in images], "steps": steps, "seed": seed, "left_out": report}
    card |= {"name": Path(out_folder).name, "finetuned": {"from": finder.name, "sha256": finder.sha256, **told}}
    write_model(out_folder, network.half(), {**card, "versions": versions()})
    return report


def bright(one: LabelledImage) -> LabelledImage:
    """Return an image whose particles are brighter than what surrounds them."""
    about = ndi.binary_dilation(one.labels > 0, iterations=3) & (one.labels == 0)
    inside = one.labels > 0
    dark = inside.any() and about.any() and np.median(one.image[inside]) < np.median(one.image[about])
    return LabelledImage(one.name, -one.image if dark else one.image, one.labels, one.boxes)


def _train(model, images: list[LabelledImage], steps: int, seed: int, workers: int, show: bool):
    folder = model_folder(model)
    _, card = read_model(folder)
    recipe = MicrographRecipe.from_dict(card["training"]["detector"])
    training = {
        "seed": seed,
        "batch": BATCH,
        "initial": str(folder / "model.safetensors"),
        "ema": 0.98,
        "stages": [{"steps": steps, "learning_rate": RATE, "frozen_norm": True}],
    }
    with tempfile.TemporaryDirectory() as aside:
        return fit(
            LabelledMaker(tuple(images), recipe),
            card["architecture"],
            training,
            Path(aside) / "checkpoint.pt",
            loss=WeightedMapLoss(),
            workers=workers,
            show_progressbar=show,
        )


def with_own_threshold(network: torch.nn.Module, card: dict, images: list[LabelledImage]) -> dict:
    """Return a card whose threshold finds most of what is labelled, as it is outlined there.

    Somebody who labels, by boxes above all, may outline particles more widely or tightly than they were drawn. The
    threshold of the card stays unless another one is clearly better. Detection probabilities are those of
    `with_own_detection`.
    """
    once = {**card, "architecture": {**card["architecture"], "views": 1}}  # which takes a quarter of the time
    tried = [card["threshold"], *sorted(THRESHOLDS, key=lambda threshold: abs(threshold - card["threshold"]))]
    tried = list(dict.fromkeys(tried))
    finder = finder_of(network, once)
    scores = [_scores(finder, one, tried) for one in images]
    found = [_f1(list(rows))["f1"] for rows in zip(*scores, strict=True)]
    best = int(np.argmax(found))
    chosen = tried[best] if found[best] > found[0] + CLEARLY else card["threshold"]
    return with_own_detection(network, {**card, "threshold": chosen}, images)


def with_own_detection(network: torch.nn.Module, card: dict, images: list[LabelledImage]) -> dict:
    """Return a card whose detection probabilities are those of what a network finds in labelled images.

    Those of images with boxes alone do not count: outlines in loose boxes overlap with the ellipses in these by less
    than half, though they are right.
    """
    seen = [
        Micrograph(one.image, one.labels, 2 * np.sqrt(label_sizes(one.labels)[1:] / np.pi), np.ones(one.image.shape))
        for one in images
        if not one.boxes
    ]
    if not seen:
        return card
    rows, right = found_and_true(finder_of(network, card), iter(seen))
    if min(right.sum(), (~right).sum()) < ENOUGH:
        return card
    return {**card, "detection": fit_detection(rows, right, card["detection"][3])}


def _scores(finder: MultiscaleFinder, one: LabelledImage, thresholds: list[float]) -> list[dict[str, int]]:
    """Particles found, missed and wrong in an image with each threshold, by masks or, where it has none, by boxes."""
    image = as_float(one.image)
    maps = [view_maps(image, step, finder) for step in view_steps(image.shape)]
    smallest = np.pi / 4 * SMALLEST**2
    truth = np.where((label_sizes(one.labels) >= smallest)[one.labels], one.labels, 0)
    counts = []
    for threshold in thresholds:
        labels, _ = segment_multiscale(image, finder, threshold, polarity="bright", maps=maps)
        counts.append(count_boxes(labels, one.labels) if one.boxes else count_agreement(labels, truth))
    return counts


def count_boxes(labels: np.ndarray, truth: np.ndarray, overlap: float = 0.5) -> dict[str, int]:
    """Count the particles whose boxes match: ``matched``, ``missed`` and ``wrong``.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.zeros((20, 20), int)
    >>> truth[2:8, 2:8], truth[12:18, 12:18] = 1, 2
    >>> count_boxes(np.where(truth == 1, 1, 0), truth)
    {'matched': 1, 'missed': 1, 'wrong': 0}
    """
    from scipy.optimize import linear_sum_assignment

    ends = [
        np.array([(r.start, c.start, r.stop, c.stop) for r, c in filter(None, ndi.find_objects(one))]).reshape(-1, 4)
        for one in (labels, truth)
    ]
    found, true = ends
    low = np.maximum(found[:, None, :2], true[None, :, :2])
    high = np.minimum(found[:, None, 2:], true[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    areas = [(one[:, 2:] - one[:, :2]).prod(-1) for one in ends]
    same = shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1)
    rows, columns = linear_sum_assignment(-np.where(same >= overlap, 1 + same, 0))
    matched = int((same[rows, columns] >= overlap).sum())
    return {"matched": matched, "missed": len(true) - matched, "wrong": len(found) - matched}


def _f1(rows: list[dict[str, int]]) -> dict:
    matched, missed, wrong = (sum(row[name] for row in rows) for name in ("matched", "missed", "wrong"))
    value = 2 * matched / max(2 * matched + missed + wrong, 1)
    return {"f1": round(value, 4), "matched": matched, "missed": missed, "wrong": wrong}
