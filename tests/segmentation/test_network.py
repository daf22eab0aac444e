"""Segmentation by a network: scaling, maps and labels, seams, and what is refused."""

import numpy as np
import pytest

from particlespy_ml.data import gold_hrtem
from particlespy_ml.models.load import load_model
from particlespy_ml.models.model import ParticleFinder
from particlespy_ml.segmentation.make_segmenter import make_segmenter
from particlespy_ml.segmentation.network import labels_from_maps, maps_from_labels, scale_frame, segment_with_network


def disks(*circles, shape=(120, 140)):
    labels = np.zeros(shape, np.int32)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    for number, (row, column, radius) in enumerate(circles, start=1):
        labels[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = number
    return labels


@pytest.fixture
def perfect(make_finder, monkeypatch):
    """A model that sees every bright pixel as a particle, and how deep it lies."""

    def maps(self, frame, tile=768, overlap=128):
        from scipy import ndimage as ndi

        labels, _ = ndi.label(frame > 2)
        return tuple(maps_from_labels(labels))

    monkeypatch.setattr(ParticleFinder, "maps", maps)
    return load_model(make_finder())


def test_scaling_forgets_gain_and_offset():
    image = np.random.default_rng(0).normal(size=(50, 60))
    np.testing.assert_allclose(scale_frame(7 * image + 100), scale_frame(image), atol=1e-4)
    assert np.median(scale_frame(image)) == pytest.approx(0, abs=1e-6)
    assert scale_frame(image).std() == pytest.approx(1, abs=0.1)
    assert (scale_frame(np.full((5, 5), 3)) == 0).all()
    assert np.abs(scale_frame(np.where(image > 2, 1e6, image))).max() == 6


def test_scaling_of_a_frame_that_is_mostly_one_value():
    image = np.zeros((20, 20))
    image[:3] = 5
    scaled = scale_frame(image)
    assert np.isfinite(scaled).all() and scaled.max() > 1


@pytest.mark.parametrize(
    "truth",
    [
        disks(),
        disks((60, 70, 20)),
        disks((60, 70, 5)),
        disks((40, 40, 18), (80, 100, 12)),
        disks((60, 50, 20), (60, 88, 18)),  # touch
        disks((0, 0, 25), (119, 139, 12)),  # cut by the border
        disks(*((20 + 25 * i, 20 + 25 * j, 12) for i in range(4) for j in range(5))),
    ],
    ids=["none", "one", "small", "two", "touching", "cut", "many"],
)
def test_maps_of_labels_give_the_labels(truth):
    maps = maps_from_labels(truth)
    assert maps.shape == (2, *truth.shape) and maps.dtype == np.float32
    assert maps.min() >= 0 and maps.max() <= 1
    found = labels_from_maps(maps[0], maps[1], 0.5, 0.12)
    assert found.max() == truth.max()
    for number in range(1, truth.max() + 1):
        own = truth == number
        best = np.bincount(found[own]).argmax()
        assert best > 0 and ((found == best) & own).sum() / ((found == best) | own).sum() > 0.9


def test_a_particle_without_a_middle_is_one_particle():
    probability = (disks((60, 70, 20)) > 0).astype(np.float32)
    assert labels_from_maps(probability, 0 * probability, 0.5, 0.12).max() == 1


def test_shallow_dents_do_not_split():
    truth = disks((60, 60, 25))
    probability, depth = maps_from_labels(truth)
    depth = depth + 0.04 * np.random.default_rng(0).normal(size=depth.shape)
    assert labels_from_maps(probability, np.clip(depth, 0, 1), 0.5, 0.2).max() == 1


@pytest.mark.parametrize("pixel_size", [(0.05, 0.05), (0.1, 0.1), (0.17, 0.17), (0.08, 0.1)])
def test_frames_of_any_pixel_size(perfect, pixel_size):
    # 13.2 nm by 14 nm, a particle of 4 nm and one of 2 nm
    rows, columns = round(13.2 / pixel_size[0]), round(14 / pixel_size[1])
    y, x = np.mgrid[:rows, :columns] * np.array(pixel_size)[:, None, None]
    particles = (np.hypot(y - 5, x - 5) < 2) | (np.hypot(y - 9, x - 11) < 1)
    image = 100.0 * particles + np.random.default_rng(0).normal(size=particles.shape)
    labels = segment_with_network(image, pixel_size, perfect)
    assert labels.shape == image.shape and labels.dtype == np.int32
    areas = np.bincount(labels.ravel())[1:]
    areas = np.sort(areas[areas > 0]) * np.prod(pixel_size)
    np.testing.assert_allclose(areas, [np.pi, 4 * np.pi], rtol=0.2)


def test_small_ones_are_dropped(perfect):
    image = 100.0 * (disks((60, 40, 3), (60, 90, 10)) > 0) + np.random.default_rng(0).normal(size=(120, 140))
    kept = segment_with_network(image, (0.1, 0.1), perfect)
    assert len(np.unique(kept)) == 2
    assert len(np.unique(segment_with_network(image, (0.1, 0.1), perfect, min_diameter=0.3))) == 3


def test_outlines_at_half_of_the_contrast(perfect):
    rows, columns = np.ogrid[:120, :140]
    sphere = 20 * np.sqrt(np.clip(1 - ((rows - 60) ** 2 + (columns - 70) ** 2) / 40**2, 0, 1))
    noise = np.random.default_rng(0).normal(size=sphere.shape)
    areas = {
        outline: np.count_nonzero(segment_with_network(sphere + noise, (0.1, 0.1), perfect, outline=outline))
        for outline in ("auto", "atoms", "half")
    }
    assert 0.7 < areas["half"] / areas["atoms"] < 0.85
    assert areas["auto"] == areas["atoms"]  # a sphere ends where it thins out


def test_outlines_of_steep_particles(make_finder, monkeypatch):
    wide = disks((60, 70, 42), shape=(120, 140))  # what a model gives that expects spheres
    model = load_model(make_finder())
    monkeypatch.setattr(ParticleFinder, "maps", lambda self, frame: ((wide > 0).astype(np.float32),) * 2)
    block = 20.0 * (disks((60, 70, 38), shape=(120, 140)) > 0) + np.random.default_rng(0).normal(size=(120, 140))
    areas = {
        outline: np.count_nonzero(segment_with_network(block, (0.1, 0.1), model, outline=outline))
        for outline in ("auto", "atoms", "half", "level")
    }
    assert areas["half"] == pytest.approx(np.pi * 38**2, rel=0.04)
    assert areas["auto"] == areas["level"] == pytest.approx(np.pi * 38**2, rel=0.04)
    assert areas["atoms"] == np.count_nonzero(wide)


def test_reversed_contrast(make_finder):
    model, image = load_model(make_finder()), np.random.default_rng(0).normal(100, 10, (90, 110))
    dark = segment_with_network(image, (0.1, 0.1), model, 0.4, 0.1)
    bright = segment_with_network(-image, (0.1, 0.1), model, 0.4, 0.1, polarity="bright")
    np.testing.assert_array_equal(dark, bright)


def test_reversed_contrast_of_the_bundled_image():
    image = gold_hrtem().data.astype(float)[:256, :256]
    model = load_model("particles-hrtem")
    dark = segment_with_network(image, (0.04, 0.04), model)
    assert dark.max() > 2
    np.testing.assert_array_equal(dark, segment_with_network(-image, (0.04, 0.04), model, polarity="bright"))


def test_a_frame_smaller_than_a_pixel_of_the_model_has_no_particles(perfect):
    assert (segment_with_network(np.ones((4, 4)), (0.01, 0.01), perfect) == 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (15, 40), (64, 64), (130, 200)])
def test_tiles_have_no_seams(make_finder, shape):
    model = load_model(make_finder())
    frame = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    whole = model.maps(frame)
    tiled = model.maps(frame, tile=32, overlap=48)
    for one, other in zip(whole, tiled, strict=True):
        assert one.shape == shape and one.dtype == np.float32
        np.testing.assert_allclose(other, one, atol=1e-5)


@pytest.mark.parametrize("shape", [(16, 16), (1376, 1376), (1648, 1648), (640, 4096), (4096, 4096)])
def test_tiles_cover_a_frame_once_and_see_enough(shape):
    from particlespy_ml.models.model import _tiles

    covered = np.zeros(shape, int)
    seen = 0
    for own, whole in _tiles(shape, 1024, 176):
        covered[own] += 1
        for inner, outer, size in zip(own, whole, shape, strict=True):
            assert outer.start == max(inner.start - 176, 0) and outer.stop == min(inner.stop + 176, size)
            assert outer.start % 16 == 0 and outer.stop % 16 == 0
        pixels = np.prod([side.stop - side.start for side in whole])
        assert pixels <= (1024 + 352) ** 2
        seen += pixels
    assert (covered == 1).all()
    assert seen <= 1.65 * np.prod(shape)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model": "isomer-haadf"}, ValueError, "'isomer-haadf' classifies particles and does not find them"),
        ({"smoothing": 1.0}, TypeError, r"Unknown options \['smoothing'\] for method=\"network\", which takes model"),
        ({"threshold": 1.5}, ValueError, "threshold=1.5; expected a number from 0 to 1"),
        ({"min_diameter": -1}, ValueError, "min_diameter=-1.0; expected"),
        ({"polarity": "auto"}, ValueError, "Expected polarity to be 'dark' or 'bright' for a network, not 'auto'"),
        ({"outline": "edge"}, ValueError, "Expected outline to be 'auto', 'atoms', 'half' or 'level', not 'edge'"),
        ({"model": "nothing"}, ValueError, "Unknown model 'nothing'"),
    ],
)
def test_what_is_refused(two_disks, make_finder, options, error, message):
    options = {"model": make_finder(), **options}
    with pytest.raises(error, match=message):
        two_disks.segment_particles("network", **options)


def test_pixels_that_the_model_does_not_take(two_disks, make_finder):
    two_disks.axes_manager.signal_axes.set(scale=1.0, units="nm")
    with pytest.raises(ValueError, match=r"pixel size of 10 Å is outside the range.*method=\"auto\""):
        two_disks.segment_particles("network", model=make_finder())


def test_a_model_that_finds_does_not_classify(two_disks, make_finder):
    with pytest.raises(ValueError, match="'random-finder' finds particles and does not classify them"):
        two_disks.classify_particles(make_finder())


def test_the_model_is_recorded(two_disks, make_finder):
    from particlespy_ml.core.calibration import pixel_grid

    segmenter = make_segmenter("network", grid=pixel_grid(two_disks), model=make_finder())
    assert segmenter.parameters["model"] == "random-finder" and len(segmenter.parameters["sha256"]) == 64
    labels = two_disks.segment_particles("network", model=make_finder("again"))
    assert labels.metadata.particlespy_ml.segmentation.method == "network"


def test_series_lazy_as_eager(series, perfect, make_finder):
    folder = make_finder("same")
    eager = series.segment_particles("network", model=folder, min_diameter=0.1)
    lazy = series.as_lazy().segment_particles("network", model=folder, min_diameter=0.1)
    assert lazy._lazy
    np.testing.assert_array_equal(lazy.data.compute(), eager.data)
