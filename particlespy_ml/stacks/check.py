"""What a stack of particles must be."""

from __future__ import annotations

from particlespy_ml.core.calibration import PixelGrid, pixel_grid
from particlespy_ml.core.image import ImageFrames


def check_stack(stack, least: int = 2, smallest: int = 8, calibrated: bool = False) -> tuple[object, PixelGrid]:
    """Return the images of a stack as their axes ascend, shape (n, rows, columns), and their grid.

    Lazy images are checked for pixels that are not finite when they are read.

    Parameters
    ----------
    stack
        Image signal.
    least
        Particles that it must have.
    smallest
        Rows and columns that a box must have.
    calibrated
        Whether pixels must have a unit of length.

    Raises
    ------
    ValueError
        If it is no stack of so many particles, or its boxes are smaller.
    """
    image = ImageFrames.of(stack, calibrated=None)
    dimension, size = stack.axes_manager.navigation_dimension, stack.axes_manager.navigation_size
    if dimension != 1 or size < least:
        raise ValueError(
            f"Expected a stack of {least} or more particles along one navigation axis, as extract_particles() returns "
            f"it, not {max(size, 1)} along {dimension} axes."
        )
    grid = pixel_grid(stack, calibrated)
    if min(grid.shape) < smallest:
        raise ValueError(f"Boxes of {grid.shape} pixels are too small; expected {smallest} by {smallest} or more.")
    return image.ascending("Particle"), grid


def check_alignment(grid: PixelGrid, iterations: int, smoothing: float, sample: int) -> None:
    """Raise ValueError for arguments that an alignment cannot take."""
    if not iterations >= 1 or not 0 <= smoothing <= min(grid.shape) / 4 or not sample >= 2:
        raise ValueError(
            f"iterations={iterations}, smoothing={smoothing}, sample={sample}; expected 1 or more iterations, a "
            f"smoothing of 0 pixels to {min(grid.shape) / 4:g}, a quarter of the box, and a sample of 2 or more."
        )
