"""Particles in frames with constant borders are those of the frame without them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

from particlespy_ml.core.padding import known_pixels
from particlespy_ml.segmentation.padded import cut_by_unknown, mirror_unknown, segment_known

CENTRES = [(50, 50), (50, 100), (50, 150), (140, 50), (140, 100), (140, 150)]
Y, X = np.mgrid[:200, :200]
DISCS = sum(np.hypot(Y - row, X - column) < 20 for row, column in CENTRES).astype(float)


def counts(polarity=1, seed=0):
    """Six discs."""
    return np.random.default_rng(seed).poisson(1500 + 1000 * (DISCS if polarity > 0 else 1 - DISCS)).astype(np.uint16)


WAYS = {
    "auto": ("HAADF", {}),
    "auto, any polarity": ("particle_image", {}),
    "auto, dark": ("HRTEM", {"method": "auto", "polarity": "dark"}),
    "otsu": ("particle_image", {"method": "otsu", "gaussian": 2, "min_size": 30}),
    "isodata": ("particle_image", {"method": "isodata", "gaussian": 2, "min_size": 30}),
    "local_otsu": ("particle_image", {"method": "lg_otsu", "gaussian": 2, "local_size": 30, "min_size": 200}),
}


def find(make_image, frame, way):
    signal_type, options = WAYS[way]
    if "dark" in way:
        frame = int(frame.max()) - frame
    return make_image(frame, signal_type, scale=0.05).segment_particles(**options).data


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=4)
@given(
    widths=st.tuples(*[st.integers(0, 28)] * 4),
    fill=st.sampled_from([0, 1500, 2041, 65535]),
)
def test_a_border_changes_nothing(make_image, way, widths, fill):
    top, bottom, left, right = widths
    frame = counts()
    inner = np.s_[top : 200 - bottom, left : 200 - right]
    expected = np.zeros((200, 200), np.int32)
    expected[inner] = find(make_image, frame[inner], way)
    if "dark" in way:  # the same fill after the inversion
        frame = frame.max() - frame
    padded = np.full_like(frame, fill)
    padded[inner] = frame[inner]
    found = make_image(padded, WAYS[way][0], scale=0.05).segment_particles(**WAYS[way][1]).data
    np.testing.assert_array_equal(found, expected)
    assert found.max() == 6
    assert (found > 0).sum() == pytest.approx(DISCS.sum(), rel=0.05)


@pytest.mark.parametrize("way", ["auto", "auto, any polarity", "auto, dark", "otsu"])
@pytest.mark.parametrize("angle", [3, 25])
@pytest.mark.parametrize("reshape", [False, True])
def test_wedges_hold_no_particles_and_hide_none(make_image, way, angle, reshape):
    truth = ndi.rotate(DISCS, angle, reshape=reshape, order=1) > 0.5
    frame = counts(-1 if "dark" in way else 1).astype(np.float32)
    labels = make_image(ndi.rotate(frame, angle, reshape=reshape, order=1), WAYS[way][0], scale=0.05).segment_particles(
        **WAYS[way][1]
    )
    assert labels.data.max() == 6
    assert ((labels.data > 0) & truth).sum() > 0.95 * ((labels.data > 0) | truth).sum()


def test_a_particle_cut_by_the_border_is_one_cut_by_the_frame(make_image):
    frame = counts()
    frame[:50] = 0
    frame[:, -5:] = 0
    image = make_image(frame, scale=0.05)
    assert image.segment_particles().data.max() == 6
    kept = image.segment_particles(exclude_border=True).data
    assert kept.max() == 3 and not kept[:100].any()
    mask = DISCS > 0
    mask[:50] = False
    assert image.segment_particles(labels=mask).data.max() == 6
    assert image.segment_particles(labels=mask, exclude_border=True).data.max() == 3


def test_a_particle_cut_by_a_wedge(make_image):
    frame = ndi.rotate(counts().astype(float), 30, reshape=False, order=1)
    labels, kept = (make_image(frame, scale=0.05).segment_particles(exclude_border=b).data for b in (False, True))
    cut = cut_by_unknown(labels, known_pixels(frame))
    assert kept.max() == labels.max() - len(cut)


def test_frames_of_a_series_have_borders_of_their_own(make_image):
    frames = []
    for shift in (0, 7, -13):
        frames.append(np.roll(counts(), shift, axis=0))
        if shift:
            frames[-1][slice(0, shift) if shift > 0 else slice(shift, None)] = 0
    series = make_image(np.stack(frames), scale=0.05)
    table = series.measure_particles()
    assert [len(rows) for rows in table.data] == [6, 6, 6]
    np.testing.assert_allclose(table.data[1]["y"] - table.data[0]["y"], 7 * 0.05, atol=0.01)
    np.testing.assert_array_equal(series.as_lazy().segment_particles().data.compute(), series.segment_particles().data)


def test_training_and_segmentation_of_a_padded_frame(make_image):
    painted = np.where(DISCS > 0, 2, 1) * (np.random.default_rng(0).random(DISCS.shape) < 0.05)
    painted[:16] = painted[:, :16] = 0
    frame = counts()
    frame[:16] = frame[:, :16] = 0
    image = make_image(frame, scale=0.05)
    labels = image.segment_particles(image.train_segmentation(painted), min_size=50).data
    assert labels.max() == 6 and not labels[:16].any()
    assert (labels > 0).sum() == pytest.approx(DISCS.sum(), rel=0.05)


def test_segment_known_leaves_whole_frames_alone():
    frame = counts()
    assert segment_known(frame, None, lambda image: image) is frame


def test_mirrored_pixels_come_from_the_other_side_of_the_edge():
    image = np.arange(20.0).reshape(4, 5)
    known = np.ones((4, 5), bool)
    known[:, :2] = False
    np.testing.assert_array_equal(mirror_unknown(image, known)[:, :2], image[:, [4, 3]])
    known[:, 2:3] = False  # a mirror image of a mirror image
    np.testing.assert_array_equal(mirror_unknown(image, known), image[:, [4, 3, 4, 3, 4]])
    known[:, 3:4] = False
    np.testing.assert_array_equal(mirror_unknown(image, known), np.repeat(image[:, 4:], 5, axis=1))
