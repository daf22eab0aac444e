"""Batches of drawn micrographs, and the maps of the particles in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.segmentation.contacts import contacts
from particlespy_ml.segmentation.network import maps_from_labels
from particlespy_ml.segmentation.two_contrasts import grey_step, two_contrasts
from particlespy_ml.simulation.micrographs.draw import Micrograph, draw_micrograph
from particlespy_ml.simulation.micrographs.recipe import MicrographRecipe
from particlespy_ml.training.fields import changed

if TYPE_CHECKING:
    import torch

TILE = 192
OUTPUTS = ("particle", "depth", "contact")
# Diameters in pixels that a network finds in one view. Smaller ones, and those a little larger, count neither way; what
# is larger still is to be found in a coarser view.
SMALLEST, LARGEST, TOO_LARGE = 4.5, 90.0, 130.0
UNSEEN = 2.0  # clarity below which a particle counts neither way: it could be anything
_RIM = 2  # pixels about a particle that count as it does
_TYPICAL = 350.0  # pixels: smaller particles count more, so that each is worth finding
_WEIGHTS = (0.5, 4.0)
_WHOLE = 0.4  # share of the tiles that are whole images


class MicrographMaker:
    """Draws micrographs.

    Parameters
    ----------
    recipe
        What is drawn.
    tile
        Edge in pixels.
    """

    def __init__(self, recipe: MicrographRecipe, tile: int = TILE):
        self.recipe, self.tile = recipe, tile

    def draw(self, size: int, stage: dict, seed: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw a batch; the same seed gives the same batch.

        Returns
        -------
        frames, maps
            Shapes (size, 2, tile, tile) and (size, 4, tile, tile); the maps are those of `weighted_maps`.
        """
        import torch

        recipe = changed(self.recipe, stage.get("detector"))
        frames, maps = [], []
        for number in range(size):
            rng = np.random.default_rng([*seed, number])
            seen = draw_micrograph(recipe, (self.tile, self.tile), rng)
            frames.append(_as_in_a_larger_image(two_contrasts(seen.image, grey_step(seen.image)), rng))
            maps.append(weighted_maps(seen))
        return torch.from_numpy(np.stack(frames)), torch.from_numpy(np.stack(maps))


def _as_in_a_larger_image(shown: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Contrasts of a tile of a larger image, whose darkest and brightest places lie elsewhere."""
    if rng.random() < _WHOLE:
        return shown
    scale = rng.uniform(0.25, 1.0)
    shown[1] = shown[1] * scale + rng.uniform(scale - 1, 1 - scale)
    return shown


def weighted_maps(seen: Micrograph) -> np.ndarray:
    """Return what a network should make of a micrograph, and how much each pixel counts.

    Returns
    -------
    numpy.ndarray
        Where particles are, how deep inside of one (see `maps_from_labels`), where one meets another (see `contacts`),
        and weights, shape (4, rows, columns).
    """
    labels, diameters = seen.labels, np.concatenate([[0.0], seen.diameters])
    unseen = np.concatenate([[False], seen.clarity < UNSEEN])
    wanted = (diameters >= SMALLEST) & (diameters <= LARGEST) & ~unseen
    wanted &= not seen.inverted
    open_ = (diameters < SMALLEST) | ((diameters > LARGEST) & (diameters < TOO_LARGE)) | unseen
    open_[0] = False
    open_ &= not seen.inverted
    numbers = np.cumsum(wanted) * wanted
    kept = numbers[labels].astype(np.int32)
    weight = np.ones(labels.shape, np.float32)
    if wanted.any():
        each = np.clip(np.sqrt(_TYPICAL * 4 / np.pi / np.maximum(diameters, 1) ** 2), *_WEIGHTS)
        each[~wanted] = 1.0
        about = ndi.maximum_filter(each[labels].astype(np.float32) * wanted[labels], 2 * _RIM + 1)
        weight = np.maximum(about, np.where(about > 0, 0, 1)).astype(np.float32)
    weight[open_[labels]] = 0
    return np.concatenate([maps_from_labels(kept), contacts(kept)[None].astype(np.float32), weight[None]])
