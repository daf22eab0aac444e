"""The training loop: seeded, resumable, on two cores or on a GPU."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from particlespy_ml.core.files import replacing
from particlespy_ml.models.networks import build_network, torch_device
from particlespy_ml.training.losses import ClassLoss

if TYPE_CHECKING:
    import torch

_logger = logging.getLogger(__name__)


class Maker(Protocol):
    """What draws batches; it must be picklable."""

    def draw(self, size: int, stage: dict, seed: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw inputs and targets for a stage of the training; the same seed gives the same batch."""


@dataclass(frozen=True)
class Schedule:
    """Stages of a training, one after another.

    Parameters
    ----------
    stages
        Mappings with ``steps``, ``learning_rate`` (peak), what the maker of batches takes (``detector``, fields of the
        detector recipe that differ in this stage; ``prism_fraction`` for isomers, ``simulations`` for fields), and
        optionally ``frozen_norm``: batch normalisation keeps its averages, as it does in use. The windows of a batch
        have one size, so that its own mean and spread tell of that size. With ``before``, the weights at the end are
        the mean, of this share, of those that the stage began with and of those that it ended with, which keeps what
        was learnt before.
    warm_up
        Part of each stage in which the learning rate rises; it then falls as a cosine to a hundredth of the peak, or to
        the stage's ``final_rate``.
    """

    stages: tuple[dict, ...]
    warm_up: float = 0.06

    @property
    def steps(self) -> int:
        """Steps of all stages together."""
        return sum(stage["steps"] for stage in self.stages)

    def stage(self, step: int) -> tuple[dict, float]:
        """Stage of a step, and the part of the stage done after it."""
        for stage in self.stages:
            if step < stage["steps"]:
                break
            step -= stage["steps"]
        return stage, (step + 1) / stage["steps"]

    def learning_rate(self, step: int) -> float:
        """Learning rate at a step."""
        stage, part = self.stage(step)
        if part < self.warm_up:
            return stage["learning_rate"] * part / self.warm_up
        fall = 0.5 * (1 + np.cos(np.pi * (part - self.warm_up) / (1 - self.warm_up)))
        final = stage.get("final_rate", 0.01)
        return float(stage["learning_rate"] * (final + (1 - final) * fall))


def fit(
    maker: Maker,
    architecture: dict,
    training: dict,
    checkpoint: str | Path,
    *,
    loss: Callable | None = None,
    workers: int = 1,
    checkpoint_seconds: float = 180.0,
    stop_after: int | None = None,
    show_progressbar: bool = True,
) -> torch.nn.Module:
    """Train a network and return the exponential moving average of its weights.

    Every step depends on the seed and on its number alone, so a run that was stopped and resumed from its checkpoint
    ends with the same weights as one that was not.

    Parameters
    ----------
    maker
        Source of batches.
    architecture
        Argument of `build_network`.
    training
        The ``[training]`` table of a recipe: ``seed``, ``batch``, ``stages``, ``weight_decay``, ``label_smoothing``,
        ``ema``, and optionally ``simulations``, the number of simulations of the cache of which those not held out are
        trained on (by default all), ``initial``, a file of weights to start from, and ``precision``, "float32" or
        "bfloat16", which is faster on processors that have it.
    checkpoint
        File of the checkpoint. Training goes on from it where it exists.
    loss
        One of `particlespy_ml.training.losses`; by default that of classes.
    workers
        Processes that make batches; 0 makes them in this one.
    checkpoint_seconds
        Seconds between checkpoints.
    stop_after
        Stop, with a checkpoint, after this step.
    show_progressbar
        Show a progress bar.

    References
    ----------
    M. Wortsman et al., Proc. CVPR 2022, 7959, of means of weights before and after fine-tuning.
    """
    device = torch_device()
    schedule = Schedule(tuple(training["stages"]))
    state = _State(architecture, training, device, loss or ClassLoss(training.get("label_smoothing", 0.0)))
    state.load(Path(checkpoint))
    end = schedule.steps if stop_after is None else min(stop_after, schedule.steps)
    saved = time.monotonic()
    batches = _batches(maker, training, schedule, range(state.step, end), workers)
    for windows, labels in _progress(batches, state.step, end, show_progressbar):
        learning_rate = schedule.learning_rate(state.step)
        state.network.train()
        if schedule.stage(state.step)[0].get("frozen_norm", False):
            state.freeze_norm(first=not schedule.stage(max(0, state.step - 1))[0].get("frozen_norm", False))
        state.begin(*schedule.stage(state.step))
        loss, right = state.advance(windows.to(device), labels.to(device), learning_rate)
        state.end(*schedule.stage(state.step - 1))
        if state.step % 50 == 0:
            _logger.info("step %d loss %.4f accuracy %.3f rate %.2g", state.step, loss, right, learning_rate)
        if time.monotonic() - saved > checkpoint_seconds:
            state.save(Path(checkpoint))
            saved = time.monotonic()
    state.save(Path(checkpoint))
    return state.average.module.cpu().eval()


class _State:
    """Network, average, optimiser and step; what a checkpoint holds."""

    def __init__(self, architecture: dict, training: dict, device: str, loss: Callable):
        import torch
        from torch.optim.swa_utils import AveragedModel

        self.seed = int(training["seed"])
        torch.manual_seed(self.seed)
        self.network = build_network(architecture).to(device, memory_format=torch.channels_last).train()
        if training.get("initial"):
            from safetensors.torch import load_file

            self.network.load_state_dict(load_file(training["initial"]))
        update = _moving_average(float(training.get("ema", 0.998)))
        self.average = AveragedModel(self.network, multi_avg_fn=update, use_buffers=True)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), weight_decay=training.get("weight_decay", 0.02))
        self.loss = loss
        self.precision = getattr(torch, training.get("precision", "float32"))
        self.step = 0
        self.first: dict = {}  # weights that the stage began with, where its end is averaged with them
        self.recent = [1.0, 0.0]  # running loss and accuracy, for the log only

    def advance(self, windows: torch.Tensor, labels: torch.Tensor, learning_rate: float) -> tuple[float, float]:
        import torch

        torch.manual_seed((self.seed << 32) + self.step)  # dropout
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        with torch.autocast(windows.device.type, dtype=torch.bfloat16, enabled=self.precision == torch.bfloat16):
            logits = self.network(windows.contiguous(memory_format=torch.channels_last)).float()
        loss = self.loss(logits, labels)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        self.step += 1
        now = (loss.item(), self.loss.right(logits.detach(), labels))
        self.recent = [0.97 * old + 0.03 * new for old, new in zip(self.recent, now, strict=True)]
        return self.recent[0], self.recent[1]

    def begin(self, stage: dict, part: float) -> None:
        """Keep the weights that a stage begins with, if its end is averaged with them."""
        if stage.get("before") and part * stage["steps"] < 1.5:
            self.first = {name: value.clone() for name, value in self.average.module.state_dict().items()}

    def end(self, stage: dict, part: float) -> None:
        """Average the weights that a stage ends with and those that it began with."""
        if not (stage.get("before") and part >= 1 and self.first):
            return
        last, share = self.average.module.state_dict(), float(stage["before"])
        for name, value in last.items():
            if value.is_floating_point():
                value.copy_(share * self.first[name] + (1 - share) * value)
        self.network.load_state_dict(last)
        self.first = {}

    def freeze_norm(self, first: bool) -> None:
        """Normalise by the averages of the statistics, which are taken over at the *first* step."""
        import torch

        if first:
            averages = dict(self.average.module.named_buffers())
            for name, buffer in self.network.named_buffers():
                buffer.copy_(averages[name])
        for module in self.network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()

    def save(self, path: Path) -> None:
        import torch

        path.parent.mkdir(parents=True, exist_ok=True)
        parts = {name: getattr(self, name).state_dict() for name in ("network", "average", "optimiser")}
        with replacing(path) as part:
            torch.save({**parts, "step": self.step, "recent": self.recent, "first": self.first}, part)

    def load(self, path: Path) -> None:
        import torch

        if not path.exists():
            return
        held = torch.load(path, weights_only=True, map_location="cpu")
        for name in ("network", "average", "optimiser"):
            getattr(self, name).load_state_dict(held[name])
        self.step, self.recent, self.first = held["step"], held["recent"], held.get("first", {})
        _logger.info("going on from step %d of %s", self.step, path)


def _moving_average(decay: float) -> Callable:
    """Exponential moving average whose memory grows with the steps, so that it soon forgets the random start."""

    def update(averages: list, values: list, count: torch.Tensor) -> None:
        keep = min(decay, (1 + int(count)) / (10 + int(count)))
        for average, value in zip(averages, values, strict=True):
            average.copy_(keep * average + (1 - keep) * value if average.is_floating_point() else value)

    return update


def _batches(
    maker: Maker, training: dict, schedule: Schedule, steps: range, workers: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield the batches of the steps in order, made a few ahead in other processes."""
    import torch

    calls = (
        (int(training["batch"]), stage, (int(training["seed"]), step))
        for step, (stage, _) in ((step, schedule.stage(step)) for step in steps)
    )
    if not workers:
        yield from (maker.draw(*call) for call in calls)
        return
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(maker,)) as pool:
        waiting: list[Future] = []
        for call in calls:
            waiting.append(pool.submit(_make_batch, *call))
            if len(waiting) > 2 * workers + 1:
                windows, labels = waiting.pop(0).result()
                yield torch.from_numpy(windows), torch.from_numpy(labels)
        for future in waiting:
            windows, labels = future.result()
            yield torch.from_numpy(windows), torch.from_numpy(labels)


_MAKER: Maker | None = None


def _start_worker(maker: Maker) -> None:
    global _MAKER
    import torch

    torch.set_num_threads(1)
    _MAKER = maker


def _make_batch(*call) -> tuple[np.ndarray, np.ndarray]:
    windows, labels = _MAKER.draw(*call)
    return windows.numpy(), labels.numpy()  # arrays are pickled, tensors would go through shared memory


def _progress(batches: Iterator, start: int, end: int, show: bool) -> Iterator:
    from tqdm.auto import tqdm

    return tqdm(batches, initial=start, total=end, disable=not show, desc="Training", mininterval=5)


def checkpoint_path(cache_folder: str | Path, name: str, kind: str, *told) -> Path:
    """File of the checkpoint of a training, another for everything that it depends on (plain values)."""
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]
    return Path(cache_folder) / "checkpoints" / f"{name}-{kind}-{digest}.pt"
