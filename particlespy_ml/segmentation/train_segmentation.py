"""The verb `train_segmentation`: ParticleSpy's trainable segmentation from a painted frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.frames import check_frame
from particlespy_ml.core.image import check_image
from particlespy_ml.core.padding import known_pixels
from particlespy_ml.segmentation.padded import mirror_unknown
from particlespy_ml.segmentation.particlespy import TrainedSegmentation, trainable_features

if TYPE_CHECKING:
    from hyperspy.signals import Signal2D
    from numpy.typing import ArrayLike
    from particlespy.particle_analysis import trainable_parameters
    from sklearn.base import ClassifierMixin


def train_segmentation(
    image: Signal2D | ArrayLike,
    painted: ArrayLike,
    classifier: ClassifierMixin | None = None,
    feature_parameters: trainable_parameters | None = None,
    particle_class: int = 2,
) -> TrainedSegmentation:
    """Train ParticleSpy's trainable segmentation on one painted frame.

    Parameters
    ----------
    image
        The frame that was painted: a signal, lazy or not, or an array of shape (rows, columns).
    painted
        Integers of the same shape, array or signal: 0 where nothing was painted, 1 for background, *particle_class* for
        particles.
        Further values are further classes that are not particles.
    classifier
        A scikit-learn classifier; a random forest of 50 trees with a fixed seed by default.
    feature_parameters
        ParticleSpy's ``trainable_parameters``; by default its Gaussian, difference of Gaussians and Sobel features.
    particle_class
        The painted value that means particle.

    Returns
    -------
    TrainedSegmentation
        Give it to ``segment_particles(method=...)``.

    Raises
    ------
    ValueError
        If shapes differ, fewer than two classes or no particle were painted, the image is a series, or pixels are not
        finite.
    """
    from particlespy.particle_analysis import trainable_parameters

    image, painted = _frame_of(image), _painted(painted)
    if image.shape != painted.shape or image.ndim != 2:
        raise ValueError(f"Expected an image and painted labels of one shape, not {image.shape} and {painted.shape}.")
    values = [int(value) for value in np.unique(painted[painted > 0])]
    if len(values) < 2 or particle_class not in values:
        raise ValueError(
            f"Paint at least two classes, one of them particles ({particle_class}); the painted values are {values}."
        )
    if classifier is None:
        from sklearn.ensemble import RandomForestClassifier

        classifier = RandomForestClassifier(n_estimators=50, min_samples_leaf=2, random_state=0)
    if feature_parameters is None:
        # the rank filters with a 20 px disk and the membrane projection take most of ParticleSpy's time and are left
        # to the user
        feature_parameters = trainable_parameters(
            gaussian=[True, 1],
            diff_gaussian=[True, [False, 1], 1, 16],
            median=[False, [False, 1], 20],
            minimum=[False, [False, 1], 20],
            maximum=[False, [False, 1], 20],
            sobel=[True, [True, 1]],
            membrane=[[False, 1], False, False, False, False, False, False],
        )
    known = known_pixels(image)
    if known is not None:
        image = mirror_unknown(image, known)
    low, high = (float(value) for value in np.percentile(image.astype(np.float64), (0.1, 99.9)))
    features = trainable_features(image, feature_parameters, (low, high))
    classifier.fit(features[painted > 0], painted[painted > 0])
    summary = {"method": "trained", "classifier": repr(classifier), "painted_pixels": int((painted > 0).sum())}
    return TrainedSegmentation(classifier, feature_parameters, particle_class, (low, high), summary)


def _frame_of(image) -> np.ndarray:
    """The one frame of a signal, or an array, of finite numbers."""
    if hasattr(image, "axes_manager"):
        check_image(image)
        if image.axes_manager.navigation_size > 1:
            raise ValueError(
                "Expected the one frame that was painted; choose it from the series, for example s.inav[0]."
            )
        image = np.asarray(image.data)
        image = image.reshape(image.shape[-2:])
    image = np.asarray(image)
    check_frame(image)
    return image


def _painted(painted) -> np.ndarray:
    """Painted pixels of a signal or an array."""
    painted = np.asarray(painted.data if hasattr(painted, "axes_manager") else painted)
    if painted.dtype.fields is not None or painted.ndim < 2:
        raise ValueError(
            "Expected painted pixels as integers of the image's shape, 0 where nothing was painted, not "
            f"{painted.dtype} of {painted.shape}; turn colours into numbers first."
        )
    return painted.squeeze(tuple(range(painted.ndim - 2))) if painted.size == np.prod(painted.shape[-2:]) else painted
