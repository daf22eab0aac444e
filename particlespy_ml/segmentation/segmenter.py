"""From a user's choice of method to labels: one segmenter for every frame."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from skimage.measure import label

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.frames import check_frame
from particlespy_ml.core.padding import known_pixels
from particlespy_ml.segmentation.grid import label_sizes
from particlespy_ml.segmentation.padded import cut_by_unknown, segment_known
from particlespy_ml.segmentation.particlespy import (
    THRESHOLDS,
    TrainedSegmentation,
    clean_labels,
    segment_with_threshold,
    threshold_options,
)
from particlespy_ml.segmentation.size_loss import SizeLoss, dark_text, small_text
from particlespy_ml.segmentation.textured import has_textured_background

if TYPE_CHECKING:
    from particlespy_ml.models.model import ParticleFinder

MAX_LABEL = int(np.iinfo(np.int32).max)
# Labels up to this many times the number of pixels are looked up in an array, which is faster than to sort them.
DENSE = 4

AUTOMATIC_OPTIONS = {
    "polarity": "auto",
    "smoothing": None,
    "min_diameter": 0.8,
    "background_diameter": None,
    "split": True,
    "split_depth": 0.15,
}


NETWORK_OPTIONS = {
    "model": "particles-hrtem",
    "threshold": None,
    "min_diameter": 0.8,
    "split_depth": 0.08,
    "outline": "auto",
    "polarity": "dark",
}

# of a network that finds particles on any support, at any magnification
MULTISCALE_OPTIONS = {
    "threshold": None,
    "min_detection": 0.5,
    "min_diameter": 0.0,
    "split_depth": 0.12,
    "polarity": "auto",
}

CLEANING_OPTIONS = {"watershed": False, "watershed_size": 0, "watershed_erosion": 0, "min_size": 0}


@dataclass(frozen=True)
class Segmenter:
    """A picklable function from a frame to labels.

    Parameters
    ----------
    method
        "auto", "network", "threshold", "trained", "mask" or "labels".
    options
        What the method takes.
    pixel_size
        Rows and columns in nm.
    exclude_border
        Whether particles cut by the border are dropped.
    trained
        The trained segmentation, for the method of that name.
    finder
        The model, for the method "network".
    on_support
        For the method "auto": bundled model that looks where the background is a support, if any.
    numbered
        Whether labels are known to be numbers of particles: then one that is in pieces is no mask.
    masked
        Whether the user gives a mask of where to look, too.
    loss
        Counts what the method "auto" leaves out for its size.
    """

    method: str
    options: dict
    pixel_size: tuple[float, float] | None
    exclude_border: bool = False
    trained: TrainedSegmentation | None = None
    finder: ParticleFinder | None = None
    on_support: str | None = None
    numbered: bool = False
    masked: bool = False
    loss: SizeLoss | None = field(default=None, compare=False)

    @property
    def parameters(self) -> dict:
        """What is recorded in metadata."""
        options = {key: "" if value is None else value for key, value in self.options.items()}
        trained = {} if self.trained is None else self.trained.parameters
        if self.finder is not None:
            options |= {"model": self.finder.name, "sha256": self.finder.sha256}
        if self.on_support is not None:
            from particlespy_ml.models.load import bundled_card

            options |= {"on_support": self.on_support, "sha256": bundled_card(self.on_support)["sha256"]}
        masked = {"mask": "given"} if self.masked else {}
        return {**trained, "method": self.method, "exclude_border": self.exclude_border, **masked, **options}

    @property
    def detects(self) -> bool:
        """Whether it tells how probable it is that what it finds are particles."""
        return self.method == "network" and hasattr(self.finder, "detection_probability")

    def __call__(
        self, image: np.ndarray, given: np.ndarray | None = None, known: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the labels of a frame, 1 to n unless they are the user's own, int32.

        *known* are the pixels that were recorded and are wanted, as `known_pixels` tells them by default.
        """
        return self.detect(image, given, known)[0]

    def detect(
        self, image: np.ndarray, given: np.ndarray | None = None, known: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the labels of a frame, and how probable it is that each is a particle, where that `detects`."""
        check_frame(image)
        image = np.asarray(image)
        known = known_pixels(image) if known is None else None if known.all() else known
        told = [np.zeros(0)]
        if self.method in ("mask", "labels"):
            labels = label_given(given, self.numbered)
        else:
            labels = segment_known(image, known, lambda part: self._find(part, told))
        if self.exclude_border:
            labels = clear_border_particles(labels)
            cut = cut_by_unknown(labels, known)
            labels = np.where(np.isin(labels, cut), 0, labels)
        if self.method == "labels":
            return labels, None
        found, labels = number_particles(labels)
        return labels, told[-1][found - 1] if self.detects else None

    def warn_of_small(self, image: np.ndarray, labels: np.ndarray) -> None:
        """Warn if a frame holds many objects that were not looked for; see `particlespy_ml.segmentation.size_loss`."""
        if self.method == "auto" and not is_constant(image):
            for text in self._misread(image, labels):
                warnings.warn(text, UserWarning, stacklevel=2)

    def _find(self, image: np.ndarray, told: list) -> np.ndarray:
        """Return the labels of a frame without constant borders; what a detector tells of each is added to *told*."""
        if is_constant(image):
            return np.zeros(image.shape, np.int32)
        if self.method == "auto":
            from particlespy_ml.segmentation.automatic import segment_automatic

            counts = [(0, 0)]
            labels = segment_automatic(image, self.pixel_size, count=lambda *both: counts.append(both), **self.options)
            if self.on_support is not None and self._is_on_support(image, labels):
                return self._on_support(image, labels, told)
            if self.loss is not None and len(counts) > 1:
                self.loss.add(*counts[-1])
            return labels
        if self.method == "network" and self.detects:
            return self._by_detector(self.finder, image, self.options, told)
        if self.method == "network":
            from particlespy_ml.segmentation.network import segment_with_network

            return segment_with_network(image, self.pixel_size, self.finder, **self.options)
        if self.method == "threshold":
            return segment_with_threshold(image, self.options)
        return clean_labels(self.trained(image), **self.options)

    def _on_support(self, image: np.ndarray, labels: np.ndarray, told: list) -> np.ndarray:
        """Return the particles on a support, whatever was outlined without the network for these."""
        from particlespy_ml.models.load import load_model

        options = MULTISCALE_OPTIONS | {"polarity": self.options["polarity"]}
        return self._by_detector(load_model(self.on_support), image, options, told)

    def _is_on_support(self, image: np.ndarray, labels: np.ndarray) -> bool:
        """Whether what lies about the particles asks for a network, and not for another calibration or polarity."""
        if not has_textured_background(image, labels):
            return False
        return not self._misread(image, labels)

    def _misread(self, image: np.ndarray, labels: np.ndarray) -> list[str]:
        """What there is to say of the calibration or the polarity of a frame, if a flat background is left by it."""
        said = [text(image, labels, self.pixel_size, self.options) for text in (small_text, dark_text)]
        return [
            text
            for text, others in said
            if text and (self.on_support is None or not has_textured_background(image, np.maximum(labels, others)))
        ]

    def _by_detector(self, finder: ParticleFinder, image: np.ndarray, options: dict, told: list) -> np.ndarray:
        from particlespy_ml.segmentation.multiscale import segment_multiscale

        taken = {name: value for name, value in options.items() if name != "min_diameter"}
        labels, probability = segment_multiscale(image, finder, **taken)
        told.append(probability)
        smallest = np.pi / 4 * options["min_diameter"] ** 2 / np.prod(self.pixel_size)
        return np.where((label_sizes(labels) >= smallest)[labels], labels, 0)


def make_segmenter(method="auto", *, grid: PixelGrid | None, exclude_border: bool = False, **options) -> Segmenter:
    """Turn what a user asked for into a segmenter.

    Parameters
    ----------
    method
        "auto"; "network"; the name of a ParticleSpy threshold; a ParticleSpy ``parameters`` object; or a
        `TrainedSegmentation`.
    grid
        Calibration of the frames; needed by "auto" and "network", whose sizes are in nm.
    exclude_border
        Whether particles cut by the border are dropped.
    **options
        What the method takes.

    Raises
    ------
    ValueError
        If the method is unknown.
    TypeError
        If an option is unknown to the method.
    """
    if method is None or (isinstance(method, str) and method == "auto"):
        from particlespy_ml.segmentation.automatic import check_options

        unknown = sorted(set(options) - set(AUTOMATIC_OPTIONS))
        if unknown:
            raise TypeError(
                f'Unknown options {unknown} for method="auto", which takes {", ".join(AUTOMATIC_OPTIONS)}; '
                f'ParticleSpy\'s options go with one of its thresholds, such as method="otsu".'
            )
        full = {**AUTOMATIC_OPTIONS, **options}
        check_options(grid.nanometres, **{key: value for key, value in full.items() if key != "split"})
        loss = SizeLoss(full["min_diameter"])
        return Segmenter("auto", full, grid.nanometres, exclude_border, loss=loss)
    if isinstance(method, str) and method == "network":
        return _network_segmenter(grid, exclude_border, options)
    if isinstance(method, str):
        if method not in THRESHOLDS:
            raise ValueError(
                f"Unknown method {method!r}; expected 'auto', 'network' or one of {', '.join(THRESHOLDS)}."
            )
        return Segmenter("threshold", threshold_options(threshold=method, **options), None, exclude_border)
    if isinstance(method, TrainedSegmentation):
        unknown = sorted(set(options) - set(CLEANING_OPTIONS))
        if unknown:
            raise TypeError(f"Unknown options {unknown}; a trained segmentation takes {', '.join(CLEANING_OPTIONS)}.")
        return Segmenter("trained", {**CLEANING_OPTIONS, **options}, None, exclude_border, method)
    if hasattr(method, "generate") or hasattr(method, "segment"):
        return Segmenter("threshold", threshold_options(method, **options), None, exclude_border)
    raise TypeError(
        "Expected method to be a name, a ParticleSpy parameters object or a trained segmentation, not "
        f"{type(method).__name__}; labels or a mask of your own go in labels=."
    )


def _network_segmenter(grid: PixelGrid, exclude_border: bool, options: dict) -> Segmenter:
    """The segmenter that runs a network."""
    from particlespy_ml.models.load import load_model
    from particlespy_ml.models.model import ParticleFinder

    given = dict(options)
    finder = load_model(given.pop("model", NETWORK_OPTIONS["model"]))
    multiscale = hasattr(finder, "detection_probability")
    taken = {"model": None, **MULTISCALE_OPTIONS} if multiscale else NETWORK_OPTIONS
    unknown = sorted(set(given) - set(taken))
    if unknown:
        raise TypeError(
            f'Unknown options {unknown} for method="network", which takes {", ".join(taken)} with the model '
            f"{finder.name!r}."
        )
    full = {**taken, **given}
    del full["model"]
    if not isinstance(finder, ParticleFinder):
        raise ValueError(
            f"The model {finder.name!r} classifies particles and does not find them; expected a model for "
            f"segmentation such as {NETWORK_OPTIONS['model']!r}."
        )
    limits = {"threshold": 1, "split_depth": 1, "min_detection": 1, "min_diameter": float("inf")}
    for name, high in limits.items():
        value = full.get(name)
        if value is not None and not 0 <= value < high:
            raise ValueError(f"{name}={value}; expected a number from 0 to {high}.")
    if multiscale:
        if full["polarity"] not in ("auto", "bright", "dark"):
            raise ValueError(f"Expected polarity to be 'auto', 'bright' or 'dark', not {full['polarity']!r}.")
        return Segmenter("network", full, grid.nanometres, exclude_border, finder=finder)
    if full["outline"] not in ("auto", "atoms", "half", "level"):
        raise ValueError(f"Expected outline to be 'auto', 'atoms', 'half' or 'level', not {full['outline']!r}.")
    if full["polarity"] not in ("dark", "bright"):
        raise ValueError(f"Expected polarity to be 'dark' or 'bright' for a network, not {full['polarity']!r}.")
    if not finder.in_pixel_range(grid.nanometres):
        low, high = finder.card["pixel_size_range_angstrom"]
        raise ValueError(
            f"The pixel size of {max(grid.nanometres) * 10:.3g} Å is outside the range of the model {finder.name!r}, "
            f'{low:g} to {high:g} Å; check the calibration, or segment with method="auto" or a threshold.'
        )
    return Segmenter("network", full, grid.nanometres, exclude_border, finder=finder)


def given_segmenter(dtype: np.dtype, exclude_border: bool, numbered: bool = False) -> Segmenter:
    """Return the segmenter that takes a user's labels (integers) or mask (booleans); *numbered* as for `Segmenter`."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "biu":
        whole = "; whole numbers in floats are labels after labels.astype(int)" if dtype.kind == "f" else ""
        raise TypeError(f"Expected labels of integers or a mask of booleans, not {dtype}{whole}.")
    return Segmenter("mask" if dtype.kind == "b" else "labels", {}, None, exclude_border, numbered=numbered)


def is_constant(image: np.ndarray) -> bool:
    """Whether a frame shows nothing, as a blanked one of a movie."""
    # one row tells of most frames that they are not
    return image.size == 0 or bool((image[0] == image[0, 0]).all() and image.min() == image.max())


def label_given(given: np.ndarray, numbered: bool = False) -> np.ndarray:
    """Return the labels that a user gives for a frame, int32; the pieces of a mask are numbered.

    Parameters
    ----------
    given
        Booleans, or integers from 0 to 2147483647; those that are zero and one other number in pieces are a mask, too.
    numbered
        Whether integers are known to be numbers of particles, and never a mask.
    """
    given = np.asarray(given)
    if given.dtype.kind == "b":
        return label(given).astype(np.int32)
    check_labels(given)
    return given.astype(np.int32) if numbered else _separate_mask(given.astype(np.int32))


def _separate_mask(labels: np.ndarray) -> np.ndarray:
    """Number the pieces of labels that have one value only: they are a mask, such as one of 0 and 255."""
    highest = labels.max(initial=0)
    if highest == 0 or not np.isin(labels, (0, highest)).all():
        return labels
    pieces, count = label(labels > 0, return_num=True)
    return pieces.astype(np.int32) if count > 1 else labels


def check_labels(labels: np.ndarray) -> None:
    """Raise ValueError if a label is negative, or too high for the tables, which hold labels as int32."""
    labels = np.asarray(labels)
    if not labels.size or labels.dtype.kind == "b":
        return
    low, high = int(labels.min()), int(labels.max())
    if low < 0:
        raise ValueError(f"Labels are 0 for background and above for particles, not {low}.")
    if high > MAX_LABEL:
        raise ValueError(
            f"The label {high} is above {MAX_LABEL}, the highest that a table holds; number the particles anew, for "
            "example with skimage.segmentation.relabel_sequential(labels)[0]."
        )


def clear_border_particles(labels: np.ndarray) -> np.ndarray:
    """Return the labels without the particles that touch the border of the frame."""
    edges = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return np.where(np.isin(labels, edges), 0, labels)


def number_particles(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the particles 1 to n without gaps, in ascending order of their labels.

    Parameters
    ----------
    labels
        Integers of any size from 0, which is background.

    Returns
    -------
    found : numpy.ndarray
        The labels that occur, ascending.
    numbers : numpy.ndarray
        Shape of the labels, int32.
    """
    labels = np.asarray(labels)
    if not labels.size:
        return labels.ravel(), labels.astype(np.int32)
    if labels.min() < 0:
        raise ValueError(f"Labels are 0 for background and above for particles, not {labels.min()}.")
    if int(labels.max()) >= DENSE * labels.size:
        found, numbers = np.unique(labels, return_inverse=True)
        background = int(found[0] == 0)
        return found[background:], (numbers.reshape(labels.shape) + 1 - background).astype(np.int32)
    present = label_sizes(labels) > 0
    present[0] = True
    if present.all():
        return np.arange(1, len(present)), labels.astype(np.int32, copy=False)
    present[0] = False
    return np.flatnonzero(present), (np.cumsum(present) * present).astype(np.int32)[labels]


def renumber(labels: np.ndarray) -> np.ndarray:
    """Number the particles 1 to n without gaps, in ascending order of their labels, int32."""
    return number_particles(labels)[1]
