"""From a user's choice of method to labels: one segmenter for every frame."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.frames import check_frame
from particlespy_ml.core.padding import known_pixels
from particlespy_ml.segmentation.edges import has_steep_edges
from particlespy_ml.segmentation.grid import as_float, label_sizes
from particlespy_ml.segmentation.numbers import clear_border_particles, label_given, number_particles
from particlespy_ml.segmentation.options import MIN_DETECTION, SPLIT_DEPTH
from particlespy_ml.segmentation.padded import cut_by_unknown, known_part, segment_known
from particlespy_ml.segmentation.particlespy import (
    TrainedSegmentation,
    clean_labels,
    segment_with_threshold,
)
from particlespy_ml.segmentation.scale import find_blobs, polarity_evidence
from particlespy_ml.segmentation.score import are_alike
from particlespy_ml.segmentation.series import Decision, DifferingFrames, more_evidence, most
from particlespy_ml.segmentation.size_loss import SizeLoss, dark_text, small_text
from particlespy_ml.segmentation.textured import has_textured_background, judge_background

if TYPE_CHECKING:
    from particlespy_ml.models.model import ParticleFinder

WHOLE = 0.5  # share of what contrast outlines that whole particles must have, or a network is asked
CLEAR = 1.2  # evidence, of 2 at most, that particles of one frame are of the other polarity than those of a series

# of a network that finds particles on any support, at any magnification
MULTISCALE_OPTIONS = {
    "threshold": None,
    "min_detection": MIN_DETECTION,
    "min_diameter": 0.0,
    "split_depth": SPLIT_DEPTH,
    "polarity": "auto",
}


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
        For the method "auto": bundled model that looks where the background is, or may be, a support, if any.
    min_diameter_on_support
        In nm, of what that model finds.
    numbered
        Whether labels are known to be numbers of particles: then one that is in pieces is no mask.
    masked
        Whether the user gives a mask of where to look, too.
    loss
        Counts what the method "auto" leaves out for its size.
    decision
        What holds for all frames of a series.
    """

    method: str
    options: dict
    pixel_size: tuple[float, float] | None
    exclude_border: bool = False
    trained: TrainedSegmentation | None = None
    finder: ParticleFinder | None = None
    on_support: str | None = None
    min_diameter_on_support: float = 0.0
    numbered: bool = False
    masked: bool = False
    loss: SizeLoss | None = field(default=None, compare=False)
    decision: Decision | None = None

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
    def decides(self) -> bool:
        """Whether something is to be decided for all frames of a series."""
        if self.method == "auto":
            return self.on_support is not None or self.options["polarity"] == "auto"
        if self.method == "network":
            return (self.options["polarity"] if self.detects else self.options["outline"]) == "auto"
        return False

    @property
    def differs(self) -> DifferingFrames | None:
        """Told of frames that differ from a series."""
        return None if self.decision is None else self.decision.differs

    def decided(self, shown: list[tuple[np.ndarray, np.ndarray | None]]) -> Segmenter:
        """Return the segmenter with what some frames of a series, and their known pixels, say of all."""
        frames = [known_part(frame, known) for frame, known in shown]
        frames = [as_float(frame) for frame in frames if not is_constant(frame)]
        if not frames:
            return self
        polarity, on_support, outline = self.options["polarity"], None, None
        if self.method == "auto":
            if polarity == "auto":
                polarity = more_evidence(frames, self._evidence) or "bright"
            if self.on_support is not None:
                on_support = most([self._votes_for_support(frame, polarity) for frame in frames])
            if on_support and self.options["polarity"] == "auto":  # the network tells better what lies on a support
                polarity = self._likely_polarity(frames) or polarity
        elif self.detects:
            polarity = self._likely_polarity(frames)
        else:
            plain = replace(self, options={**self.options, "outline": "atoms"})
            steep = most([plain._votes_for_steep(frame) for frame in frames])
            outline = {True: "level", False: "atoms", None: None}[steep]
        return replace(self, decision=Decision(polarity, on_support, outline))

    @property
    def _detector(self) -> ParticleFinder:
        """The network that tells how probable particles are."""
        from particlespy_ml.models.load import load_model

        return self.finder if self.finder is not None else load_model(self.on_support)

    def _likely_polarity(self, frames: list[np.ndarray]) -> str | None:
        from particlespy_ml.segmentation.multiscale import evidence_of_polarity

        model = self._detector
        threshold = self.options.get("threshold") or model.threshold
        return more_evidence(frames, lambda frame: evidence_of_polarity(frame, model, threshold))

    def _evidence(self, image: np.ndarray) -> tuple[float, float]:
        pixel = np.asarray(self.pixel_size, float)
        bright = polarity_evidence(image, find_blobs(image, pixel, self.options["min_diameter"]))
        return max(bright, 0.0), max(-bright, 0.0)

    def _votes_for_support(self, image: np.ndarray, polarity: str) -> bool | None:
        """Whether a frame shows a support; None of one that shows nothing of a polarity."""
        fixed = replace(self, options={**self.options, "polarity": polarity}, loss=None)
        labels, outlined, _ = fixed._by_contrast(image)
        asked = fixed._asks_network(image, labels, outlined)
        if asked is None:  # by the polarity that the network itself sees, as in a frame alone
            asked = self._found_on_support(image, labels, outlined, []) is not None
        return True if asked else False if labels.any() else None

    def _votes_for_steep(self, image: np.ndarray) -> bool | None:
        """Whether the particles of a frame have steep edges; None where there are none."""
        labels = self._find(image, [np.zeros(0)])
        return has_steep_edges(image, labels, self.pixel_size) if labels.any() else None

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
            return self._on_any_background(image, told)
        if self.method == "network" and self.detects:
            return self._by_detector(self.finder, image, self._options(), told)
        if self.method == "network":
            from particlespy_ml.segmentation.network import segment_with_network

            return segment_with_network(image, self.pixel_size, self.finder, **self._options())
        if self.method == "threshold":
            return segment_with_threshold(image, self.options)
        return clean_labels(self.trained(image), **self.options)

    def _options(self) -> dict:
        """Options with what was decided for the series."""
        decided = (
            {} if self.decision is None else {"polarity": self.decision.polarity, "outline": self.decision.outline}
        )
        return {**self.options, **{name: value for name, value in decided.items() if value and name in self.options}}

    def _by_contrast(self, image: np.ndarray, **others) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
        """Labels of particles, those with what is too small, and how many are particles and too small."""
        from particlespy_ml.segmentation.automatic import segment_automatic

        said = []
        labels = segment_automatic(
            image, self.pixel_size, count=lambda *told: said.append(told), **self._options(), **others
        )
        kept, lost, outlined = said[-1] if said else (0, 0, labels)
        return labels, outlined, (kept, lost)

    def _on_any_background(self, image: np.ndarray, told: list) -> np.ndarray:
        """Labels by contrast, or by a network where the background, or that of the series, is a support."""
        decision = self.decision or Decision()
        if decision.on_support:
            labels = self._on_support(image, told)
            if judge_background(image, labels) is False:
                decision.differs.tell("has a flat background")
            return labels
        labels, outlined, counts = self._by_contrast(image)
        if decision.polarity and self.options["polarity"] == "auto":
            self._tell_of_polarity(image)
        if self.on_support is not None and decision.on_support is None:
            found = self._found_on_support(image, labels, outlined, told)
            if found is not None:
                return found
        if (
            decision.on_support is False
            and has_textured_background(image, outlined)
            and not self._misread(image, labels)
        ):
            decision.differs.tell("shows a support")
        if self.loss is not None:
            self.loss.add(*counts)
        return labels

    def _tell_of_polarity(self, image: np.ndarray) -> None:
        """Tell of a frame that says clearly that its particles are of the other polarity than those of the series."""
        bright, dark = self._evidence(image)
        other, against = ("dark", dark) if self.decision.polarity == "bright" else ("bright", bright)
        if against > CLEAR:
            self.decision.differs.tell(f"looks as if its particles were {other}")

    def _on_support(self, image: np.ndarray, told: list) -> np.ndarray:
        """Return the particles on a support, as the network for these finds them."""
        options = {"polarity": self._options()["polarity"], "min_diameter": self.min_diameter_on_support}
        options = MULTISCALE_OPTIONS | options
        return self._by_detector(self._detector, image, options, told)

    def _asks_network(self, image: np.ndarray, labels: np.ndarray, outlined: np.ndarray) -> bool | None:
        """Whether a network has the last word on a frame, and not another calibration or polarity; None in doubt.

        What was outlined is no background, even if it is too small. If the border cuts most of it, it may be a support.
        """
        if self._misread(image, labels):
            return False
        textured = judge_background(image, outlined)
        whole, all_of_it = np.count_nonzero(clear_border_particles(labels)), np.count_nonzero(labels)
        return None if textured is False and whole < WHOLE * all_of_it else textured

    def _found_on_support(
        self, image: np.ndarray, labels: np.ndarray, outlined: np.ndarray, told: list
    ) -> np.ndarray | None:
        """What a network finds, if it has the last word: in doubt, where it finds something else; None otherwise."""
        asked = self._asks_network(image, labels, outlined)
        if asked is False:
            return None
        own: list = []
        found = self._on_support(image, own)
        if asked is None and are_alike(labels, found):
            return None
        told += own
        return found

    def _misread(self, image: np.ndarray, labels: np.ndarray) -> list[str]:
        """What there is to say of the calibration or the polarity of a frame, if a flat background is left by it."""
        said = [text(image, labels, self.pixel_size, self._options()) for text in (small_text, dark_text)]
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


def is_constant(image: np.ndarray) -> bool:
    """Whether a frame shows nothing, as a blanked one of a movie."""
    # one row tells of most frames that they are not
    return image.size == 0 or bool((image[0] == image[0, 0]).all() and image.min() == image.max())
