"""One decision for the frames of a series, and frames that differ from it."""

import pickle
import warnings

import dask.array as da
import numpy as np
import pytest

import particlespy_ml as pml
from particlespy_ml.core.frames import run_frames
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.segmentation import segmenter as module
from particlespy_ml.segmentation.choose import choose_segmenter, given_mask
from particlespy_ml.segmentation.series import Decision, DifferingFrames, more_evidence, most
from tests.conftest import TWO, as_image, disk_frame


def series(frames, signal_type="particle_image", scale=0.04, lazy=False):
    s = as_image(np.stack(frames), signal_type, scale=scale)
    return s.as_lazy() if lazy else s


def bright(seed=0):
    return disk_frame(*TWO, seed=seed).astype(np.float32)


@pytest.mark.parametrize("lazy", [False, True])
def test_one_polarity_for_a_series(lazy):
    """A frame of the other polarity is treated as the rest, and named."""
    frames = [bright(k) for k in range(5)]
    frames[3] = frames[3].max() - frames[3]
    with pytest.warns(UserWarning, match="^Frame 3 looks as if its particles were dark, unlike the series"):
        labels = series(frames, lazy=lazy).segment_particles(lazy_output=False, show_progressbar=False).data
    assert [int(one.max()) for one in labels[[0, 1, 2, 4]]] == [2] * 4
    alone = series(frames).inav[3].segment_particles(show_progressbar=False).data
    assert alone.max() == 2 and not np.array_equal(labels[3] > 0, alone > 0)
    np.testing.assert_array_equal(labels[0], series(frames).inav[0].segment_particles().data)


def test_what_the_series_shows_is_looked_at_when_it_is_computed():
    looked = []

    class Counting:
        looks_at_series = True

        def after_series(self, shown):
            looked.append([frame.shape for (frame,) in shown])
            return lambda frames, indices: [(frame + 1,) for frame in frames]

    lazy = da.zeros((2, 3, 8, 8), chunks=(1, 1, 8, 8))
    (result,) = run_frames(Counting(), lazy, outputs=(np.dtype(float),))
    assert looked == []
    assert (result.compute() == 1).all() and looked == [[(8, 8)] * 3]
    result.compute()
    assert len(looked) == 1  # the answer is kept
    (result,) = run_frames(Counting(), np.zeros((2, 8, 8)), outputs=(np.dtype(float),), lazy_output=False)
    assert (result == 1).all() and len(looked) == 2


@pytest.mark.parametrize("shape", [(2,), (3, 2)])
def test_any_navigation_shape_and_a_mask(shape):
    frames = np.stack([bright(k) for k in range(int(np.prod(shape)))]).reshape(*shape, *bright().shape)
    mask = np.ones(frames.shape[-2:], bool)
    mask[:, :30] = False
    s = as_image(frames, "particle_image", scale=0.04)
    eager = s.segment_particles(mask=mask, show_progressbar=False).data
    lazy = s.as_lazy().segment_particles(mask=mask, lazy_output=False, show_progressbar=False).data
    np.testing.assert_array_equal(eager, lazy)
    table = s.as_lazy().measure_particles(mask=mask, lazy_output=False, show_progressbar=False)
    assert table.n_particles == sum(int(one.max()) for one in eager.reshape(-1, *eager.shape[-2:]))


def test_one_way_for_a_series_on_supports():
    """Two frames of three show a support: the network outlines all, and the flat frame is named."""
    support = pml.data.particles_on_support().data[:192, :192].astype(np.float32)
    flat = as_flat(support)
    frames = [support, flat, support[::-1]]
    s = series(frames, "HAADF", scale=0.15)
    with pytest.warns(UserWarning, match="^Frame 1 has a flat background, unlike the series"):
        labels = s.segment_particles(show_progressbar=False).data
    np.testing.assert_array_equal(labels[1], s.inav[1].segment_particles("network", show_progressbar=False).data)
    with pytest.warns(UserWarning, match="^Frame 1 shows a support, unlike the series"):
        series([flat, support, flat], "HAADF", scale=0.15).segment_particles(show_progressbar=False)


def as_flat(like):
    """A frame of the same shape with particles on nothing."""
    rows, columns = np.indices(like.shape)
    image = np.random.default_rng(0).normal(0, 0.02, like.shape)
    for row, column in ((40, 50), (90, 130), (150, 60)):
        image += np.hypot(rows - row, columns - column) < 10
    return image.astype(np.float32) * np.ptp(like)


def test_one_outline_for_a_series_of_hrtem_images(monkeypatch):
    steep = iter([True, False, True])
    monkeypatch.setattr(module, "has_steep_edges", lambda *arguments: next(steep))
    frames = [disk_frame(*TWO, seed=k).max() - disk_frame(*TWO, seed=k).astype(np.float32) for k in range(4)]
    labels = series(frames, "HRTEM", scale=0.03).segment_particles(show_progressbar=False).data
    level = series(frames, "HRTEM", scale=0.03).segment_particles(outline="level", show_progressbar=False).data
    np.testing.assert_array_equal(labels, level)


def test_frames_that_say_nothing_decide_nothing():
    blank = np.zeros(bright().shape, np.float32)
    with pytest.warns(UserWarning, match="constant"):
        labels = series([blank, bright(), blank]).segment_particles(show_progressbar=False).data
    assert [int(one.max()) for one in labels] == [0, 2, 0]
    broken = np.full_like(blank, np.nan)
    with pytest.raises(ValueError, match="Frame 2"):
        series([bright(), bright(), broken]).segment_particles(show_progressbar=False)


def test_frames_that_show_noise_alone_decide_nothing():
    support = pml.data.particles_on_support(contrast=8, seed=2).data[:192, :192].astype(np.float32)
    noise = np.random.default_rng(0).normal(support.mean(), 5, support.shape).astype(np.float32)
    frames = [noise, support, noise]
    decided = choose(series(frames, "HAADF", scale=0.15)).decided([(frame, None) for frame in frames]).decision
    assert decided.on_support is True
    hrtem = choose(series(frames, "HRTEM", scale=0.03)).decided([(noise, None), (noise, None)])
    assert hrtem.decision.outline is None


def choose(signal):
    return choose_segmenter(ImageFrames.of(signal), None, None, False, {})[0]


def test_a_few_of_the_frames_that_differ_are_named_once():
    differs = DifferingFrames()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for number in [*range(9), *range(9)]:
            differs.tell("is odd")
            differs.after((number,))
            differs.after((100,))
    assert len(said) == 6 and "not named" in str(said[-1].message)
    copies = [pickle.loads(pickle.dumps(Decision("dark", differs=differs))) for _ in range(2)]
    assert copies[0].differs is copies[1].differs and copies[0] == Decision("dark")


def test_a_mask_of_one_frame_stays_as_small_as_that():
    movie = ImageFrames.of(series([bright()] * 4))
    mask = given_mask(movie, np.ones(bright().shape, int))
    assert mask.dtype == bool and mask.shape == movie.frames.shape and mask.strides[0] == 0


def test_the_parts_of_a_decision():
    assert more_evidence([], None) is None and more_evidence([1], lambda _: (0, 0)) is None
    assert more_evidence([1, 2], lambda number: (number, 1.4)) == "bright"
    assert more_evidence([1, 2], lambda number: (number, 1.6)) == "dark"
    assert most([True, True, False]) and not most([True, False])
    assert most([None, True, None]) and most([None, None]) is None
