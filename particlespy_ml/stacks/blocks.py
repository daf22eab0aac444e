"""Blocks of images of a stack, aligned and summed."""

from __future__ import annotations

import warnings

import dask
import dask.array as da
import numpy as np

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.frames import compute
from particlespy_ml.stacks.alignment import (
    FARTHEST,
    Alignment,
    align_to,
    find_reference,
    search_reach,
    smoothed,
    transform,
)

SAMPLE = 300  # images that a reference is found from at most


def pixel_step(grid: PixelGrid) -> tuple[float, float]:
    """Size of a pixel along rows and columns, that along columns being 1."""
    return grid.scale[0] / grid.scale[1], 1.0


def warn_lost(numbers, count: int, shape: tuple[int, int]) -> None:
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


def mean_reference(frames, numbers, rotate, mirror, iterations, smoothing, sample, seed, step) -> np.ndarray:
    """Mean of a sample of images, aligned to themselves."""
    if len(numbers) > sample:
        numbers = np.sort(np.random.default_rng(seed).choice(numbers, sample, replace=False))
    images = frames[numbers]
    if isinstance(images, da.Array):
        (images,) = compute(images, show_progressbar=False)
    return find_reference(smoothed(images, smoothing), mirror, rotate, step, iterations, seed)


def lazy_blocks(frames) -> list:
    """Blocks of images as dask arrays."""
    if not isinstance(frames, da.Array):
        size = max(1, -(-len(frames) // 4))
        return [da.from_array(frames[i : i + size], chunks=-1, name=False) for i in range(0, len(frames), size)]
    return [frames.blocks[i] for i in range(frames.numblocks[0])]


@dask.delayed(pure=False)
def align_block(images, reference, mirror, rotate, step, smoothing) -> Alignment:
    """Align a block of images to a reference; see `particlespy_ml.stacks.alignment.align_to`."""
    return align_to(smoothed(images, smoothing), reference, mirror, rotate, step)


def transform_block(images: np.ndarray, parameters: np.ndarray, step) -> np.ndarray:
    """Turn and shift images by rows of shift, angle and whether they are mirrored."""
    turned = [
        transform(image, row[:2], row[2], bool(row[3]), step) for image, row in zip(images, parameters, strict=True)
    ]
    return np.stack(turned) if turned else np.zeros(images.shape, np.float32)
