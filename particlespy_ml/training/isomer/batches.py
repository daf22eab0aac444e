"""Batches for training and evaluation: PRISM images from the cache and incoherent images made on the fly."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.classification.preprocess import standardise
from particlespy_ml.models.incoherent import incoherent_haadf
from particlespy_ml.simulation.datasets.isomers import IsomerLibraryRecipe, load_entries
from particlespy_ml.simulation.recording.detector import DetectorRecipe, detect, mix_annuli

if TYPE_CHECKING:
    import torch

_logger = logging.getLogger(__name__)

STEP = 0.3  # Å, scan step of the simulated images
CANONICAL = 0.4  # Å, pixel size that a network sees
MULTIPLE = 16  # windows are a multiple of so many pixels
LARGEST_WINDOW = 192  # pixels
MARGIN = 5.0  # Å, empty rim that a window leaves about a particle, both sides together
_ANNULI_OF_INCOHERENT = (0.58, 0.29, 0.13)  # mean split of the PRISM signal over the three annuli


@dataclass
class Item:
    """One particle: a simulated image or an atomic model to be imaged.

    Parameters
    ----------
    label
        Index of the class.
    radius
        Half of the largest extent in Å.
    images
        Annuli, shape (annuli, rows, columns), particle in the middle, every `STEP` Å; or None.
    positions
        Atomic positions in Å about the middle, shape (n_atoms, 3).
    index
        Index in the library, -1 for a model that is not in it.
    tumbles
        Whether a model is imaged in any orientation; one that lies on a film is only turned in its plane.
    """

    label: int
    radius: float
    images: np.ndarray | None
    positions: np.ndarray
    index: int = -1
    tumbles: bool = True

    @property
    def window(self) -> int:
        """Smallest window in pixels that holds the particle and a rim, at least 48."""
        return window_for(2 * self.radius)


def window_for(diameter: float) -> int:
    """Window in pixels for a particle of some diameter in Å: with a rim, a multiple of 16, 48 to 192.

    Examples
    --------
    >>> window_for(20), window_for(40)
    (64, 128)
    """
    pixels = int(np.ceil((diameter + MARGIN) / CANONICAL / MULTIPLE)) * MULTIPLE
    return int(np.clip(pixels, 48, LARGEST_WINDOW))


def prism_items(folder: str | Path, indices: list[int] | None = None) -> list[Item]:
    """Load simulated images as items, those of *indices* or all that the folder has."""
    items = []
    for entry in load_entries(folder, indices):
        positions = entry["positions"] - (entry["positions"].max(0) + entry["positions"].min(0)) / 2
        radius = float(np.ptp(positions[:, :2], axis=0).max() / 2)
        items.append(Item(entry["label"], radius, entry["images"], positions, entry["index"]))
    return items


def model_items(models: list[tuple[np.ndarray, int]], lying: int | None = None) -> list[Item]:
    """Atomic models as items whose images are made anew, in a new orientation, whenever they are drawn.

    Models of the class *lying* are turned in their plane only.
    """
    return [
        Item(
            label,
            float(np.linalg.norm(positions[:, :2] if label == lying else positions, axis=1).max()),
            None,
            positions.astype(np.float32),
            tumbles=label != lying,
        )
        for positions, label in models
    ]


def split_indices(indices: list[int], recipe: IsomerLibraryRecipe) -> dict[str, list[int]]:
    """Split simulations into "training", "validation" and "test".

    Held-out rounds go alternately to validation (temperature, threshold) and test (the numbers on the card).
    """
    parts: dict[str, list[int]] = {"training": [], "validation": [], "test": []}
    for index in indices:
        held_out_round = index // len(recipe.classes) // recipe.held_out_every
        name = ("validation", "test")[held_out_round % 2] if recipe.is_held_out(index) else "training"
        parts[name].append(index)
    return parts


class BatchMaker:
    """Draws batches in which the classes are equally frequent and all windows have one size.

    Parameters
    ----------
    prism
        Items with images.
    models
        Items that are imaged on the fly.
    n_classes
        Number of classes.
    recipe
        Detector side.
    chunk
        Images that share a pixel size of the acquisition; a batch has several chunks.
    """

    def __init__(self, prism: list[Item], models: list[Item], n_classes: int, recipe: DetectorRecipe, chunk: int = 16):
        self.n_classes, self.recipe, self.chunk = n_classes, recipe, chunk
        self.groups = {"prism": self._group(prism), "models": self._group(models)}
        counts: dict[int, int] = {}
        for item in models or prism:
            counts[item.window] = counts.get(item.window, 0) + 1
        self.windows = sorted(counts)
        frequency = np.array([counts[window] for window in self.windows], dtype=float)
        self.frequency = frequency / frequency.sum()

    @staticmethod
    def _group(items: list[Item]) -> dict[tuple[int, int], list[Item]]:
        groups: dict[tuple[int, int], list[Item]] = {}
        for item in items:
            groups.setdefault((item.window, item.label), []).append(item)
        return groups

    def draw(self, size: int, stage: dict, seed: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw a batch; the same seed gives the same batch.

        Parameters
        ----------
        size
            Number of windows.
        stage
            ``prism_fraction``, the share of PRISM images, the others being incoherent; and optionally ``detector``,
            fields of the detector recipe that differ for this batch, so that training may begin with easy images.
        seed
            Numbers that seed the draw.

        Returns
        -------
        windows, labels
            Standardised windows, shape (size, 1, w, w), and labels, shape (size,).
        """
        import torch

        recipe = replace(self.recipe, **{key: _tuple(value) for key, value in stage.get("detector", {}).items()})
        rng = np.random.default_rng(seed)
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        window = int(rng.choice(self.windows, p=self.frequency))
        # empty space changes the scale of standardised windows: a network must see that it means nothing
        shown = min(
            LARGEST_WINDOW,
            window + MULTIPLE * int(rng.choice((0, 1, 2, 3, 4, 6), p=(0.4, 0.22, 0.14, 0.1, 0.08, 0.06))),
        )
        parts, labels = [], []
        for start in range(0, size, self.chunk):
            count = min(self.chunk, size - start)
            chosen = [self._choose(window, stage["prism_fraction"], rng) for _ in range(count)]
            clean, radius = clean_images(chosen, rng, generator, recipe.single_annuli)
            parts.append(detect(clean, radius, recipe, generator, window=shown, step=STEP, canonical=CANONICAL))
            labels.extend(item.label for item in chosen)
        return standardise(torch.cat(parts))[:, None], torch.tensor(labels)

    def _choose(self, window: int, prism_fraction: float, rng: np.random.Generator) -> Item:
        label = int(rng.integers(self.n_classes))
        first = "prism" if rng.random() < prism_fraction else "models"
        for kind in (first, "models", "prism"):
            group = self.groups[kind].get((window, label))
            if group:
                return group[rng.integers(len(group))]
        return self._choose(window, prism_fraction, rng)  # this size lacks this class


def clean_images(
    items: list[Item], rng: np.random.Generator, generator: torch.Generator, single_annuli: float = 0.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of items without source size and noise: simulated ones as they are, others in a new orientation.

    Returns
    -------
    images, radius
        Fractions of the beam, shape (n, pixels, pixels), sampled every `STEP` Å, and radii in Å, shape (n,).
    """
    import torch

    made = [row for row, item in enumerate(items) if item.images is None]
    sizes = [item.images.shape[-1] for item in items if item.images is not None]
    sizes += [2 * int(np.ceil((items[row].radius + 3) / STEP)) for row in made]
    size = max(sizes)
    stack = torch.zeros(len(items), len(_ANNULI_OF_INCOHERENT), size, size)
    for row, item in enumerate(items):
        if item.images is not None:
            start = (size - item.images.shape[-1]) // 2
            end = start + item.images.shape[-1]
            stack[row, :, start:end, start:end] = torch.from_numpy(item.images)
    if made:
        split = torch.tensor(_ANNULI_OF_INCOHERENT)[:, None, None]
        stack[made] = _image_models([items[row] for row in made], size, rng)[:, None] * split
    radius = torch.tensor([item.radius for item in items], dtype=torch.float32)
    return mix_annuli(stack, single_annuli, generator), radius


def _image_models(models: list[Item], size: int, rng: np.random.Generator) -> torch.Tensor:
    """Incoherent images in random orientations; widths and saturation spread as fitted to PRISM images."""
    from scipy.spatial.transform import Rotation

    turned = []
    for item in models:
        moved = item.positions + rng.normal(scale=rng.uniform(0, 0.08), size=item.positions.shape)
        in_plane = Rotation.from_euler("z", rng.uniform(0, 360), degrees=True)
        rotated = (Rotation.random(rng=rng) if item.tumbles else in_plane).apply(moved)
        turned.append(rotated - (rotated.max(0) + rotated.min(0)) / 2)
    n = len(models)
    return incoherent_haadf(
        turned,
        n_pixels=size,
        pixel_size=STEP,
        sigma=rng.uniform(0.28, 0.42, n),
        cross_section=rng.uniform(0.020, 0.027, n),
        saturation=rng.uniform(0.0, 0.06, n),
    )


def _tuple(value: object) -> object:
    """Lists of a recipe file as the tuples of a recipe."""
    return tuple(value) if isinstance(value, list) else value
