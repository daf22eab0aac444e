"""Batches of tiles of labelled images, at several magnifications, among drawn micrographs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.core.resample import nearest_map, resample_frame
from particlespy_ml.segmentation.grid import label_sizes
from particlespy_ml.segmentation.numbers import renumber
from particlespy_ml.segmentation.two_contrasts import REACH, Brightness, brightness_of, grey_step, two_contrasts
from particlespy_ml.simulation.micrographs.draw import Micrograph
from particlespy_ml.simulation.micrographs.recipe import MicrographRecipe
from particlespy_ml.training.multiscale.batches import MicrographMaker, weighted_maps
from particlespy_ml.training.multiscale.label_files import LabelledImage

if TYPE_CHECKING:
    import torch

TILE = 160
DRAWN = 0.4  # share of drawn micrographs in a batch, so that what was learnt before is kept
SHOWN = (7.0, 45.0)  # pixels, median diameter of the particles in a tile
_ABOUT = int(np.ceil(2 * 2.5 * REACH))  # pixels around a tile that its local contrast depends on


@dataclass(frozen=True)
class LabelledMaker:
    """Draws tiles of labelled images at several magnifications, recorded otherwise, turned and mirrored.

    Among them are drawn micrographs.

    Parameters
    ----------
    images
        What was labelled; particles brighter than what surrounds them.
    recipe
        Of the drawn micrographs.
    """

    images: tuple[LabelledImage, ...]
    recipe: MicrographRecipe
    _known: dict = field(default_factory=dict, compare=False, repr=False)

    def draw(self, size: int, stage: dict, seed: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw a batch; see `MicrographMaker.draw`."""
        import torch

        rng = np.random.default_rng(seed)
        drawn = int(rng.binomial(size, DRAWN))
        frames, maps = MicrographMaker(self.recipe, TILE).draw(max(drawn, 1), stage, (*seed, 1))
        tiles = [self._tile(rng) for _ in range(size - drawn)]
        if not tiles:
            return frames, maps
        own, told = (torch.from_numpy(np.stack(part)) for part in zip(*tiles, strict=True))
        return torch.cat([frames[:drawn], own]), torch.cat([maps[:drawn], told])

    def _tile(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        number = int(rng.integers(len(self.images)))
        one, (median, grey) = self.images[number], self._size_and_grey(number)
        step = float(np.clip(median / np.exp(rng.uniform(*np.log(SHOWN))), 0.5, min(one.image.shape) / 64))
        # only the tile, and what its contrast depends on, is brought to the size
        wide = int(np.ceil((TILE + 2 * _ABOUT) * step))
        ends = [(0, n) for n in one.image.shape]
        if min(one.image.shape) > wide:
            last = [int(n - (TILE + _ABOUT) * step) for n in one.image.shape]
            starts = [int(rng.integers(-int(_ABOUT * step), n + 1)) for n in last]
            ends = [(max(s, 0), min(s + wide, n)) for s, n in zip(starts, one.image.shape, strict=True)]
        cut = tuple(slice(*end) for end in ends)
        image = resample_frame(one.image[cut], (step, step))
        labels = nearest_map(one.labels[cut], image.shape, (1 / step, 1 / step))
        room = [max(TILE - n, 0) for n in image.shape]
        image = np.pad(image, [(0, n) for n in room], mode="reflect" if min(image.shape) > max(room) else "edge")
        labels = np.pad(labels, [(0, n) for n in room])
        inner = [
            (0 if end[0] == 0 else _ABOUT, n if end[1] == full else n - _ABOUT)
            for end, n, full in zip(ends, image.shape, one.image.shape, strict=True)
        ]
        row, column = (int(rng.integers(low, max(high - TILE, low) + 1)) for low, high in inner)
        part = np.s_[row : row + TILE, column : column + TILE]
        brightness = self._brightness(number, step)
        shown = two_contrasts(_recorded_otherwise(image, brightness, rng), grey, brightness)[(slice(None), *part)]
        turns, mirrored = int(rng.integers(4)), rng.random() < 0.5
        labels = renumber(labels[part])
        shown, labels = np.rot90(shown, turns, (1, 2)), np.rot90(labels, turns)
        if mirrored:
            shown, labels = shown[:, :, ::-1], labels[:, ::-1]
        diameters = 2 * np.sqrt(label_sizes(labels)[1:] / np.pi)
        seen = Micrograph(shown[0], np.ascontiguousarray(labels), diameters, np.ones((TILE, TILE)))
        return np.ascontiguousarray(shown, np.float32), weighted_maps(seen)

    def _size_and_grey(self, number: int) -> tuple[float, float]:
        """Median diameter of the particles of an image in pixels, and the step between its grey values."""
        if number not in self._known:
            one = self.images[number]
            sizes = label_sizes(one.labels)[1:]
            median = 2 * np.sqrt(np.median(sizes) / np.pi) if len(sizes) else 20.0
            self._known[number] = median, grey_step(one.image)
        return self._known[number]

    def _brightness(self, number: int, step: float) -> Brightness:
        """Of a whole image with pixels about so many times larger."""
        about = round(4 * np.log2(step))
        if (number, about) not in self._known:
            larger = 2 ** (about / 4)
            self._known[number, about] = brightness_of(resample_frame(self.images[number].image, (larger, larger)))
        return self._known[number, about]


def _recorded_otherwise(image: np.ndarray, whole: Brightness, rng: np.random.Generator) -> np.ndarray:
    """Return a part of an image as it might have been with another focus, dose or display."""
    if rng.random() < 0.3:
        image = ndi.gaussian_filter(image, rng.uniform(0.3, 1.2))
    if rng.random() < 0.4:
        image = image + rng.uniform(0, 0.5) * whole.spread * rng.normal(size=image.shape)
    if rng.random() < 0.4:
        span = whole.high - whole.low
        inside = (image - whole.low) / span
        shown = np.maximum(inside, 0) ** np.exp(rng.uniform(-0.5, 0.5))
        image = whole.low + span * np.where(inside > 0, shown, inside)
    return np.asarray(image, np.float32)
