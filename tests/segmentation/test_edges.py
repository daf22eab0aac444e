import numpy as np
import pytest
from scipy import ndimage as ndi

from particlespy_ml.segmentation import edges
from particlespy_ml.segmentation.edges import (
    DISTANCES,
    STEEP,
    crossing,
    edge_profiles,
    edge_width,
    has_steep_edges,
    mean_edge,
    particle_surroundings,
)
from tests.segmentation.test_half_contrast import discs, thickness

SHAPE, MIDDLE, RADIUS, PIXEL = (160, 160), (80, 80), 50, (0.1, 0.1)


def test_distance_and_radius():
    labels = discs((60, 80), ((30, 40), 20)) * 4
    (found,) = particle_surroundings(labels, (0.1, 0.1))
    assert found.number == 4
    assert found.radius == pytest.approx(2, rel=0.02)
    row, column = 30 - found.box[0].start, 40 - found.box[1].start
    assert found.distance[row, column] == pytest.approx(-2, abs=0.1)
    assert found.distance[row, column + 29] == pytest.approx(0.95, abs=0.1)
    np.testing.assert_array_equal(found.distance < 0, found.own)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("pixel_size", [(0.1, 0.1), (0.1, 0.2)])
def test_edge_of_a_sphere(sign, pixel_size):
    aspect = pixel_size[1] / pixel_size[0]
    ball = thickness((160, 160), (80, 80), RADIUS, 0.5, aspect=aspect)
    edge = mean_edge(5 + sign * ball, (ball > 0).astype(np.int32), pixel_size)
    # the inner half lies within half of the radius: the median of its thickness is that at the root of 1/8
    inside = (DISTANCES > -0.55) & (DISTANCES < -0.1)
    expected = np.sqrt(1 - (1 + DISTANCES[inside]) ** 2) / np.sqrt(1 - 1 / 8)
    np.testing.assert_allclose(edge[inside], expected, atol=0.03)
    assert abs(edge[DISTANCES > 0.1]).max() < 0.02
    low, high = (1 - np.sqrt(1 - (7 / 8) * level**2) for level in (0.25, 0.75))
    width = np.sqrt(1 - (7 / 8) / 16) - np.sqrt(1 - (7 / 8) * 9 / 16)
    assert high - low == pytest.approx(width)
    assert edge_width(edge) == pytest.approx(width, abs=0.05)


def test_edge_of_a_block_and_of_several():
    block = thickness(SHAPE, MIDDLE, RADIUS, 0.0)
    labels = discs(SHAPE, (MIDDLE, RADIUS))
    assert edge_width(mean_edge(block, labels, PIXEL)) < 0.12  # smoothing of the profile
    assert has_steep_edges(block, labels, PIXEL)
    ball = thickness(SHAPE, MIDDLE, RADIUS, 0.5)
    both = np.hstack([block, block])
    np.testing.assert_allclose(
        mean_edge(both, np.hstack([labels, 2 * labels]), PIXEL), mean_edge(block, labels, PIXEL), atol=1e-6
    )
    assert not has_steep_edges(np.hstack([ball, ball]), np.hstack([labels, 2 * labels]), PIXEL)


def test_noise_and_fringes_do_not_make_a_sphere_steep():
    rng = np.random.default_rng(0)
    ball = thickness(SHAPE, MIDDLE, RADIUS, 0.5)
    fringes = 0.3 * np.cos(np.arange(160) * 2 * np.pi / 6) * (ball > 0)
    for _ in range(20):
        image = -ball - fringes + rng.normal(0, 0.5, SHAPE)
        assert not has_steep_edges(image, discs(SHAPE, (MIDDLE, RADIUS)), PIXEL)


def test_the_edge_falls_in_its_whole_width():
    edge = np.interp(DISTANCES, [-0.6, -0.4, -0.3, -0.2, 0.0, 0.1], [1, 0.7, 0.9, 0.7, 0.3, 0])
    assert crossing(edge, 0.75) > crossing(edge, 0.75, first=True)
    assert edge_width(edge) == pytest.approx(crossing(edge, 0.25) - crossing(edge, 0.75, first=True))
    assert edge_width(np.zeros(len(DISTANCES))) is None
    assert crossing(edge, 1.5) is None


def test_nothing_that_stands_out():
    noise = np.random.default_rng(0).normal(size=SHAPE)
    assert mean_edge(noise, discs(SHAPE, (MIDDLE, RADIUS)), PIXEL) is None
    assert mean_edge(noise, np.zeros(SHAPE, np.int32), PIXEL) is None
    assert not has_steep_edges(noise, np.zeros(SHAPE, np.int32), PIXEL)
    assert mean_edge(noise, np.ones(SHAPE, np.int32), PIXEL) is None  # no background
    assert mean_edge(np.ones(SHAPE), discs(SHAPE, (MIDDLE, RADIUS)), PIXEL) is None  # a region without any contrast


def test_sectors_make_up_the_mean():
    rng = np.random.default_rng(0)
    image = thickness(SHAPE, MIDDLE, RADIUS, 0.5) + rng.normal(0, 0.1, SHAPE)
    labels = discs(SHAPE, (MIDDLE, RADIUS))
    (whole,) = edge_profiles(image, labels, PIXEL)[1]
    weights, quadrants = edge_profiles(image, labels, PIXEL, sectors=4)
    assert quadrants.shape == (4, len(DISTANCES)) and len(set(weights)) == 1
    np.testing.assert_allclose(quadrants.mean(0), whole, atol=0.05)


def test_a_few_quadrants_do_not_decide():
    # three quadrants end in a step, but at different distances from the outline, and one does not end
    labels = discs(SHAPE, (MIDDLE, RADIUS))
    rows, columns = np.indices(SHAPE) - 80
    radius = np.select([(rows < 0) & (columns < 0), (rows < 0), (columns < 0)], [44, 49, 52], 70)
    assert not has_steep_edges((np.hypot(rows, columns) < radius).astype(float), labels, PIXEL)


@pytest.mark.parametrize("aspect", [1.0, 2.0, 4.0])
def test_rods(aspect):
    rows, columns = np.mgrid[-60:61, -150:151]
    square = (np.clip(np.abs(columns) - 20 * (aspect - 1), 0, None) ** 2 + rows**2) / 20**2
    labels = (square < 1).astype(np.int32)
    assert not has_steep_edges(np.sqrt(np.clip(1 - square, 0, None)), labels, PIXEL)
    assert has_steep_edges((square < 0.95).astype(float), labels, PIXEL)


def test_one_that_hardly_stands_out_does_not_count():
    labels = discs((160, 320), ((80, 80), 50), ((80, 240), 50))
    faint = -0.15 * (labels == 2)
    image = (
        -1.0 * thickness(labels.shape, (80, 80), 50, 0.5) + faint + np.random.default_rng(0).normal(0, 1, labels.shape)
    )
    weights, profiles = edge_profiles(image, labels, PIXEL)
    assert len(weights) == len(profiles) == 1
    weights, _ = edge_profiles(image * [[1] * 160 + [100] * 160], labels, PIXEL)
    assert max(weights) <= 120  # however clear, one does not outvote all others


def test_labels_may_be_a_mask():
    block = thickness(SHAPE, MIDDLE, RADIUS, 0.0)
    assert has_steep_edges(block, block > 0, PIXEL)


@pytest.mark.parametrize(("blur", "steep"), [(0.03, True), (0.09, True), (0.25, False)])
def test_blurred_blocks(blur, steep):
    block = ndi.gaussian_filter(thickness(SHAPE, MIDDLE, RADIUS, 0.0), blur * RADIUS)
    assert has_steep_edges(block, discs(SHAPE, (MIDDLE, RADIUS)), PIXEL) == steep


def test_one_quadrant_does_not_speak_for_the_others():
    rows, columns = np.indices(SHAPE) - 80
    distance = np.hypot(rows, columns) / RADIUS
    ramp = np.clip(1.5 - distance, 0, 1)
    image = np.where((rows < 0) & (columns < 0), 4.0 * (distance < 1), ramp)
    labels = discs(SHAPE, (MIDDLE, RADIUS))
    assert edge_width(mean_edge(image, labels, PIXEL)) < STEEP
    assert not has_steep_edges(image, labels, PIXEL)


def test_one_clear_particle_does_not_speak_for_many(monkeypatch):
    step, ramp = (DISTANCES < 0).astype(float), np.clip(0.5 - DISTANCES, 0, 1)
    profiles = np.array([step, *[ramp] * 9])
    monkeypatch.setattr(edges, "edge_profiles", lambda *_, **__: (np.array([120, *[12] * 9]), profiles))
    assert edge_width(mean_edge(np.eye(4), np.eye(4), PIXEL)) < STEEP
    assert not has_steep_edges(np.eye(4), np.eye(4), PIXEL)


def test_some_of_many_particles_say_how_steep_edges_are(monkeypatch):
    from particlespy_ml.segmentation import edges

    rows, columns = np.mgrid[:400, :400] % 40 - 19.5
    distance = np.hypot(rows, columns)
    labels = np.where(distance < 14, 1 + (np.mgrid[:400, :400][0] // 40) * 10 + np.mgrid[:400, :400][1] // 40, 0)
    seen = []
    real = edges.edge_profiles
    monkeypatch.setattr(edges, "edge_profiles", lambda *a, **k: seen.append(real(*a, **k)) or seen[-1])
    for enough, count in ((200, 100), (20, 20), (30, 33)):
        monkeypatch.setattr(edges, "ENOUGH", enough)
        assert edges.has_steep_edges((distance < 13.5).astype(float), labels, (0.1, 0.1))
        assert not edges.has_steep_edges(np.sqrt(np.clip(1 - (distance / 14) ** 2, 0, None)), labels, (0.1, 0.1))
        assert len(seen[-1][0]) == 4 * count
