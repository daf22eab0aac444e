"""Stacks of particles: pixels as they were, the centroid in the middle, edges padded."""

import numpy as np
import pytest
from hyperspy.signals import Signal2D


def mask_of(image):
    return image.data > 2.5


@pytest.fixture
def ramp(make_image):
    """A frame in which each pixel has its own value, and labels of an inner particle and of two at the corners."""
    data = np.arange(60 * 80, dtype=np.float64).reshape(60, 80)
    labels = np.zeros(data.shape, np.int32)
    labels[20:31, 40:51], labels[0:5, 0:7], labels[57:60, 77:80] = 1, 2, 3
    image = make_image(data)
    return image, labels, image.measure_particles(labels)


@pytest.mark.parametrize("box", [1, 2, 15, 16, 21])
def test_pixels_are_copied_with_the_centroid_in_the_middle(ramp, box):
    image, _, table = ramp
    stack = image.extract_particles(table, f"{box} px")
    assert stack.data.shape == (3, box, box)
    assert stack.data.dtype == image.data.dtype
    assert stack.data[0, box // 2, box // 2] == image.data[25, 45]
    start = np.array([25, 45]) - box // 2
    np.testing.assert_array_equal(stack.data[0], image.data[start[0] :, start[1] :][:box, :box])


def test_particles_near_an_edge_are_padded_not_shifted(ramp):
    image, _, table = ramp
    stack = image.extract_particles(table, "20 px").data
    row = table.data[0][1]
    assert stack[1, 10, 10] == image.data[2, 3]
    np.testing.assert_array_equal(stack[1, 8:, 7:], image.data[:12, :13])
    assert (stack[1, :8] == row["background"]).all() and (stack[1, :, :7] == row["background"]).all()
    assert stack[2, 10, 10] == image.data[58, 78]
    np.testing.assert_array_equal(stack[2, :12, :12], image.data[48:, 68:])
    assert (stack[2, 12:] == table.data[0][2]["background"]).all()


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4", "f8", "?"])
def test_the_dtype_is_kept(two_disks, dtype):
    labels = mask_of(two_disks)
    image = two_disks._deepcopy_with_new_data((labels * 90 + 10 * (dtype != "?")).astype(dtype))
    stack = image.extract_particles(image.measure_particles(labels), "100 px")
    assert stack.data.dtype == np.dtype(dtype)
    assert stack.data[0, 0, 0] == image.data[0, -1]  # beyond the frame: the background, in the dtype


@pytest.mark.parametrize(("level", "dtype"), [(12.3, "u1"), (12.7, "u1"), (254.9, "u1"), (-3.6, "i2"), (2.0**63, "u8")])
def test_padding_of_integer_images_is_rounded(make_image, level, dtype):
    data = np.full((40, 40), np.floor(level)).astype(dtype)
    data[:, ::10] += 1  # a tenth of the pixels
    labels = np.zeros(data.shape, int)
    labels[0:4, 10:14] = 1
    image = make_image(data)
    table = image.measure_particles(labels)
    table.data[0]["background"] = level
    assert image.extract_particles(table, "20 px").data[0, 0, 0] == round(level)


@pytest.mark.parametrize(("background", "dtype", "expected"), [(-0.7, "u1", 0), (256.4, "u1", 255), (-2.0, "?", 0)])
def test_padding_never_wraps_round(make_image, background, dtype, expected):
    labels = np.zeros((40, 40), int)
    labels[0:4, 10:14] = 1
    image = make_image(labels.astype(dtype))
    table = image.measure_particles(labels)
    table.data[0]["background"] = background
    assert image.extract_particles(table, "20 px").data[0, 0, 0] == expected


def test_backgrounds_of_large_whole_numbers_are_removed_exactly(make_image):
    labels = np.zeros((40, 40), int)
    labels[15:25, 15:25] = 1
    image = make_image(np.uint64(2**40 + 1) + labels.astype("u8"))
    stack = image.extract_particles(image.measure_particles(labels), "30 px", remove_background=True).data[0]
    np.testing.assert_array_equal(np.unique(stack), [0, 1])


@pytest.mark.parametrize("as_mask", [False, True])
def test_a_mask_serves_where_the_table_was_measured_on_it(two_disks, as_mask):
    given = mask_of(two_disks) if as_mask else 255 * mask_of(two_disks).astype(np.uint8)
    table = two_disks.measure_particles(given)
    by_mask = two_disks.extract_particles(table, "80 px", mask=True, labels=given).data
    labels = two_disks.segment_particles(labels=given)
    np.testing.assert_array_equal(by_mask, two_disks.extract_particles(table, "80 px", mask=True, labels=labels).data)


def test_labels_of_other_particles_are_refused(two_disks):
    labels = two_disks.segment_particles(labels=mask_of(two_disks)).data
    table = two_disks.measure_particles(labels)
    with pytest.raises(ValueError, match="do not have the particle 1 where the table has it"):
        two_disks.extract_particles(table, mask=True, labels=np.where(labels > 0, 3 - labels, 0))


def test_background_removed(two_disks):
    table = two_disks.measure_particles(mask_of(two_disks))
    plain = two_disks.extract_particles(table, "90 px").data
    removed = two_disks.extract_particles(table, "90 px", remove_background=True).data
    assert removed.dtype == np.float32
    np.testing.assert_allclose(removed, plain - table["background"][:, None, None], atol=1e-5)
    assert (removed[0, 0] == 0).all()
    counts = two_disks._deepcopy_with_new_data((two_disks.data * 50).astype(np.uint8))
    removed = counts.extract_particles(
        counts.measure_particles(mask_of(two_disks)), "60 px", remove_background=True
    ).data
    assert removed.min() < 0 < removed.max()


def test_outside_of_the_particle_masked(two_disks):
    labels = two_disks.segment_particles(labels=mask_of(two_disks))
    table = two_disks.measure_particles(labels)
    by_labels = two_disks.extract_particles(table, "80 px", mask=True, labels=labels, remove_background=True).data
    by_outline = two_disks.extract_particles(table, "80 px", mask=True, remove_background=True).data
    plain = two_disks.extract_particles(table, "80 px", remove_background=True).data
    for i, row in enumerate(table.data[0]):
        inside = by_labels[i] != 0
        assert inside.sum() == pytest.approx(row["area"] / 0.04**2, abs=2)
        np.testing.assert_array_equal(by_labels[i][inside], plain[i][inside])
        assert by_labels[i].sum() == pytest.approx(row["intensity_mean"] * inside.sum(), rel=1e-3)
        assert ((by_outline[i] != 0) != inside).mean() < 0.01
    # the neighbour is in the box of 120 pixels, but not in the masked one
    both = two_disks.extract_particles(table, "120 px").data[0]
    alone = two_disks.extract_particles(table, "120 px", mask=True, labels=labels).data[0]
    assert (both > 2.5).sum() > (alone > 2.5).sum() + 100


def test_default_box_holds_every_particle_with_a_margin(two_disks):
    table = two_disks.measure_particles(mask_of(two_disks))
    longest = round(max((table[f"bbox_{a}_max"] - table[f"bbox_{a}_min"]).max() for a in "xy") / 0.04)
    stack = two_disks.extract_particles(table)
    assert stack.data.shape[1:] == (int(np.ceil(1.2 * longest)),) * 2
    assert (stack.data[:, [0, -1]] < 2.5).all() and (stack.data[:, :, [0, -1]] < 2.5).all()


def test_default_box_is_never_larger_than_the_image(make_image):
    image = make_image(np.arange(800.0).reshape(20, 40))
    labels = np.zeros((20, 40), int)
    labels[1:19, 2:38] = 1
    assert image.extract_particles(image.measure_particles(labels)).data.shape == (1, 20, 20)


def test_a_box_in_units(two_disks):
    table = two_disks.measure_particles(mask_of(two_disks))
    assert two_disks.extract_particles(table, 2.0).data.shape == (2, 50, 50)
    assert two_disks.extract_particles(table, 2).data.shape == (2, 50, 50)
    assert two_disks.extract_particles(table, "33 px").data.shape == (2, 33, 33)
    assert two_disks.extract_particles(table, "20 Å").data.shape == (2, 50, 50)


@pytest.mark.parametrize(
    ("box", "match"), [("129 px", "129 pixels, more than the image"), (5.2, "more than"), (0, "less")]
)
def test_boxes_that_do_not_fit(two_disks, box, match):
    table = two_disks.measure_particles(mask_of(two_disks))
    with pytest.raises(ValueError, match=match):
        two_disks.extract_particles(table, box)


def test_the_stack_is_an_image_again(series):
    series.metadata.General.title = "Movie"
    table = series.measure_particles(mask_of(series))
    stack = series.extract_particles(table, "40 px")
    assert type(stack) is type(series) and stack.metadata.General.title == "Particles of Movie"
    (particle,) = stack.axes_manager.navigation_axes
    assert (particle.name, particle.size) == ("particle", 3)
    for axis in stack.axes_manager.signal_axes:
        assert (axis.scale, axis.units) == (0.04, "nm")
        assert axis.axis[20] == pytest.approx(0)  # the middle of the box is the origin
    assert stack.metadata.particlespy_ml.segmentation.method == "mask"
    again = stack.measure_particles(stack.data > 2.5)  # it can be measured like any other image
    assert [len(rows) for rows in again.data] == [1, 1, 1]
    np.testing.assert_allclose(again["x"], 0, atol=0.02)


def test_order_is_that_of_the_rows(grid):
    table = grid.measure_particles(mask_of(grid))
    stack = grid.extract_particles(table, "30 px")
    centres = [
        grid.data[(*index, round(row["y"] / 0.04), round(row["x"] / 0.04))]
        for index in np.ndindex(2, 2)
        for row in table.data[index]
    ]
    np.testing.assert_array_equal(stack.data[:, 15, 15], centres)
    assert len(stack.data) == 5


@pytest.mark.parametrize("name", ["two_disks", "series", "grid"])
@pytest.mark.parametrize(
    "options", [{}, {"remove_background": True}, {"mask": True}, {"mask": True, "labels": True, "box": "50 px"}]
)
def test_lazy_and_eager_stacks_are_the_same(request, name, options):
    image = request.getfixturevalue(name)
    labels = image.segment_particles(labels=mask_of(image))
    options = dict(options)
    given = options.pop("labels", False)
    table = image.measure_particles(labels)
    eager = image.extract_particles(table, **options, labels=labels if given else None)
    for chunks in [(1,) * (image.data.ndim - 2), image.data.shape[:-2]]:
        lazy = image.as_lazy()
        lazy.data = lazy.data.rechunk((*chunks, 50, 60))
        own = labels.as_lazy() if given else None
        stack = lazy.extract_particles(table, **options, labels=own)
        assert stack._lazy and stack.data.shape == eager.data.shape and stack.data.dtype == eager.data.dtype
        np.testing.assert_array_equal(stack.data.compute(), eager.data)
    lazy_table = image.as_lazy().measure_particles(labels)
    now = image.as_lazy().extract_particles(lazy_table, **options, labels=labels if given else None, lazy_output=False)
    assert not now._lazy and lazy_table._lazy  # the user's table is left as it was
    np.testing.assert_array_equal(now.data, eager.data)
    later = image.extract_particles(table, **options, labels=labels if given else None, lazy_output=True)
    assert later._lazy
    np.testing.assert_array_equal(later.data.compute(), eager.data)


def test_unequal_pixels_and_offsets(ramp):
    image, labels, _ = ramp
    x_axis, y_axis = image.axes_manager.signal_axes
    x_axis.scale, x_axis.offset, y_axis.scale, y_axis.offset = 0.5, -30, 0.2, 12
    stack = image.extract_particles(image.measure_particles(labels), "15 px")
    np.testing.assert_array_equal(stack.data[0], image.data[18:33, 38:53])
    assert [axis.scale for axis in stack.axes_manager.signal_axes] == [0.5, 0.2]


def test_axes_that_run_backwards(ramp):
    image, labels, table = ramp
    flipped = image.isig[::-1, ::-1]
    found = flipped.measure_particles(labels[::-1, ::-1])
    stack = flipped.extract_particles(found, "15 px")
    np.testing.assert_array_equal(stack.data[0], image.extract_particles(table, "15 px").data[0, ::-1, ::-1])
    assert [axis.scale for axis in stack.axes_manager.signal_axes] == [-0.04, -0.04]


def test_one_particle(series):
    image = series.inav[2]
    stack = image.extract_particles(image.measure_particles(mask_of(image)), "32 px")
    assert stack.data.shape == (1, 32, 32) and stack.data[0, 16, 16] == image.data[60, 70]


def test_no_particles(series):
    image = series.inav[1]
    with pytest.raises(ValueError, match="no particles to extract"):
        image.extract_particles(image.measure_particles(mask_of(image)))


def test_tables_of_other_images(series, two_disks):
    table = series.measure_particles(mask_of(series))
    with pytest.raises(ValueError, match=r"navigation shape \(3,\)"):
        two_disks.extract_particles(table)
    with pytest.raises(ValueError, match=r"frames of \(128, 160\) pixels.*\(128, 100\)"):
        series.isig[:100].extract_particles(table)
    for change in ({"scale": 0.05}, {"offset": 3}, {"units": "Å"}):
        other = series.deepcopy()
        other.axes_manager.signal_axes.set(**change)
        with pytest.raises(ValueError, match="calibration is not that of the image"):
            other.extract_particles(table)
    with pytest.raises(TypeError, match="Expected a particle table.*not Signal2D"):
        series.extract_particles(Signal2D(np.zeros((3, 3))))


def test_part_of_a_series_with_its_part_of_the_table(series):
    table = series.measure_particles(mask_of(series))
    stack = series.inav[1:].extract_particles(table.inav[1:], "32 px")
    np.testing.assert_array_equal(stack.data, series.extract_particles(table, "32 px").data[2:])
    stack = series.inav[0].extract_particles(table.inav[0], "32 px")
    np.testing.assert_array_equal(stack.data, series.extract_particles(table, "32 px").data[:2])


def test_selected_particles(two_disks):
    table = two_disks.measure_particles(mask_of(two_disks))
    large = table.select("area > 1.5")
    np.testing.assert_array_equal(
        two_disks.extract_particles(large, "64 px").data, two_disks.extract_particles(table, "64 px").data[1:]
    )
