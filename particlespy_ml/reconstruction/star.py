"""Stacks as .mrcs and .star files, for RELION (3.1 and later) and cryoSPARC, and back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np

from particlespy_ml.core.files import replacing
from particlespy_ml.reconstruction.mrc import write_images
from particlespy_ml.tables.groups import group_particles

if TYPE_CHECKING:
    import pandas as pd
    from hyperspy.signals import BaseSignal, Signal2D
    from numpy.typing import ArrayLike


ANGLES = {"rot": "rlnAngleRot", "tilt": "rlnAngleTilt", "psi": "rlnAnglePsi"}
ORIGINS = {"shift_x": "rlnOriginXAngst", "shift_y": "rlnOriginYAngst"}


def save_star(
    stack: Signal2D,
    filename: str | Path,
    poses: pd.DataFrame | None = None,
    *,
    clusters: BaseSignal | ArrayLike | None = None,
    by: str = "cluster",
    voltage: float | None = None,
    normalise: bool = True,
    diameter: float | str | None = None,
    overwrite: bool = False,
) -> None:
    """Write a stack as NAME.mrcs and NAME.star.

    HAADF images are bright where matter is, which is the contrast that RELION and cryoSPARC expect, and have no
    contrast transfer function: the star file says amplitude contrast 1, no spherical aberration and no defocus, and
    CTF correction must be switched off. Axes that run backwards are turned, since neither file knows of them. See
    docs/relion.md for what to type.

    Parameters
    ----------
    stack
        Stack of centred particles, as from `extract_particles`. A lazy one is written a few images at a time.
    filename
        Name that ends in .star.
    poses
        Data frame with rot, tilt and psi in degrees and, optionally, shift_x and shift_y in the stack's unit and half,
        such as ``reconstruction.poses``.
    clusters
        Table of the stack's particles, or one whole number for each of them, written as rlnClassNumber from 1 on;
        particles below 0 have class 0.
    by
        The column of the table: "cluster", "class", or another one of whole numbers or names.
    voltage
        Acceleration voltage in kV; by default from the metadata, otherwise 300.
    normalise
        Shift and scale each image to a background of mean 0 and standard deviation 1, as RELION wants them. Images
        whose background has no noise keep their scale.
    diameter
        Diameter of the particles, outside of which is background: a number in the stack's unit, or a text such as
        "40 px"; by default from the mean image.
    overwrite
        Replace files that exist.

    Raises
    ------
    FileExistsError
        If a file exists and is not to be replaced.
    ValueError
        If the stack is no stack of square images with square pixels, pixels are not finite, or *poses* or *clusters* do
        not fit it. No file is left then.
    """
    import pandas as pd
    import starfile

    from particlespy_ml.reconstruction.arguments import check_diameter, check_poses, check_projections, shifts_of_poses

    path = Path(filename)
    if path.suffix != ".star":
        raise ValueError(f"Expected a name that ends in .star, not {path.name}.")
    grid, data = check_projections(stack)
    count, box = data.shape[0], data.shape[-1]
    if poses is not None and len(poses) != count:
        raise ValueError(f"Expected a pose for each of the {count} particles, not {len(poses)}.")
    if poses is not None:
        missing = [name for name in ANGLES if name not in poses]
        if missing:
            raise ValueError(f"The poses have no {', '.join(missing)}; expected columns rot, tilt and psi.")
        check_poses(np.column_stack([np.asarray(poses[n], float) for n in (*ANGLES, *ORIGINS) if n in poses]))
    shifts = None if poses is None else shifts_of_poses(poses, grid)
    numbers = None if clusters is None else group_particles(clusters, by, count)[0]
    images_path = path.with_suffix(".mrcs")
    found = [str(p) for p in (path, images_path) if p.exists()]
    if found and not overwrite:
        raise FileExistsError(f"{', '.join(found)}: give overwrite=True to replace.")
    pixel = 10 * grid.nanometres[0]
    diameter = check_diameter(diameter, grid)
    with replacing(path) as star, replacing(images_path) as images:  # the images first, which the star file names
        write_images(images, data, pixel, diameter, normalise)
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
        blocks = {
            "optics": pd.DataFrame(optics),
            "particles": _particles(images_path.name, count, poses, shifts, numbers, grid),
        }
        starfile.write(blocks, star, float_format="%.6f", overwrite=True)


def _particles(images_name: str, count: int, poses, shifts, classes, grid):
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
        # what moves the particle back to the middle
        particles |= dict(zip(ORIGINS.values(), -angstrom * shifts.T, strict=True))
        if "half" in poses:
            particles["rlnRandomSubset"] = np.asarray(poses["half"], int) + 1
    if classes is not None:
        particles["rlnClassNumber"] = np.where(classes < 0, 0, classes + 1)
    return pd.DataFrame(particles)


def _voltage(stack) -> float:
    node = stack.metadata.get_item("Acquisition_instrument.TEM.beam_energy", None)
    return 300.0 if node is None else float(node)


def load_star(filename: str | Path, *, signal_type: str = "HAADF", lazy: bool = True) -> tuple[Signal2D, pd.DataFrame]:
    """Load particles from a .star file of RELION (3.1 and later) and the .mrcs files that it names.

    Parameters
    ----------
    filename
        The .star file. Stacks are looked for beside it, and below its parent folders as RELION writes them. An image
        named without ``number@`` is the only one of its file.
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
        If the file has no particles, several pixel sizes or boxes, or names an image that a stack does not have.
    """
    import starfile
    from hyperspy.signals import Signal2D

    path = Path(filename)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    blocks = starfile.read(path, always_dict=True)
    particles = _table(blocks.get("particles"))
    if particles is None or "rlnImageName" not in particles.columns or not len(particles):
        raise ValueError(
            f"{path.name} has no table 'particles' with rlnImageName; expected a file of particles as RELION 3.1 and "
            f"later write it. Its tables: {', '.join(map(str, blocks))}."
        )
    particles = particles.reset_index(drop=True)
    pixel = _pixel_size(_table(blocks.get("optics")), particles, path)
    numbers, names = _split_names(particles["rlnImageName"])
    stacks = {name: _open_stack(path, name) for name in dict.fromkeys(names)}
    shapes = {stack.shape[1:] for stack in stacks.values()}
    if len(shapes) > 1:
        raise ValueError(f"{path.name} names stacks of several boxes, {sorted(shapes)}; expected one.")
    data = _gather(stacks, numbers, names)
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


def _table(block):
    """A block of a star file as a data frame: those of one row may be written without a loop."""
    import pandas as pd

    return pd.DataFrame([block]) if isinstance(block, dict) else block


def _split_names(column) -> tuple[np.ndarray, list[str]]:
    """Numbers from 1 on, -1 where a name has none, and files of the images of a star file."""
    found = [re.fullmatch(r"(?:(\d+)@)?(.+)", str(name).strip()) for name in column]
    unnamed = [row + 1 for row, match in enumerate(found) if match is None]
    if unnamed:
        raise ValueError(f"rlnImageName is empty in row {unnamed[0]}, as in {len(unnamed)} of {len(found)} rows.")
    numbers = np.array([-1 if match[1] is None else int(match[1]) for match in found])
    return numbers, [match[2] for match in found]


def _with_poses(particles):
    found = particles.copy()
    found.attrs["units"] = dict.fromkeys(ORIGINS, "nm")
    for ours, theirs in ANGLES.items():
        if theirs in particles:
            found[ours] = particles[theirs].astype(float)
    for ours, theirs in ORIGINS.items():
        if theirs in particles:
            found[ours] = -particles[theirs].astype(float) / 10
    return found


def _pixel_size(optics, particles, path: Path) -> float:
    if optics is None or "rlnImagePixelSize" not in optics.columns:
        raise ValueError(f"{path.name} has no table 'optics' with rlnImagePixelSize; RELION 3.1 and later write one.")
    used = optics
    if "rlnOpticsGroup" in particles and "rlnOpticsGroup" in optics:
        groups = set(particles["rlnOpticsGroup"])
        missing = sorted(groups - set(optics["rlnOpticsGroup"]))
        if missing:
            raise ValueError(f"{path.name} has particles of the optics groups {missing}, which its optics do not have.")
        used = optics[optics["rlnOpticsGroup"].isin(groups)]
    sizes = sorted(set(used["rlnImagePixelSize"].astype(float)))
    if not np.isfinite(sizes).all() or min(sizes) <= 0:
        raise ValueError(f"{path.name} has the pixel sizes {sizes} Å; expected one above zero.")
    if not np.isclose(sizes[0], sizes[-1], rtol=1e-5):
        raise ValueError(f"{path.name} has the pixel sizes {sizes} Å; expected one: split the file by optics group.")
    return sizes[0]


def _open_stack(star: Path, name: str) -> np.ndarray:
    import mrcfile

    for folder in (star.parent, *star.parent.parents):
        target = folder / name
        if target.is_file():
            data = mrcfile.mmap(target, mode="r").data
            if data.ndim > 3:
                raise ValueError(f"{star.name} names {name}, which is a stack of volumes; expected images.")
            return data[None] if data.ndim == 2 else data
    where = "which does not exist" if Path(name).is_absolute() else "which is not beside it or below its parent folders"
    raise FileNotFoundError(f"{star.name} names the stack {name}, {where}.")


def _gather(stacks: dict, numbers: np.ndarray, names: list[str]) -> da.Array:
    """Images in the order of the file, as a dask array over their files."""
    for row, (number, name) in enumerate(zip(numbers, names, strict=True)):
        count = len(stacks[name])
        if number < 0 and count > 1:
            raise ValueError(
                f"Row {row + 1} names {name} without the number of an image (000001@{name}), but it has {count}: a "
                "volume or a tilt series, as of tomography, is no stack of particles."
            )
        if not 1 <= abs(number) <= count:
            raise ValueError(f"Row {row + 1} names image {number} of {name}, which has the images 1 to {count}.")
    wanted_of = np.abs(numbers) - 1
    stack_of = np.asarray(names, dtype=object)
    parts = []
    edges = np.flatnonzero(np.append(True, stack_of[1:] != stack_of[:-1]))
    for start, stop in zip(edges, np.append(edges[1:], len(names)), strict=True):
        stack = stacks[stack_of[start]]
        wanted = wanted_of[start:stop]
        size = max(1, 2**22 // (stack.shape[1] * stack.shape[2]))
        whole = da.from_array(stack, chunks=(size, -1, -1))
        run = len(wanted) == wanted[-1] - wanted[0] + 1 and (np.diff(wanted) == 1).all()
        parts.append(whole[wanted[0] : wanted[-1] + 1] if run else whole[wanted])
    return da.concatenate(parts)
