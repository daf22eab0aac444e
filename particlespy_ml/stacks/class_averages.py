"""The verb `class_averages`: the mean image of each cluster of a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dask
import numpy as np

from particlespy_ml.core.frames import ascending, compute
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.stacks.alignment import (
    align_to,
    smoothed,
)
from particlespy_ml.stacks.blocks import (
    SAMPLE,
    lazy_blocks,
    mean_reference,
    pixel_step,
    transform_block,
    warn_lost,
)
from particlespy_ml.stacks.check import check_alignment, check_stack
from particlespy_ml.tables.groups import group_particles

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal, Signal2D
    from numpy.typing import ArrayLike


BATCH = 8  # lazy blocks whose sums are kept at a time


def class_averages(
    stack: Signal2D,
    clusters: BaseSignal | ArrayLike,
    by: str = "cluster",
    *,
    align: bool = True,
    mirror: bool = False,
    iterations: int = 8,
    smoothing: float | str = "1.5 px",
    sample: int = SAMPLE,
    seed: int = 0,
    show_progressbar: bool | None = None,
) -> Signal2D:
    """Return the mean image of each cluster, each aligned within itself.

    Parameters
    ----------
    stack
        Particles along one navigation axis. A lazy stack is read block by block.
    clusters
        Table of the stack's particles, with a column of clusters, or one whole number for each particle. Particles
        below 0 are left out.
    by
        The column of the table: "cluster", "subcluster", "class", or another one of whole numbers or names.
    align
        Align the particles of each cluster to their mean, as `align_particles` does; otherwise they are taken as they
        are.
    mirror, iterations, smoothing, sample, seed, show_progressbar
        As for `align_particles`.

    Returns
    -------
    The stack's own class, not lazy
        One image for each cluster, along the navigation axis "cluster". ``metadata.particlespy_ml.class_averages`` has
        the numbers or names ``clusters``, their ``counts`` of particles, and the mean ``scores``, the
        correlations of the particles with the mean.

    Raises
    ------
    ValueError
        If the clusters are not those of the stack's particles, or there are none, or pixels are not finite.

    Warns
    -----
    UserWarning
        As `align_particles`.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> s = pml.data.gold_on_carbon()
    >>> stack = s.extract_particles(s.measure_particles(), box="48 px")
    >>> means = stack.class_averages([0, 0, 0, 1, 1, -1], show_progressbar=False)
    >>> means.data.shape, [int(n) for n in means.metadata.particlespy_ml.class_averages.counts]
    ((2, 48, 48), [3, 2])
    """
    frames, grid = check_stack(stack, least=1)
    smoothing = check_alignment(grid, iterations, smoothing, sample)
    step = pixel_step(grid)
    labels, names = cluster_numbers(clusters, by, len(frames))
    references = {}
    for number in range(len(names)):
        inside = np.flatnonzero(labels == number)
        if align and len(inside) > 1:
            references[number] = mean_reference(frames, inside, True, mirror, iterations, smoothing, sample, seed, step)
    total, patterns = np.zeros((2, len(names), *frames.shape[1:]))
    scores, counts = np.zeros(len(names)), np.bincount(labels[labels >= 0], minlength=len(names))
    tasks, lost, start = [], [], 0
    for block in lazy_blocks(frames):
        part = labels[start : start + block.shape[0]]
        tasks.append(_sum_block(block, part, references, mirror, step, smoothing, len(names), start))
        start += block.shape[0]
    for first in range(0, len(tasks), BATCH):
        for sums, score, numbers in compute(*tasks[first : first + BATCH], show_progressbar=show_progressbar):
            total += sums[0]
            patterns += sums[1]
            scores += score
            lost += numbers
    scores += (patterns * _patterns(total)).sum((1, 2))  # of images that were not aligned
    warn_lost(lost, len(frames), frames.shape[1:])
    means = np.ascontiguousarray(ascending(total / counts[:, None, None], grid.direction), np.float32)
    record = {"clusters": names, "counts": counts.tolist(), "scores": (scores / counts).tolist(), "aligned": align}
    return _averages_signal(stack, means, record)


def cluster_numbers(clusters, by: str, count: int) -> tuple[np.ndarray, list]:
    """Return numbers from 0 on for the clusters of a stack's particles, -1 for none, and what each is called.

    Raises
    ------
    ValueError
        If there is not one value for each particle, no such column, or no cluster.
    """
    values, classes = group_particles(clusters, by, count)
    found = np.unique(values[values >= 0])
    if len(found) == 0:
        raise ValueError("No particle is in a cluster: all are -1.")
    labels = np.where(values >= 0, np.searchsorted(found, values), -1)
    return labels, [str(classes[n]) if classes else int(n) for n in found]


@dask.delayed(pure=False, nout=1)
def _sum_block(images, labels, references, mirror, step, smoothing, count, start):
    """Sums of the images of each cluster and of the patterns of those not aligned, scores of the rest, who was lost."""
    (total, patterns), scores, lost = np.zeros((2, count, *images.shape[1:])), np.zeros(count), []
    for number in np.unique(labels[labels >= 0]):
        chosen = np.asarray(images)[labels == number]
        if number not in references:
            total[number] += chosen.sum(0, dtype=float)
            patterns[number] += _patterns(chosen).sum(0)
            continue
        found = align_to(smoothed(chosen, smoothing), references[number], mirror, True, step)
        parameters = np.column_stack([found.shifts, found.angles, found.mirrored])
        total[number] += transform_block(chosen, parameters, step).sum(0, dtype=float)
        scores[number] += found.scores.sum()
        lost += (start + np.flatnonzero(labels == number)[found.lost]).tolist()
    return (total, patterns), scores, lost


def _patterns(images: np.ndarray) -> np.ndarray:
    """Images less their means, of length one: the product of two is their correlation. Constant ones are zero."""
    values = np.asarray(images, float) - np.mean(images, (1, 2), dtype=float, keepdims=True)
    length = np.sqrt((values**2).sum((1, 2), keepdims=True))
    return np.divide(values, length, out=np.zeros_like(values), where=length > 0)


def _averages_signal(stack, means: np.ndarray, record: dict):
    from hyperspy.signals import Signal2D

    axes = [{"name": "cluster", "size": len(means), "navigate": True}]
    axes += [axis.get_axis_dictionary() for axis in stack.axes_manager.signal_axes[::-1]]
    result = Signal2D(means, axes=axes)
    result.metadata.General.title = "Class averages"
    own = stack.metadata.get_item(METADATA_NODE)
    kept = {key: value for key, value in own.as_dictionary().items() if key != "alignment"} if own is not None else {}
    result.metadata.set_item(METADATA_NODE, {**kept, "class_averages": record})
    result.set_signal_type(stack.metadata.get_item("Signal.signal_type", ""))
    return result
