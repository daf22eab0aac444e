"""The verb `align_particles`: a stack to a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dask.array as da
import numpy as np

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.frames import ascending, compute
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.stacks.alignment import (
    Alignment,
)
from particlespy_ml.stacks.blocks import (
    SAMPLE,
    align_block,
    lazy_blocks,
    mean_reference,
    pixel_step,
    transform_block,
    warn_lost,
)
from particlespy_ml.stacks.check import check_alignment, check_stack

if TYPE_CHECKING:
    from hyperspy.signals import Signal2D


def align_particles(
    stack: Signal2D,
    *,
    rotate: bool = True,
    mirror: bool = False,
    iterations: int = 8,
    smoothing: float | str = "1.5 px",
    sample: int = SAMPLE,
    seed: int = 0,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
) -> Signal2D:
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
        Standard deviation of the Gaussian that noise is smoothed by to find angles and positions: a number in the
        stack's unit, or a text such as "2 px". The aligned images themselves are not smoothed, but interpolated once,
        by cubic splines.
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
    >>> stack = s.extract_particles(s.measure_particles(), box="48 px")
    >>> aligned = stack.align(show_progressbar=False)
    >>> aligned.data.shape, len(aligned.metadata.particlespy_ml.alignment.angles)
    ((6, 48, 48), 6)
    """
    frames, grid = check_stack(stack)
    smoothing = check_alignment(grid, iterations, smoothing, sample)
    step = pixel_step(grid)
    reference = mean_reference(
        frames, np.arange(len(frames)), rotate, mirror, iterations, smoothing, sample, seed, step
    )
    parts = [align_block(block, reference, mirror, rotate, step, smoothing) for block in lazy_blocks(frames)]
    found = _joined(compute(*parts, show_progressbar=show_progressbar))
    warn_lost(np.flatnonzero(found.lost), len(frames), frames.shape[1:])
    parameters = np.column_stack([found.shifts, found.angles, found.mirrored])
    if isinstance(frames, da.Array):
        chunks = (frames.chunks[0], (4,))
        given = da.from_array(parameters, chunks=chunks, name=False)
        data = da.blockwise(
            transform_block, "ijk", frames, "ijk", given, "il", step=step, concatenate=True, dtype=np.float32
        )
        data = ascending(data, grid.direction)
        if lazy_output is False:
            (data,) = compute(data, show_progressbar=show_progressbar)
    else:
        data = np.ascontiguousarray(ascending(transform_block(frames, parameters, step), grid.direction))
        if lazy_output:
            data = da.from_array(data, chunks=(1, -1, -1))
    return _aligned_signal(
        stack, data, found, grid, {"rotate": rotate, "mirror": mirror, "smoothing": f"{smoothing:g} px"}
    )


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
