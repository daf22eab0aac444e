"""Training of the part of a network that counts the atoms of columns from their features."""

from __future__ import annotations

import logging
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.columns.features import CHANNELS, column_features
from particlespy_ml.columns.network import network_input
from particlespy_ml.core.files import replacing
from particlespy_ml.models.networks import build_network
from particlespy_ml.simulation.atoms.column_recipe import ColumnWaveRecipe
from particlespy_ml.simulation.datasets.column_waves import film_indices
from particlespy_ml.simulation.recording.columns import ColumnImagingRecipe, record_columns
from particlespy_ml.training.columns.batches import CANONICAL, UNKNOWN_CONTRAST, _field, _film, as_seen
from particlespy_ml.training.columns.evaluate import full_architecture, held_out
from particlespy_ml.training.loop import checkpoint_path

if TYPE_CHECKING:
    import torch

_logger = logging.getLogger(__name__)

VIEWS = (26.0, 44.0)  # Å, edges of the images
MISSED, MISPLACED = 0.04, 0.07  # share of the columns left out, and rms error of the place of the others in Å
PART = 250  # images in one file
LEFT_OUT = 0.3  # share of the columns of an image that are not read with the others, at most
_FEWEST = 3


@dataclass(frozen=True)
class FeatureMaker:
    """Draws images and the features of their columns.

    Parameters
    ----------
    folder
        Folder of the library.
    fields, films
        Numbers of its fields and films.
    recipe
        Microscope and camera.
    kind, highest
        Number of the kind whose atoms are counted, and the largest number; higher columns count as that.
    seed
        Of all images.
    """

    folder: str
    fields: tuple[int, ...]
    films: tuple[int, ...]
    recipe: ColumnImagingRecipe
    kind: int
    highest: int
    seed: int

    def image(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Features and numbers of atoms, from 0 for one on, of the columns of one image."""
        rng = np.random.default_rng([self.seed, number])
        field = _field(self.folder, self.fields[rng.integers(len(self.fields))])
        film = _film(self.folder, self.films[rng.integers(len(self.films))]) if self.films else None
        seen = record_columns(field, self.recipe, rng, view=rng.uniform(*VIEWS), film=film)
        images, places = as_seen(seen)
        counted = not seen.told["displayed"] and rng.random() >= UNKNOWN_CONTRAST
        shown = network_input(images, CANONICAL, CHANNELS, counted)
        last = np.array(shown.shape[1:]) - 1
        kept = ((places >= 0) & (places <= last)).all(1) & (rng.random(len(places)) >= MISSED) & (seen.heights > 0)
        places = places[kept] + rng.normal(scale=MISPLACED / CANONICAL, size=(int(kept.sum()), 2))
        own = seen.kinds[kept] == self.kind
        if own.sum() < _FEWEST:
            own[:] = False
        features = column_features(shown, places[own], CANONICAL)
        return features, np.minimum(seen.heights[kept][own], self.highest) - 1

    def write(self, folder: Path, part: int) -> Path:
        """Write the features of `PART` images into a file, unless it is there."""
        path = folder / f"{part:04d}.npz"
        if not path.exists():
            made = [self.image(part * PART + number) for number in range(PART)]
            features, numbers = (np.concatenate(one) for one in zip(*made, strict=True))
            with replacing(path) as aside:
                with aside.open("wb") as file:
                    counts = np.array([len(one) for _, one in made], np.int32)
                    told = {"numbers": numbers.astype(np.int8), "counts": counts[counts > 0]}
                    np.savez(file, features=features.astype(np.float16), **told)
        return path


def with_reader(
    network: torch.nn.Module,
    tables: dict,
    cache_folder: str | Path,
    fields: list[int],
    workers: int = 1,
    show_progressbar: bool = True,
) -> torch.nn.Module:
    """Return a network that was trained with the reader that its recipe asks for.

    Features are written into the cache folder, part by part, and only those that are missing are made.

    Parameters
    ----------
    network
        Network without a reader.
    tables
        Recipe; ``training.reader`` has ``images`` to draw, ``steps``, and optionally ``batch``, ``learning_rate``,
        ``weight_decay`` and ``noise``, added to the standardised features, as few images make a reader that knows them
        by heart.
    cache_folder
        Folder of the library.
    fields
        Numbers of those to train on.
    workers
        Processes that make features.
    show_progressbar
        Show a progress bar.
    """
    import torch

    recipe = ColumnWaveRecipe.from_dict(tables["simulation"])
    detector = ColumnImagingRecipe.from_dict({**tables["detector"], "empty": 0.0})
    kinds = [one["kind"] for one in tables["model"]["columns"]]
    kind = kinds.index(tables["model"]["reader"]["kind"])
    settings, highest = tables["training"]["reader"], tables["model"]["columns"][kind]["heights"]
    seed, parts = int(tables["training"]["seed"]), held_out(cache_folder, recipe)
    films = tuple(film_indices(cache_folder, recipe, held_out=False))
    made = {}
    for name, chosen, lids, images in (
        ("training", fields, films, settings["images"]),
        ("validation", parts["validation"], parts["films"], max(settings["images"] // 12, PART)),
    ):
        maker = FeatureMaker(
            str(cache_folder), tuple(chosen), tuple(lids), detector, kind, highest, seed + 1000 * (name == "validation")
        )
        told = [tables["simulation"], tables["detector"], chosen, kind, highest, maker.seed]
        folder = checkpoint_path(cache_folder, tables["model"]["name"], f"features-{name}", *told).with_suffix("")
        made[name] = _features(maker, folder, -(-images // PART), workers, show_progressbar)
    torch.manual_seed(seed)
    complete = build_network(full_architecture(tables["model"], detector))
    complete.load_state_dict({**complete.state_dict(), **network.state_dict()})
    fit_reader(complete.reader, *made["training"], settings, seed, show_progressbar)
    calibrate_reader(complete.reader, *made["validation"])
    return complete.eval()


def _features(maker: FeatureMaker, folder: Path, parts: int, workers: int, show: bool) -> tuple[np.ndarray, ...]:
    """Features and numbers of atoms of columns, and how many columns each image has."""
    from tqdm.auto import tqdm

    folder.mkdir(parents=True, exist_ok=True)
    if workers > 1:
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            done = pool.map(maker.write, [folder] * parts, range(parts))
            paths = list(tqdm(done, total=parts, desc="Features", disable=not show))
    else:
        paths = [maker.write(folder, part) for part in tqdm(range(parts), desc="Features", disable=not show)]
    loaded = [np.load(path) for path in paths]
    dtypes = {"features": np.float32, "numbers": np.int64, "counts": np.int64}
    return tuple(np.concatenate([one[name] for one in loaded]).astype(dtype) for name, dtype in dtypes.items())


def fit_reader(
    reader: torch.nn.Module,
    features: np.ndarray,
    numbers: np.ndarray,
    counts: np.ndarray,
    settings: dict,
    seed: int,
    show: bool = True,
) -> None:
    """Train a reader.

    Parameters
    ----------
    reader
        The `particlespy_ml.models.layers.SetReader`, with random weights.
    features, numbers
        Features of columns, shape (n, features), and their numbers of atoms, 0 for one, shape (n,), image after image.
    counts
        Number of columns in each image, which are read together.
    settings
        ``steps``, and optionally ``batch`` (columns), ``learning_rate``, ``weight_decay`` and ``noise``.
    seed
        Seed.
    show
        Show a progress bar.
    """
    import torch
    from torch.nn.functional import cross_entropy
    from tqdm.auto import tqdm

    torch.manual_seed(seed)
    inputs, targets = torch.from_numpy(features), torch.from_numpy(numbers)
    reader.middle.copy_(inputs.mean(0))
    reader.spread.copy_(inputs.std(0).clamp(min=1e-4))
    steps, batch, rate = settings["steps"], settings.get("batch", 1536), settings.get("learning_rate", 1e-3)
    blur = settings.get("noise", 0.0) * reader.spread
    optimiser = torch.optim.AdamW(reader.parameters(), rate, weight_decay=settings.get("weight_decay", 0.02))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.06)
    starts, counts = torch.from_numpy(np.cumsum(counts) - counts), torch.from_numpy(np.asarray(counts))
    reader.train()
    recent = 0.0
    for step in tqdm(range(steps), desc="Reader", disable=not show, mininterval=5):
        rows, known = _sets(starts, counts, batch)
        seen = inputs[rows]
        logits = reader(seen + blur * torch.randn_like(seen), known)
        loss = cross_entropy(logits[known], targets[rows[known]])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        recent = loss.item() if step == 0 else 0.99 * recent + 0.01 * loss.item()
        if (step + 1) % 500 == 0:
            _logger.info("reader: step %d loss %.4f", step + 1, recent)
    reader.eval()


def _sets(starts: torch.Tensor, counts: torch.Tensor, columns: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of images of about so many columns in all, some of which are left out, and which of them are columns.

    Both have the shape (images, columns of the largest one).
    """
    import torch

    order = torch.argsort(counts)  # images of much the same number, so that little is filled up
    middle, reach = int(torch.randint(len(order), ())), max(len(order) // 20, 20)
    near = order[max(middle - reach, 0) : middle + reach]
    images, total = [], 0
    while total < columns:
        images.append(int(near[torch.randint(len(near), ())]))
        total += int(counts[images[-1]])
    left = 1 - torch.rand(len(images)) * LEFT_OUT
    chosen = [torch.randperm(int(counts[i]))[: max(int(counts[i] * k), 1)] for i, k in zip(images, left, strict=True)]
    longest = max(map(len, chosen))
    rows = torch.zeros((len(images), longest), dtype=torch.long)
    known = torch.zeros((len(images), longest), dtype=torch.bool)
    for row, (image, own) in enumerate(zip(images, chosen, strict=True)):
        rows[row, : len(own)] = starts[image] + own
        known[row, : len(own)] = True
    return rows, known


def calibrate_reader(reader: torch.nn.Module, features: np.ndarray, numbers: np.ndarray, counts: np.ndarray) -> None:
    """Divide the logits by the temperature that makes known columns most probable; see `fit_reader`."""
    import torch
    from scipy.optimize import minimize_scalar
    from torch.nn.functional import cross_entropy

    with torch.no_grad():
        parts = torch.from_numpy(features).split(list(map(int, counts)))
        logits, targets = torch.cat([reader(part) for part in parts]), torch.from_numpy(numbers)

        def loss(logarithm: float) -> float:
            return cross_entropy(logits / float(np.exp(logarithm)), targets).item()

        best = minimize_scalar(loss, bounds=(-1.5, 1.5), method="bounded")
        reader.temperature.mul_(float(np.exp(best.x)))
        accuracy = (logits.argmax(1) == targets).float().mean().item()
    _logger.info("reader: validation loss %.4f, right %.3f, temperature %.3f", best.fun, accuracy, np.exp(best.x))
