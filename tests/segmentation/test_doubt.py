"""Where the background of a frame may be a support, the network is asked."""

from dataclasses import replace

import numpy as np
import pytest

import particlespy_ml as pml
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.segmentation import segmenter as module
from particlespy_ml.segmentation.choose import choose_segmenter
from particlespy_ml.segmentation.quick import IN_DOUBT, QuickSegmenter
from particlespy_ml.segmentation.score import are_alike
from particlespy_ml.segmentation.textured import judge_background

ROWS, COLUMNS = np.ogrid[:128, :160]


def disks(*places, diameter=20):
    return sum(np.where(np.hypot(ROWS - r, COLUMNS - c) < diameter / 2, n + 1, 0) for n, (r, c) in enumerate(places))


SEEN, OTHERS = disks((40, 40), (80, 110)), disks((90, 40), (30, 120), (30, 80))


@pytest.fixture
def segmenter(make_frame, make_image):
    image = make_image(make_frame([(40, 40), (80, 110)], [20, 20]), "HAADF")
    return choose_segmenter(ImageFrames.of(image), None, None, False, {})[0], np.asarray(image.data)


@pytest.mark.parametrize(
    ("judged", "network", "expected"),
    [
        (None, OTHERS, 3),  # in doubt, and something else
        (None, None, 2),  # in doubt, and the same
        (None, 0 * SEEN, 0),  # in doubt, and nothing
        (False, OTHERS, 2),
        (True, OTHERS, 3),
    ],
)
def test_who_has_the_last_word(segmenter, monkeypatch, judged, network, expected):
    whole, frame = segmenter
    network = replace(whole, on_support=None)(frame) if network is None else network
    monkeypatch.setattr(module, "judge_background", lambda image, labels: judged)
    monkeypatch.setattr(module.Segmenter, "_by_detector", lambda self, *others: network.astype(np.int32))
    assert whole(frame).max() == expected
    assert whole.decided([(frame, None)]).decision.on_support is (expected != 2)
    assert replace(whole, on_support=None)(frame).max() == 2  # method="auto"


def test_of_what_the_border_cuts_the_network_has_the_last_word(make_frame, make_image, monkeypatch):
    cut, whole = make_frame([(0, 60), (100, 155)], [40, 30]), make_frame([(0, 60), (70, 100)], [30, 30])
    found = choose_segmenter(ImageFrames.of(make_image(cut, "HAADF")), None, None, False, {})[0]
    monkeypatch.setattr(module, "judge_background", lambda image, labels: False)
    monkeypatch.setattr(
        module.Segmenter, "_by_detector", lambda self, finder, image, *others: np.zeros(image.shape, np.int32)
    )
    assert replace(found, on_support=None)(cut).max() == 2 and found(cut).max() == 0
    assert found(whole).max() == 2  # the larger part is whole
    partly = make_frame([(0, 60), (70, 100)], [60, 24])
    assert replace(found, on_support=None)(partly).max() == 2 and found(partly).max() == 0
    same = replace(found, on_support=None)(cut)
    monkeypatch.setattr(module.Segmenter, "_by_detector", lambda self, *others: same)
    assert found(cut).max() == 2


def test_what_is_too_small_is_no_background(make_frame, make_image):
    places = [(24 + 48 * i, 24 + 48 * j) for i in range(4) for j in range(5)]
    frame = make_frame(places, [20, 20] + [9] * 18, shape=(194, 242))
    whole = choose_segmenter(ImageFrames.of(make_image(frame, "HAADF")), None, None, False, {})[0]
    labels, outlined, counts = whole._by_contrast(frame)
    assert counts == (2, 18) and labels.max() == 2 and len(np.unique(outlined)) == 21
    assert judge_background(frame, labels) is None and judge_background(frame, outlined) is False
    assert whole(frame).max() == 2


def test_a_series_is_decided_once(segmenter, monkeypatch):
    whole, frame = segmenter
    calls, same = [], replace(whole, on_support=None)(frame)
    monkeypatch.setattr(module, "judge_background", lambda image, labels: None)
    monkeypatch.setattr(module.Segmenter, "_by_detector", lambda self, *others: calls.append(1) or same)
    decided = whole.decided([(frame, None)] * 3)
    assert len(calls) == 3 and decided.decision.on_support is False
    decided(frame)
    assert len(calls) == 3


def test_frames_in_doubt_do_not_differ_from_a_series_on_a_support(segmenter, monkeypatch):
    whole, frame = segmenter
    monkeypatch.setattr(module, "judge_background", lambda image, labels: None)
    monkeypatch.setattr(module.Segmenter, "_by_detector", lambda self, *others: OTHERS.astype(np.int32))
    decided, told = whole.decided([(frame, None)] * 3), []
    monkeypatch.setattr(type(decided.differs), "tell", lambda self, reason: told.append(reason))
    assert decided.decision.on_support is True and decided(frame).max() == 3 and not told
    monkeypatch.setattr(module, "judge_background", lambda image, labels: False)
    assert decided(frame).max() == 3 and told == ["has a flat background"]


def test_a_smallest_diameter_holds_on_a_support(make_image):
    signal = pml.data.particles_on_support(seed=6)
    whole = signal.segment_particles().data
    large = signal.segment_particles(min_diameter=2.6).data
    sizes = np.bincount(large.ravel())[1:] * 0.15**2
    assert 0 < large.max() < whole.max() and sizes.min() >= 0.95 * np.pi / 4 * 2.6**2


def test_lobes_that_stand_out_more_than_particles():
    signal = pml.data.particles_on_support(seed=7)
    by_contrast = signal.segment_particles("auto").data
    assert judge_background(signal.data, by_contrast) is None
    found, wanted = signal.segment_particles().data, signal.segment_particles("network").data
    assert (found == wanted).all() and not are_alike(by_contrast, found)
    quick = QuickSegmenter.of(choose_segmenter(ImageFrames.of(signal), None, None, False, {})[0])
    assert quick(signal.data).max() == by_contrast.max() and quick.said == [IN_DOUBT]


def test_alike():
    assert are_alike(SEEN, SEEN) and are_alike(0 * SEEN, 0 * SEEN) and are_alike(SEEN, np.roll(SEEN, 2, 0))
    assert not are_alike(SEEN, 0 * SEEN) and not are_alike(SEEN, OTHERS)
    cut = disks((0, 0), (127, 159))
    assert are_alike(cut, cut) and not are_alike(cut, disks((0, 159), (127, 0)))
