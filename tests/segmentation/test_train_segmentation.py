"""Segmentation by ParticleSpy's pixel classifier, trained on what was painted."""

import numpy as np
import pytest
from particlespy.particle_analysis import trainable_parameters

from particlespy_ml.segmentation.train_segmentation import train_segmentation

# ParticleSpy calls what scikit-image has renamed
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:particlespy")


def test_trained_on_one_frame_for_the_series(series, painted):
    trained = series.inav[0].train_segmentation(painted)
    labels = series.segment_particles(trained)
    # the frame without particles has none: its noise is not stretched to the contrast of the painted frame
    assert [frame.max() for frame in labels.data] == [2, 0, 1]
    truth = series.data > 2.5
    assert (np.asarray(labels.data > 0) == truth).mean() > 0.99
    np.testing.assert_array_equal(series.as_lazy().segment_particles(trained).data.compute(), labels.data)
    recorded = labels.metadata.particlespy_ml.segmentation
    assert recorded.method == "trained" and recorded.painted_pixels == int((painted > 0).sum())
    assert "random_state=0" in recorded.classifier


def test_a_blanked_frame_of_a_series_has_no_particles(series, painted):
    trained = series.inav[0].train_segmentation(painted)
    series.data[1] -= 20  # far below the painted frame, and still with noise
    assert [frame.max() for frame in series.segment_particles(trained).data] == [2, 0, 1]


def test_training_is_repeatable(series, painted):
    frame = series.inav[0]
    one, other = (frame.segment_particles(frame.train_segmentation(painted)).data for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_training_with_a_classifier_features_and_class_of_ones_own(series, painted):
    from sklearn.naive_bayes import GaussianNB

    strokes = np.where(painted == 2, 7, painted)
    strokes[120:, :] = 3  # a further class that is no particle
    features = trainable_parameters(diff_gaussian=[False, [False, 1], 1, 16])
    for name in ("median", "minimum", "maximum"):
        getattr(features, f"set_{name}")(enabled=False)
    frame = series.inav[0]
    trained = frame.train_segmentation(strokes, GaussianNB(), features, particle_class=7)
    labels = frame.segment_particles(trained)
    assert labels.data.max() == 2
    assert ((labels.data > 0) == (frame.data > 2.5)).mean() > 0.97


def test_training_on_integer_frames(series, painted):
    image = (series.inav[0] * 1000)._deepcopy_with_new_data((series.inav[0].data * 1000).astype(np.uint16))
    assert image.segment_particles(image.train_segmentation(painted)).data.max() == 2


@pytest.mark.parametrize("values", [{0}, {1}, {2}, {1, 3}])
def test_too_little_was_painted(two_disks, values):
    strokes = np.zeros(two_disks.data.shape, int)
    for number, value in enumerate(values):
        strokes[10 * number : 10 * number + 5] = value
    with pytest.raises(ValueError, match=r"at least two classes, one of them particles \(2\)"):
        two_disks.train_segmentation(strokes)


def test_painted_in_another_shape(two_disks, series, painted):
    with pytest.raises(ValueError, match="one shape"):
        two_disks.train_segmentation(painted[:-1])
    with pytest.raises(ValueError, match="one frame that was painted"):
        series.train_segmentation(painted)
    with pytest.raises(ValueError, match="one shape"):
        train_segmentation(series.data, np.ones(series.data.shape, int))


def test_a_trained_segmentation_takes_cleaning_options(two_disks, painted):
    trained = two_disks.train_segmentation(painted)
    sizes = np.sort(two_disks.measure_particles(method=trained)["area"])
    smallest = sizes[-1] / 0.04**2 * 0.9
    kept = two_disks.measure_particles(method=trained, min_size=smallest)
    np.testing.assert_allclose(kept["area"], sizes[-1:])
    assert kept.metadata.particlespy_ml.segmentation.classifier.startswith("RandomForestClassifier")
    with pytest.raises(TypeError, match=r"Unknown options \['gaussian'\]"):
        two_disks.segment_particles(trained, gaussian=3)
