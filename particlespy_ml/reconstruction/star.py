"""Stacks as .mrcs and .star files, for RELION (3.1 and later) and cryoSPARC, and back."""

from __future__ import annotations

import os
from pathlib import Path

import dask.array as da
import numpy as np

ANGLES = {"rot": "rlnAngleRot", "tilt": "rlnAngleTilt", "psi": "rlnAnglePsi"}
ORIGINS = {"shift_x": "rlnOriginXAngst", "shift_y": "rlnOriginYAngst"}


def save_star(
    stack,
    filename: str | Path,
    poses=None,
    *,
    by=None,
    voltage: float | None = None,
    normalise: bool = True,
    diameter: float | None = None,
    overwrite: bool = False,
) -> None:
    """Write a stack as NAME.mrcs and NAME.star.

    HAADF images are bright where matter is, which is the contrast that RELION and cryoSPARC expect, and have no
    contrast transfer function: the star file says amplitude contrast 1, no spherical aberration and no defocus, and
    CTF correction must be switched off. See docs/relion.md for what to type.

    Parameters
    ----------
    stack
        Stack of centred particles, as from `extract_particles`. A lazy one is written a few images at a time.
    filename
        Name that ends in .star.
    poses
        Data frame with rot, tilt and psi in degrees and, optionally, shift_x and shift_y in the stack's unit and half,
        such as ``reconstruction.poses``.
    by
        One label for each particle, such as ``table["cluster"]``, written as rlnClassNumber from 1 on.
    voltage
        Acceleration voltage in kV; by default from the metadata, otherwise 300.
    normalise
        Shift and scale each image to a background of mean 0 and standard deviation 1, as RELION wants them. Images
        whose background has no noise keep their scale.
    diameter
        Diameter of the particles in the stack's unit, outside of which is background; by default from the mean image.
    overwrite
        Replace files that exist.

    Raises
    ------
    FileExistsError
        If a file exists and is not to be replaced.
    ValueError
        If the stack is no stack of square images with square pixels, or *poses* or *by* do not fit it.
    """
    import pandas as pd
    import starfile

    from particlespy_ml.reconstruction.arguments import check_stack

    path = Path(filename)
    if path.suffix != ".star":
        raise ValueError(f"Expected a name that ends in .star, not {path.name}.")
    grid, data = check_stack(stack)
    count, box = data.shape[0], data.shape[-1]
    if poses is not None and len(poses) != count:
        raise ValueError(f"Expected a pose for each of the {count} particles, not {len(poses)}.")
    if by is not None and np.shape(by) != (count,):
        raise ValueError(f"Expected a label for each of the {count} particles, not labels of shape {np.shape(by)}.")
    images_path = path.with_suffix(".mrcs")
    found = [str(p) for p in (path, images_path) if p.exists()]
    if found and not overwrite:
        raise FileExistsError(f"{', '.join(found)}: give overwrite=True to replace.")
    pixel = 10 * grid.nanometres[0]
    parts = [p.with_name(f"{p.stem}.{os.getpid()}{p.suffix}.part") for p in (images_path, path)]
    try:
        _write_images(parts[0], data, pixel, None if diameter is None else diameter / grid.scale[0], normalise)
        optics = {
            "rlnOpticsGroup": [1],
            "rlnOpticsGroupName": ["opticsGroup1"],
            "rlnVoltage": [float(voltage or _voltage(stack))],
            "rlnSphericalAberration": [0.0],
            "rlnAmplitudeContrast": [1.0],
            "rlnImagePixelSize": [pixel],
            "rlnImageSize": [box],
            "rlnImageDimensionality": [2],
        }
        blocks = {"optics": pd.DataFrame(optics), "particles": _particles(images_path.name, count, poses, by, grid)}
        starfile.write(blocks, parts[1], float_format="%.6f", overwrite=True)
        os.replace(parts[0], images_path)
        os.replace(parts[1], path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _particles(images_name: str, count: int, poses, by, grid):
    import pandas as pd

    numbers = np.arange(1, count + 1)
    particles = {
        "rlnImageName": [f"{number:06d}@{images_name}" for number in numbers],
        "rlnMicrographName": [images_name] * count,
        "rlnOpticsGroup": np.ones(count, int),
        "rlnDefocusU": np.zeros(count),
        "rlnDefocusV": np.zeros(count),
        "rlnDefocusAngle": np.zeros(count),
    }
    if poses is not None:
        for ours, theirs in ANGLES.items():
            particles[theirs] = np.asarray(poses[ours], float)
        angstrom = 10 * grid.nanometres[0] / grid.scale[0]
        for ours, theirs in ORIGINS.items():
            # what moves the particle back to the middle
            particles[theirs] = -angstrom * np.asarray(poses[ours], float) if ours in poses else np.zeros(count)
        if "half" in poses:
            particles["rlnRandomSubset"] = np.asarray(poses["half"], int) + 1
    if by is not None:
        labels = np.asarray(by)
        particles["rlnClassNumber"] = np.where(labels < 0, 0, labels + 1).astype(int)
    return pd.DataFrame(particles)


def _voltage(stack) -> float:
    node = stack.metadata.get_item("Acquisition_instrument.TEM.beam_energy", None)
    return 300.0 if node is None else float(node)


def _write_images(path: Path, data, pixel: float, diameter: float | None, normalise: bool) -> None:
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


def load_star(filename: str | Path, *, signal_type: str = "HAADF", lazy: bool = True):
    """Load particles from a .star file of RELION (3.1 and later) and the .mrcs files that it names.

    Parameters
    ----------
    filename
        The .star file. Stacks are looked for beside it, and below its parent folders as RELION writes them.
    signal_type
        Of the stack.
    lazy
        Leave the images in their files until they are needed.

    Returns
    -------
    stack
        Stack of particles, calibrated in nm.
    particles : pandas.DataFrame
        One row for each particle: rot, tilt, psi in degrees, shift_x and shift_y in nm, where the file has them, and
        all of the file's columns.

    Raises
    ------
    FileNotFoundError
        If the star file, or a stack that it names, is missing.
    ValueError
        If the file has no particles, or several pixel sizes or boxes.
    """
    import starfile
    from hyperspy.signals import Signal2D

    path = Path(filename)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    blocks = starfile.read(path, always_dict=True)
    particles = blocks.get("particles")
    if particles is None or "rlnImageName" not in getattr(particles, "columns", ()):
        raise ValueError(
            f"{path.name} has no table 'particles' with rlnImageName; expected a file of particles as RELION 3.1 and "
            f"later write it. Its tables: {', '.join(map(str, blocks))}."
        )
    particles = particles.reset_index(drop=True)
    pixel = _pixel_size(blocks.get("optics"), particles, path)
    names = particles["rlnImageName"].str.split("@", n=1, expand=True)
    stacks = {name: _open_stack(path, name) for name in names[1].unique()}
    shapes = {stack.shape[1:] for stack in stacks.values()}
    if len(shapes) > 1:
        raise ValueError(f"{path.name} names stacks of several boxes, {sorted(shapes)}; expected one.")
    data = _gather(stacks, names)
    signal = Signal2D(data).as_lazy() if lazy else Signal2D(np.asarray(data.compute()))
    if lazy:
        signal.data = data
    box = data.shape[-1]
    signal.axes_manager.signal_axes.set(scale=pixel / 10, units="nm", offset=-(box // 2) * pixel / 10)
    for axis, name in zip(signal.axes_manager.signal_axes, "xy", strict=True):
        axis.name = name
    signal.axes_manager.navigation_axes[0].name = "particle"
    signal.metadata.General.title = path.stem
    signal.set_signal_type(signal_type)
    return signal, _with_poses(particles)


def _with_poses(particles):
    found = particles.copy()
    for ours, theirs in ANGLES.items():
        if theirs in particles:
            found[ours] = particles[theirs].astype(float)
    for ours, theirs in ORIGINS.items():
        if theirs in particles:
            found[ours] = -particles[theirs].astype(float) / 10
    return found


def _pixel_size(optics, particles, path: Path) -> float:
    if optics is None or "rlnImagePixelSize" not in getattr(optics, "columns", ()):
        raise ValueError(f"{path.name} has no table 'optics' with rlnImagePixelSize; RELION 3.1 and later write one.")
    used = optics
    if "rlnOpticsGroup" in particles and "rlnOpticsGroup" in optics:
        used = optics[optics["rlnOpticsGroup"].isin(particles["rlnOpticsGroup"])]
    sizes = sorted(set(used["rlnImagePixelSize"].astype(float)))
    if len(sizes) != 1:
        raise ValueError(f"{path.name} has the pixel sizes {sizes} Å; expected one: split the file by optics group.")
    return sizes[0]


def _open_stack(star: Path, name: str) -> np.ndarray:
    import mrcfile

    for folder in (star.parent, *star.parent.parents):
        target = folder / name
        if target.is_file():
            data = mrcfile.mmap(target, mode="r").data
            return data[None] if data.ndim == 2 else data
    raise FileNotFoundError(f"{star.name} names the stack {name}, which is not beside it or below its parent folders.")


def _gather(stacks: dict, names) -> da.Array:
    """Images in the order of the file, as a dask array over their files."""
    parts = []
    number = names[0].astype(int).to_numpy() - 1
    stack_of = names[1].to_numpy()
    edges = np.flatnonzero(np.append(True, stack_of[1:] != stack_of[:-1]))
    for start, stop in zip(edges, np.append(edges[1:], len(number)), strict=True):
        stack = stacks[stack_of[start]]
        wanted = number[start:stop]
        if wanted.min() < 0 or wanted.max() >= len(stack):
            raise ValueError(
                f"The stack {stack_of[start]} has {len(stack)} images, but number {wanted.max() + 1} is asked for."
            )
        size = max(1, 2**22 // (stack.shape[1] * stack.shape[2]))
        whole = da.from_array(stack, chunks=(size, -1, -1))
        run = len(wanted) == wanted[-1] - wanted[0] + 1 and (np.diff(wanted) == 1).all()
        parts.append(whole[wanted[0] : wanted[-1] + 1] if run else whole[wanted])
    return da.concatenate(parts)
