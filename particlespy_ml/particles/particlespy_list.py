"""Particle tables to and from ParticleSpy's particle lists."""

from __future__ import annotations

import numpy as np
from skimage.draw import polygon2mask

from particlespy_ml._calibration import PixelGrid, pixel_grid
from particlespy_ml.particles.measure import COLUMNS, column_units, find_bbox_pixels, measure_frame
from particlespy_ml.particles.table import METADATA_NODE, make_table, navigation_axes, object_array, provenance

# columns that ParticleSpy writes with spaces
_SPACED = ("equivalent_circular_diameter", "major_axis_length", "minor_axis_length")


def to_particle_list(table, image=None, labels=None):
    """Return a ParticleSpy ``particle_list`` with the properties, masks and, given the image, crops of a table.

    Parameters
    ----------
    table
        Particle table, computed.
    image
        The image or series, for the particles' images; crops hold the whole bounding box, the last row and column too.
    labels
        Labels for the masks; without, the outlines give them.

    Returns
    -------
    particlespy.ptcl_class.particle_list
        Properties carry ParticleSpy's names; x and y are those of the image's x and y axes.
    """
    from particlespy.ptcl_class import particle, particle_list

    grid = PixelGrid.from_dict(table.metadata.get_item(f"{METADATA_NODE}.image").as_dictionary())
    units = table.units
    result = particle_list()
    flat_labels = None if labels is None else np.asarray(labels.data).reshape(-1, *grid.shape)
    for number, (index, rows) in enumerate((i, table.data[i]) for i in np.ndindex(*table.data.shape)):
        for row in rows:
            item = particle()
            for name in rows.dtype.names:
                if name in ("label", "outline", "touches_border", "class_index"):
                    continue
                value = row[name].item()
                if name == "intensity_std" and row["intensity_max"]:
                    value /= row["intensity_max"].item()  # ParticleSpy's is relative to the maximum
                key = name.replace("_", " ") if name in _SPACED else name
                item.set_property(key, value, units[name] or None)
            if "class_index" in rows.dtype.names:
                item.set_property("class", table.class_names(row["class_index"]).item(), None)
            item.set_property("frame", number, None)
            item.set_property("label", int(row["label"]), None)
            box = tuple(int(value) for value in find_bbox_pixels(row, grid))
            item.set_boundingbox(box)
            item.set_mask(_mask(row, grid, None if flat_labels is None else flat_labels[number]))
            if image is not None:
                frame = image if image.axes_manager.navigation_dimension == 0 else image.inav[index[::-1]]
                item.store_im(frame.isig[box[1] : box[3], box[0] : box[2]])
            result.append(item)
    return result


def from_particle_list(particles, image):
    """Return a table measured on the masks of a ParticleSpy ``particle_list``.

    ParticleSpy's own numbers have x and y swapped and hold for square pixels only, so sizes, shapes and intensities are
    measured anew; other numeric properties, such as cluster numbers, become columns.

    Parameters
    ----------
    particles
        A list whose particles have masks of the image's shape.
    image
        The image or series that the list was made from.

    Returns
    -------
    ParticleTable
    """
    grid = pixel_grid(image)
    axes = navigation_axes(image)
    shape = tuple(axis["size"] for axis in axes)
    frames = np.asarray(image.data).reshape(-1, *grid.shape)
    by_frame: list[list] = [[] for _ in range(len(frames))]
    for item in particles.list:
        by_frame[int((item.properties.get("frame") or {}).get("value") or 0)].append(item)
    known = {name for name, _, _ in COLUMNS} | {name.replace("_", " ") for name in _SPACED} | {"frame", "class"}
    extra = sorted(
        {
            name
            for item in particles.list
            for name, entry in item.properties.items()
            if name not in known and isinstance(entry["value"], (int, float, np.number))
        }
    )
    tables = [_measure_items(frame, items, grid, extra) for frame, items in zip(frames, by_frame, strict=True)]
    units = {**column_units(grid.units), **dict.fromkeys(extra, "")}
    record = provenance(image, grid, {"method": "particle_list"})
    return make_table(object_array(tables, shape), axes, units, record, "Particles of a ParticleSpy list")


def _mask(row, grid: PixelGrid, labels: np.ndarray | None) -> np.ndarray:
    if labels is not None:
        return labels == row["label"]
    rows, columns = grid.to_pixels(row["outline"][:, 0], row["outline"][:, 1])
    return polygon2mask(grid.shape, np.column_stack([rows, columns]))


def _measure_items(frame: np.ndarray, items: list, grid: PixelGrid, extra: list[str]) -> np.ndarray:
    labels = np.zeros(grid.shape, np.int32)
    for number, item in enumerate(items, start=1):
        labels[np.asarray(item.mask) != 0] = number
    rows = measure_frame(frame, labels, grid)
    out = np.zeros(len(rows), dtype=[*((n, rows.dtype[n]) for n in rows.dtype.names), *((n, "f8") for n in extra)])
    for name in rows.dtype.names:
        out[name] = rows[name]
    for name in extra:
        values = [item.properties.get(name, {"value": np.nan})["value"] for item in items]
        out[name] = np.array(values, float)[rows["label"] - 1]
    return out
