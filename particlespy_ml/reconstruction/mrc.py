"""MRC files of images and volumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_images(path: Path, data, pixel: float, diameter: float | None, normalise: bool) -> None:
    """Write images as a stack, pixels in Å; normalised to a standard deviation of 1 outside of the particles."""
    import mrcfile

    from particlespy_ml.reconstruction.images import ImageBatches

    images = ImageBatches(data, diameter=diameter)
    outside = images.mask < 0.5
    with mrcfile.new_mmap(path, shape=data.shape, mrc_mode=2, overwrite=True) as file:
        file.set_image_stack()
        file.voxel_size = pixel
        for places, batch in images.batches(masked=False):
            if normalise:
                spread = batch[:, outside].std(1)
                batch = batch / np.where(spread > 0, spread, 1)[:, None, None]
            file.data[places] = batch
        file.update_header_stats()


def write_mrc(path: Path, volume: np.ndarray, pixel: float) -> None:
    """Write a volume, shape (z, y, x), with its pixel size in Å."""
    import mrcfile

    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(np.ascontiguousarray(volume, np.float32))
        file.voxel_size = pixel
