"""A first count of particles in less time than their outlines take, where a network has the last word."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from particlespy_ml.core.resample import nearest_map
from particlespy_ml.segmentation.grid import as_float, block_mean, label_sizes
from particlespy_ml.segmentation.segmenter import Segmenter

COARSE = 512  # pixels along the longer edge of what is looked at on a support
ON_SUPPORT = "counted in a coarse view of a support, where some particles of less than 20 pixels are missed"
ONE_VIEW = "counted in one view of a network"
IN_DOUBT = "counted by contrast, in doubt whether the background is a support"


@dataclass(frozen=True)
class QuickSegmenter(Segmenter):
    """A segmenter that leaves to the measurement what a network does best and slowly.

    Where the background of a frame is a support, or a network for supports is asked for, that sees the frame in coarse
    pixels, which hide particles of less than five of them. A network for HRTEM images sees a frame once, not from
    several sides, and outlines stay where it draws them. Where it is in doubt whether the background is a support, what
    contrast outlines is counted. All other ways to segment are quick by themselves, and done as they are.

    Parameters
    ----------
    said
        Gets a text for each frame whose particles another way will find, and by what they were counted here.
    """

    said: list[str] = field(default_factory=list, compare=False)

    @classmethod
    def of(cls, segmenter: Segmenter) -> QuickSegmenter:
        """Make one of a segmenter."""
        given = {one.name: getattr(segmenter, one.name) for one in fields(Segmenter)}
        if segmenter.method == "network" and not segmenter.detects:
            given |= {"finder": segmenter.finder.of_one_view, "options": {**segmenter.options, "outline": "atoms"}}
        return cls(**given)

    @property
    def detects(self) -> bool:
        """That it tells no probabilities."""
        return False

    def warn_of_small(self, image: np.ndarray, labels: np.ndarray) -> None:
        """Say nothing, which takes no time."""

    def _find(self, image: np.ndarray, told: list) -> np.ndarray:
        if self.method == "network" and hasattr(self.finder, "detection_probability"):
            return self._by_detector(self.finder, image, self.options, told)
        if self.method == "auto" and self.on_support is not None:
            return self._by_brightness(image, told)
        labels = super()._find(image, told)
        if self.method == "network":
            self.said.append(ONE_VIEW)
        return labels

    def _by_brightness(self, image: np.ndarray, told: list) -> np.ndarray:
        """Labels of a frame whose background is flat, and by a network where it is not."""
        textured = []

        def stop() -> np.ndarray:
            textured.append(True)
            return np.zeros(image.shape, np.int32)

        labels, outlined, counts = self._by_contrast(image, on_texture=stop)
        if textured:
            return self._on_support(image, told)
        asked = self._asks_network(image, labels, outlined)
        if asked:
            return self._on_support(image, told)
        if asked is None:  # a coarse view would not settle it
            self.said.append(IN_DOUBT)
        elif self.loss is not None:
            self.loss.add(*counts)
        return labels

    def _by_detector(self, finder, image: np.ndarray, options: dict, told: list) -> np.ndarray:
        from particlespy_ml.segmentation.multiscale import segment_multiscale, view_steps

        factor = np.full(2, max(1, int(np.ceil(max(image.shape) / COARSE))))
        coarse = block_mean(as_float(image), factor)
        steps = [step for step in view_steps(coarse.shape) if step >= 1]
        labels, _ = segment_multiscale(
            coarse,
            finder.of_one_view,
            steps=steps,
            **{name: value for name, value in options.items() if name != "min_diameter"},
        )
        self.said.append(ON_SUPPORT)
        smallest = np.pi / 4 * options["min_diameter"] ** 2 / np.prod(self.pixel_size * factor)
        return nearest_map(np.where((label_sizes(labels) >= smallest)[labels], labels, 0), image.shape, tuple(factor))
