"""Measurements against closed forms and against symmetries."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi
from skimage.measure import label, regionprops

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.particles.measure import (
    COLUMNS,
    OUTLINE_POINTS,
    column_units,
    find_bbox_pixels,
    measure_dtype,
    measure_frame,
    outline_mask,
)

LENGTHS = [name for name, _, unit in COLUMNS if unit == "length"]
AREAS = [name for name, _, unit in COLUMNS if unit == "area"]
POSITIONS = ["x", "y", "bbox_x_min", "bbox_x_max", "bbox_y_min", "bbox_y_max", "outline"]
INTENSITIES = ["intensity", "intensity_error", "intensity_max", "intensity_mean", "intensity_std"]
PLAIN = [name for name, _, unit in COLUMNS if unit is None and name not in (*INTENSITIES, "background")]


def ellipse(grid, centre, axes, angle=0.0):
    """Mask of an ellipse with its centre (x, y) and semi-axes in units, turned by an angle in degrees from x to y."""
    rows, columns = np.mgrid[: grid.shape[0], : grid.shape[1]]
    x, y = grid.to_xy(rows, columns)
    x, y = x - centre[0], y - centre[1]
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return ((c * x + s * y) / axes[0]) ** 2 + ((c * y - s * x) / axes[1]) ** 2 <= 1


def angle_between(one, other):
    """Smallest angle between two directions of lines in degrees."""
    return abs((one - other + 90) % 180 - 90)


def perimeter_of(a, b):
    """Ramanujan's second approximation, good to 1e-9 here."""
    h = ((a - b) / (a + b)) ** 2
    return np.pi * (a + b) * (1 + 3 * h / (10 + np.sqrt(4 - 3 * h)))


GRIDS = {
    "square": PixelGrid((260, 300), (0.04, 0.04), (0.0, 0.0), "nm"),
    "offset": PixelGrid((260, 300), (0.04, 0.04), (50.0, -20.0), "nm"),
    "tall pixels": PixelGrid((160, 300), (0.065, 0.04), (0.0, 7.0), "nm"),
    "wide pixels": PixelGrid((260, 200), (0.04, 0.06), (-3.0, 7.0), "Å"),
    "x backwards": PixelGrid((260, 300), (0.04, 0.04), (1.0, 12.0), "nm", (1, -1)),
    "y backwards": PixelGrid((160, 300), (0.065, 0.04), (10.0, 0.0), "nm", (-1, 1)),
    "both backwards": PixelGrid((260, 300), (0.04, 0.04), (10.0, 12.0), "nm", (-1, -1)),
}


@pytest.fixture(params=GRIDS)
def pixel_grid(request):
    return GRIDS[request.param]


@pytest.mark.parametrize(("a", "b", "angle"), [(3, 3, 0), (4, 2, 0), (4, 2, 90), (4, 2, 30), (3.5, 1.5, -50)])
def test_ellipses(pixel_grid, a, b, angle):
    centre = tuple(float(value) for value in pixel_grid.to_xy(pixel_grid.shape[0] * 0.5, pixel_grid.shape[1] * 0.55))
    mask = ellipse(pixel_grid, centre, (a, b), angle)
    (row,) = measure_frame(np.where(mask, 9.0, 4.0), mask.astype(np.int32), pixel_grid)
    assert (row["x"], row["y"]) == pytest.approx(centre, abs=0.02)
    assert row["area"] == pytest.approx(np.pi * a * b, rel=0.01)
    assert row["equivalent_circular_diameter"] == pytest.approx(2 * np.sqrt(a * b), rel=0.005)
    assert row["major_axis_length"] == pytest.approx(2 * a, rel=0.01)
    assert row["minor_axis_length"] == pytest.approx(2 * b, rel=0.01)
    assert row["perimeter"] == pytest.approx(perimeter_of(a, b), rel=0.01)
    assert row["circularity"] == pytest.approx(4 * np.pi * np.pi * a * b / perimeter_of(a, b) ** 2, rel=0.02)
    assert row["feret_diameter_max"] == pytest.approx(2 * a, rel=0.02)
    assert row["feret_diameter_min"] == pytest.approx(2 * b, rel=0.02)
    assert row["eccentricity"] == pytest.approx(np.sqrt(1 - (b / a) ** 2), abs=0.1 if a == b else 0.005)
    assert row["solidity"] == pytest.approx(1, abs=0.02)
    if a != b:
        assert angle_between(row["orientation"], angle) < 0.5
    assert -90 <= row["orientation"] < 90
    half_x = np.hypot(a * np.cos(np.radians(angle)), b * np.sin(np.radians(angle)))
    half_y = np.hypot(a * np.sin(np.radians(angle)), b * np.cos(np.radians(angle)))
    step_y, step_x = pixel_grid.scale
    assert row["bbox_x_min"] == pytest.approx(centre[0] - half_x, abs=step_x)
    assert row["bbox_x_max"] == pytest.approx(centre[0] + half_x, abs=step_x)
    assert row["bbox_y_min"] == pytest.approx(centre[1] - half_y, abs=step_y)
    assert row["bbox_y_max"] == pytest.approx(centre[1] + half_y, abs=step_y)
    assert row["bbox_area"] == pytest.approx(4 * half_x * half_y, rel=0.03)
    assert row["bbox_length"] == pytest.approx(2 * np.hypot(half_x, half_y), rel=0.02)
    assert not row["touches_border"]


def test_outline_runs_along_the_edge(pixel_grid):
    centre = tuple(float(value) for value in pixel_grid.to_xy(pixel_grid.shape[0] * 0.5, pixel_grid.shape[1] * 0.5))
    mask = ellipse(pixel_grid, centre, (4, 2), 30)
    (row,) = measure_frame(mask.astype(float), mask.astype(np.int32), pixel_grid)
    outline = row["outline"]
    assert outline.shape == (OUTLINE_POINTS, 2) and outline.dtype == np.float64
    x, y = outline.T
    area = abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2
    assert area == pytest.approx(8 * np.pi, rel=0.01)
    steps = np.hypot(*(outline - np.roll(outline, -1, 0)).T)  # closed: from the last to the first, too
    assert 0 < steps.min() and steps.max() < 1.5
    assert steps.sum() == pytest.approx(perimeter_of(4, 2), rel=0.03)
    assert np.mean(outline_mask(row, pixel_grid) != mask) < 0.002


def test_rectangle_is_measured_exactly():
    grid = PixelGrid((40, 60), (0.5, 0.25), (10.0, 100.0), "nm")
    labels = np.zeros(grid.shape, np.int32)
    labels[10:20, 8:40] = 3
    image = np.full(grid.shape, 2.0)
    image[10:20, 8:40] = 5
    image[12, 10] = 8
    (row,) = measure_frame(image, labels, grid)
    assert row["label"] == 3
    assert (row["x"], row["y"]) == (100 + 23.5 * 0.25, 10 + 14.5 * 0.5)
    assert row["area"] == 10 * 32 * 0.125
    corners = (row["bbox_x_min"], row["bbox_x_max"], row["bbox_y_min"], row["bbox_y_max"])
    assert corners == (101.875, 109.875, 14.75, 19.75)
    assert row["bbox_area"] == 40 and row["bbox_length"] == np.hypot(5, 8)
    assert row["solidity"] == 1
    # second moments of n pixels in a row: (n^2 - 1) / 12
    assert row["major_axis_length"] == pytest.approx(4 * 0.25 * np.sqrt((32**2 - 1) / 12))
    assert row["minor_axis_length"] == pytest.approx(4 * 0.5 * np.sqrt((10**2 - 1) / 12))
    assert row["orientation"] == 0
    assert row["background"] == 2
    assert row["intensity"] == 320 * 3 + 3 and row["intensity_max"] == 6
    assert row["intensity_mean"] == pytest.approx(963 / 320)
    assert row["intensity_std"] == pytest.approx(np.std([6] + 319 * [3]))
    assert tuple(int(v) for v in find_bbox_pixels(row, grid)) == (10, 8, 20, 40)


@pytest.mark.parametrize(
    ("slices", "touches"),
    [
        (np.s_[5:10, 5:10], False),
        (np.s_[1:19, 1:29], False),
        (np.s_[0:3, 5:10], True),
        (np.s_[17:20, 5:10], True),
        (np.s_[5:10, 0:2], True),
        (np.s_[5:10, 28:30], True),
    ],
)
def test_border_flag(slices, touches):
    labels = np.zeros((20, 30), np.int32)
    labels[slices] = 1
    (row,) = measure_frame(labels.astype(float), labels, PixelGrid((20, 30), (1, 1), (0, 0), "nm"))
    assert row["touches_border"] == touches


@pytest.mark.parametrize("pixels", [1, 2, 3])
@pytest.mark.parametrize("scale", [(0.1, 0.1), (0.1, 0.2), (0.3, 0.1)])
def test_the_smallest_particles_have_finite_sizes(pixels, scale):
    labels = np.zeros((9, 9), np.int32)
    labels[4, 4 : 4 + pixels] = 1
    (row,) = measure_frame(labels * 7.0, labels, PixelGrid((9, 9), scale, (0, 0), "nm"))
    assert row["area"] == pytest.approx(scale[0] * scale[1] * pixels)
    assert row["intensity_mean"] == 7 and row["background"] == 0
    assert row["solidity"] == 1 and 0 <= row["eccentricity"] <= 1
    assert np.isfinite(row["outline"]).all()
    for name in ("major_axis_length", "minor_axis_length", "perimeter", "bbox_length"):
        assert np.isfinite(row[name])


def test_background_leaves_out_neighbours_that_touch():
    grid = PixelGrid((40, 60), (1, 1), (0, 0), "nm")
    labels = np.zeros(grid.shape, np.int32)
    labels[10:30, 10:30], labels[10:30, 30:50] = 1, 2
    image = np.choose(labels, [2.0, 10.0, 1000.0])
    one, two = measure_frame(image, labels, grid)
    assert one["background"] == two["background"] == 2
    assert (one["intensity_max"], two["intensity_max"]) == (8, 998)
    # a neighbour one pixel off lies in the ring itself
    labels[10:30, 10:30] = 0
    labels[10:30, 9:29] = 1
    one, two = measure_frame(np.choose(labels, [2.0, 10.0, 1000.0]), labels, grid)
    assert one["background"] == two["background"] == 2


def test_background_of_the_frame_where_a_particle_is_walled_in():
    labels = np.full((30, 30), 2, np.int32)
    labels[10:20, 10:20] = 1
    labels[:, 25:] = 0
    image = np.choose(labels, [3.0, 20.0, 9.0])
    rows = measure_frame(image, labels, PixelGrid((30, 30), (1, 1), (0, 0), "nm"))
    assert list(rows["background"]) == [3, 3]
    labels[labels == 0] = 2  # no background anywhere: the darkest pixel
    assert list(measure_frame(image, labels, PixelGrid((30, 30), (1, 1), (0, 0), "nm"))["background"]) == [3, 3]


def test_dark_particles_have_negative_intensity():
    labels = np.zeros((20, 20), np.uint8)
    labels[5:10, 5:10] = 1
    image = np.where(labels, 10, 90).astype(np.uint8)
    (row,) = measure_frame(image, labels, PixelGrid((20, 20), (1, 1), (0, 0), "nm"))
    assert row["background"] == 90 and row["intensity"] == -80 * 25 and row["intensity_mean"] == -80


def test_no_particles():
    rows = measure_frame(np.zeros((9, 9)), np.zeros((9, 9), int), PixelGrid((9, 9), (1, 1), (0, 0), "nm"))
    assert len(rows) == 0 and rows.dtype == measure_dtype()


def test_units_of_columns():
    units = column_units("Å")
    assert list(units) == list(measure_dtype().names)
    assert (units["x"], units["area"], units["orientation"], units["intensity"]) == ("Å", "Å²", "°", "")


# ---------------------------------------------------------------------------------------------- symmetries

DTYPES = ("u1", "u2", "i2", "f4", "f8")


@st.composite
def scenes(draw):
    """A frame of a few blocks and disks of any dtype and polarity, its labels, and a grid."""
    shape = (draw(st.integers(24, 48)), draw(st.integers(24, 48)))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    polarity = draw(st.sampled_from([1, -1]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = np.zeros(shape, np.int32)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    for number in range(draw(st.integers(1, 4))):
        centre = rng.uniform(0, shape)
        axes = rng.uniform(1, 10, 2)
        inside = ((rows - centre[0]) / axes[0]) ** 2 + ((columns - centre[1]) / axes[1]) ** 2 <= 1
        labels[inside] = number + 1
    image = 100 + polarity * np.where(labels > 0, 40 + 10 * labels, 0) + rng.normal(scale=3, size=shape)
    image = image.astype(dtype) if dtype.kind == "f" else np.rint(image).astype(dtype)
    scale = (draw(st.floats(0.01, 10)), draw(st.floats(0.5, 2)))
    scale = (scale[0], scale[0] * scale[1])
    offset = (draw(st.floats(-50, 50)), draw(st.floats(-50, 50)))
    return image, labels, PixelGrid(shape, scale, offset, "nm")


def assert_columns_equal(one, other, names, rtol=1e-9, atol=0.0):
    for name in names:
        np.testing.assert_allclose(one[name], other[name], rtol=rtol, atol=atol, err_msg=name)


@settings(deadline=None, max_examples=40)
@given(scenes(), st.sampled_from([1e-9, 1e-3, 0.3, 7.0, 1e4]))
def test_lengths_scale_with_the_pixel_size(scene, factor):
    image, labels, grid = scene
    scaled = PixelGrid(
        grid.shape, tuple(s * factor for s in grid.scale), tuple(o * factor for o in grid.offset), grid.units
    )
    one, other = measure_frame(image, labels, grid), measure_frame(image, labels, scaled)
    rest = [name for name in one.dtype.names if name not in (*LENGTHS, *AREAS)]
    for name in LENGTHS:
        size = 100 * factor * max(grid.scale)
        np.testing.assert_allclose(other[name], factor * one[name], rtol=1e-5, atol=1e-6 * size, err_msg=name)
    for name in AREAS:
        np.testing.assert_allclose(other[name], factor**2 * one[name], rtol=1e-9, err_msg=name)
    assert_columns_equal(one, other, rest, rtol=1e-6, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(scenes(), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_an_offset_moves_positions_only(scene, dx, dy):
    image, labels, grid = scene
    moved = PixelGrid(grid.shape, grid.scale, (grid.offset[0] + dy, grid.offset[1] + dx), grid.units)
    one, other = measure_frame(image, labels, grid), measure_frame(image, labels, moved)
    assert_columns_equal(one, other, [name for name in one.dtype.names if name not in POSITIONS])
    for name in POSITIONS[:-1]:
        shift = dx if name == "x" or "_x_" in name else dy
        np.testing.assert_allclose(other[name], one[name] + shift, atol=1e-9)
    np.testing.assert_allclose(other["outline"], one["outline"] + np.array([dx, dy]), atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(scenes(), st.floats(0.01, 100), st.floats(-100, 100))
def test_intensities_scale_with_the_image(scene, gain, dark):
    image, labels, grid = scene
    one = measure_frame(image, labels, grid)
    other = measure_frame(image.astype(float) * gain + dark, labels, grid)
    assert_columns_equal(one, other, [name for name in one.dtype.names if name not in (*INTENSITIES, "background")])
    np.testing.assert_allclose(other["background"], gain * one["background"] + dark, rtol=1e-6, atol=1e-6)
    for name in INTENSITIES:
        np.testing.assert_allclose(other[name], gain * one[name], rtol=1e-4, atol=1e-3 * gain, err_msg=name)


@settings(deadline=None, max_examples=40)
@given(scenes(), st.sampled_from(["x", "y", "both"]))
def test_a_flipped_image_has_the_same_particles(scene, axis):
    """As by ``isig[::-1]``, which turns the axis with the data."""
    image, labels, grid = scene
    flip = np.s_[:: -1 if axis != "x" else 1, :: -1 if axis != "y" else 1]
    direction = (-1 if axis != "x" else 1, -1 if axis != "y" else 1)
    last = [o + s * (n - 1) for o, s, n in zip(grid.offset, grid.scale, grid.shape, strict=True)]
    offset = tuple(last[i] if direction[i] < 0 else grid.offset[i] for i in (0, 1))
    flipped = PixelGrid(grid.shape, grid.scale, offset, grid.units, direction)
    one, other = measure_frame(image, labels, grid), measure_frame(image[flip], labels[flip], flipped)
    one, other = np.sort(one, order="label"), np.sort(other, order="label")
    assert_columns_equal(one, other, one.dtype.names, rtol=1e-9, atol=1e-9 * max(1, *np.abs(offset)))


@settings(deadline=None, max_examples=30)
@given(scenes(), st.sampled_from(["u1", "u2", "u4", "u8", "i2", "i8", "f2", "f4", "f8", ">u2", ">f4", ">f8"]))
def test_kinds_and_order_of_numbers_change_nothing(scene, dtype):
    image, labels, grid = scene
    image = np.rint(image.astype(float))  # whole numbers to 255
    other = np.asfortranarray(np.clip(image, 0, 255).astype(dtype))
    given = np.asfortranarray(labels.astype(dtype if np.dtype(dtype).kind in "iu" else ">i4"))
    other.flags.writeable = given.flags.writeable = False
    one = measure_frame(np.clip(image, 0, 255), labels, grid)
    assert_columns_equal(one, measure_frame(other, given, grid), one.dtype.names)


@settings(deadline=None, max_examples=30)
@given(scenes())
def test_rows_and_columns_can_be_exchanged(scene):
    image, labels, grid = scene
    swapped = PixelGrid(grid.shape[::-1], grid.scale[::-1], grid.offset[::-1], grid.units)
    one, other = measure_frame(image, labels, grid), measure_frame(image.T, labels.T, swapped)
    assert_columns_equal(one, other, ["area", "solidity", "eccentricity", "bbox_length", "touches_border"], atol=1e-7)
    # pixels on diagonals count for other octants of the background, and those resampled to squares are rounded
    known = np.isfinite(one["intensity_error"])
    np.testing.assert_array_equal(known, np.isfinite(other["intensity_error"]))
    assert (np.abs(one["intensity"] - other["intensity"])[known] <= 0.5 * one["intensity_error"][known] + 1e-6).all()
    for name in ("perimeter", "circularity", "feret_diameter_max", "feret_diameter_min"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-7)
    for x, y in (("x", "y"), ("bbox_x_min", "bbox_y_min"), ("bbox_x_max", "bbox_y_max")):
        np.testing.assert_allclose(one[x], other[y])
    turned = one["eccentricity"] > 0.3
    assert (angle_between(one["orientation"], 90 - other["orientation"])[turned] < 0.01).all()


@pytest.mark.parametrize("direction", [(1, 1), (-1, 1), (-1, -1)])
@pytest.mark.parametrize("offset", [0.0, 1e6, -3.3e7])
def test_outlines_far_from_the_origin(direction, offset):
    """1 mm, and 3.3 cm, from the origin in nm."""
    grid = PixelGrid((60, 70), (0.01, 0.01), (offset, -offset), "nm", direction)
    labels = np.zeros(grid.shape, int)
    labels[10:25, 12:40] = labels[25:40, 40:60] = 1
    (row,) = measure_frame(labels * 5.0, labels, grid)
    np.testing.assert_array_equal(outline_mask(row, grid), labels == 1)
    assert np.ptp(row["outline"], axis=0) == pytest.approx([0.48, 0.3], abs=1e-7)


def test_logged_where_no_outline_can_follow(caplog):
    labels = np.zeros((120, 120), int)
    labels[60] = labels[:, 2:118:4] = 1
    grid = PixelGrid(labels.shape, (1, 1), (0, 0), "nm")
    measure_frame(labels * 1.0, labels, grid)
    assert "The outlines of 1 of 1 particles (labels 1) differ from their pixels by more than 10 %" in caplog.text
    caplog.clear()
    measure_frame(labels * 1.0, (np.indices(labels.shape) < 50).all(0).astype(int), grid)
    assert not caplog.text


@settings(deadline=None, max_examples=40)
@given(scenes())
def test_rows_are_consistent_in_themselves(scene):
    image, labels, grid = scene
    rows = measure_frame(image, labels, grid)
    assert list(rows["label"]) == [n for n in np.unique(labels) if n]
    pixel = grid.scale[0] * grid.scale[1]
    for row in rows:
        own = labels == row["label"]
        values = image[own].astype(float) - row["background"]
        assert row["area"] == pytest.approx(own.sum() * pixel)
        assert row["intensity_mean"] == pytest.approx(values.mean(), abs=1e-6 * abs(values).mean())
        assert row["intensity_error"] >= 0
        assert row["intensity_max"] == pytest.approx(values.max())
        top, left, bottom, right = find_bbox_pixels(row, grid)
        where = np.argwhere(own)
        assert [top, left, bottom - 1, right - 1] == [*where.min(0), *where.max(0)]
        assert row["touches_border"] == bool(own[0].any() or own[-1].any() or own[:, 0].any() or own[:, -1].any())
        assert row["bbox_x_min"] < row["x"] < row["bbox_x_max"]
        assert row["bbox_y_min"] < row["y"] < row["bbox_y_max"]
        assert row["minor_axis_length"] <= row["major_axis_length"]
        # convex pixels: no concave outline has more area than its hull
        assert 0 < row["solidity"] <= 1


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), smooth=st.floats(0.5, 5), pieces=st.booleans())
def test_solidity_is_that_of_scikit_image(seed, smooth, pieces):
    noise = ndi.gaussian_filter(np.random.default_rng(seed).normal(size=(50, 60)), smooth)
    labels = label(noise > np.quantile(noise, 0.75))
    if pieces:
        labels = np.minimum(labels, 2)
    labels = labels.astype(np.int32)
    grid = PixelGrid(labels.shape, (0.1, 0.1), (0.0, 0.0), "nm")
    table = measure_frame(np.ones(labels.shape), labels, grid)
    for row, region in zip(table, regionprops(labels), strict=True):
        assert row["solidity"] == pytest.approx(region.solidity, abs=1e-12)
