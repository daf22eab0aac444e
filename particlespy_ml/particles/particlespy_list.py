"""Particle tables to and from ParticleSpy's particle lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.particles.measure import (
    COLUMNS,
    column_units,
    find_bbox_pixels,
    label_masks,
    measure_masks,
    outline_mask,
)
from particlespy_ml.segmentation.numbers import MAX_LABEL
from particlespy_ml.tables.check import check_measured
from particlespy_ml.tables.classes import NONE, UNDEFINED
from particlespy_ml.tables.table import make_table, object_array

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal, Signal2D
    from numpy.typing import ArrayLike
    from particlespy.ptcl_class import particle_list


# columns that ParticleSpy writes with spaces
_SPACED = ("equivalent_circular_diameter", "major_axis_length", "minor_axis_length")


def to_particle_list(
    table: BaseSignal, image: Signal2D | None = None, labels: BaseSignal | ArrayLike | None = None
) -> particle_list:
    """Return a ParticleSpy ``particle_list`` with the properties, masks and, given the image, crops of a table.

    Parameters
    ----------
    table
        Particle table. A lazy one is computed.
    image
        The image or series, for the particles' images; crops hold the whole bounding box, the last row and column too.
    labels
        Labels, or the mask, that the table was measured on, for the masks; without, the outlines give them: those know
        no holes, and with `OUTLINE_POINTS` vertices follow ragged edges to a pixel or so.

    Returns
    -------
    particlespy.ptcl_class.particle_list
        Properties carry ParticleSpy's names; x and y are those of the image's x and y axes. Columns of vectors, such
        as embeddings, are left out.

    Raises
    ------
    ValueError
        If the labels are of another number of frames, or do not have a particle where the table has it.
    """
    from particlespy.ptcl_class import particle, particle_list

    check_measured(table)
    table = table._computed()

    grid = PixelGrid.from_dict(table.metadata.get_item(f"{METADATA_NODE}.image").as_dictionary())
    units = table.units
    result = particle_list()
    flat_labels = None if labels is None else np.asarray(getattr(labels, "data", labels)).reshape(-1, *grid.shape)
    if flat_labels is not None and len(flat_labels) != table.data.size:
        raise ValueError(f"Expected labels of {table.data.size} frames, not {len(flat_labels)}.")
    for number, (index, rows) in enumerate((i, table.data[i]) for i in np.ndindex(*table.data.shape)):
        frame = _frame(image, index) if image is not None and len(rows) else None
        if flat_labels is None:
            masks = (outline_mask(row, grid) for row in rows)
        else:
            masks = label_masks(rows, flat_labels[number], grid)
        for row, mask in zip(rows, masks, strict=True):
            item = particle()
            for name in rows.dtype.names:
                if name in ("label", "touches_border", "class_index") or rows.dtype[name].shape:
                    continue
                value = row[name].item()
                if name == "intensity_std" and row["intensity_max"]:
                    value /= row["intensity_max"].item()  # ParticleSpy's is relative to the maximum
                key = name.replace("_", " ") if name in _SPACED else name
                item.set_property(key, value, units[name] or None)
            if "class_index" in rows.dtype.names:
                item.set_property("class", str(table.class_names(row["class_index"])), None)
            item.set_property("frame", number, None)
            item.set_property("label", int(row["label"]), None)
            box = tuple(int(value) for value in find_bbox_pixels(row, grid))
            item.set_boundingbox(box)
            item.set_mask(mask)
            if frame is not None:
                item.store_im(frame.isig[box[1] : box[3], box[0] : box[2]])
            result.append(item)
    return result


def from_particle_list(particles: particle_list, image: Signal2D) -> BaseSignal:
    """Return a table measured on the masks of a ParticleSpy ``particle_list``.

    ParticleSpy's own numbers have x and y swapped and hold for square pixels only, so sizes, shapes and intensities are
    measured anew; other numeric properties, such as cluster numbers, become columns. Each particle is measured on its
    own mask, whether or not it overlaps with others, whose pixels do not count for its background. Labels and classes
    that `to_particle_list` wrote are kept.

    Parameters
    ----------
    particles
        A list whose particles have masks of the image's shape.
    image
        The image or series that the list was made from.

    Returns
    -------
    ParticleTable

    Raises
    ------
    ValueError
        If a particle has no mask, an empty one or one of another shape, or a frame that the image has not.
    """
    if not hasattr(particles, "list"):
        raise TypeError(f"Expected a ParticleSpy particle_list, not {type(particles).__name__}.")
    seen = ImageFrames.of(image)
    grid, shape = seen.grid, seen.frames.shape[:-2]
    frames = np.asarray(seen.frames).reshape(-1, *grid.shape)
    by_frame: list[list] = [[] for _ in range(len(frames))]
    for number, item in enumerate(particles.list):
        frame = int(_value(item, "frame") or 0)
        found = np.shape(getattr(item, "mask", None))
        if found != grid.shape or not 0 <= frame < len(frames):
            raise ValueError(
                f"Particle {number} of the list has a mask of shape {found} in frame {frame}; expected one of "
                f"{grid.shape} in one of {len(frames)} frames."
            )
        if not np.any(item.mask):
            raise ValueError(f"Particle {number} of the list has an empty mask; leave it out.")
        by_frame[frame].append(item)
    known = {name for name, _, _ in COLUMNS} | {name.replace("_", " ") for name in _SPACED} | {"frame", "class"}
    entries = [(name, entry) for item in particles.list for name, entry in item.properties.items() if name not in known]
    extra = {
        name: entry["units"] or "" for name, entry in entries if isinstance(entry["value"], (int, float, np.number))
    }
    classes = _classes(particles, extra)
    tables = [_measure_items(frame, items, grid, extra, classes) for frame, items in zip(frames, by_frame, strict=True)]
    units = {**column_units(grid.units), **({"class_index": ""} if classes else {}), **extra}
    record = seen.record(segmentation={"method": "particle_list"}, **({"classes": classes} if classes else {}))
    return make_table(
        object_array(tables, shape), seen.navigation_axes, units, record, "Particles of a ParticleSpy list"
    )


def _frame(image, index: tuple[int, ...]):
    """One frame of a series as a computed signal; ParticleSpy takes no lazy ones."""
    frame = image if image.axes_manager.navigation_dimension == 0 else image.inav[index[::-1]]
    if frame._lazy:
        frame = frame.deepcopy()
        frame.compute(show_progressbar=False)
    return frame


def _value(item, name: str):
    """Value of a property; None where the particle does not have it."""
    return (item.properties.get(name) or {}).get("value")


def _classes(particles, extra) -> list[str]:
    """Classes of a list, in the order of the model where there are probabilities."""
    found = {str(_value(item, "class")) for item in particles.list if _value(item, "class") is not None}
    ordered = [name.removeprefix("probability_") for name in extra if name.startswith("probability_") and name != NONE]
    return [*ordered, *sorted(found - {*ordered, UNDEFINED})]


def _measure_items(frame: np.ndarray, items: list, grid: PixelGrid, extra, classes: list[str]) -> np.ndarray:
    numbers = [_value(item, "label") for item in items]
    whole = all(isinstance(n, (int, np.integer)) and 0 < n <= MAX_LABEL for n in numbers)
    if not whole or len(set(numbers)) < len(numbers):
        numbers = list(range(1, len(items) + 1))
    order = np.argsort(numbers, kind="stable")
    items, numbers = [items[i] for i in order], [numbers[i] for i in order]
    rows = measure_masks(frame, [np.asarray(item.mask) for item in items], numbers, grid)
    columns = [(name, rows.dtype[name]) for name in rows.dtype.names]
    columns += [("class_index", "i1")] * bool(classes) + [(name, "f8") for name in extra]
    out = np.zeros(len(rows), dtype=columns)
    for name in rows.dtype.names:
        out[name] = rows[name]
    if classes:
        out["class_index"] = [classes.index(c) if (c := _value(item, "class")) in classes else -1 for item in items]
    for name in extra:
        values = [_value(item, name) for item in items]
        out[name] = [np.nan if value is None else value for value in values]
    return out
