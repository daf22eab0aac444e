"""The images of a reconstruction, read a batch at a time, without background and with a mask."""

from __future__ import annotations

from collections.abc import Iterator

import dask.array as da
import numpy as np

from particlespy_ml.reconstruction.fourier import ball_mask

BATCH_PIXELS = 2**22


class ImageBatches:
    """Images of particles, of which a few are in memory at a time.

    Parameters
    ----------
    stack
        Shape (n, box, box), numpy or dask.
    rows
        Which of them to use; all by default.
    diameter
        Diameter in pixels within which the particle lies. What lies outside says what the background is. By default
        from the mean image.
    crop
        Leave out what is far from the particle.

    Raises
    ------
    ValueError
        If the diameter leaves no background.
    """

    def __init__(
        self,
        stack: np.ndarray | da.Array,
        rows: np.ndarray | None = None,
        diameter: float | None = None,
        crop: bool = False,
    ):
        self.stack = stack
        self.rows = np.arange(len(stack)) if rows is None else np.sort(np.asarray(rows))
        self.box = stack.shape[-1]
        self.diameter = self._extent() if diameter is None else float(diameter)
        if not 2 <= self.diameter <= self.box - 2:
            raise ValueError(
                f"A diameter of {self.diameter:.4g} pixels leaves no background in a box of {self.box}; expected 2 to "
                f"{self.box - 2}. Extract the particles with a larger box."
            )
        if crop:
            self.stack = crop_to(stack, even_box(self.diameter, self.box), 2)
            self.box = self.stack.shape[-1]
        self.mask = ball_mask(self.box, self.diameter / 2 + 1, 2)
        self._outside = self.mask == 0
        if not self._outside.any():
            self._outside = self.mask < 0.5

    def __len__(self) -> int:
        return len(self.rows)

    def subset(self, places: np.ndarray) -> ImageBatches:
        """Return some of the images, by their places among these."""
        return ImageBatches(self.stack, self.rows[places], self.diameter)

    def batches(self, masked: bool = True) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield places among these images, and the images without their background, float32, in order."""
        for places, images in self._raw():
            images = images - images[:, self._outside].mean(1)[:, None, None]
            yield places, images * self.mask if masked else images

    def _raw(self) -> Iterator[tuple[slice, np.ndarray]]:
        size = max(1, BATCH_PIXELS // self.box**2)
        if isinstance(self.stack, da.Array):
            size = max(1, min(size, max(self.stack.chunks[0])))
        for start in range(0, len(self.rows), size):
            rows = self.rows[start : start + size]
            images = self.stack[slice(rows[0], rows[-1] + 1) if _is_run(rows) else rows]
            if isinstance(images, da.Array):
                images = images.compute()
            # torch takes no arrays that run backwards
            yield slice(start, start + len(rows)), np.ascontiguousarray(images, np.float32)

    def _extent(self) -> float:
        """Diameter of the mean image: where its radial mean has fallen to a twentieth, with a margin of a tenth."""
        total = np.zeros((self.box, self.box))
        for _, images in self._raw():
            total += images.sum(0)
        axis = np.arange(self.box) - self.box // 2
        radius = np.rint(np.hypot(axis[:, None], axis)).astype(int).ravel()
        profile = (np.bincount(radius, total.ravel()) / np.bincount(radius))[: self.box // 2]
        profile = profile - np.median(profile[-max(2, self.box // 16) :])
        above = np.flatnonzero(profile > 0.05 * profile.max())
        last = above[-1] if len(above) and profile.max() > 0 else self.box // 4
        return float(np.clip(2 * last * 1.1 + 2, 4, self.box - 4))


def even_box(diameter: float, largest: int) -> int:
    """Return an even edge in pixels that leaves room for background about a diameter."""
    return min(largest, 2 * int(np.ceil(0.7 * diameter + 3)))


def crop_to(array, box: int, ndim: int):
    """Return the middle of an array along its last axes, so that the pixel edge // 2 becomes box // 2."""
    start = array.shape[-1] // 2 - box // 2
    return array[(..., *(slice(start, start + box),) * ndim)]


def pad_to(array: np.ndarray, box: int, ndim: int) -> np.ndarray:
    """Undo `crop_to`, with zeros."""
    edge = array.shape[-1]
    start = box // 2 - edge // 2
    widths = [(0, 0)] * (array.ndim - ndim) + [(start, box - edge - start)] * ndim
    return np.pad(array, widths)


def _is_run(rows: np.ndarray) -> bool:
    return len(rows) == rows[-1] - rows[0] + 1


def split_in_halves(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of two random halves, sorted."""
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[: (count + 1) // 2]), np.sort(order[(count + 1) // 2 :])
