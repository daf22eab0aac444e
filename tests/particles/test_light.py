"""Integrated intensity against closed forms: blurred disks and spheres, Gaussian spots, with noise and without."""

import numpy as np
import pytest
from scipy import ndimage as ndi

from particlespy_ml.particles.light import REACH, measure_light, skirt_width
from particlespy_ml.particles.light_level import fit_levels

FINE = 5  # samples along a pixel


def particle(kind, size, blur, shape, centre):
    """Heights of a particle of the height 1, its blurred edges averaged over pixels; *size* is that at half height."""
    rows, columns = ((np.arange(n * FINE) + 0.5) / FINE - 0.5 for n in shape)
    square = (rows[:, None] - centre[0]) ** 2 + (columns - centre[1]) ** 2
    if kind == "gaussian":
        height = np.exp(-np.log(2) * square / size**2)
    else:
        height = (
            np.sqrt(np.clip(1 - square / size**2, 0, None)) if kind == "sphere" else (square < size**2).astype(float)
        )
        height = ndi.gaussian_filter(height, blur * FINE)
    return height.reshape(shape[0], FINE, shape[1], FINE).mean((1, 3))


def total(kind, size):
    """Sum of the heights, in closed form; no blur changes it."""
    return {"disk": np.pi, "sphere": 2 * np.pi / 3, "gaussian": np.pi / np.log(2)}[kind] * size**2


def scene(kind, size, blur, pitch, count=2, seed=0):
    """Heights of count x count particles, labels of what is above half of the height of each, and their total."""
    rng = np.random.default_rng(seed)
    image, labels = np.zeros((2, count * pitch, count * pitch))
    for number, (i, j) in enumerate(np.ndindex(count, count), start=1):
        window = np.s_[i * pitch : (i + 1) * pitch, j * pitch : (j + 1) * pitch]
        height = particle(kind, size, blur, (pitch, pitch), pitch / 2 + rng.uniform(-1, 1, 2))
        image[window] += height
        labels[window][height > 0.5 * height.max()] = number
    return image, labels.astype(int), total(kind, size)


def measured(image, labels, scale=(1.0, 1.0), known=None):
    boxes = ndi.find_objects(labels)
    masks = [labels[box] == number for number, box in enumerate(boxes, start=1)]
    return measure_light(image, labels > 0, boxes, masks, scale, known)


SCENES = [
    ("disk", 3, 1, 30),
    ("disk", 6, 2, 52),
    ("disk", 15, 1, 64),
    ("disk", 12, 4, 90),
    ("sphere", 5, 0.7, 40),
    ("sphere", 6, 2, 56),
    ("sphere", 15, 4, 110),
    ("gaussian", 3, 0, 40),
    ("gaussian", 8, 0, 100),
]


@pytest.mark.parametrize(("kind", "size", "blur", "pitch"), SCENES)
def test_all_light_above_the_background_is_counted(kind, size, blur, pitch):
    heights, labels, expected = scene(kind, size, blur, pitch)
    slope = np.arange(len(heights)) / len(heights)
    rows = measured(7 * heights + 3 + 2 * slope + 5 * slope[:, None], labels)
    np.testing.assert_allclose(rows["intensity"], 7 * expected, rtol=0.006)
    assert 7 * heights[labels == 1].sum() < 0.96 * 7 * expected  # a part lies outside of the outline
    for number, row in enumerate(rows, start=1):
        own = np.argwhere(labels == number).mean(0) / len(heights)
        assert row["background"] == pytest.approx(3 + 2 * own[1] + 5 * own[0], abs=0.03)


@pytest.mark.parametrize(("kind", "size", "blur", "pitch"), SCENES)
@pytest.mark.parametrize(("height", "background"), [(50, 10), (2000, 100), (1e5, 1e3)])
def test_standard_errors_are_those_of_counted_electrons(kind, size, blur, pitch, height, background):
    heights, labels, expected = scene(kind, size, blur, pitch)
    mean = height * heights + background * (1 + np.arange(len(heights)) / len(heights))
    found = [measured(np.random.default_rng(seed).poisson(mean), labels) for seed in range(20)]
    light = np.array([rows["intensity"] for rows in found]) / height
    errors = np.array([rows["intensity_error"] for rows in found]) / height
    assert light.mean() == pytest.approx(expected, rel=0.02)
    # the same particles are seen again and again: what is left of their skirts is no noise
    assert 0.55 < np.mean((light.std(0, ddof=1)) ** 2 / (errors**2).mean(0)) ** 0.5 < 1.4
    assert np.abs(light.mean() - expected) < 1.5 * errors.mean()


def test_light_that_noise_hides_is_looked_for_about_all_particles():
    heights, labels, expected = scene("gaussian", 5, 0, 60, count=4)
    found = [measured(np.random.default_rng(seed).poisson(20 * heights + 60), labels) for seed in range(10)]
    light = np.concatenate([rows["intensity"] for rows in found]) / 20
    error = np.concatenate([rows["intensity_error"] for rows in found]) / 20
    assert error.mean() > 0.08 * expected
    assert light.mean() == pytest.approx(expected, rel=0.03)
    assert 0.7 < np.std((light - expected) / error) < 1.4


@pytest.mark.parametrize("polarity", [1, -1])
def test_dark_particles_on_bright_ground(polarity):
    heights, labels, expected = scene("sphere", 8, 1.5, 64)
    rows = measured(np.random.default_rng(0).normal(1000 + polarity * 300 * heights, 5), labels)
    np.testing.assert_allclose(rows["intensity"], polarity * 300 * expected, rtol=0.02)
    # noise that does not grow with the light: of the pixels of the aperture and of as many of the ring
    np.testing.assert_allclose(rows["intensity_error"], 5 * np.sqrt(2.2 * np.pi * 15**2), rtol=0.35)


def test_noise_of_neighbouring_pixels_that_goes_together():
    heights, labels, expected = scene("disk", 8, 1.5, 64, count=3)
    light, error = [], []
    for seed in range(12):
        noise = ndi.gaussian_filter(np.random.default_rng(seed).normal(size=heights.shape), 1.5)
        rows = measured(heights + 0.2 * noise / noise.std(), labels)
        light.append(rows["intensity"])
        error.append(rows["intensity_error"])
    assert 0.6 < np.std((np.array(light) - expected) / np.array(error)) < 1.4


def test_pixels_that_are_not_square():
    rows, columns = np.mgrid[:80, :160]
    spot = np.exp(-(((rows - 40) * 2 / 9) ** 2 + ((columns - 80) / 9) ** 2) / 2)
    (row,) = measured(4 * spot + 1, (spot > 0.5).astype(int), (0.2, 0.1))
    assert row["intensity"] == pytest.approx(4 * 2 * np.pi * 9 * 4.5, rel=0.004)


def test_touching_particles_share_their_light():
    """Two equal Gaussian spots that touch: each has half of the light of both."""
    rows, columns = np.mgrid[:100, :120]
    spots = [np.exp(-((rows - 50) ** 2 + (columns - c) ** 2) / (2 * 6**2)) for c in (50, 69)]
    image = sum(spots)
    labels = np.where(image > 0.5, np.where(columns < 60, 1, 2), 0)
    light = measured(image, labels)["intensity"]
    assert light[0] == pytest.approx(light[1], rel=1e-6)
    assert light.sum() == pytest.approx(2 * 2 * np.pi * 36, rel=0.01)


def test_light_that_the_border_cuts_is_that_in_the_frame():
    rows, columns = np.mgrid[:60, :60]
    spot = np.exp(-((rows - 30) ** 2 + columns**2) / (2 * 4**2))  # centred on the first column
    (row,) = measured(spot + 2, (spot > 0.5).astype(int))
    assert row["intensity"] == pytest.approx(spot.sum(), rel=0.02)
    assert row["background"] == pytest.approx(2, abs=0.002)


def test_a_particle_that_was_not_found_does_not_count_for_the_background():
    heights, labels, expected = scene("sphere", 8, 1, 64)
    missed = particle("sphere", 3, 1, heights.shape, (32, 55))
    image = np.random.default_rng(0).poisson(500 * heights + 2000 * missed + 50)
    rows = measured(image, labels)
    assert abs(rows["intensity"][0] - 500 * expected) < 5 * rows["intensity_error"][0]


def test_constant_borders_are_no_background():
    heights, labels, expected = scene("sphere", 8, 1.5, 64)
    image, known = 500 * heights + 50, np.ones(heights.shape, bool)
    image[:18], known[:18] = 0, False
    np.testing.assert_allclose(measured(image, labels, known=known)["intensity"], 500 * expected, rtol=0.01)


def test_errors_where_no_background_is_near():
    labels = np.full((90, 90), 2)
    labels[30:50, 30:50] = 1
    labels[:, 85:] = 0
    image = np.choose(labels, [3.0, 20.0, 9.0]) + np.random.default_rng(0).normal(size=labels.shape)
    rows = measured(image, labels)
    assert rows["intensity"][0] == pytest.approx(400 * 17, abs=400)
    assert rows["intensity_error"][0] == pytest.approx(400 * 1, rel=0.1)
    labels[labels == 0] = 2
    assert np.isinf(measured(image, labels)["intensity_error"]).all()


def test_images_are_left_as_they_are():
    heights, labels, _ = scene("disk", 6, 1, 40)
    before = heights.copy()
    measured(heights, labels)
    np.testing.assert_array_equal(heights, before)


def test_skirts_of_straight_edges_and_of_exponentials():
    """The light outside of an edge blurred by a Gaussian of width s lies 0.6267 s from it on the average."""
    from scipy.special import erfc

    far = np.arange(200) + 0.5
    edge, exponential = erfc(far / (10 * np.sqrt(2))) / 2, np.exp(-far / 10)
    counts = np.full(200, 100.0)
    assert skirt_width(counts, counts * edge, 0.0, 3)[0] == pytest.approx(REACH * 6.267, rel=0.05)
    assert 40 < skirt_width(counts, counts * exponential, 0.0, 3)[0] <= 10 * REACH
    assert skirt_width(counts[:20], (counts * edge)[:20], 0.0, 3) == (0, True)  # its end is not seen
    assert skirt_width(counts, counts * 0, 1.0, 3) == (0, False)


def test_levels_are_planes_only_where_all_round():
    rows, columns = np.mgrid[-20:21, -20:21]
    ring = (np.hypot(rows, columns) > 10) & (np.hypot(rows, columns) < 18)
    values = 5.0 + 0.3 * rows - 0.1 * columns
    corner = ring & (rows > 4) & (columns > 4)
    owner = np.repeat([0, 1], [np.count_nonzero(ring), np.count_nonzero(corner)])
    levels = fit_levels(owner, 2, *(np.append(part[ring], part[corner]) for part in (rows, columns, values)))
    np.testing.assert_allclose(levels.plane, [[5, 0.3, -0.1], [values[corner].mean(), 0, 0]], atol=1e-9)
