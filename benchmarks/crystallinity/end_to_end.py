"""From a frame to classes, as a user gets them: particles found by one network and classified by the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from particlespy_ml.models.load import load_model
from particlespy_ml.segmentation.numbers import clear_border_particles
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
    print(f"From frames to classes: {len(indices)} frames of held-out fields, both networks, default calls")
    for name, conditions in (
        ("paper's optics, 1e4 e/Å²", detector.nominal(1e4)),
        ("every fault, 1e3 to 1e5 e/Å²", replace(detector, dose=(1e3, 1e5))),
    ):
        rows = np.concatenate([_frame(load_field(cache, i), conditions, model, finder, i) for i in indices])
        found, true, said = rows[:, 0] > 0, rows[:, 1].astype(int), rows[:, 2].astype(int)
        known = found & (said >= 0)
        two = (said == AMORPHOUS) == (true == AMORPHOUS)
        print(f"  {name}: {len(rows)} particles not cut by the border, {found.mean():.3f} found; of these "
              f"{(said[found] < 0).mean():.3f} undefined; of the others right in three classes "
              f"{(said == true)[known].mean():.3f}, in two {two[known].mean():.3f}"
              )  # fmt: skip
    print()


def _frame(field: Field, conditions: ImagingRecipe, model, finder: Path, index: int) -> np.ndarray:
    """Rows of (found, true class, class said) of the particles of a frame, shape (n, 3)."""
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
    rows = []
    for region in regionprops(truth, seen.labels):
        if region.area * seen.pixel_size**2 < 50:  # Å², slivers left of particles that others hide
            continue
        own = truth == region.label
        best = int(np.bincount(labels.data[own]).argmax())
        match = best > 0 and ((labels.data == best) & own).sum() / ((labels.data == best) | own).sum() >= 0.5
        rows.append((match, field.labels[int(region.intensity_max) - 1], classes[best] if match else -1))
    return np.array(rows, float).reshape(-1, 3)
