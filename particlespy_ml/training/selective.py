"""Which probability makes which share of a classifier's answers right, by the noise of an image."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.classification.selective import Thresholds, fit_thresholds, noise_share
from particlespy_ml.core.files import replacing
from particlespy_ml.core.proportions import wilson_interval
from particlespy_ml.training.isomer.evaluate import softmax

if TYPE_CHECKING:
    import torch

TOLD = (0.9, 0.95, 0.98)  # accuracies that the card has the coverage of
DOSES = (300.0, 1e3, 1e4)


def with_noise(network: torch.nn.Module) -> torch.nn.Module:
    """Return a network that says after its outputs how large the share of noise in each window is."""
    import torch

    class WithNoise(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, windows: torch.Tensor) -> torch.Tensor:
            noise = noise_share(windows[:, 0].numpy())
            return torch.cat([self.network(windows), torch.from_numpy(noise)[:, None].float()], dim=1)

    return WithNoise()


def split(outputs: np.ndarray, temperature: float, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Share of noise and probabilities of the classes from the outputs of `with_noise`, an axis for all images."""
    rows = outputs.reshape(-1, outputs.shape[-1])
    return rows[:, -1], softmax(rows[:, :-1], temperature)[:, :n_classes]


def calibrate_selective(
    record: Callable, conditions: list, held_out: dict, card: dict, doses=DOSES
) -> tuple[Thresholds, dict]:
    """Return thresholds from images of one part, and what they give on another, which they have not seen.

    Parameters
    ----------
    record
        Called with a part, conditions and a seed: outputs of `with_noise`, shape (items, realisations, outputs + 1),
        labels, shape (items,), and how strong a lattice shows about each, shape (items, realisations), or None.
    conditions
        Those that the thresholds are found under, together.
    held_out
        Names, and functions of a dose in e/Å² that give a part and conditions.
    card
        Of the model: its temperature and classes.
    doses
        Of the images that the thresholds are tried on.

    Returns
    -------
    thresholds : Thresholds
    told : dict
        For each name, accuracy asked for and dose: the ``accuracy`` of the answers, its ``interval`` of 95 % (Wilson)
        and the ``coverage``, the share of images that have one; of images without any the coverage alone.
    """
    classes = len(card["classes"])
    noise, probabilities, labels, lattices = [], [], [], []
    for number, (part, condition) in enumerate(conditions):
        outputs, known, lattice = record(part, condition, 101 + number)
        of_noise, of_classes = split(outputs, card["temperature"], classes)
        noise.append(of_noise)
        probabilities.append(of_classes)
        labels.append(np.repeat(known, outputs.shape[1]))
        lattices.append(None if lattice is None else lattice.ravel())
    seen = (np.concatenate(parts) for parts in (noise, probabilities, labels))
    thresholds = fit_thresholds(*seen, None if lattices[0] is None else np.concatenate(lattices))
    told: dict = {}
    for name, at in held_out.items():
        for dose in doses:
            outputs, known, lattice = record(*at(dose), 201)
            of_noise, of_classes = split(outputs, card["temperature"], classes)
            right = of_classes.argmax(1) == np.repeat(known, outputs.shape[1])
            for target in TOLD:
                about = None if lattice is None else lattice.ravel()
                kept = of_classes.max(1) >= thresholds.least(of_noise, target, of_classes, about)
                of_dose = told.setdefault(name, {}).setdefault(f"{target:g}", {})
                of_dose[f"{dose:g}"] = {"coverage": round(float(kept.mean()), 4)}
                if not kept.any():  # there is no accuracy then
                    continue
                accuracy = float(right[kept].mean())
                structures = max(round(kept.mean() * len(known)), 1)  # images of one are not independent
                of_dose[f"{dose:g}"] |= {
                    "accuracy": round(accuracy, 4),
                    "interval": [round(float(edge), 4) for edge in wilson_interval(accuracy, structures)],
                }
    return thresholds, told


def write_thresholds(folder: str | Path, thresholds: Thresholds, told: dict) -> None:
    """Add what `calibrate_selective` found to the card of a model folder, whose weights stay."""
    path = Path(folder) / "card.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    card |= {"selective_thresholds": thresholds.as_dict(), "selective_by_dose": told}
    with replacing(path) as beside:
        beside.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
