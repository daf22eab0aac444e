"""Labels to table: size, shape, intensity and outline of every particle of one frame."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
from scipy import ndimage as ndi
from scipy.spatial import cKDTree

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.padding import known_pixels
from particlespy_ml.particles.boundary import feret_diameters, perimeters
from particlespy_ml.particles.contours import contours_of
from particlespy_ml.particles.hull import solidities
from particlespy_ml.particles.light import measure_light
from particlespy_ml.particles.outline import OUTLINE_POINTS, fill_outline, trace_outlines
from particlespy_ml.particles.shape import measure_shapes
from particlespy_ml.particles.sheet import Sheet, in_parts
from particlespy_ml.segmentation.numbers import DENSE, check_labels, label_given, number_particles

_logger = logging.getLogger(__name__)

# Share of a particle's pixels by which its outline may differ from them before that is logged.
WRONG_IN_OUTLINE = 0.1

# name, dtype, unit: "length", "area", "angle" or None
COLUMNS = (
    ("label", "i4", None),
    ("x", "f8", "length"),
    ("y", "f8", "length"),
    ("area", "f8", "area"),
    ("equivalent_circular_diameter", "f8", "length"),
    ("major_axis_length", "f8", "length"),
    ("minor_axis_length", "f8", "length"),
    ("orientation", "f8", "angle"),
    ("feret_diameter_max", "f8", "length"),
    ("feret_diameter_min", "f8", "length"),
    ("perimeter", "f8", "length"),
    ("circularity", "f8", None),
    ("eccentricity", "f8", None),
    ("solidity", "f8", None),
    ("intensity", "f8", None),
    ("intensity_error", "f8", None),
    ("intensity_max", "f8", None),
    ("intensity_mean", "f8", None),
    ("intensity_std", "f8", None),
    ("background", "f8", None),
    ("bbox_x_min", "f8", "length"),
    ("bbox_y_min", "f8", "length"),
    ("bbox_x_max", "f8", "length"),
    ("bbox_y_max", "f8", "length"),
    ("bbox_area", "f8", "area"),
    ("bbox_length", "f8", "length"),
    ("nearest_neighbour_distance", "f8", "length"),
    ("touches_border", "?", None),
    ("outline", ("f8", (OUTLINE_POINTS, 2)), "length"),
)


def measure_dtype() -> np.dtype:
    """Return the dtype of one row of a measured table."""
    return np.dtype([(name, *kind) if isinstance(kind, tuple) else (name, kind) for name, kind, _ in COLUMNS])


def column_units(length_unit: str) -> dict[str, str]:
    """Return the unit of every measured column, given the image's unit of length. Empty where there is none."""
    units = {"length": length_unit, "area": f"{length_unit}²", "angle": "°", None: ""}
    return {name: units[unit] for name, _, unit in COLUMNS}


def measure_frame(
    image: np.ndarray, labels: np.ndarray, grid: PixelGrid, known: np.ndarray | None = None
) -> np.ndarray:
    """Measure every labelled particle of one frame.

    Positions are (x, y) in the image's calibration. The area of a particle is that of its pixels. Axes, eccentricity
    and orientation are those of the ellipse with the same second moments. The perimeter is that of a smooth outline,
    see `particlespy_ml.particles.boundary.perimeters`, and circularity is 4 pi area / perimeter**2, 1 at most.
    ParticleSpy takes the lengths of steps of pixels, 3 to 6 % more, so that its circularity of a disk is
    about 0.9, but above 1 for small particles. Feret diameters are the largest and smallest caliper widths;
    ``nearest_neighbour_distance`` is from centroid to centroid, NaN for a single particle. The outline is
    that of the filled region, see `particlespy_ml.particles.outline.trace_outline`: it knows no holes, and joins the
    pieces of a particle. It is logged where it differs from the pixels by more than a tenth of them.

    ``intensity`` is all light of a particle above its background, that outside of the outline included, so that it does
    not depend on where the outline lies: half of the light of a blurred cluster may be in its skirt. The skirt
    reaches five mean distances of its light from the outline, as measured about the particle or, where noise hides it,
    about all particles of the frame; less than 1 % of the light lies beyond. Pixels nearer to another particle are that
    particle's, in the skirt and in the background, which is a plane (a level where less than five octants are free)
    fitted to the ring that follows, 0.4 of an equivalent radius wide and without octants that do not fit.
    ``background`` is its value at the centroid. ``intensity_error`` is the standard error by the noise of the image,
    that of counted electrons inside of the particle included, and by the scatter of the background between octants.
    Between particles with less room the ring is what is farthest from all of them, and the skirt ends before it. With
    fewer than 12 free pixels near, the background is the median of the frame's free pixels, the intensity that of the
    outlined pixels, and its error that of a background which is off as much as these pixels scatter, or infinite where
    none is free. A particle that the border cuts has the light that is in the frame.
    ParticleSpy's intensity is that of the outlined pixels alone, above the mean of the ring one pixel off the outline,
    which lies in the skirt. ``intensity_max``, ``intensity_mean`` and ``intensity_std`` are those of the outlined
    pixels above ``background``.

    Parameters
    ----------
    image
        Frame, shape (rows, columns), real.
    labels
        Labels of the particles, same shape, integers from 0, which is background, to 2147483647.
    grid
        Calibration of the frame.
    known
        Pixels that were recorded and are wanted, booleans; by default as
        `particlespy_ml.core.padding.known_pixels` tells them.

    Returns
    -------
    numpy.ndarray
        One row for each particle in ascending label, dtype `measure_dtype`. The outline is a closed polygon of
        64 (x, y) vertices, the first not repeated. Orientation is the angle in degrees from x towards y of the major
        axis, in [-90, 90). ``bbox_*`` are the outer edges of the pixels.

    Raises
    ------
    ValueError
        If a label is negative or too high.

    References
    ----------
    T. J. A. Slater et al., ParticleSpy, doi:10.5281/zenodo.5094360, for the choice of quantities.

    Examples
    --------
    >>> import numpy as np
    >>> grid = PixelGrid((40, 40), (0.1, 0.1), (0.0, 0.0), "nm")
    >>> y, x = np.mgrid[:40, :40] - 20
    >>> spot = np.exp(-(x**2 + y**2) / (2 * 3**2))
    >>> rows = measure_frame(spot, (spot > 0.5).astype(int), grid)  # half of the light is below half of the maximum
    >>> (rows["intensity"] / (2 * np.pi * 3**2)).round(2)
    array([1.])
    """
    labels = np.asarray(labels)
    check_labels(labels)
    numbers = None
    if labels.max(initial=0) >= DENSE * labels.size:
        numbers, labels = number_particles(labels)
    labels = labels.astype(np.int32, copy=False)[_flip(grid)]
    found = [(number, box) for number, box in enumerate(ndi.find_objects(labels), start=1) if box is not None]
    boxes = [box for _, box in found]
    masks = [labels[box] == number for number, box in found]
    if numbers is None:
        numbers = [number for number, _ in found]
    return _measure_regions(image, labels > 0, boxes, masks, numbers, grid, known)


def measure_masks(image: np.ndarray, masks: list[np.ndarray], numbers: list[int], grid: PixelGrid) -> np.ndarray:
    """Measure particles that may overlap, each on its own mask; see `measure_frame`.

    Parameters
    ----------
    image
        Frame, shape (rows, columns), real.
    masks
        Masks of the frame's shape, each with at least one pixel.
    numbers
        Label of each.
    grid
        Calibration of the frame.

    Returns
    -------
    numpy.ndarray
        One row for each mask in their order. Pixels of the others do not count for a particle's background.
    """
    covered = np.zeros(grid.shape, bool)
    boxes, cut = [], []
    for mask in masks:
        mask = mask[_flip(grid)] != 0
        covered |= mask
        (box,) = ndi.find_objects(mask.astype(np.int32))
        boxes.append(box)
        cut.append(mask[box])
    return _measure_regions(image, covered, boxes, cut, numbers, grid)


def _flip(grid: PixelGrid) -> tuple[slice, slice]:
    """Slices that turn a frame so that its axes ascend, and back: no number may depend on how they run."""
    return np.s_[:: grid.direction[0], :: grid.direction[1]]


def _measure_regions(image, covered, boxes, masks, numbers, grid: PixelGrid, known=None) -> np.ndarray:
    """Rows of particles given by their boxes and masks in a frame turned by `_flip`; the image is not yet turned."""
    known = known_pixels(np.asarray(image)) if known is None else None if known.all() else known
    known = None if known is None else known[_flip(grid)]
    image, grid = np.asarray(image)[_flip(grid)], grid.ascending()
    table = np.zeros(len(boxes), dtype=measure_dtype())
    if not boxes:
        return table
    table["label"] = numbers
    light = measure_light(image, covered, boxes, masks, grid.scale, known)
    for name in light.dtype.names:
        table[name] = light[name]
    border = None if known is None else ndi.binary_dilation(~known, np.ones((3, 3)))  # of what was recorded
    table["nearest_neighbour_distance"] = np.nan
    off = []
    for part in in_parts(masks):
        off += _measure_part(table[part], image, border, boxes[part], masks[part], grid)
    if len(table) > 1:
        places = np.column_stack([table["x"], table["y"]])
        table["nearest_neighbour_distance"] = cKDTree(places).query(places, k=2)[0][:, 1]
    if off:
        _logger.warning(
            "The outlines of %d of %d particles (labels %s) differ from their pixels by more than %d %%: they are too "
            "ragged, or in too many pieces, for %d vertices. For masks give labels=, and return_labels=True to "
            "measure_particles().",
            len(off),
            len(table),
            ", ".join(map(str, off[:5])) + ", ..." * (len(off) > 5),
            100 * WRONG_IN_OUTLINE,
            OUTLINE_POINTS,
        )
    return table


def _measure_part(table, image, border, boxes, masks, grid: PixelGrid) -> list[int]:
    """Shapes, brightness and outlines of some particles; returns the labels of those whose outlines are off."""
    sheet = Sheet(masks)
    measure_shapes(table, boxes, sheet, grid)
    top, left = np.array([[side.start for side in box] for box in boxes]).T
    rows, columns = sheet.rows + np.repeat(top, sheet.size), sheet.columns + np.repeat(left, sheet.size)
    table["touches_border"] = _touch_frame(boxes, grid.shape)
    if border is not None:
        table["touches_border"] |= np.logical_or.reduceat(border[rows, columns], sheet.first)
    above = image[rows, columns] - np.repeat(table["background"], sheet.size)
    table["intensity_max"] = np.maximum.reduceat(above, sheet.first)
    table["intensity_mean"] = mean = sheet.mean(above)
    table["intensity_std"] = np.sqrt(sheet.mean((above - np.repeat(mean, sheet.size)) ** 2))
    contours = contours_of(masks, sheet)
    heights = np.array([len(mask) for mask in masks])
    table["solidity"] = solidities(heights, sheet.size, contours)
    table["perimeter"] = length = perimeters(contours, grid.scale)
    table["circularity"] = 4 * np.pi * table["area"] / length**2
    table["feret_diameter_max"], table["feret_diameter_min"] = feret_diameters(contours, heights, grid.scale)
    outlines, wrong = trace_outlines(contours, sheet.size)
    table["outline"] = np.stack(grid.to_xy(*np.moveaxis(outlines + np.stack([top, left], 1)[:, None], 2, 0)), axis=2)
    suspects = np.flatnonzero(wrong > WRONG_IN_OUTLINE * sheet.size)
    return [int(table["label"][i]) for i in suspects if _is_off(outlines[i], masks[i])]


def _is_off(outline: np.ndarray, mask: np.ndarray) -> bool:
    filled = ndi.binary_fill_holes(mask)
    wrong = np.count_nonzero(fill_outline(outline, mask.shape) != filled)
    return wrong > WRONG_IN_OUTLINE * np.count_nonzero(filled)


def _touch_frame(boxes, shape: tuple[int, int]) -> list[bool]:
    """Whether boxes reach to the border of the frame."""
    return [any(side.start == 0 or side.stop == n for side, n in zip(box, shape, strict=True)) for box in boxes]


def find_bbox_pixels(rows, grid: PixelGrid) -> tuple[np.ndarray, ...]:
    """Return the bounding boxes of measured rows in pixels: top, left, bottom, right; the last two exclusive."""
    first = grid.to_pixels(rows["bbox_x_min"], rows["bbox_y_min"])
    last = grid.to_pixels(rows["bbox_x_max"], rows["bbox_y_max"])
    # on an axis that runs backwards the lowest position is that of the last pixel
    corners = (*np.minimum(first, last), *np.maximum(first, last))
    return tuple(np.rint(value + 0.5).astype(int) for value in corners)


def outline_mask(row, grid: PixelGrid) -> np.ndarray:
    """Return the pixels inside the outline of a measured row, holes filled, shape of the frame."""
    ascending = grid.ascending()
    top, left, bottom, right = find_bbox_pixels(row, ascending)
    vertices = np.column_stack(ascending.to_pixels(row["outline"][:, 0], row["outline"][:, 1]))
    mask = np.zeros(grid.shape, bool)
    # only the box: over whole frames, many particles would take minutes
    mask[top:bottom, left:right] = fill_outline(vertices - (top, left), (bottom - top, right - left))
    return mask[_flip(grid)]


def label_masks(rows, labels: np.ndarray, grid: PixelGrid) -> Iterator[np.ndarray]:
    """Return the pixels of each measured row in the labels, or the mask, that it was measured on.

    Parameters
    ----------
    rows
        Measured rows of one frame.
    labels
        Labels or mask as given to `measure_particles`, or as it returned them, shape (rows, columns).
    grid
        Calibration of the frame.

    Raises
    ------
    ValueError
        If the labels have no such particle in the place of the row.
    """
    numbered = None
    for row in rows:
        top, left, bottom, right = find_bbox_pixels(row, grid)
        mask = labels == row["label"]
        if not _is_within(mask, np.s_[top:bottom, left:right]):
            numbered = label_given(labels) if numbered is None else numbered
            mask = numbered == row["label"]
            if not _is_within(mask, np.s_[top:bottom, left:right]):
                raise ValueError(
                    f"The labels do not have the particle {row['label']} where the table has it; expected those that "
                    "the table was measured on, as measure_particles(return_labels=True) returns them."
                )
        yield mask


def _is_within(mask: np.ndarray, box: tuple[slice, slice]) -> bool:
    return 0 < np.count_nonzero(mask[box]) == np.count_nonzero(mask)
