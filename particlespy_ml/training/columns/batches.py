"""Batches for networks that find columns: recorded views of the library, and the maps that they should give."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.columns.network import maps_of_columns, network_input
from particlespy_ml.core.resample import resample_frame
from particlespy_ml.simulation.datasets.column_waves import ColumnField, Film, load_column_field, load_film
from particlespy_ml.simulation.recording.columns import ColumnImagingRecipe, ColumnRecording, record_columns
from particlespy_ml.simulation.waves.exit_wave import fourier_resample

if TYPE_CHECKING:
    import torch

CANONICAL = 0.25  # Å, pixel size that networks see
TILE = 128  # pixels along each edge of what they are trained on
LARGEST_FREQUENCY = 1.7  # 1/Å
UNKNOWN_CONTRAST = 0.15  # share of the images whose contrast is not shown, besides those made for the eye


@dataclass(frozen=True)
class ColumnMaker:
    """Source of batches for `particlespy_ml.training.loop.fit`.

    Parameters
    ----------
    folder
        Folder of the library.
    fields, films
        Numbers of its fields and films to train on.
    recipe
        Microscope and camera.
    heights
        Largest number of atoms told of each kind of columns.
    channels
        What the network sees of each image.
    """

    folder: str
    fields: tuple[int, ...]
    films: tuple[int, ...]
    recipe: ColumnImagingRecipe
    heights: tuple[int, ...]
    channels: tuple[str, ...] = ("local",)

    def draw(self, size: int, stage: dict, seed: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw what a network sees, shape (n, channels, TILE, TILE), and maps, shape (n, 4, TILE, TILE)."""
        import torch

        rng = np.random.default_rng(seed)
        recipe = replace(self.recipe, **{key: _as_tuple(value) for key, value in stage.get("detector", {}).items()})
        pairs = [self._one(recipe, rng) for _ in range(size)]
        return tuple(torch.from_numpy(np.stack(arrays)) for arrays in zip(*pairs, strict=True))

    def _one(self, recipe: ColumnImagingRecipe, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        field = _field(self.folder, self.fields[rng.integers(len(self.fields))])
        film = _film(self.folder, self.films[rng.integers(len(self.films))]) if self.films else None
        view = (TILE + 8) * CANONICAL * (1 + recipe.scale_error)
        seen = record_columns(field, recipe, rng, view=view, film=film)
        images, places = as_seen(seen)
        if rng.random() < 0.5:  # a series may run either way
            images = images[::-1]
        first = rng.integers(np.array(images.shape[1:]) - TILE + 1)
        cut = np.s_[first[0] : first[0] + TILE, first[1] : first[1] + TILE]
        maps = maps_of_columns(places - first, output_numbers(seen, self.heights), (TILE, TILE), CANONICAL)
        counted = not seen.told["displayed"] and rng.random() >= UNKNOWN_CONTRAST
        return network_input(images[:, *cut], CANONICAL, self.channels, counted), maps


def as_seen(seen: ColumnRecording, canonical: float = CANONICAL) -> tuple[np.ndarray, np.ndarray]:
    """Return images at the pixel size that networks see, and the places of the columns in their pixels."""
    step = canonical / seen.pixel_size
    images = np.stack([resample_frame(image, (step, step)) for image in seen.images])
    return images, (seen.places + 0.5) / step - 0.5


def output_numbers(seen: ColumnRecording, heights: tuple[int, ...]) -> np.ndarray:
    """Return the output of a network that stands for each column, from 1 on; higher columns count as the highest."""
    before = np.concatenate([[0], np.cumsum(heights)])[:-1]
    return before[seen.kinds] + np.clip(seen.heights, 1, np.array(heights)[seen.kinds])


def _as_tuple(value):
    return tuple(value) if isinstance(value, list) else value


@lru_cache(maxsize=4000)
def _field(folder: str, index: int) -> ColumnField:
    field = load_column_field(Path(folder), index)
    return replace(field, wave=_limited(field.wave, field.parameters["edge"]))


@lru_cache(maxsize=200)
def _film(folder: str, index: int) -> Film:
    film = load_film(Path(folder), index)
    return replace(film, waves=np.stack([_limited(wave, film.edge) for wave in film.waves]))


def _limited(wave: np.ndarray, edge: float) -> np.ndarray:
    """A wave without the spatial frequencies that no microscope transfers: the fewer pixels, the faster its images."""
    pixels = 2 * int(np.ceil(LARGEST_FREQUENCY * edge))
    return fourier_resample(wave, pixels) if pixels < len(wave) else wave
