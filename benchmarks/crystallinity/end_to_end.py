"""From a frame to classes, as a user gets them: particles found by one network and classified by the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from particlespy_ml.models.load import load_model
from particlespy_ml.segmentation.numbers import clear_border_particles
from particlespy_ml.simulation.atoms.crystallinity import CRYSTALLINITY
from particlespy_ml.simulation.datasets.exit_waves import ExitWaveRecipe, Field, load_field
from particlespy_ml.simulation.datasets.store import entry_indices
from particlespy_ml.simulation.recording.imaging import ImagingRecipe, record
from particlespy_ml.training.crystallinity.evaluate import AMORPHOUS
from particlespy_ml.training.fields import split_fields

_VIEW = 118.0  # Å, less than a field


def main(classifier: Path, finder: Path, cache: Path, frames: int) -> None:
    """Print how many particles are found, how many of these get a class, and how many of these the right one."""
    model = load_model(classifier)
    recipe = ExitWaveRecipe.from_dict(model.card["training"]["simulation"])
    detector = ImagingRecipe.from_dict(model.card["training"]["detector"])
    indices = split_fields(entry_indices(cache), recipe)["test"][:frames]
    fields = [load_field(cache, index) for index in indices]
    for where, crystalline in (("amorphous films", False), ("crystals of oxides never trained on", True)):
        chosen = [one for one in fields if one.parameters.get("crystalline", False) == crystalline]
        if not chosen:
            continue
        print(
            f"From frames to classes: {len(chosen)} frames of held-out fields on {where}, both networks, default calls"
        )
        for name, conditions in (
            ("paper's optics, 1e4 e/Å²", detector.nominal(1e4)),
            ("every fault, 1e3 to 1e5 e/Å²", replace(detector, dose=(1e3, 1e5))),
        ):
            results = [_frame(one, conditions, model, finder, one.index) for one in chosen]
            _print(name, np.concatenate([rows for rows, _ in results]), np.array([wrong for _, wrong in results]))
    print()


def _print(name: str, rows: np.ndarray, wrong: np.ndarray) -> None:
    found, true, said = rows[:, 0] > 0, rows[:, 1].astype(int), rows[:, 2].astype(int)
    known = found & (said >= 0)
    two = (said == AMORPHOUS) == (true == AMORPHOUS)
    score = 2 * found.sum() / max(len(rows) + found.sum() + wrong[:, 0].sum(), 1)
    print(f"  {name}: {len(rows)} particles not cut by the border, {found.mean():.3f} found, F1 {score:.3f}, "
          f"{wrong[:, 1].mean():.2f} patches of support a frame taken for particles; of those found "
          f"{(said[found] < 0).mean():.3f} undefined; of the others right in three classes "
          f"{(said == true)[known].mean():.3f}, in two {two[known].mean():.3f}"
          )  # fmt: skip
    for number, kind in enumerate(CRYSTALLINITY):
        own = known & (true == number)
        print(f"    {kind}: {(said == true)[own].mean():.3f} of {own.sum()}")


def _frame(field: Field, conditions: ImagingRecipe, model, finder: Path, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of (found, true class, class said) of the particles of a frame; numbers of others found, and on support."""
    from hyperspy.signals import Signal2D
    from skimage.measure import label, regionprops

    seen = record(field, conditions, np.random.default_rng([81, index]), view=_VIEW, outlines=True)
    image = Signal2D(seen.image)
    image.axes_manager.signal_axes.set(scale=seen.pixel_size / 10, units="nm")
    image.set_signal_type("HRTEM")
    options = {"method": "network", "model": str(finder)}
    labels = image.segment_particles(**options, exclude_border=True, show_progressbar=False)
    table = image.classify_particles(model, labels=labels, show_progressbar=False)
    classes = dict(zip(table["label"].tolist(), table["class_index"].tolist(), strict=True))
    truth = clear_border_particles(label(seen.labels, background=0))
    rows, matched = [], set()
    for region in regionprops(truth, seen.labels):
        if region.area * seen.pixel_size**2 < 50:  # Å², slivers left of particles that others hide
            continue
        own = truth == region.label
        best = int(np.bincount(labels.data[own]).argmax())
        match = best > 0 and ((labels.data == best) & own).sum() / ((labels.data == best) | own).sum() >= 0.5
        matched |= {best} if match else set()
        rows.append((match, field.labels[int(region.intensity_max) - 1], classes[best] if match else -1))
    others = [labels.data == number for number in set(range(1, labels.data.max() + 1)) - matched]
    cut = (seen.labels > 0) & (truth == 0)  # particles that the border cuts do not count
    wrong = sum(cut[own].mean() <= 0.5 for own in others)
    patches = sum((seen.labels[own] > 0).mean() <= 0.5 for own in others)
    return np.array(rows, float).reshape(-1, 3), np.array([wrong, patches])
