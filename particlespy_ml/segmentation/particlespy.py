"""Segmentation by ParticleSpy: its thresholds, and its trainable pixel classifier."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage as ndi
from skimage.filters import threshold_sauvola
from skimage.measure import label

THRESHOLDS = (
    "otsu",
    "mean",
    "minimum",
    "yen",
    "isodata",
    "li",
    "local",
    "local_otsu",
    "lg_otsu",
    "niblack",
    "sauvola",
)

# Images of more grey levels are no integers in another unit.
MOST_STEPS = 2**16

OPTIONS = {
    "threshold": "otsu",
    "watershed": False,
    "watershed_size": 0,
    "watershed_erosion": 0,
    "invert": False,
    "min_size": 0,
    "rb_kernel": 0,
    "gaussian": 0,
    "local_size": 1,
}


def threshold_options(parameters=None, **options) -> dict:
    """Return the full set of ParticleSpy's segmentation options.

    Parameters
    ----------
    parameters
        A ParticleSpy ``parameters`` object. Keywords override what it holds.
    **options
        ParticleSpy's options by name: threshold, watershed, watershed_size, watershed_erosion, invert, min_size,
        rb_kernel, gaussian, local_size. Sizes are in pixels, as in ParticleSpy.

    Raises
    ------
    ValueError
        If the threshold is unknown.
    TypeError
        If an option is unknown.
    """
    full = dict(OPTIONS)
    if parameters is not None:
        if not hasattr(parameters, "segment"):
            raise TypeError("Expected a ParticleSpy parameters object on which generate() or load() was called.")
        full.update(parameters.segment)
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise TypeError(f"Unknown options {unknown}; ParticleSpy's thresholds take {sorted(OPTIONS)}.")
    full.update(options)
    if full["threshold"] not in THRESHOLDS:
        raise ValueError(f"Unknown threshold {full['threshold']!r}; expected one of {', '.join(THRESHOLDS)}.")
    if full["threshold"] in ("local", "niblack", "sauvola") and int(full["local_size"]) % 2 == 0:
        raise ValueError(
            f"local_size={full['local_size']} is even; the threshold {full['threshold']!r} takes odd sizes."
        )
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in full.items()}


def segment_with_threshold(image: np.ndarray, options: dict) -> np.ndarray:
    """Segment a frame with ParticleSpy's thresholds, keeping particles that the border cuts.

    The steps and their order are those of `particlespy.segptcls.process`, which always drops particles at the border.
    The same values give the same labels in every dtype: the rolling ball, the Gaussian and the inversion are taken of
    floats, where ParticleSpy takes them in the integers of the image and rounds.

    Parameters
    ----------
    image
        Frame, shape (rows, columns).
    options
        As from `threshold_options`.

    Returns
    -------
    numpy.ndarray
        Labels, same shape, int32; 0 is background.
    """
    from particlespy import segptcls

    if image.min() == image.max():
        return np.zeros(image.shape, np.int32)
    data = np.array(image, np.float64, order="C")
    data = segptcls.rolling_ball(data, options["rb_kernel"])
    if options["gaussian"]:
        data = ndi.gaussian_filter(data, options["gaussian"])
    if options["invert"]:
        data = (data.min() + data.max()) - data
    cleaning = {key: options[key] for key in ("watershed", "watershed_size", "watershed_erosion", "min_size")}
    return clean_labels(_above_threshold(data, options), **cleaning)


def _above_threshold(data: np.ndarray, options: dict) -> np.ndarray:
    """Labels of what lies above ParticleSpy's threshold, from float64."""
    from particlespy import segptcls

    if options["threshold"] == "sauvola":
        # by default the dynamic range would be that of the dtype
        return label(data > threshold_sauvola(data, options["local_size"], r=np.ptp(data) / 2))
    if options["threshold"] not in ("local", "niblack"):
        data = _steps(data)
    try:
        return segptcls.threshold(data, options)
    except RuntimeError:  # of threshold_minimum alone
        warnings.warn(
            "The histogram of a frame does not have two maxima: the threshold 'minimum' finds no particles in it.",
            stacklevel=2,
        )
        return np.zeros(data.shape, np.int32)


def _steps(data: np.ndarray) -> np.ndarray:
    """Return values that are whole steps apart as integers from 0, and others between 0 and 1.

    Histograms of integers have one bin for each of them; the 256 bins of floats would put a step on one or the other
    side of a threshold, as the unit of the image happens to be.
    """
    data = data - data.min()
    top = data.max()
    values = np.unique(data[:: max(1, data.shape[0] // 64)])
    gaps = np.diff(values)
    step = gaps[gaps > 1e-9 * top].min(initial=top)
    if top <= MOST_STEPS * step:
        steps = np.rint(data / step)
        if np.abs(data - steps * step).max() < 1e-6 * step * max(1, steps.max() * 1e-3):
            return steps.astype(np.int64)
    return data / top


def clean_labels(
    labels: np.ndarray, watershed: bool = False, watershed_size: int = 0, watershed_erosion: int = 0, min_size: int = 0
) -> np.ndarray:
    """Split labels by ParticleSpy's watershed and drop those of fewer than *min_size* pixels, where asked."""
    from particlespy import segptcls

    if watershed and labels.any():
        labels = segptcls.p_watershed(labels, watershed_size, watershed_erosion)
    if min_size:
        # not by scikit-image's remove_small_objects: called as ParticleSpy does, 0.26 drops particles of just min_size
        sizes = np.bincount(labels.ravel())
        labels = np.where(sizes[labels] < min_size, 0, labels)
    return labels.astype(np.int32)


@dataclass
class TrainedSegmentation:
    """A pixel classifier trained on a painted frame, ready to segment other frames.

    Made by `train_segmentation`; give it to ``segment_particles(method=...)``.

    Parameters
    ----------
    classifier
        A fitted scikit-learn classifier.
    feature_parameters
        ParticleSpy's ``trainable_parameters``.
    particle_class
        The painted value that means particle.
    intensity_range
        Lowest and highest intensity of the painted frame. All frames are scaled with it: each on its own scale,
        the noise of a frame without particles would look like particles.
    """

    classifier: object
    feature_parameters: object
    particle_class: int = 2
    intensity_range: tuple[float, float] = (0.0, 1.0)
    parameters: dict = field(default_factory=dict)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return the labels (int32) of a frame."""
        if image.min() == image.max():
            return np.zeros(image.shape, np.int32)
        features = trainable_features(image, self.feature_parameters, self.intensity_range)
        classes = self.classifier.predict(features.reshape(-1, features.shape[-1])).reshape(image.shape)
        return label(ndi.binary_fill_holes(classes == self.particle_class)).astype(np.int32)


def trainable_features(image: np.ndarray, parameters, intensity_range: tuple[float, float]) -> np.ndarray:
    """ParticleSpy's features, shape (rows, columns, features), of an image scaled to a range of intensity."""
    from particlespy.segimgs import create_features

    low, high = intensity_range
    scaled = (np.array(image, np.float64, order="C") - low) / max(high - low, np.finfo(np.float32).tiny)
    # hot pixels are cut off, but drifts in brightness are not
    scaled = np.clip(scaled, -1, 2).astype(np.float32)
    return np.asarray(create_features(scaled, parameters=parameters), dtype=np.float32)
