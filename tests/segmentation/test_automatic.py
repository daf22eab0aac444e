"""segment_automatic on simulated frames whose particles are known."""

import time
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

from particlespy_ml.segmentation.automatic import segment_automatic
from particlespy_ml.segmentation.grid import dilate, highest_beside
from particlespy_ml.segmentation.runs import Runs

PIXEL = (0.2, 0.2)


def ellipse(shape, centre, radii, angle=0.0):
    """Coverage, 0 to 1, of the pixels by an ellipse of semi-axes `radii`."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    y, x = y - centre[0], x - centre[1]
    u, v = y * np.cos(angle) + x * np.sin(angle), x * np.cos(angle) - y * np.sin(angle)
    return np.clip((1 - np.hypot(u / radii[0], v / radii[1])) * min(radii) + 0.5, 0, 1)


def square(shape, centre, side, angle):
    """Coverage of the pixels by a square."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    y, x = y - centre[0], x - centre[1]
    u, v = y * np.cos(angle) + x * np.sin(angle), x * np.cos(angle) - y * np.sin(angle)
    return np.clip(side / 2 - np.maximum(abs(u), abs(v)) + 0.5, 0, 1)


def grid_of_disks(rng, size=256, contrasts=(1, 1), radius=(8, 14)):
    """Sixteen disks that do not touch, and the radius of each."""
    image, radii = np.zeros((size, size)), []
    for i in range(4):
        for j in range(4):
            radii.append(rng.uniform(*radius))
            centre = (np.array([i, j]) + 0.5) * size / 4 + rng.uniform(-4, 4, 2)
            image += rng.uniform(*contrasts) * ellipse(image.shape, centre, (radii[-1], radii[-1]))
    return image, np.array(radii)


def expose(clean, rng, dose=200.0, blur=1.0, polarity="bright", slope=0.5):
    """Blur, put on a slanting background, and count electrons."""
    signal = ndi.gaussian_filter(clean, blur) + 1 + slope * np.linspace(0, 1, clean.shape[1])
    if polarity == "dark":
        signal = signal.max() + 0.5 - signal
    return rng.poisson(dose * signal)


def areas(labels):
    return np.bincount(labels.ravel())[1:]


@pytest.mark.parametrize("polarity", ["bright", "dark"])
@pytest.mark.parametrize("given_polarity", ["auto", "same"])
@pytest.mark.parametrize("seed", range(3))
def test_finds_every_disk_with_its_area(polarity, given_polarity, seed):
    rng = np.random.default_rng(seed)
    clean, radii = grid_of_disks(rng)
    frame = expose(clean, rng, polarity=polarity)
    labels = segment_automatic(frame, PIXEL, polarity=polarity if given_polarity == "same" else "auto")
    assert labels.dtype == np.int32 and labels.shape == frame.shape
    assert labels.max() == 16
    expected = np.pi * radii**2
    assert areas(labels).sum() == pytest.approx(expected.sum(), rel=0.03)
    assert np.abs(np.sort(areas(labels)) / np.sort(expected) - 1).max() < 0.08


def test_outline_is_at_the_half_height_of_each_particle():
    rng = np.random.default_rng(5)
    clean = np.zeros((256, 256))
    for centre, contrast in (((64, 64), 0.2), ((64, 192), 0.5), ((192, 64), 1), ((192, 192), 2)):
        clean += contrast * ellipse(clean.shape, centre, (22, 22))
    labels = segment_automatic(expose(clean, rng, dose=1000, blur=2), PIXEL)
    assert labels.max() == 4
    np.testing.assert_allclose(areas(labels), np.pi * 22**2, rtol=0.03)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float16, np.float32, np.float64])
def test_takes_any_real_dtype(dtype):
    rng = np.random.default_rng(0)
    clean, _ = grid_of_disks(rng)
    frame = expose(clean, rng)
    frame = (frame * (250 / frame.max())).astype(dtype)
    before = frame.copy()
    assert segment_automatic(frame, PIXEL).max() == 16
    np.testing.assert_array_equal(frame, before)


@settings(max_examples=12)
@given(
    dtype=st.sampled_from("u1 u2 u4 u8 i2 i4 i8 >u2 >i4 f2 f4 f8 >f4 >f8".split()),
    layout=st.sampled_from(["C", "F", "strided", "read-only"]),
    pixel=st.sampled_from([0.05, 0.2]),
)
def test_the_same_values_give_the_same_labels(dtype, layout, pixel):
    rng = np.random.default_rng(0)
    frame = expose(grid_of_disks(rng)[0], rng, dose=40).clip(0, 255)
    given_frame = frame.astype(dtype, order="F" if layout == "F" else "C")
    if layout == "strided":
        given_frame = np.repeat(given_frame, 2, axis=1)[:, ::2]
    given_frame.flags.writeable = layout != "read-only"
    expected = segment_automatic(frame.astype(float), (pixel, pixel))
    np.testing.assert_array_equal(segment_automatic(given_frame, (pixel, pixel)), expected)


def test_a_small_contrast_on_a_large_offset():
    rng = np.random.default_rng(0)
    frame = expose(grid_of_disks(rng)[0], rng)
    for offset, dtype in ((1e6, np.float32), (2**62, np.int64), (2**63, np.uint64)):
        assert segment_automatic(frame.astype(dtype) + dtype(offset), PIXEL).max() == 16


@pytest.mark.parametrize("pixel", [0.06, 0.2])
@pytest.mark.parametrize("seed", range(2))
def test_flips_transposition_and_windows_move_outlines_by_less_than_a_pixel(pixel, seed):
    """Pixels are binned from the first row and column on, so outlines differ by parts of a pixel, particles do not."""
    rng = np.random.default_rng(seed)
    frame = expose(grid_of_disks(rng, radius=(10, 14))[0], rng)
    labels = segment_automatic(frame, (pixel, pixel), polarity="bright")
    assert labels.max() == 16
    turns = [np.flipud, np.fliplr, np.transpose, np.rot90, lambda a: a[1:, 1:], lambda a: a[:-2, 3:], lambda a: a[5:]]
    for turn in turns:
        other = segment_automatic(turn(frame), (pixel, pixel), polarity="bright")
        assert other.max() == 16
        assert ((other > 0) != (turn(labels) > 0)).sum() < 0.02 * (labels > 0).sum()


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(scale=st.sampled_from([1e-12, 1e-3, 7.0, 1e9]), offset=st.floats(-1e3, 1e3))
def test_units_and_offset_of_the_counts_do_not_matter(scale, offset):
    rng = np.random.default_rng(0)
    frame = expose(grid_of_disks(rng)[0], rng).astype(float)
    np.testing.assert_array_equal(
        segment_automatic(frame, PIXEL) > 0, segment_automatic((frame + offset) * scale, PIXEL) > 0
    )


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    seed=st.integers(0, 100),
    pixel=st.tuples(st.floats(0.005, 5), st.floats(0.005, 5)),
    polarity=st.sampled_from(["bright", "dark", "auto"]),
)
def test_labels_are_consecutive_on_any_frame(shape, seed, pixel, polarity):
    rng = np.random.default_rng(seed)
    frame = rng.poisson(5 + 50 * (rng.random(shape) > 0.9))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labels = segment_automatic(frame, pixel, polarity=polarity)
    assert labels.shape == shape and labels.dtype == np.int32
    np.testing.assert_array_equal(np.unique(np.append(labels, 0)), np.arange(labels.max() + 1))


@pytest.mark.parametrize("value", [0, 7, np.nan])
def test_constant_frame_has_no_particles(value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert segment_automatic(np.full((64, 48), value), PIXEL).max() == 0


@pytest.mark.parametrize("pixel", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("blur", [0, 1])
def test_noise_has_no_particles(pixel, blur):
    frame = ndi.gaussian_filter(np.random.default_rng(1).normal(size=(256, 256)), blur)
    assert segment_automatic(frame, (pixel, pixel)).max() == 0


@pytest.mark.parametrize("angle", [0.0, 0.4])
@pytest.mark.parametrize(
    "draw",
    [
        lambda a: ellipse((160, 160), (80, 80), (35, 35), a),
        lambda a: ellipse((160, 160), (80, 80), (20, 45), a),
        lambda a: square((160, 160), (80, 80), 60, a),
    ],
    ids=["disk", "ellipse", "square"],
)
def test_one_convex_particle_is_not_split(draw, angle):
    frame = expose(draw(angle), np.random.default_rng(2), slope=0.1)
    assert segment_automatic(frame, PIXEL, polarity="bright").max() == 1


def test_touching_particles_are_split_on_request():
    clean = np.maximum(ellipse((160, 200), (80, 65), (28, 28)), ellipse((160, 200), (75, 115), (28, 28)))
    frame = expose(clean, np.random.default_rng(3), slope=0.1)
    labels = segment_automatic(frame, PIXEL)
    assert labels.max() == 2
    assert labels[80, 60] != labels[75, 120]
    assert segment_automatic(frame, PIXEL, split=False).max() == 1
    assert segment_automatic(frame, PIXEL, split_depth=0.9).max() == 1


def test_faint_particle_beside_a_bright_one():
    clean = ellipse((160, 160), (80, 50), (20, 20)) + 0.2 * ellipse((160, 160), (80, 88), (12, 12))
    labels = segment_automatic(expose(clean, np.random.default_rng(4), dose=1000, slope=0), PIXEL)
    assert labels.max() == 2


def test_hole_is_filled():
    clean = ellipse((128, 128), (64, 64), (30, 30)) - ellipse((128, 128), (64, 64), (8, 8))
    labels = segment_automatic(expose(clean, np.random.default_rng(6), slope=0), PIXEL)
    assert labels.max() == 1 and labels[64, 64] == 1


def test_particle_cut_by_the_border_is_kept():
    clean = ellipse((128, 128), (0, 60), (18, 18)) + ellipse((128, 128), (80, 70), (18, 18))
    labels = segment_automatic(expose(clean, np.random.default_rng(7), slope=0), PIXEL)
    assert labels.max() == 2 and labels[0, 60] > 0


def test_columns_of_one_particle_are_one_label():
    y, x = np.mgrid[:300, :300] * 0.02
    columns = 0.6 + 0.4 * np.cos(2 * np.pi * y / 0.24) * np.cos(2 * np.pi * x / 0.24)
    clean = ellipse((300, 300), (150, 150), (110, 90)) * columns
    labels = segment_automatic(expose(clean, np.random.default_rng(8), slope=0), (0.02, 0.02))
    assert labels.max() == 1
    assert ndi.label(labels)[1] == 1
    assert areas(labels)[0] == pytest.approx(np.pi * 110 * 90, rel=0.05)


@pytest.mark.parametrize("pixel", [0.01, 0.02, 0.05])
def test_area_where_pixels_are_binned(pixel):
    clean = ellipse((400, 400), (200, 190), (100, 80), 0.3)
    labels = segment_automatic(expose(clean, np.random.default_rng(8), slope=0.2), (pixel, pixel))
    assert ndi.label(labels)[1] == labels.max() == 1
    assert areas(labels)[0] == pytest.approx(np.pi * 100 * 80, rel=0.03)


def test_pixels_need_not_be_square():
    rng = np.random.default_rng(9)
    clean, radii = grid_of_disks(rng, radius=(10, 14))
    frame = expose(clean, rng, dose=1000)
    half = frame.reshape(256, 128, 2).sum(2)
    labels = segment_automatic(half, (0.2, 0.4))
    assert labels.max() == 16
    assert 2 * areas(labels).sum() == pytest.approx(np.pi * (radii**2).sum(), rel=0.04)


def test_particles_on_a_textured_support():
    rng = np.random.default_rng(10)
    support = ndi.gaussian_filter(rng.normal(size=(256, 256)), 25)
    support = 2 * (support - support.min()) / np.ptp(support)
    clean, _ = grid_of_disks(rng, contrasts=(0.8, 1), radius=(5, 7))
    labels = segment_automatic(expose(clean + support, rng, slope=0), PIXEL)
    truth, n = ndi.label(clean > 0.4)
    hit = sum(np.any(labels[truth == i]) for i in range(1, n + 1))
    assert hit >= 14 and labels.max() <= 20


def test_small_regions_are_dropped():
    clean = ellipse((128, 128), (40, 40), (4, 4)) + ellipse((128, 128), (90, 80), (12, 12))
    frame = expose(clean, np.random.default_rng(11), dose=2000, slope=0)
    assert segment_automatic(frame, PIXEL).max() == 2
    assert segment_automatic(frame, PIXEL, min_diameter=3.0).max() == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image": np.zeros(5)}, "2 dimensions"),
        ({"image": np.zeros((5, 5), complex)}, "real"),
        ({"pixel_size": 0.2}, "pixel_size"),
        ({"pixel_size": (0.2, -1)}, "pixel_size"),
        ({"polarity": "white"}, "'bright', 'dark', 'auto'"),
        ({"smoothing": -1}, "smoothing"),
        ({"min_diameter": np.nan}, "min_diameter"),
        ({"background_diameter": 0}, "background_diameter"),
        ({"split_depth": 1.0}, "split_depth"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        segment_automatic(**{"image": np.zeros((8, 8)), "pixel_size": PIXEL, **arguments})


def test_a_frame_of_a_million_pixels_is_fast():
    rng = np.random.default_rng(12)
    clean, _ = grid_of_disks(rng, size=1024, radius=(20, 40))
    frame = expose(clean, rng)
    start = time.process_time()
    segment_automatic(frame, PIXEL)
    # Several times what it takes, so that a slow machine passes and a full-frame loop does not.
    assert time.process_time() - start < 1.5


@pytest.mark.parametrize("seed", range(5))
def test_pixels_are_labelled_and_spread_as_scipy_does(seed):
    rng = np.random.default_rng(seed)
    for share in (0.0, 0.1, 0.5, 0.6, 1.0):
        mask = rng.random(rng.integers(1, 30, 2)) < share
        labels, count = ndi.label(mask)
        runs = Runs.of(mask)
        assert runs.count == count
        np.testing.assert_array_equal(runs.pixels, np.flatnonzero(mask))
        np.testing.assert_array_equal(runs.spread(np.arange(count + 1)), labels.ravel()[runs.pixels])
        np.testing.assert_array_equal(runs.sizes[1:], np.bincount(labels.ravel(), minlength=count + 1)[1:])
        np.testing.assert_array_equal(runs.sums(runs.pixels)[1:], np.bincount(labels.ravel(), np.arange(mask.size))[1:])
        for size in ((3, 3), (11, 5), (1, 41)):
            np.testing.assert_array_equal(dilate(mask, size), ndi.maximum_filter(mask, size))
        values = rng.random(mask.shape)
        np.testing.assert_array_equal(highest_beside(values), ndi.maximum_filter(values, 3))


@pytest.mark.parametrize("times", [2, 10, 40])
@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut by the border"])
def test_one_bright_particle_among_ten_dim_ones(times, cut):
    """Spheres of about one size, of which one is far brighter, away from the others."""
    rng = np.random.default_rng(times)
    rows, columns = np.mgrid[:400, :400]
    places = [(6 if cut else 60, 60), *((150 + 70 * (k // 4), 50 + 95 * (k % 4)) for k in range(10))]
    image = rng.normal(50, 1, (400, 400))
    for number, (row, column) in enumerate(places):
        depth = 1 - ((rows - row) ** 2 + (columns - column) ** 2) / 17**2
        image += 10 * np.sqrt(np.clip(depth, 0, None)) * (1 if number else times)
    labels = segment_automatic(image, (0.1, 0.1), polarity="bright")
    assert labels.max() == 11 and all(labels[place] > 0 for place in places)
