"""The verb `reconstruct`: a stack of particles to a volume."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.provenance import METADATA_NODE, package_versions
from particlespy_ml.reconstruction.arguments import (
    SMALLEST,
    check_diameter,
    check_max_shift,
    check_projections,
    check_resolution,
    known_poses,
    model_volume,
)
from particlespy_ml.tables.groups import group_particles

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms
    from hyperspy.signals import BaseSignal, Signal2D
    from numpy.typing import ArrayLike

    from particlespy_ml.reconstruction.result import Reconstruction


ENGINES = ("matching", "aspire")


@dataclass(frozen=True)
class _Settings:
    """Arguments of `reconstruct` in pixels."""

    grid: PixelGrid
    point_group: str
    group: np.ndarray
    diameter: float | None
    initial_resolution: float | None
    max_shift: float
    max_iterations: int
    criterion: float
    engine: str
    seed: int
    show: bool


def reconstruct(
    stack: Signal2D,
    model: Atoms | BaseSignal | np.ndarray | Reconstruction | None = None,
    *,
    point_group: str = "C1",
    clusters: BaseSignal | ArrayLike | None = None,
    by: str = "cluster",
    poses: np.ndarray | pd.DataFrame | None = None,
    diameter: float | str | None = None,
    initial_resolution: float | str | None = None,
    max_shift: float | str = "2 px",
    max_iterations: int = 12,
    criterion: float = 0.143,
    engine: str = "matching",
    seed: int = 0,
    show_progressbar: bool | None = None,
) -> Reconstruction | dict[int | str, Reconstruction]:
    """Reconstruct the volume of particles from images of many of them in different orientations.

    Orientations are found by projection matching, from a model or from the images alone, and volume and orientations
    are refined in turn, in two halves of the particles that never see each other. Images must be projections, as HAADF
    images are but for channelling, and their background must be flat:
    ``extract_particles(table, remove_background=True)``.

    Parameters
    ----------
    stack
        Stack of centred particles, as from `extract_particles`. A lazy one is read a few images at a time, once in
        each step.
    model
        What to start from: ASE atoms, a volume (signal of three dimensions or array, in the box and pixels of the
        stack), or another reconstruction. Its details beyond *initial_resolution* are left out. By default a model is
        found from the images.
    point_group
        Schoenflies symbol of the particle's symmetry, such as "C1" (none), "D5h" (decahedra), "Oh" (cuboctahedra) or
        "Ih" (icosahedra); see `particlespy_ml.reconstruction.rotations.point_group` for the axes.
    clusters
        Table of the stack's particles, or one whole number for each of them, to reconstruct each cluster for itself.
        Particles below 0 are left out.
    by
        The column of the table: "cluster", "class", or another one of whole numbers or names.
    poses
        Orientations that are known: rotations, shape (particles, 3, 3), or a data frame with rot, tilt, psi and, if
        particles are off centre, shift_x and shift_y. Nothing is refined then.
    diameter
        Largest diameter of the particles: a number in the stack's unit, or a text such as "40 px"; by default from the
        mean image.
    initial_resolution
        Details of the model finer than this length are left out; by default four times the Nyquist limit, which is
        eight pixels.
    max_shift
        Largest shift of a particle from the middle, less than half of the box.
    max_iterations
        Largest number of refinements of all poses; it ends when they stay. 0 finds the poses in the model given and
        stops, with all of the model's details where no *initial_resolution* is given.
    criterion
        Correlation of the half maps that defines the resolution.
    engine
        "matching", or "aspire" (common lines; package aspire, point groups C1, Cn and D2) for the first orientations.
    seed
        Seed of the halves and of the start.
    show_progressbar
        Show a progress bar; by default HyperSpy's preference.

    Returns
    -------
    Reconstruction or dict
        One for each cluster, by its number or name, where *clusters* are given.

    Raises
    ------
    TypeError
        If the stack or the model is nothing of the above.
    ValueError
        If there are too few particles, or all are identical, pixels are not finite, the box is not square, pixel sizes
        differ, the model is not symmetric in the point group, an option is unknown, or a number is out of range.

    Warns
    -----
    UserWarning
        If the best shift of particles is *max_shift*: they are left out of the volume.

    References
    ----------
    P. A. Penczek, R. A. Grassucci and J. Frank, Ultramicroscopy 53, 251 (1994). S. H. W. Scheres and S. Chen,
    Nat. Methods 9, 853 (2012).

    Examples
    --------
    >>> import hyperspy.api as hs
    >>> from particlespy_ml.reconstruction.fourier import project
    >>> from particlespy_ml.reconstruction.rotations import sample_rotations
    >>> volume = np.zeros((24, 24, 24))
    >>> volume[8:17, 10:15, 6:14] = 1
    >>> rotations = sample_rotations(60)
    >>> stack = hs.signals.Signal2D(project(volume, rotations))
    >>> stack.axes_manager.signal_axes.set(scale=0.1, units="nm")
    >>> found = reconstruct(stack, poses=rotations, diameter=1.8, show_progressbar=False)
    >>> bool(np.corrcoef(found.volume.data.ravel(), volume.ravel())[0, 1] > 0.9)
    True
    """
    grid, data = check_projections(stack)
    if engine not in ENGINES:
        raise ValueError(f"There is no engine {engine!r}; expected one of {', '.join(ENGINES)}.")
    if not 0 < criterion < 1 or not max_iterations >= 0:
        raise ValueError(
            f"criterion={criterion}, max_iterations={max_iterations}; expected a correlation between 0 and 1, and 0 or "
            "more iterations."
        )
    from particlespy_ml.reconstruction.rotations import point_group as operations

    settings = _Settings(
        grid=grid,
        point_group=point_group,
        group=operations(point_group),
        diameter=check_diameter(diameter, grid),
        initial_resolution=check_resolution(initial_resolution, grid),
        max_shift=check_max_shift(max_shift, grid),
        max_iterations=int(max_iterations),
        criterion=criterion,
        engine=engine,
        seed=seed,
        show=_progress_wanted(show_progressbar),
    )
    start = None if model is None else model_volume(model, grid, settings.group, point_group)
    known = None if poses is None else known_poses(poses, len(data), grid)
    if clusters is None:
        return _reconstruct(stack, data, np.arange(len(data)), start, known, settings)
    labels, names = group_particles(clusters, by, len(data))
    found = {}
    sizes = {label.item(): int((labels == label).sum()) for label in np.unique(labels) if not label < 0}
    small = {label: size for label, size in sizes.items() if size < SMALLEST}
    if small or not sizes:
        raise ValueError(
            f"Clusters and numbers of their particles: {sizes}; expected {SMALLEST} at least in each. Leave small "
            "ones out by a label below 0."
        )
    for label in sizes:
        rows = np.flatnonzero(labels == label)
        found[names[label] if names else label] = _reconstruct(stack, data, rows, start, known, settings)
    return found


def _progress_wanted(show: bool | None) -> bool:
    if show is None:
        import hyperspy.api as hs

        show = hs.preferences.General.show_progressbar
    return bool(show)


def _reconstruct(stack, data, rows: np.ndarray, start, known, settings: _Settings):
    """Reconstruction of some particles of a stack."""
    from tqdm.auto import tqdm

    from particlespy_ml.reconstruction.images import ImageBatches, crop_to

    grid = settings.grid
    images = ImageBatches(data, rows, settings.diameter, crop=True)
    start = None if start is None else crop_to(start, images.box, 3)
    with tqdm(disable=not settings.show, desc="Reconstructing", unit=" steps") as bar:

        def progress(entry: dict | None = None) -> None:
            bar.update()
            if entry:
                bar.set_postfix_str(
                    f"{_length(entry['radius'], images.box, grid):.3g} {grid.units}, {entry['change']:.2g}°"
                )

        refined = _refined(images, start, None if known is None else known[rows], settings, progress)
    if not refined.used.all():
        out = rows[~refined.used]
        warnings.warn(
            f"{len(out)} of {len(rows)} particles ({', '.join(map(str, out[:10]))}{', ...' if len(out) > 10 else ''}) "
            f"are shifted by {settings.max_shift * grid.scale[0]:.3g} {grid.units}, the largest shift, or more: they "
            "are left out of the volume. Centre them, with align(rotate=False), or allow a larger max_shift.",
            UserWarning,
            stacklevel=3,
        )
    return _result(stack, refined, rows, settings)


def _refined(images, start, known, settings: _Settings, progress):
    """Volume and poses: of known poses, of a known model, or refined from a start."""
    from particlespy_ml.reconstruction.fourier import compute_device
    from particlespy_ml.reconstruction.refinement import match_model, refine, volume_of_poses

    shared = {"seed": settings.seed, "device": compute_device()}
    if known is not None:
        return volume_of_poses(images, known, settings.group, **shared)
    radius = None
    if settings.initial_resolution is not None:
        radius = images.box * settings.grid.scale[0] / settings.initial_resolution
        radius = int(np.clip(np.rint(radius), 2, images.box // 2 - 1))
    if start is not None and settings.max_iterations == 0:
        reach = images.box // 2 - 1 if radius is None else radius
        return match_model(images, start, settings.group, radius=reach, max_shift=settings.max_shift, **shared)
    if start is None:
        start = _first_volume(images, radius, settings, shared, progress)
    return refine(
        images,
        start,
        settings.group,
        radius=radius or max(3, images.box // 8),
        max_iterations=max(1, settings.max_iterations),
        max_shift=settings.max_shift,
        progress=progress,
        **shared,
    )


def _first_volume(images, radius: int | None, settings: _Settings, shared: dict, progress) -> np.ndarray:
    if settings.engine == "aspire":
        from particlespy_ml.reconstruction.aspire import aspire_volume

        return aspire_volume(images, settings.point_group, settings.seed)
    from particlespy_ml.reconstruction.initial import initial_volume

    return initial_volume(
        images,
        settings.group,
        radius=radius or _first_radius(images),
        max_shift=min(settings.max_shift, 1.0),
        progress=progress,
        **shared,
    )


def _first_radius(images) -> int:
    """Frequencies of a first volume: ten resolution elements across the particle show its facets."""
    return int(np.clip(np.rint(7 * images.box / images.diameter), 4, images.box // 2 - 1))


def _length(radius: float, box: int, grid: PixelGrid) -> float:
    """Period of a frequency in units of 1 / box, in the unit of the grid."""
    return box * grid.scale[0] / max(radius, 0.5)


def _result(stack, refined, rows: np.ndarray, settings: _Settings):
    import pandas as pd

    from particlespy_ml.reconstruction.images import pad_to
    from particlespy_ml.reconstruction.resolution import resolution_radius
    from particlespy_ml.reconstruction.result import Reconstruction
    from particlespy_ml.reconstruction.rotations import to_euler

    grid = settings.grid
    box = refined.volume.shape[0]
    frequency = np.arange(len(refined.correlation)) / (box * grid.scale[0])
    with np.errstate(divide="ignore"):
        table = {"frequency": frequency, "resolution": 1 / frequency, "correlation": refined.correlation}
    fsc = pd.DataFrame(table)
    fsc.attrs["units"] = {"frequency": f"1/{grid.units}", "resolution": grid.units, "correlation": ""}
    poses = pd.DataFrame(to_euler(refined.poses.rotations), columns=["rot", "tilt", "psi"])
    poses[["shift_x", "shift_y"]] = refined.poses.shifts * grid.scale[0]
    poses["score"], poses["half"], poses["particle"] = refined.poses.scores, refined.halves, rows
    poses["used"] = refined.used
    poses.attrs["units"] = {"rot": "°", "tilt": "°", "psi": "°", "shift_x": grid.units, "shift_y": grid.units}
    resolution = _length(resolution_radius(refined.correlation, settings.criterion), box, grid)
    record = {
        "reconstruction": {
            "point_group": settings.point_group,
            "resolution": resolution,
            "criterion": settings.criterion,
            "particles": len(rows),
            "seed": settings.seed,
        },
        "versions": package_versions(),
    }
    title = stack.metadata.get_item("General.title", "")
    return Reconstruction(
        volume=_volume_signal(pad_to(refined.volume, grid.shape[0], 3), grid, title, record),
        half_maps=_volume_signal(pad_to(refined.half_maps, grid.shape[0], 3), grid, title, record),
        fsc=fsc,
        resolution=resolution,
        poses=poses,
        point_group=settings.point_group,
        log=pd.DataFrame(refined.iterations).assign(
            resolution=[_length(entry["radius"], box, grid) for entry in refined.iterations]
        ),
    )


def _volume_signal(data: np.ndarray, grid: PixelGrid, title: str, record: dict):
    from hyperspy.signals import Signal2D

    box = grid.shape[0]
    axes = [{"name": "half", "size": len(data), "navigate": True}] if data.ndim == 4 else []
    for name in "zyx":
        axes.append(
            {
                "name": name,
                "size": box,
                "scale": grid.scale[0],
                "offset": -(box // 2) * grid.scale[0],
                "units": grid.units,
                "navigate": name == "z",
            }
        )
    signal = Signal2D(data, axes=axes)
    signal.metadata.General.title = f"Volume of {title}".removesuffix(" of ")
    signal.metadata.set_item(METADATA_NODE, record)
    return signal
