"""Arguments of a reconstruction, checked and in pixels."""

from __future__ import annotations

import numpy as np

from particlespy_ml._calibration import NANOMETRES, PixelGrid, pixel_grid
from particlespy_ml._frames import check_image, frames_array

SMALLEST = 4  # particles, two for each half


def check_stack(stack) -> tuple[PixelGrid, object]:
    """Grid and array of a stack, shape (n, box, box)."""
    check_image(stack)
    grid = pixel_grid(stack)
    if stack.axes_manager.navigation_dimension > 1:
        raise ValueError(
            f"Expected a stack with one navigation axis, not {stack.axes_manager.navigation_dimension}; cut the "
            "particles out with extract_particles."
        )
    if stack.metadata.get_item("Signal.signal_type", "") == "HRTEM":
        raise ValueError("HRTEM images are no projections of the particles; only HAADF and similar images can be used.")
    if grid.shape[0] != grid.shape[1]:
        raise ValueError(f"Expected square images, not boxes of {grid.shape[0]} x {grid.shape[1]} pixels.")
    if not np.isclose(*grid.scale, rtol=1e-3):
        raise ValueError(f"Expected square pixels, not {grid.scale[1]:.4g} x {grid.scale[0]:.4g} {grid.units}.")
    if grid.shape[0] < 12:
        raise ValueError(f"Expected boxes of 12 pixels at least, not {grid.shape[0]}.")
    data = frames_array(stack)
    if len(data) < SMALLEST:
        raise ValueError(f"Expected {SMALLEST} particles at least, not {len(data)}.")
    first = np.asarray(data[: min(len(data), 64)])
    if not np.isfinite(first).all():
        raise ValueError("The images have pixels that are not finite; replace them first.")
    if (first == first[:1]).all():
        raise ValueError("All images are identical; expected particles in different orientations.")
    return grid, data


def check_resolution(resolution: float | None, grid: PixelGrid) -> float | None:
    """Return a resolution that is finer than half the box, or None."""
    if resolution is not None and not 0 < resolution <= grid.shape[0] * grid.scale[0] / 2:
        raise ValueError(
            f"initial_resolution={resolution:.4g} {grid.units} is coarser than the box; expected "
            f"{2 * grid.scale[0]:.3g} to {grid.shape[0] * grid.scale[0] / 2:.3g} {grid.units}."
        )
    return resolution


def model_volume(model, grid: PixelGrid, group: np.ndarray, name: str) -> np.ndarray:
    """Return a model as a symmetric volume in the box and the pixels of the stack."""
    from particlespy_ml.reconstruction.model import check_symmetry, volume_of_atoms
    from particlespy_ml.reconstruction.result import Reconstruction

    box = grid.shape[0]
    if isinstance(model, Reconstruction):
        model = model.volume
    if hasattr(model, "get_atomic_numbers"):
        volume = volume_of_atoms(model, box, 10 * grid.nanometres[0])
    elif hasattr(model, "axes_manager"):
        axes = model.axes_manager._axes
        units = {str(axis.units) for axis in axes}
        if len(axes) == 3 and units <= set(NANOMETRES):
            scales = [abs(axis.scale) * NANOMETRES[str(axis.units)] for axis in axes]
            if not np.allclose(scales, grid.nanometres[0], rtol=1e-2):
                raise ValueError(
                    f"The model's pixels of {[round(s, 5) for s in scales]} nm are not those of the stack, "
                    f"{grid.nanometres[0]:.5g} nm; resample one of them."
                )
        volume = np.asarray(model.data)
    elif isinstance(model, np.ndarray):
        volume = model
    else:
        raise TypeError(
            f"Expected ASE atoms, a volume (signal or array) or a reconstruction as model, not {type(model).__name__}."
        )
    if volume.shape != (box,) * 3:
        raise ValueError(f"Expected a model of {(box,) * 3} pixels, the box of the stack, not {volume.shape}.")
    return check_symmetry(np.asarray(volume, np.float32), group, name)


def known_poses(poses, count: int, grid: PixelGrid):
    """Return poses given as rotations or as a data frame, shifts in pixels."""
    from particlespy_ml.reconstruction.matching import Poses
    from particlespy_ml.reconstruction.rotations import from_euler

    shifts = np.zeros((count, 2))
    if hasattr(poses, "columns"):
        if len(poses) == count and "shift_x" in poses.columns:
            shifts = poses[["shift_x", "shift_y"]].to_numpy(float) / grid.scale[0]
        poses = from_euler(poses[["rot", "tilt", "psi"]].to_numpy(float))
    rotations = np.asarray(poses, float)
    if rotations.shape != (count, 3, 3):
        raise ValueError(f"Expected {count} rotations of shape (3, 3), not an array of shape {rotations.shape}.")
    if (
        not np.allclose(rotations @ np.swapaxes(rotations, 1, 2), np.eye(3), atol=1e-3)
        or np.linalg.det(rotations).min() < 0.9
    ):
        raise ValueError("Expected rotations: orthogonal matrices of determinant 1.")
    return Poses(rotations, shifts, np.ones(count))
