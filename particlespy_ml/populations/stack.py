"""The verbs of stacks: `align_particles`, and `class_averages` of the clusters of a table."""

from __future__ import annotations

import warnings

import dask
import dask.array as da
import numpy as np

from particlespy_ml._calibration import PixelGrid, pixel_grid
from particlespy_ml._frames import ascending, check_image, compute, finite_frames
from particlespy_ml.particles.table import METADATA_NODE
from particlespy_ml.populations.align import (
    FARTHEST,
    Alignment,
    align_to,
    find_reference,
    search_reach,
    smoothed,
    transform,
)

SAMPLE = 300  # images that a reference is found from at most
BATCH = 8  # lazy blocks whose sums are kept at a time


def align_particles(
    stack,
    *,
    rotate: bool = True,
    mirror: bool = False,
    iterations: int = 8,
    smoothing: float = 1.5,
    sample: int = SAMPLE,
    seed: int = 0,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
):
    """Centre the particles of a stack and turn them in the plane, to their own mean.

    Nothing but the images is needed: the first reference is the image of a few that is most like the others, and the
    mean of what is aligned to it is the next one. Angles come from the correlation of polar images, positions from
    that of the images, both between the samples.

    Parameters
    ----------
    stack
        Particles along one navigation axis, as `extract_particles` returns them, two or more.
    rotate
        Turn the particles; otherwise they are centred alone.
    mirror
        Particles may be mirrored, for those that lie on either face.
    iterations
        Number of means at most.
    smoothing
        Standard deviation in pixels of the Gaussian that noise is smoothed by to find angles and positions. The aligned
        images themselves are not smoothed, but interpolated once, by cubic splines.
    sample
        Images, drawn by the seed, that the mean is found from at most; the others are aligned to it.
    seed
        Of the choice of images.
    lazy_output
        Whether the stack is lazy; by default as the given one. Angles and positions are found at once in any case,
        block by block of a lazy stack.
    show_progressbar
        Show a progress bar; by default HyperSpy's preference.

    Returns
    -------
    The stack's own class
        Same axes, float32; an axis that runs backwards still does. ``metadata.particlespy_ml.alignment`` has, for each
        particle, ``angles`` in degrees from x towards y by which it was turned, ``shift_x`` and ``shift_y`` of its
        centre in the unit of x, whether it was ``mirrored``, x to -x, before it was turned, and ``scores``, its
        correlation with the mean. Angles and shifts are those of the calibrated axes, whichever way these run.

    Raises
    ------
    ValueError
        If the signal is no stack of two or more particles, a number is out of range, or pixels are not finite.

    Warns
    -----
    UserWarning
        If the best position of a particle is at the rim of the search: it is not used, and the particle is centred on
        its centroid.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> s = pml.data.gold_on_carbon()
    >>> stack = s.extract_particles(s.measure_particles(), box=48)
    >>> aligned = stack.align(show_progressbar=False)
    >>> aligned.data.shape, len(aligned.metadata.particlespy_ml.alignment.angles)
    ((6, 48, 48), 6)
    """
    frames, grid = _check_stack(stack, iterations, smoothing, sample)
    step = _step(grid)
    reference = _reference(frames, np.arange(len(frames)), rotate, mirror, iterations, smoothing, sample, seed, step)
    parts = [_align_block(block, reference, mirror, rotate, step, smoothing) for block in _lazy_blocks(frames)]
    found = _joined(compute(*parts, show_progressbar=show_progressbar))
    _warn_lost(np.flatnonzero(found.lost), len(frames), frames.shape[1:])
    parameters = np.column_stack([found.shifts, found.angles, found.mirrored])
    if isinstance(frames, da.Array):
        chunks = (frames.chunks[0], (4,))
        given = da.from_array(parameters, chunks=chunks, name=False)
        data = da.blockwise(
            _transform_block, "ijk", frames, "ijk", given, "il", step=step, concatenate=True, dtype=np.float32
        )
        data = ascending(data, grid.direction)
        if lazy_output is False:
            (data,) = compute(data, show_progressbar=show_progressbar)
    else:
        data = np.ascontiguousarray(ascending(_transform_block(frames, parameters, step), grid.direction))
        if lazy_output:
            data = da.from_array(data, chunks=(1, -1, -1))
    return _aligned_signal(stack, data, found, grid, {"rotate": rotate, "mirror": mirror, "smoothing": smoothing})


def class_averages(
    stack,
    clusters,
    column: str = "cluster",
    *,
    align: bool = True,
    mirror: bool = False,
    iterations: int = 8,
    smoothing: float = 1.5,
    sample: int = SAMPLE,
    seed: int = 0,
    show_progressbar: bool | None = None,
):
    """Return the mean image of each cluster, each aligned within itself.

    Parameters
    ----------
    stack
        Particles along one navigation axis. A lazy stack is read block by block.
    clusters
        Table of the stack's particles with a column of clusters, or one integer for each particle; particles of -1 are
        left out.
    column
        The column of the table: "cluster", "subcluster", or "class" for the mean of each class.
    align
        Align the particles of each cluster to their mean, as `align_particles` does; otherwise they are taken as they
        are.
    mirror, iterations, smoothing, sample, seed, show_progressbar
        See `align_particles`.

    Returns
    -------
    The stack's own class, not lazy
        One image for each cluster, along the navigation axis "cluster". ``metadata.particlespy_ml.class_averages`` has
        the numbers or names ``clusters``, their ``counts`` of particles, and the mean ``scores``.

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
    >>> stack = s.extract_particles(s.measure_particles(), box=48)
    >>> means = stack.class_averages([0, 0, 0, 1, 1, -1], show_progressbar=False)
    >>> means.data.shape, [int(n) for n in means.metadata.particlespy_ml.class_averages.counts]
    ((2, 48, 48), [3, 2])
    """
    frames, grid = _check_stack(stack, iterations, smoothing, sample, 1)
    step = _step(grid)
    labels, names = cluster_numbers(clusters, column, len(frames))
    references = {}
    for number in range(len(names)):
        inside = np.flatnonzero(labels == number)
        if align and len(inside) > 1:
            references[number] = _reference(frames, inside, True, mirror, iterations, smoothing, sample, seed, step)
    total = np.zeros((len(names), *frames.shape[1:]))
    scores, counts = np.zeros(len(names)), np.bincount(labels[labels >= 0], minlength=len(names))
    tasks, lost, start = [], [], 0
    for block in _lazy_blocks(frames):
        part = labels[start : start + block.shape[0]]
        tasks.append(_sum_block(block, part, references, mirror, step, smoothing, len(names), start))
        start += block.shape[0]
    for first in range(0, len(tasks), BATCH):
        for images, score, numbers in compute(*tasks[first : first + BATCH], show_progressbar=show_progressbar):
            total += images
            scores += score
            lost += numbers
    _warn_lost(lost, len(frames), frames.shape[1:])
    means = np.ascontiguousarray(ascending(total / counts[:, None, None], grid.direction), np.float32)
    record = {"clusters": names, "counts": counts.tolist(), "scores": (scores / counts).tolist(), "aligned": align}
    return _averages_signal(stack, means, record)


def cluster_numbers(clusters, column: str, count: int) -> tuple[np.ndarray, list]:
    """Return numbers from 0 on for the clusters of a stack's particles, -1 for none, and what each is called.

    Raises
    ------
    ValueError
        If there is not one value for each particle, no such column, or no cluster.
    """
    if hasattr(clusters, "n_particles"):
        if column not in clusters.columns:
            raise ValueError(
                f"The table has no column {column!r}; make one with cluster_particles(), or give another one, such as "
                'column="class".'
            )
        clusters = clusters["class_index" if column == "class" else column], getattr(clusters, "classes", ())
        values, classes = np.asarray(clusters[0]), clusters[1] if column == "class" else ()
    else:
        values, classes = np.asarray(clusters), ()
    if values.shape != (count,) or values.dtype.kind not in "iu":
        raise ValueError(
            f"Expected a table or whole numbers for the stack's {count} particles, not {values.dtype} of "
            f"{values.shape}; extract the stack with the table that was clustered."
        )
    found = np.unique(values[values >= 0])
    if len(found) == 0:
        raise ValueError("No particle is in a cluster: all are -1.")
    labels = np.where(values >= 0, np.searchsorted(found, values), -1)
    return labels, [str(classes[n]) if len(classes) else int(n) for n in found]


def _check_stack(stack, iterations: int, smoothing: float, sample: int, least: int = 2):
    check_image(stack)
    dimension, size = stack.axes_manager.navigation_dimension, stack.axes_manager.navigation_size
    if dimension != 1 or size < least:
        raise ValueError(
            f"Expected a stack of {least} or more particles along one navigation axis, as extract_particles() returns "
            f"it, not {max(size, 1)} along {dimension} axes."
        )
    grid = pixel_grid(stack, calibrated=False)
    if min(grid.shape) < 8:
        raise ValueError(f"Boxes of {grid.shape} pixels are too small to align; expected 8 by 8 or more.")
    if not iterations >= 1 or not 0 <= smoothing <= min(grid.shape) / 4 or not sample >= 2:
        raise ValueError(
            f"iterations={iterations}, smoothing={smoothing}, sample={sample}; expected 1 or more iterations, a "
            f"smoothing of 0 pixels to {min(grid.shape) / 4:g}, a quarter of the box, and a sample of 2 or more."
        )
    return ascending(finite_frames(stack, "Particle"), grid.direction), grid


def _step(grid: PixelGrid) -> tuple[float, float]:
    """Size of a pixel along rows and columns, that along columns being 1."""
    return grid.scale[0] / grid.scale[1], 1.0


def _warn_lost(numbers, count: int, shape: tuple[int, int]) -> None:
    """Warn of particles whose position is at the rim of the search."""
    if len(numbers):
        names = ", ".join(str(number) for number in numbers[:10]) + (", ..." if len(numbers) > 10 else "")
        reach = FARTHEST * search_reach(shape)
        warnings.warn(
            f"{len(numbers)} of {count} particles ({names}) fit best at the rim of the search, {reach} pixels from "
            "where they are looked for, or beyond: these positions are not used, but their centroids. Their boxes may "
            "hold other particles, or be too small.",
            UserWarning,
            stacklevel=3,
        )


def _reference(frames, numbers, rotate, mirror, iterations, smoothing, sample, seed, step) -> np.ndarray:
    """Mean of a sample of images, aligned to themselves."""
    if len(numbers) > sample:
        numbers = np.sort(np.random.default_rng(seed).choice(numbers, sample, replace=False))
    images = frames[numbers]
    if isinstance(images, da.Array):
        (images,) = compute(images, show_progressbar=False)
    return find_reference(smoothed(images, smoothing), mirror, rotate, step, iterations, seed)


def _lazy_blocks(frames) -> list:
    """Blocks of images as dask arrays."""
    if not isinstance(frames, da.Array):
        size = max(1, -(-len(frames) // 4))
        return [da.from_array(frames[i : i + size], chunks=-1, name=False) for i in range(0, len(frames), size)]
    return [frames.blocks[i] for i in range(frames.numblocks[0])]


@dask.delayed(pure=False)
def _align_block(images, reference, mirror, rotate, step, smoothing) -> Alignment:
    return align_to(smoothed(images, smoothing), reference, mirror, rotate, step)


@dask.delayed(pure=False, nout=1)
def _sum_block(images, labels, references, mirror, step, smoothing, count, start):
    """Sums of the aligned images of each cluster, and of their correlations with the means, and who was lost."""
    total, scores, lost = np.zeros((count, *images.shape[1:])), np.zeros(count), []
    for number in np.unique(labels[labels >= 0]):
        chosen = np.asarray(images)[labels == number]
        if number not in references:
            total[number] += chosen.sum(0, dtype=float)
            scores[number] += len(chosen)
            continue
        found = align_to(smoothed(chosen, smoothing), references[number], mirror, True, step)
        parameters = np.column_stack([found.shifts, found.angles, found.mirrored])
        total[number] += _transform_block(chosen, parameters, step).sum(0, dtype=float)
        scores[number] += found.scores.sum()
        lost += (start + np.flatnonzero(labels == number)[found.lost]).tolist()
    return total, scores, lost


def _transform_block(images: np.ndarray, parameters: np.ndarray, step) -> np.ndarray:
    turned = [
        transform(image, row[:2], row[2], bool(row[3]), step) for image, row in zip(images, parameters, strict=True)
    ]
    return np.stack(turned) if turned else np.zeros(images.shape, np.float32)


def _joined(parts: list[Alignment]) -> Alignment:
    names = ("shifts", "angles", "mirrored", "scores", "lost")
    return Alignment(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _aligned_signal(stack, data, found: Alignment, grid: PixelGrid, settings: dict):
    lazy = isinstance(data, da.Array)
    result = stack._deepcopy_with_new_data(data)
    if result._lazy != lazy:
        result._lazy = lazy
        result._assign_subclass()
    record = {
        "angles": found.angles,
        "shift_x": found.shifts[:, 1] * grid.scale[1],
        "shift_y": found.shifts[:, 0] * grid.scale[0],
        "mirrored": found.mirrored,
        "scores": found.scores,
        **settings,
    }
    result.metadata.set_item(f"{METADATA_NODE}.alignment", record)
    return result


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
