"""Batches for training from fields of particles: windows about single particles, and tiles with all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from skimage.measure import label

from particlespy_ml.classification.preprocess import standardise
from particlespy_ml.classification.surroundings import BEYOND, cut_surroundings, lattice_strength
from particlespy_ml.classification.windows import cut
from particlespy_ml.core.resample import nearest_map, resample_frame
from particlespy_ml.segmentation.network import maps_from_labels, scale_frame
from particlespy_ml.simulation.atoms.crystallinity import CRYSTALLINITY
from particlespy_ml.simulation.datasets.exit_waves import ExitWaveRecipe, Field, load_field
from particlespy_ml.simulation.recording.imaging import ImagingRecipe, record
from particlespy_ml.simulation.recording.patterns import draw_pattern
from particlespy_ml.simulation.recording.stacked import on_any_support
from particlespy_ml.training.isomer.batches import CANONICAL, LARGEST_WINDOW, MARGIN, MULTIPLE, window_for

if TYPE_CHECKING:
    import torch

FRAME_PIXEL = 1.0  # Å, pixel size that a network sees which finds particles
COARSER_VIEWS = (1.5, 2.0)  # factors of the pixels of windows that show large particles
COARSER_SHARES = (0.12, 0.08)  # of the batches that show large particles, and others, with such pixels
ON_BARE_SUPPORT = 0.35  # share of the images with a bare support of the library before or behind what they show
APERTURE_EDGE = 0.02  # share of the frames of a finder with the edge of an aperture in view


@dataclass(frozen=True)
class FieldParticle:
    """A particle of a field.

    Parameters
    ----------
    field
        Number of the field in a list of fields.
    number
        Number of the particle in its field.
    label
        Index of the class.
    kind
        Kind, such as "twin".
    diameter
        Diameter in Å.
    middle
        Row and column of the middle of its bounding box in Å.
    extent
        Longer edge of that box in Å.
    window
        Window in pixels that holds it.
    coarser
        Factor of the pixels of the window, above 1 where it is too large for any of `CANONICAL` Å.
    """

    field: int
    number: int
    label: int
    kind: str
    diameter: float
    middle: np.ndarray
    extent: float
    window: int
    coarser: float = 1.0

    def seen(self, coarser: float) -> FieldParticle:
        """The same particle in a window of pixels that are larger by a factor."""
        return replace(self, window=window_for(self.extent / coarser), coarser=coarser)


def split_fields(indices: list[int], recipe: ExitWaveRecipe) -> dict[str, list[int]]:
    """Split fields into "training", "validation" and "test"; those held out go to the last two in turn."""
    parts: dict[str, list[int]] = {"training": [], "validation": [], "test": []}
    for index in indices:
        second = index // recipe.held_out_every % 2
        parts[("validation", "test")[second] if recipe.is_held_out(index) else "training"].append(index)
    return parts


def list_particles(fields: list[Field]) -> list[FieldParticle]:
    """Return the particles of some fields."""
    particles = []
    for row, field in enumerate(fields):
        step = field.parameters["edge"] / len(field.wave)
        for number, mask in enumerate(field.masks):
            spans = [_span(mask.any(1 - axis)) for axis in (0, 1)]
            middle = np.array([(low + high) / 2 for low, high in spans]) * step
            extent = max(high - low + 1 for low, high in spans) * step
            kind, diameter = field.kinds[number], float(field.diameters[number])
            label_ = int(field.labels[number])
            particle = FieldParticle(row, number, label_, kind, diameter, middle, extent, window_for(extent))
            particles.append(particle.seen(coarser_view(extent)))
    return particles


def coarser_view(extent: float) -> float:
    """Return the factor of `COARSER_VIEWS`, or 1, with which the largest window holds a particle of an extent in Å.

    Examples
    --------
    >>> coarser_view(60.0), coarser_view(80.0), coarser_view(140.0)
    (1.0, 1.5, 2.0)
    """
    factors = (1.0, *COARSER_VIEWS)
    fitting = [factor for factor in factors if extent + MARGIN <= LARGEST_WINDOW * CANONICAL * factor]
    return (fitting or factors[-1:])[0]


def _span(occupied: np.ndarray) -> tuple[int, int]:
    """First and last pixel of what is occupied on a closed axis; the last may lie beyond the end."""
    at = np.flatnonzero(occupied)
    gaps = np.diff(np.append(at, at[0] + len(occupied)))
    widest = int(np.argmax(gaps))
    first = at[(widest + 1) % len(at)]
    return int(first), int(first + len(occupied) - gaps[widest])


def record_window(
    field: Field,
    particle: FieldParticle,
    recipe: ImagingRecipe,
    rng: np.random.Generator,
    window: int,
    off_centre: float = 1.0,
    hidden: float = 0.85,
) -> np.ndarray:
    """Record a particle and cut its window as analysis does.

    Parameters
    ----------
    field, particle
        The field and the particle in it.
    recipe
        Microscope and camera.
    rng
        Random generator.
    window
        Edge of the window in pixels.
    off_centre
        Standard deviation in Å of the middle of the window along each axis.
    hidden
        Probability that other particles are filled with the background, as analysis fills those that it finds.

    Returns
    -------
    numpy.ndarray
        Window, shape (window, window), float32, not standardised.
    """
    return cut(*_record_about(field, particle, recipe, rng, window, off_centre, hidden))


def record_surroundings(
    field: Field, particle: FieldParticle, recipe: ImagingRecipe, rng: np.random.Generator, window: int
) -> tuple[np.ndarray, float]:
    """Record a particle as `record_window` does, and tell how strong a lattice shows about it.

    Returns
    -------
    window : numpy.ndarray
        Shape (window, window), float32.
    lattice : float
        See `particlespy_ml.classification.surroundings.lattice_strength`.
    """
    shown = _record_about(field, particle, recipe, rng, window, beyond=BEYOND)
    image, labels, _, centre, step, *_ = shown
    about = cut_surroundings(image, labels, centre, step, window)
    pixel = CANONICAL / 10 * particle.coarser
    return cut(*shown), lattice_strength(*about, pixel, pixel / float(step[0]))


def _record_about(
    field: Field,
    particle: FieldParticle,
    recipe: ImagingRecipe,
    rng: np.random.Generator,
    window: int,
    off_centre: float = 1.0,
    hidden: float = 0.85,
    beyond: int = 0,
) -> tuple:
    """Record the view about a particle: what `cut` takes."""
    pixel = CANONICAL * particle.coarser
    view = (window + 2 * beyond) * pixel * 1.04 + 6.0
    seen = record(field, recipe, rng, view=view, middle=particle.middle)
    shift = rng.normal(scale=off_centre, size=2) / seen.pixel_size
    centre = (np.array(seen.image.shape) - 1) / 2 + shift
    labels = seen.labels if rng.random() < hidden else np.where(seen.labels == particle.number + 1, seen.labels, 0)
    step = np.full(2, pixel / seen.pixel_size)
    return seen.image, labels, particle.number + 1, centre, step, window, float(np.median(seen.image))


class _Fields:
    """Fields of a library, loaded when they are first needed, so that a copy in another process starts small.

    Those of bare supports are kept apart, to be put before or behind the others.
    """

    def __init__(self, folder: str | Path, indices: list[int]):
        self.folder, self.indices = Path(folder), sorted(indices)
        self._fields: list[Field] = []
        self._bare: list[np.ndarray] = []
        self._loaded = 0

    def load(self, below: int | None = None) -> list[Field]:
        """Fields whose index is below a number, or all."""
        wanted = len(self.indices) if below is None else sum(index < below for index in self.indices)
        for index in self.indices[self._loaded : wanted]:
            field = load_field(self.folder, index)
            if field.parameters.get("bare"):
                self._bare.append(field.wave)
            else:
                self._fields.append(field)
        self._loaded = max(self._loaded, wanted)
        return [field for field in self._fields if below is None or field.index < below]

    def on_bare_support(self, field: Field, rng: np.random.Generator) -> Field:
        """Return a field as it is, or with one of the bare supports before or behind it."""
        if not self._bare or rng.random() >= ON_BARE_SUPPORT:
            return field
        wave = on_any_support(field.wave, self._bare, field.parameters["edge"], field.parameters["energy"], rng)
        stacked = replace(field, wave=wave)
        stacked.__dict__.update(label_map=field.label_map, outline_map=field.outline_map)
        return stacked

    def __getstate__(self):
        return {**self.__dict__, "_fields": [], "_bare": [], "_loaded": 0}


class WindowMaker:
    """Draws batches of windows in which the classes are equally frequent and all windows have one size.

    Parameters
    ----------
    folder, indices
        Library of exit waves, and the fields to use.
    recipe
        Microscope and camera.
    n_classes
        Number of classes.
    """

    def __init__(self, folder: str | Path, indices: list[int], recipe: ImagingRecipe, n_classes: int):
        self.fields, self.recipe, self.n_classes = _Fields(folder, indices), recipe, n_classes
        self._groups: tuple[int | None, tuple] = (-1, ())

    def _particles(self, below: int | None) -> tuple[dict[int, list[list[FieldParticle]]], ...]:
        """Particles by window and class, of windows that hold all classes.

        Those that a window holds, larger ones, and some of the first with coarser pixels.
        """
        if self._groups[0] != below:
            particles = list_particles(self.fields.load(below))
            fitting = [one for one in particles if one.coarser == 1]
            large = [one for one in particles if one.coarser > 1]
            coarse = [one.seen(factor) for one in fitting for factor in COARSER_VIEWS if one.extent > 40.0 * factor]
            self._groups = below, tuple(map(self._by_window, (fitting, large, coarse)))
        return self._groups[1]

    def _by_window(self, particles: list[FieldParticle]) -> dict[int, list[list[FieldParticle]]]:
        groups: dict[int, list[list[FieldParticle]]] = {}
        for particle in particles:
            groups.setdefault(particle.window, [[] for _ in range(self.n_classes)])[particle.label].append(particle)
        return {window: group for window, group in sorted(groups.items()) if all(group)}

    def draw(self, size: int, stage: dict, seed: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw a batch; the same seed gives the same batch.

        Parameters
        ----------
        size
            Number of windows.
        stage
            Stage of the training: ``detector`` has the fields of the recipe that differ in it, and with
            ``simulations`` only the fields below that number are used.
        seed
            Numbers that seed the draw.

        Returns
        -------
        windows, labels
            Standardised windows, shape (size, 1, w, w), and labels, shape (size,).
        """
        import torch

        recipe = changed(self.recipe, stage.get("detector"))
        rng = np.random.default_rng(seed)
        fitting, *coarser = self._particles(stage.get("simulations"))
        if not fitting:
            raise ValueError("The fields have no particles of every class that fill one window: simulate more.")
        shares = [share if group else 0.0 for share, group in zip(COARSER_SHARES, coarser, strict=True)]
        groups = [fitting, *coarser][rng.choice(3, p=[1 - sum(shares), *shares])]
        windows = list(groups)
        # large windows cost much and are the easy ones
        frequency = np.array([sum(map(len, groups[window])) / window for window in windows])
        window = int(rng.choice(windows, p=frequency / frequency.sum()))
        shown = min(LARGEST_WINDOW, window + MULTIPLE * int(rng.choice((0, 1, 2), p=(0.6, 0.28, 0.12))))
        labels = rng.integers(self.n_classes, size=size)
        fields = self.fields.load(stage.get("simulations"))
        made = np.empty((size, shown, shown), np.float32)
        for row, label_ in enumerate(labels):
            group = groups[window][label_]
            particle = group[rng.integers(len(group))]
            field = self.fields.on_bare_support(fields[particle.field], rng)
            made[row] = record_window(field, particle, recipe, rng, shown)
        return standardise(torch.from_numpy(made))[:, None], torch.from_numpy(labels)


class PatternMaker:
    """Draws batches of drawn patterns instead of simulated images, to show that they do not transfer.

    Parameters
    ----------
    diameters
        Range of the diameters in Å, drawn uniformly in its logarithm.
    """

    def __init__(self, diameters: tuple[float, float] = (10.0, 60.0)):
        self.diameters = diameters

    def draw(self, size: int, stage: dict, seed: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw a batch of standardised windows of one size, shape (size, 1, w, w), and labels, shape (size,)."""
        import torch

        rng = np.random.default_rng(seed)
        largest = float(np.exp(rng.uniform(*np.log(self.diameters))))
        window = window_for(largest)
        labels = rng.integers(len(CRYSTALLINITY), size=size)
        made = [
            draw_pattern(CRYSTALLINITY[number], largest * rng.uniform(0.75, 1.0), window, CANONICAL, rng)
            for number in labels
        ]
        return standardise(torch.from_numpy(np.stack(made)))[:, None], torch.from_numpy(labels)


class TileMaker:
    """Draws batches of tiles of fields, and the maps of the particles in them.

    Parameters
    ----------
    folder, indices
        Library of exit waves, and the fields to use.
    recipe
        Microscope and camera.
    tile
        Edge of the tiles in pixels of `FRAME_PIXEL` Å.
    """

    def __init__(self, folder: str | Path, indices: list[int], recipe: ImagingRecipe, tile: int = 160):
        self.fields, self.recipe, self.tile = _Fields(folder, indices), recipe, tile

    def draw(self, size: int, stage: dict, seed: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw a batch of frames and of maps, shapes (size, 1, tile, tile) and (size, 2, tile, tile)."""
        import torch

        recipe = changed(self.recipe, stage.get("detector"))
        rng = np.random.default_rng(seed)
        fields = self.fields.load(stage.get("simulations"))
        frames, maps = [], []
        for _ in range(size):
            field = self.fields.on_bare_support(fields[rng.integers(len(fields))], rng)
            frame, labels = record_frame(field, recipe, rng, self.tile)
            if rng.random() < APERTURE_EDGE:
                frame, labels = _cut_by_aperture(frame, labels, rng)
            frames.append(scale_frame(frame))
            maps.append(maps_from_labels(labels))
        return torch.from_numpy(np.stack(frames))[:, None], torch.from_numpy(np.stack(maps))


def record_frame(
    field: Field, recipe: ImagingRecipe, rng: np.random.Generator, tile: int
) -> tuple[np.ndarray, np.ndarray]:
    """Record a frame of a field at `FRAME_PIXEL`, and the particles in it.

    Returns
    -------
    frame, labels
        Shape (tile, tile). Every particle in view has a label of its own.
    """
    seen = record(field, recipe, rng, view=tile * FRAME_PIXEL * (1.05 + 1.2 * recipe.scale_error), outlines=True)
    labels = label(seen.labels, background=0)
    step = FRAME_PIXEL / seen.pixel_size
    frame = resample_frame(seen.image, (step, step))
    labels = nearest_map(labels, frame.shape, (1 / step, 1 / step))
    row, column = ((n - tile) // 2 for n in frame.shape)
    inside = np.s_[row : row + tile, column : column + tile]
    return frame[inside], label(labels[inside], background=0)


def _cut_by_aperture(frame: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a frame across which the edge of an aperture runs, dark and without particles behind it."""
    rows, columns = frame.shape
    axis = np.arange(rows) - rows * rng.uniform(0.1, 0.5)
    tilt = np.tan(rng.uniform(-0.7, 0.7))
    dark = axis[:, None] + tilt * (np.arange(columns) - columns / 2) < 0
    return np.where(dark, frame.min(), frame), np.where(dark, 0, labels)


def changed(recipe: ImagingRecipe, changes: dict | None) -> ImagingRecipe:
    """Recipe with some fields changed, lists as tuples."""
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in (changes or {}).items()}
    return replace(recipe, **values)
