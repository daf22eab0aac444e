"""Arguments of a reconstruction, checked and in pixels."""

from __future__ import annotations

import numpy as np

from particlespy_ml.core.calibration import NANOMETRES, PixelGrid
from particlespy_ml.core.frames import check_frame
from particlespy_ml.core.lengths import in_pixels, in_units
from particlespy_ml.stacks.check import check_stack

SMALLEST, SMALLEST_BOX = 4, 12  # particles, two for each half, and pixels


def check_projections(stack) -> tuple[PixelGrid, object]:
    """Grid and images of a stack of projections, shape (n, box, box), along ascending axes."""
    if stack.metadata.get_item("Signal.signal_type", "") == "HRTEM":
        raise ValueError("HRTEM images are no projections of the particles; only HAADF and similar images can be used.")
    data, grid = check_stack(stack, SMALLEST, SMALLEST_BOX, calibrated=True)
    if grid.shape[0] != grid.shape[1]:
        raise ValueError(f"Expected square images, not boxes of {grid.shape[0]} x {grid.shape[1]} pixels.")
    if not np.isclose(*grid.scale, rtol=1e-3):
        raise ValueError(f"Expected square pixels, not {grid.scale[1]:.4g} x {grid.scale[0]:.4g} {grid.units}.")
    first = np.asarray(data[: min(len(data), 64)])
    if (first == first[:1]).all():
        raise ValueError("All images are identical; expected particles in different orientations.")
    return grid, data


def check_resolution(resolution: float | str | None, grid: PixelGrid) -> float | None:
    """Return a resolution in the grid's unit that is finer than half the box, or None."""
    resolution = None if resolution is None else in_units(resolution, grid, "initial_resolution")
    if resolution is not None and not 0 < resolution <= grid.shape[0] * grid.scale[0] / 2:
        raise ValueError(
            f"initial_resolution={resolution:.4g} {grid.units} is coarser than the box; expected "
            f"{2 * grid.scale[0]:.3g} to {grid.shape[0] * grid.scale[0] / 2:.3g} {grid.units}."
        )
    return resolution


def check_diameter(diameter: float | str | None, grid: PixelGrid) -> float | None:
    """Return a diameter in pixels that is above zero, or None."""
    pixels = None if diameter is None else in_pixels(diameter, grid, "diameter")
    if pixels is not None and not pixels > 0:
        raise ValueError(f"diameter={diameter!r}; expected a length above zero.")
    return pixels


def check_max_shift(max_shift: float | str, grid: PixelGrid) -> float:
    """Return the largest shift in pixels."""
    pixels = in_pixels(max_shift, grid, "max_shift")
    if not 0 <= pixels < grid.shape[0] / 2:
        raise ValueError(
            f"max_shift={max_shift!r} is {pixels:.4g} pixels; expected 0 to less than half of the box, "
            f'{grid.shape[0] / 2:g} pixels (a number is in {grid.units}; for pixels write, for example, "2 px").'
        )
    return pixels


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
        if len(axes) == 3:  # axes that run backwards are turned, as those of the stack are
            volume = volume[tuple(slice(None, None, -1 if axis.scale < 0 else 1) for axis in axes)]
    elif isinstance(model, np.ndarray):
        volume = model
    else:
        raise TypeError(
            f"Expected ASE atoms, a volume (signal or array) or a reconstruction as model, not {type(model).__name__}."
        )
    if volume.shape != (box,) * 3:
        raise ValueError(f"Expected a model of {(box,) * 3} pixels, the box of the stack, not {volume.shape}.")
    check_frame(volume, "The model")
    return check_symmetry(np.asarray(volume, np.float32), group, name)


def check_poses(numbers: np.ndarray) -> None:
    """Raise ValueError if a number of a pose is not finite; one row for each particle."""
    bad = np.flatnonzero(~np.isfinite(numbers).all(1))
    if len(bad):
        raise ValueError(
            f"The pose of particle {bad[0]} is not finite, as are {len(bad)} of {len(numbers)}; leave such particles "
            "out of the stack and the poses."
        )


def shifts_of_poses(poses, grid: PixelGrid) -> np.ndarray:
    """Return shift_x and shift_y of a data frame in the unit of a grid, shape (n, 2), zero where it has none.

    They are in that unit already, unless ``attrs["units"]`` says otherwise.

    Raises
    ------
    ValueError
        If their unit and that of the grid are no lengths that can be converted.
    """
    shifts = np.zeros((len(poses), 2))
    for number, name in enumerate(("shift_x", "shift_y")):
        if name in poses:
            unit = str(poses.attrs.get("units", {}).get(name, grid.units))
            if unit != grid.units and not {unit, grid.units} <= set(NANOMETRES):
                raise ValueError(
                    f"The poses have {name} in {unit!r}, the stack is in {grid.units!r}; expected lengths."
                )
            factor = 1.0 if unit == grid.units else NANOMETRES[unit] / NANOMETRES[grid.units]
            shifts[:, number] = factor * np.asarray(poses[name], float)
    return shifts


def known_poses(poses, count: int, grid: PixelGrid):
    """Return poses given as rotations or as a data frame, shifts in pixels."""
    from particlespy_ml.reconstruction.matching import Poses
    from particlespy_ml.reconstruction.rotations import from_euler

    shifts = np.zeros((count, 2))
    if hasattr(poses, "columns"):
        if len(poses) == count and "shift_x" in poses.columns:
            shifts = shifts_of_poses(poses, grid) / grid.scale[0]
        poses = from_euler(poses[["rot", "tilt", "psi"]].to_numpy(float))
    rotations = np.asarray(poses, float)
    check_poses(np.column_stack([rotations.reshape(len(rotations), -1), shifts]) if len(rotations) == count else shifts)
    if rotations.shape != (count, 3, 3):
        raise ValueError(f"Expected {count} rotations of shape (3, 3), not an array of shape {rotations.shape}.")
    if (
        not np.allclose(rotations @ np.swapaxes(rotations, 1, 2), np.eye(3), atol=1e-3)
        or np.linalg.det(rotations).min() < 0.9
    ):
        raise ValueError("Expected rotations: orthogonal matrices of determinant 1.")
    return Poses(rotations, shifts, np.ones(count))
