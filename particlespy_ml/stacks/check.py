"""What a stack of particles must be."""

from __future__ import annotations

from particlespy_ml.core.calibration import PixelGrid, pixel_grid
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.core.lengths import in_pixels


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


def check_alignment(grid: PixelGrid, iterations: int, smoothing: float | str, sample: int) -> float:
    """Return the smoothing of an alignment in pixels; raise ValueError for arguments that it cannot take."""
    given, smoothing = smoothing, in_pixels(smoothing, grid, "smoothing")
    if not iterations >= 1 or not 0 <= smoothing <= min(grid.shape) / 4 or not sample >= 2:
        raise ValueError(
            f"iterations={iterations}, smoothing={given!r} ({smoothing:.4g} pixels), sample={sample}; expected 1 or "
            f"more iterations, a smoothing of 0 to {min(grid.shape) / 4:g} pixels, a quarter of the box, and a sample "
            "of 2 or more."
        )
    return smoothing
