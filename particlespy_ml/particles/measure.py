"""Labels to table: size, shape, intensity and outline of every particle of one frame."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
from scipy import ndimage as ndi
from scipy.spatial import ConvexHull
from skimage.measure import perimeter

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.padding import known_pixels
from particlespy_ml.particles.light import measure_light
from particlespy_ml.particles.outline import OUTLINE_POINTS, fill_outline, outer_contours, trace_outline
from particlespy_ml.segmentation.segmenter import check_labels, label_given, number_particles

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


def measure_frame(image: np.ndarray, labels: np.ndarray, grid: PixelGrid) -> np.ndarray:
    """Measure every labelled particle of one frame.

    Positions are (x, y) in the image's calibration. The area of a particle is that of its pixels. Axes, eccentricity
    and orientation are those of the ellipse with the same second moments. The perimeter is the estimate that
    ParticleSpy takes, `skimage.measure.perimeter` with 4 neighbours, and circularity is 4 pi area / perimeter**2;
    the estimate is 3 to 6 % long for smooth outlines, so that the circularity of a disk is about 0.9. The outline is
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
    K. Benkrid and D. Crookes, "Design and FPGA implementation of a perimeter estimator" (2000), for the perimeter.
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
    numbers, labels = number_particles(labels)
    labels = labels[_flip(grid)]
    boxes = ndi.find_objects(labels)
    masks = [labels[box] == number for number, box in enumerate(boxes, start=1)]
    return _measure_regions(image, labels > 0, boxes, masks, numbers, grid)


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


def _measure_regions(image, covered, boxes, masks, numbers, grid: PixelGrid) -> np.ndarray:
    """Rows of particles given by their boxes and masks in a frame turned by `_flip`; the image is not yet turned."""
    image, grid = np.asarray(image)[_flip(grid)], grid.ascending()
    table = np.zeros(len(boxes), dtype=measure_dtype())
    if not boxes:
        return table
    known = known_pixels(image)
    table["label"] = numbers
    light = measure_light(image, covered, boxes, masks, grid.scale, known)
    for name in light.dtype.names:
        table[name] = light[name]
    border = _border(grid.shape, known)
    off = []
    for row, box, mask in zip(table, boxes, masks, strict=True):
        _measure_shape(row, box, mask, grid)
        row["touches_border"] = bool((mask & border[box]).any())
        above = image[box][mask].astype(float) - row["background"]
        row["intensity_max"], row["intensity_mean"], row["intensity_std"] = above.max(), above.mean(), above.std()
        contours = outer_contours(mask)
        row["solidity"] = _solidity(mask, np.concatenate(contours))
        outline, wrong = trace_outline(mask, contours=contours)
        if wrong > WRONG_IN_OUTLINE * np.count_nonzero(mask) and _is_off(outline, mask):
            off.append(int(row["label"]))
        row["outline"] = np.column_stack(grid.to_xy(*(outline + [side.start for side in box]).T))
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


def _is_off(outline: np.ndarray, mask: np.ndarray) -> bool:
    filled = ndi.binary_fill_holes(mask)
    wrong = np.count_nonzero(fill_outline(outline, mask.shape) != filled)
    return wrong > WRONG_IN_OUTLINE * np.count_nonzero(filled)


def _border(shape: tuple[int, int], known: np.ndarray | None) -> np.ndarray:
    """Pixels at the border of the frame, or of what was recorded of it."""
    border = np.zeros(shape, bool) if known is None else ndi.binary_dilation(~known, np.ones((3, 3)))
    border[[0, -1]] = border[:, [0, -1]] = True
    return border


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


def _measure_shape(row, box: tuple[slice, slice], mask: np.ndarray, grid: PixelGrid) -> None:
    (top, bottom), (left, right) = ((side.start, side.stop) for side in box)
    rows, columns = np.nonzero(mask)
    row["x"], row["y"] = grid.to_xy(rows.mean() + top, columns.mean() + left)
    row["area"] = area = len(rows) * grid.scale[0] * grid.scale[1]
    row["equivalent_circular_diameter"] = 2 * np.sqrt(area / np.pi)
    _measure_ellipse(row, rows, columns, grid)
    row["perimeter"] = length = _perimeter(mask, grid.scale)
    row["circularity"] = 4 * np.pi * area / length**2 if length > 0 else np.nan
    (row["bbox_x_min"], row["bbox_x_max"]), (row["bbox_y_min"], row["bbox_y_max"]) = grid.to_xy(
        [top - 0.5, bottom - 0.5], [left - 0.5, right - 0.5]
    )
    height, width = (bottom - top) * grid.scale[0], (right - left) * grid.scale[1]
    row["bbox_area"] = height * width
    row["bbox_length"] = np.hypot(height, width)


def _measure_ellipse(row, rows: np.ndarray, columns: np.ndarray, grid: PixelGrid) -> None:
    """Axes, eccentricity and orientation, as in `skimage.measure.regionprops` but several times faster."""
    step_y, step_x = grid.scale
    x, y = columns - columns.mean(), rows - rows.mean()
    xx, yy, xy = np.mean(x * x) * step_x**2, np.mean(y * y) * step_y**2, np.mean(x * y) * step_x * step_y
    half = np.hypot((xx - yy) / 2, xy)
    large, small = (xx + yy) / 2 + half, max((xx + yy) / 2 - half, 0.0)
    row["major_axis_length"], row["minor_axis_length"] = 4 * np.sqrt(large), 4 * np.sqrt(small)
    row["eccentricity"] = np.sqrt(1 - small / large) if large > 0 else 0.0
    row["orientation"] = (np.degrees(np.arctan2(2 * xy, xx - yy)) / 2 + 90) % 180 - 90


def _solidity(mask: np.ndarray, contours: np.ndarray) -> float:
    """Area over area of the convex hull, as in `skimage.measure.regionprops` but several times faster.

    The hull is that of the middles of the pixels' edges, through which contours go, and its area the number of pixels
    whose centres it holds.
    """
    hull = contours[ConvexHull(contours).vertices]
    # once round from the uppermost corner to the lowest and back
    hull = np.roll(hull, -hull[:, 0].argmin(), axis=0)
    turn = hull[:, 0].argmax()
    down, up = hull[: turn + 1], np.concatenate([hull[:1], hull[: turn - 1 : -1]])
    sides = [np.interp(np.arange(len(mask)), side[:, 0], side[:, 1]) for side in (down, up)]
    low, high = np.ceil(np.minimum(*sides) - 1e-9), np.floor(np.maximum(*sides) + 1e-9)
    return float(np.count_nonzero(mask) / (high - low + 1).sum())


def _perimeter(mask: np.ndarray, scale: tuple[float, float]) -> float:
    """Perimeter of a mask; pixels that are not square are first resampled to square ones of the finer size."""
    fine = min(scale)
    # rounded, so that the same shape in another unit is resampled to the same pixels
    ratios = np.round([s / fine for s in scale], 6)
    if ratios.max() < 1.001:
        return perimeter(mask, neighborhood=4) * fine
    padded = np.pad(mask, 3).astype(np.float32)
    # without smoothing the steps of the coarser pixels would stay, and make outlines up to 12 % longer
    smooth = ndi.gaussian_filter(padded, 0.7 * ratios.max() / ratios)
    if smooth.max() <= 0.5:
        smooth = padded  # too thin to be smoothed
    square = ndi.zoom(smooth, ratios, order=1, grid_mode=True, mode="nearest") > 0.5
    return perimeter(square, neighborhood=4) * fine
