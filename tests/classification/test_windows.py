"""Windows against closed forms: where a particle lands, what is blanked, what is conserved."""

import numpy as np
import pytest

from particlespy_ml.classification.windows import MARGIN, cut_window, window_views
from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.particles.measure import find_bbox_pixels, measure_frame

MODEL_PIXEL = 0.04  # nm
BACKGROUND = 100.0
HEIGHT = 50.0


def grid_of(shape, scale):
    return PixelGrid(shape=shape, scale=scale, offset=(3.0, -7.0), units="nm")


def blurred_disk(shape, scale, centre, radius, edge=0.05):
    """A disk in nm whose edge falls off over *edge* nm, and its mask; *centre* is (y, x) in nm from the first pixel."""
    y = np.arange(shape[0])[:, None] * scale[0] - centre[0]
    x = np.arange(shape[1])[None, :] * scale[1] - centre[1]
    profile = np.clip((radius - np.hypot(y, x)) / edge + 0.5, 0, 1)
    return profile, profile > 0.5


def frame_of(shape, scale, *disks):
    """A frame of disks (centre, radius) in nm, its labels and its table."""
    image, labels = np.full(shape, BACKGROUND), np.zeros(shape, np.int32)
    for number, (centre, radius) in enumerate(disks, start=1):
        profile, mask = blurred_disk(shape, scale, centre, radius)
        image += HEIGHT * profile
        labels[mask] = number
    return image, labels, measure_frame(image, labels, grid_of(shape, scale))


def centroid(window):
    weight = window - BACKGROUND
    rows, columns = np.indices(window.shape)
    return np.array([(rows * weight).sum(), (columns * weight).sum()]) / weight.sum()


SCALES = [
    (0.01, 0.01),
    (0.013, 0.013),
    (0.025, 0.025),
    (0.04, 0.04),
    (0.06, 0.06),
    (0.01, 0.03),
    (0.05, 0.02),
]


@pytest.mark.parametrize("scale", SCALES, ids=str)
@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.37, 0.81)], ids=["on a pixel", "between pixels"])
@pytest.mark.parametrize("edge", [64, 65])
def test_a_centred_particle_stays_centred(scale, shift, edge):
    shape = tuple(int(round(4 / s)) for s in scale)
    centre = tuple((n // 2 + part) * s for n, part, s in zip(shape, shift, scale, strict=True))
    image, labels, table = frame_of(shape, scale, (centre, 0.8))
    window = cut_window(image, labels, table[0], grid_of(shape, scale), MODEL_PIXEL, edge)
    assert window.shape == (edge, edge) and window.dtype == np.float32
    # The window is centred on the bounding box, which knows the centre to half a pixel of the frame.
    top, left, bottom, right = (int(v) for v in find_bbox_pixels(table[0], grid_of(shape, scale)))
    box = np.array([(top + bottom - 1) / 2, (left + right - 1) / 2]) * scale
    expected = (edge - 1) / 2 + (np.array(centre) - box) / MODEL_PIXEL
    np.testing.assert_allclose(centroid(window), expected, atol=0.1)
    assert np.abs(np.array(centre) - box).max() <= 0.5 * max(scale) + 1e-9


@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_total_intensity_and_size_are_kept(scale):
    shape = tuple(int(round(4 / s)) for s in scale)
    image, labels, table = frame_of(shape, scale, ((2.0, 2.0), 0.8))
    window = cut_window(image, labels, table[0], grid_of(shape, scale), MODEL_PIXEL, 96) - BACKGROUND
    expected = HEIGHT * np.pi * 0.8**2
    assert window.sum() * MODEL_PIXEL**2 == pytest.approx(expected, rel=0.03)
    assert window.max() == pytest.approx(HEIGHT, rel=1e-3)  # the plateau
    rows, columns = np.indices(window.shape) * MODEL_PIXEL
    middle = centroid(window + BACKGROUND) * MODEL_PIXEL
    for axis, values in enumerate(
        (rows, columns)
    ):  # second moments: r^2 / 4 along each axis, also if pixels are not square
        variance = ((values - middle[axis]) ** 2 * window).sum() / window.sum()
        assert variance == pytest.approx(0.8**2 / 4, rel=0.05)


@pytest.mark.parametrize("scale", [(0.01, 0.01), (0.008, 0.016)], ids=str)
def test_noise_is_averaged_when_pixels_are_binned(scale):
    """White noise on fine pixels comes out weaker by about the root of the number of pixels that go into one."""
    shape = tuple(int(round(4 / s)) for s in scale)
    image, labels, table = frame_of(shape, scale, ((2.0, 2.0), 0.8))
    noise = np.random.default_rng(0).normal(size=shape)
    grid = grid_of(shape, scale)
    window = cut_window(image + noise, labels, table[0], grid, MODEL_PIXEL, 64)
    window -= cut_window(image, labels, table[0], grid, MODEL_PIXEL, 64)
    binned = np.sqrt(np.prod(scale)) / MODEL_PIXEL
    assert window.std() == pytest.approx(binned, rel=0.25)


def test_at_the_models_pixel_size_pixels_are_copied():
    shape, scale = (120, 120), (MODEL_PIXEL, MODEL_PIXEL)
    image, labels, table = frame_of(shape, scale, ((2.4, 2.4), 0.82))
    top, left, bottom, right = (int(v) for v in find_bbox_pixels(table[0], grid_of(shape, scale)))
    edge = 64 if (bottom - top) % 2 == 0 else 65
    window = cut_window(image, labels, table[0], grid_of(shape, scale), MODEL_PIXEL, edge)
    start = (top + bottom - edge) // 2, (left + right - edge) // 2
    np.testing.assert_allclose(window, image[start[0] :, start[1] :][:edge, :edge], rtol=1e-5)


@pytest.mark.parametrize("scale", [(0.01, 0.01), (0.04, 0.04), (0.06, 0.06)], ids=str)
def test_other_particles_are_blanked(scale):
    shape = tuple(int(round(4 / s)) for s in scale)
    alone, _, _ = frame_of(shape, scale, ((2.0, 1.4), 0.5))
    image, labels, table = frame_of(shape, scale, ((2.0, 1.4), 0.5), ((2.0, 2.7), 0.5))
    grid = grid_of(shape, scale)
    window = cut_window(image, labels, table[0], grid, MODEL_PIXEL, 96)
    lone = cut_window(alone, labels * (labels == 1), table[0], grid, MODEL_PIXEL, 96)
    # what is left of the neighbour is its edge outside of its label: half a pixel of half its height
    other = np.abs(window - lone)
    assert other.max() < 0.5 * HEIGHT
    assert other.sum() < 0.1 * HEIGHT * np.pi * 0.5**2 / MODEL_PIXEL**2
    bright = cut_window(image + 1e4 * (labels == 2), labels, table[0], grid, MODEL_PIXEL, 96)
    np.testing.assert_array_equal(bright, window)  # nothing of the neighbour itself is seen


CORNERS = [(0.0, 0.0), (0.0, 4.0), (4.0, 0.0), (4.0, 4.0), (2.0, 0.0), (0.3, 2.0)]


@pytest.mark.parametrize("centre", CORNERS, ids=str)
@pytest.mark.parametrize("scale", [(0.01, 0.01), (0.04, 0.04), (0.05, 0.02)], ids=str)
def test_particles_at_the_border_are_padded_with_their_background(centre, scale):
    shape = tuple(int(round(4 / s)) + 1 for s in scale)
    image, labels, table = frame_of(shape, scale, (centre, 0.6))
    window = cut_window(image, labels, table[0], grid_of(shape, scale), MODEL_PIXEL, 64)
    assert np.isfinite(window).all()
    border = np.concatenate([window[0], window[-1], window[:, 0], window[:, -1]])
    np.testing.assert_allclose(border, BACKGROUND, atol=1.0)
    seen = HEIGHT * labels.astype(bool).sum() * np.prod(scale)
    assert (window - BACKGROUND).sum() * MODEL_PIXEL**2 == pytest.approx(seen, rel=0.1)


def test_a_window_larger_than_the_frame():
    image, labels, table = frame_of((40, 30), (0.04, 0.04), ((0.8, 0.6), 0.4))
    window = cut_window(image, labels, table[0], grid_of((40, 30), (0.04, 0.04)), MODEL_PIXEL, 128)
    assert window.shape == (128, 128)
    assert (window - BACKGROUND).sum() * MODEL_PIXEL**2 == pytest.approx(HEIGHT * np.pi * 0.4**2, rel=0.05)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
def test_any_dtype_gives_the_same_window(dtype):
    shape, scale = (160, 160), (0.02, 0.02)
    image, labels, table = frame_of(shape, scale, ((1.6, 1.6), 0.5))
    whole = np.rint(image)
    expected = cut_window(whole, labels, table[0], grid_of(shape, scale), MODEL_PIXEL, 64)
    found = cut_window(whole.astype(dtype), labels, table[0], grid_of(shape, scale), MODEL_PIXEL, 64)
    np.testing.assert_array_equal(found, expected)


def test_the_frame_is_not_changed():
    shape, scale = (160, 160), (0.02, 0.02)
    image, labels, table = frame_of(shape, scale, ((1.0, 1.0), 0.5), ((2.2, 2.2), 0.5))
    image = image.astype(np.float32)
    copies = image.copy(), labels.copy()
    image.flags.writeable = labels.flags.writeable = False  # as dask may hand them over
    cut_window(image, labels, table[0], grid_of(shape, scale), MODEL_PIXEL, 64)
    np.testing.assert_array_equal(image, copies[0])
    np.testing.assert_array_equal(labels, copies[1])


@pytest.mark.parametrize("units", ["nm", "Å", "µm", "m"])
def test_units_make_no_difference(units):
    from particlespy_ml.core.calibration import NANOMETRES

    shape, scale = (160, 160), (0.02, 0.02)
    image, labels, table = frame_of(shape, scale, ((1.6, 1.6), 0.5))
    expected = cut_window(image, labels, table[0], grid_of(shape, scale), MODEL_PIXEL, 64)
    grid = PixelGrid(shape, tuple(s / NANOMETRES[units] for s in scale), (0.0, 0.0), units)
    rows = measure_frame(image, labels, grid)
    np.testing.assert_allclose(cut_window(image, labels, rows[0], grid, MODEL_PIXEL, 64), expected, rtol=1e-6)
    assert window_views(rows, grid, MODEL_PIXEL, (32, 64))[0].tolist() == [64]


@pytest.mark.parametrize("flip", [np.s_[::-1, :], np.s_[:, ::-1], np.s_[::-1, ::-1]])
def test_an_axis_that_runs_backwards_makes_no_difference(two_disks, model_folder, flip):
    """A frame flipped by ``isig`` shows the same particles, not their mirror images."""
    one, other = (
        s.classify_particles(model_folder, method="otsu", min_size=50).to_dataframe().sort_values("x")
        for s in (two_disks, two_disks.isig[flip])
    )
    for name in ("area", "intensity", *(name for name in one if name.startswith("probability_"))):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-4)


def test_window_views():
    grid = grid_of((400, 400), (0.02, 0.02))
    disks = [((1.5, 1.5), 0.4), ((1.5, 5.0), 0.9), ((5.5, 3.5), 2.0)]
    _, _, table = frame_of((400, 400), (0.02, 0.02), *disks)
    windows = (32, 64, 96)
    edges, sizes = window_views(table, grid, MODEL_PIXEL, windows)
    # extents with margins: 0.8 + 0.6, 1.8 + 0.6, 4.0 + 0.6 nm; the windows hold 1.28, 2.56 and 3.84 nm
    assert MARGIN == 0.3
    assert edges.tolist() == [64, 64, 96] and sizes.tolist() == 3 * [MODEL_PIXEL]
    # 96 pixels 1.5 times as large hold 5.76 nm, 64 pixels do not hold 4.6
    edges, sizes = window_views(table, grid, MODEL_PIXEL, windows, (1.5, 2.0))
    assert edges.tolist() == [64, 64, 96] and sizes.tolist() == [MODEL_PIXEL, MODEL_PIXEL, 1.5 * MODEL_PIXEL]
    # none holds the last at 1.1 times
    edges, sizes = window_views(table, grid, MODEL_PIXEL, windows, (1.1,))
    assert edges.tolist() == [64, 64, 96] and sizes.tolist() == [MODEL_PIXEL, MODEL_PIXEL, 1.1 * MODEL_PIXEL]
    assert window_views(table[:0], grid, MODEL_PIXEL, windows)[0].shape == (0,)
    assert window_views(table[:1], grid, MODEL_PIXEL, windows)[0].tolist() == [64]


@pytest.mark.parametrize("scale", [(0.02, 0.02), (0.04, 0.01), (0.01, 0.04)], ids=str)
@pytest.mark.parametrize("size", [(1.8, 0.6), (0.6, 1.8)], ids=["tall", "wide"])
def test_window_views_see_the_longer_side(scale, size):
    shape = tuple(int(round(4 / s)) for s in scale)
    labels = np.zeros(shape, np.int32)
    labels[tuple(slice(int(round(1 / s)), int(round((1 + n) / s))) for n, s in zip(size, scale, strict=True))] = 1
    grid = grid_of(shape, scale)
    table = measure_frame(labels * HEIGHT + BACKGROUND, labels, grid)
    # 1.8 nm and twice the margin: more than 1.28 nm, less than 2.56 nm
    assert window_views(table, grid, MODEL_PIXEL, (32, 64, 96))[0].tolist() == [64]
