"""Pixels to calibrated positions and back, and what is refused as a calibration."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from particlespy_ml.core.calibration import NANOMETRES, PixelGrid, pixel_grid

SCALES = st.floats(1e-3, 1e3)
OFFSETS = st.floats(-1e3, 1e3)
SIGNS = st.sampled_from([1, -1])


@pytest.mark.parametrize(
    ("units", "nanometres"),
    [
        ("pm", 0.001),
        ("Å", 0.1),
        ("\u212b", 0.1),
        ("A", 0.1),
        ("Angstrom", 0.1),
        ("nm", 1),
        ("\u00b5m", 1000),
        ("\u03bcm", 1000),
        ("um", 1000),
        ("m", 1e9),
    ],
)
def test_units_of_length(two_disks, units, nanometres):
    two_disks.axes_manager.signal_axes.set(scale=0.25, units=units)
    assert pixel_grid(two_disks).nanometres == pytest.approx((0.25 * nanometres,) * 2)


def test_rows_are_y_and_columns_are_x(two_disks):
    x_axis, y_axis = two_disks.axes_manager.signal_axes
    x_axis.scale, x_axis.offset = 0.5, 100
    y_axis.scale, y_axis.offset = 0.25, -7
    grid = pixel_grid(two_disks)
    assert grid.shape == (128, 160)
    assert grid.scale == (0.25, 0.5)
    assert grid.to_xy(4, 10) == (105, -6)
    assert grid.to_pixels(105, -6) == (4, 10)


def test_axes_of_different_units_share_that_of_x(two_disks):
    x_axis, y_axis = two_disks.axes_manager.signal_axes
    x_axis.scale, x_axis.units = 0.5, "nm"
    y_axis.scale, y_axis.offset, y_axis.units = 4, 20, "Å"
    grid = pixel_grid(two_disks)
    assert grid.units == "nm"
    assert grid.scale == pytest.approx((0.4, 0.5))
    assert grid.offset == pytest.approx((2, 0))


@pytest.mark.parametrize("slices", [np.s_[:, :], np.s_[::-1, :], np.s_[:, ::-1], np.s_[::-1, ::-1], np.s_[10:90, 20:]])
def test_positions_are_those_of_hyperspy_axes(two_disks, slices):
    image = two_disks.isig[slices]
    grid = pixel_grid(image)
    x_axis, y_axis = image.axes_manager.signal_axes
    rows, columns = np.arange(grid.shape[0]), np.arange(grid.shape[1])
    np.testing.assert_allclose(grid.to_xy(0, columns)[0], x_axis.axis, atol=1e-9)
    np.testing.assert_allclose(grid.to_xy(rows, 0)[1], y_axis.axis, atol=1e-9)
    assert min(grid.scale) > 0


@given(st.tuples(SCALES, SCALES), st.tuples(OFFSETS, OFFSETS), st.tuples(SIGNS, SIGNS))
def test_round_trip(scale, offset, direction):
    grid = PixelGrid((64, 80), scale, offset, "nm", direction)
    rows, columns = np.array([-0.5, 0, 31.25, 63]), np.array([79.5, 0, 12, 5])
    back = grid.to_pixels(*grid.to_xy(rows, columns))
    np.testing.assert_allclose(back, [rows, columns], atol=1e-6)
    assert PixelGrid.from_dict(grid.as_dict()) == grid


def test_grid_survives_metadata(two_disks):
    grid = pixel_grid(two_disks.isig[::-1])
    two_disks.metadata.set_item("kept", grid.as_dict())
    assert PixelGrid.from_dict(two_disks.deepcopy().metadata.get_item("kept").as_dictionary()) == grid


def test_grid_recorded_without_direction_runs_forwards():
    values = PixelGrid((4, 5), (1, 2), (0, 0), "nm").as_dict()
    del values["direction"]
    assert PixelGrid.from_dict(values).direction == (1, 1)


def test_matches():
    grid = PixelGrid((4, 5), (0.1, 0.2), (1.0, 2.0), "nm")
    assert grid.matches(PixelGrid((4, 5), (0.1, 0.2), (1.0 + 1e-9, 2.0), "nm"))
    for other in (
        PixelGrid((4, 6), (0.1, 0.2), (1.0, 2.0), "nm"),
        PixelGrid((4, 5), (0.1, 0.21), (1.0, 2.0), "nm"),
        PixelGrid((4, 5), (0.1, 0.2), (1.0, 2.1), "nm"),
        PixelGrid((4, 5), (0.1, 0.2), (1.0, 2.0), "Å"),
        PixelGrid((4, 5), (0.1, 0.2), (1.0, 2.0), "nm", (1, -1)),
    ):
        assert not grid.matches(other)


@pytest.mark.parametrize("units", ["", "px", "1/nm", "eV"])
def test_units_that_are_no_length(two_disks, units):
    two_disks.axes_manager[0].units = units
    with pytest.raises(ValueError, match=r"not calibrated as a length.*expected one of pm.*signal_axes.set"):
        pixel_grid(two_disks)


def test_one_uncalibrated_axis_is_enough(two_disks):
    two_disks.axes_manager[1].units = "px"
    with pytest.raises(ValueError, match="has the unit 'px'"):
        pixel_grid(two_disks)


@pytest.mark.parametrize("scale", [0.0, np.nan, np.inf])
def test_scales_that_are_no_size(two_disks, scale):
    two_disks.axes_manager[0].scale = scale
    with pytest.raises(ValueError, match="pixel size above zero"):
        pixel_grid(two_disks)


def test_non_uniform_axis(two_disks):
    two_disks.axes_manager[0].convert_to_non_uniform_axis()
    with pytest.raises(ValueError, match="not uniform"):
        pixel_grid(two_disks)


def test_uncalibrated_images_are_refused_by_the_verbs(two_disks):
    two_disks.axes_manager.signal_axes.set(units="")
    for verb in (two_disks.segment_particles, two_disks.measure_particles):
        with pytest.raises(ValueError, match="not calibrated"):
            verb()
    labels = two_disks.segment_particles("otsu")  # its sizes are in pixels
    assert two_disks.measure_particles(labels).units["x"] == ""  # scales without a unit are lengths of some kind


def test_all_units_have_a_factor_above_zero():
    assert min(NANOMETRES.values()) > 0


@given(
    st.integers(0, 9),
    st.integers(0, 11),
    st.sampled_from([0.0, 1e6, -3.7]),
    st.sampled_from([(0.0, 0.0), (0.5, 0.5), (0.3, -0.4)]),
)
def test_pixels_do_not_depend_on_the_way_that_axes_run(row, column, offset, rest):
    """The same places of an image and of its flipped copies, also halfway between two pixels and far from zero."""
    grid = PixelGrid((12, 14), (0.02, 0.03), (offset, -offset), "nm")
    x, y = grid.to_xy(row + 1 + rest[0], column + 1 + rest[1])
    expected = grid.nearest_pixel(x, y)
    assert expected.tolist() == [int(np.floor(value + 1.5)) for value in (row + rest[0], column + rest[1])]
    last = np.array(grid.shape) - 1
    for direction in ((1, -1), (-1, 1), (-1, -1)):
        ends = tuple(
            o if way > 0 else o + n * s for o, way, n, s in zip(grid.offset, direction, last, grid.scale, strict=True)
        )
        flipped = PixelGrid(grid.shape, grid.scale, ends, "nm", direction)
        found = flipped.nearest_pixel(x, y)
        np.testing.assert_array_equal(np.where(np.array(direction) > 0, found, last - found), expected)
        assert flipped.ascending().matches(grid) and flipped.ascending().direction == (1, 1)
        middle = flipped.middle_of_box(6)
        assert middle.tolist() == [3 if way > 0 else 2 for way in direction]


def test_axes_without_a_unit_of_length(two_disks):
    two_disks.axes_manager.signal_axes.set(scale=1, units="px")
    with pytest.raises(ValueError, match="not calibrated as a length"):
        pixel_grid(two_disks)
    assert pixel_grid(two_disks, calibrated=False).units == "px"
    two_disks.axes_manager.signal_axes[0].units = "nm"
    with pytest.raises(ValueError, match="not calibrated as a length"):
        pixel_grid(two_disks, calibrated=False)


def test_a_grid_far_away_is_another_one():
    """An offset of a metre in nm has a rounding of its own, but still tells pixels apart."""
    grid, moved = (PixelGrid((8, 8), (0.02, 0.02), (offset, 1e9), "nm") for offset in (1e9, 1e9 + 0.02))
    assert grid.matches(grid) and not grid.matches(moved)


@pytest.mark.parametrize("pixel", [0.02, 0.04, 0.07, 1 / 3, 0.0123456789])
def test_a_pixel_has_one_size_in_nm_whatever_the_unit(pixel):
    sizes = {
        PixelGrid((4, 4), (pixel * f,) * 2, (0.0, 0.0), u).nanometres
        for u, f in (("nm", 1), ("Å", 10), ("pm", 1e3), ("µm", 1e-3), ("m", 1e-9))
    }
    assert len(sizes) == 1
