"""Drift and rotation of a lattice through a movie, from all of the image and not from its peaks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import fft
from scipy import ndimage as ndi

from particlespy_ml.columns.movie.pixels import brightness

FINE, COARSE = 0.045, 0.25  # nm: what is smaller than the one, and what is larger than the other, is filtered out
STEPS = (3, 3, 2)  # of Gauss and Newton in each round
WORST = 8.0  # robust standard deviations below the median likeness of frames: worse ones are bad
HALF = 0.5  # of the median likeness: worse frames are bad
NOT_ALIKE = (
    "No two frames of the movie are alike; expected a particle that all of them show. Leave out others with inav, or "
    "give a larger max_shift."
)
NEARLY_ALL, LEAST_SEEN = 0.98, 0.3  # of the particle: what a frame misses of it does not matter, or is too much
MOST_KNOWN = 0.5  # of a frame has to be recorded
UNLIKE = "not like the others: blurred, or without the particle"
SHARE = 0.75  # of the frame: shifts between two frames are less


@dataclass(frozen=True)
class Motion:
    """Where the particle of the mean image lies in each frame.

    A place u of the mean image, rows and columns in pixels, lies in frame t at
    ``middle + shifts[t] + turn(angles[t]) @ (u - middle)``.

    Parameters
    ----------
    shifts
        In pixels, shape (frames, 2).
    angles
        In radians, from rows towards columns, shape (frames,).
    shift_errors, angle_errors
        Standard errors by the noise, shapes (frames,): of the shift along each axis.
    likeness
        Slope of each frame against the mean image, about one, shape (frames,); zero where there is nothing to see.
    reasons
        Why a frame is not used, for each frame; empty where it is.
    middle
        Row and column about which frames turn.
    """

    shifts: np.ndarray
    angles: np.ndarray
    shift_errors: np.ndarray
    angle_errors: np.ndarray
    likeness: np.ndarray
    reasons: tuple[str, ...]
    middle: np.ndarray

    @property
    def used(self) -> np.ndarray:
        """Whether each frame is used, shape (frames,)."""
        return np.array([not reason for reason in self.reasons])

    def in_frame(self, places: np.ndarray, number: int) -> np.ndarray:
        """Return where places of the mean image lie in a frame, shape (n, 2)."""
        return self.middle + self.shifts[number] + (places - self.middle) @ turn(self.angles[number]).T


def turn(angle: float) -> np.ndarray:
    """Return the matrix that turns (row, column) by an angle in radians.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns.movie.motion import turn
    >>> (turn(np.pi / 2) @ (1.0, 0.0)).round(6).tolist()
    [0.0, 1.0]
    """
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def warped(image: np.ndarray, shift, angle: float, middle, order: int = 1) -> np.ndarray:
    """Return a frame as the mean image lies, NaN where it was not recorded."""
    matrix = turn(angle)
    return ndi.affine_transform(
        image, matrix, middle + shift - matrix @ middle, order=order, mode="constant", cval=np.nan
    )


def find_motion(frames: Iterable[np.ndarray], pixel: float, max_shift: float | None = None) -> Motion:
    """Find the drift and the rotation of a particle through a movie.

    In the first round each frame is compared with the mean of those before it, in the others with the mean of all: the
    highest cross-correlation of what has the size of columns tells a shift of any size, and steps of Gauss and Newton
    the rest of it and the turn. A shift by a lattice vector moves the outline of the particle, and so is less alike.

    Parameters
    ----------
    frames
        In the order of time, each of shape (rows, columns), read once a round; NaN where nothing was recorded. A frame
        that is not known for more than half counts as missing.
    pixel
        Size of a pixel in nm.
    max_shift
        Largest shift against the first frame along each axis in pixels; by default three quarters of the frame.

    Raises
    ------
    ValueError
        If no two frames are alike.

    References
    ----------
    S. Baker and I. Matthews, Int. J. Comput. Vis. 56, 221 (2004): steps whose Jacobian is that of the reference.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns.fit.gaussians import gaussian_columns
    >>> from particlespy_ml.columns.movie.motion import find_motion
    >>> rows, columns = np.mgrid[:5, :6]
    >>> places = np.column_stack([18.0 + 10 * rows.ravel(), 15.0 + 12 * columns.ravel()])
    >>> frames = [gaussian_columns((90, 100), places + shift, 50.0, 2.2) for shift in ((0, 0), (0.4, -5.3), (3, 2))]
    >>> (find_motion(frames, 0.02).shifts - find_motion(frames, 0.02).shifts[0]).round(1).tolist()
    [[0.0, 0.0], [0.4, -5.3], [3.0, 2.0]]
    """
    start = 0
    while start is not None:
        search = _Search(frames, pixel, max_shift, start)
        for number, steps in enumerate(STEPS):
            search.round(number, steps)
            start = search.better_start() if number else search.start
            if start != search.start:
                break
        else:
            return search.motion()
    raise ValueError(NOT_ALIKE)


class _Search:
    """Poses of frames, and the mean of those that are alike."""

    def __init__(self, frames, pixel: float, max_shift: float | None, start: int = 0):
        self.frames, self.fine, self.coarse = frames, max(FINE / pixel, 1.0), max(COARSE / pixel, 3.0)
        first = next(iter(frames))
        self.shape = np.array(first.shape)
        self.middle = (self.shape - 1) / 2
        limit = SHARE * self.shape if max_shift is None else np.minimum(max_shift, SHARE * self.shape)
        self.limits = np.maximum(limit, 1).astype(int)
        self.padded = [fft.next_fast_len(int(n + m), True) for n, m in zip(self.shape, self.limits, strict=True)]
        self.poses, self.likeness, self.reasons = [], [], []
        self.bright, self.means, self.scales, self.start = None, {}, {}, start
        self.reference, self.spread = None, []

    def filtered(self, frame: np.ndarray, number: int) -> np.ndarray | None:
        """What of a frame has the size of columns, over its brightness; NaN, or None for all, where it is not known."""
        frame = np.asarray(frame, float)
        known = np.isfinite(frame)
        if known.mean() < MOST_KNOWN or not np.ptp(frame[known]):
            self.means[number] = self.scales[number] = np.nan
            return None
        mean = frame[known].mean()
        self.means[number], self.scales[number] = mean, np.sqrt(np.mean(frame[known] ** 2))
        frame = (frame - mean) / (self.scales[number] if self.bright is None else self.bright[number])
        if known.all():
            return ndi.gaussian_filter(frame, self.fine) - ndi.gaussian_filter(frame, self.coarse)
        frame[~known] = 0
        share = ndi.gaussian_filter(known.astype(float), self.coarse)
        smooth = ndi.gaussian_filter(frame, self.coarse) / np.maximum(share, 1e-6)
        seen = ndi.gaussian_filter(np.where(known, frame, smooth), self.fine) - smooth
        return np.where(known, seen, np.nan)

    def round(self, number: int, steps: int) -> None:
        """Find the pose of each frame against the mean of the round before, in the first of the frames before."""
        total, count = np.zeros(self.shape), np.zeros(self.shape)
        last = np.zeros(3)
        if self.reference is not None and not self.reference.any():
            raise ValueError(NOT_ALIKE)
        self.model = None if self.reference is None else _Reference(self.reference, self.middle, self.fine, self.coarse)
        poses, likeness, reasons, spread = [], [], [], []
        for k, frame in enumerate(self.frames):
            seen = self.filtered(frame, k)
            if seen is None:
                pose, alike, reason, error = last.copy(), 0.0, "blank, or for a great part not recorded", np.inf
            elif self.model is None and k < self.start:
                pose, alike, reason, error = last.copy(), 0.0, UNLIKE, np.inf
            elif self.model is None and not count.any():
                pose, alike, reason, error, self.start = np.zeros(3), 1.0, "", np.inf, k
            else:
                if self.model is None or (number == 0 and k % max(1, k // 8) == 0):
                    mean = np.where(count > 0, total / np.maximum(count, 1), 0)
                    self.model = _Reference(mean, self.middle, self.fine, self.coarse)
                start = self._searched(seen, last[2]) if number < 2 else self.poses[k]
                pose, alike, error = self.model.refined(seen, start, steps)
                reason = self._beyond(pose)
            if not reason and (number == 0 or not self.reasons[k]):
                aligned = warped(seen, pose[:2], pose[2], self.middle)
                known = np.isfinite(aligned)
                total += np.where(known, aligned, 0)
                count += known
            last = last if reason else pose
            poses.append(pose), likeness.append(alike), reasons.append(reason), spread.append(error)
        self.poses, self.likeness, self.spread = np.array(poses), np.array(likeness), np.array(spread)
        self.reasons = self._judged(reasons) if number else reasons
        if self.bright is None:
            means, scales = (np.array([one[k] for k in range(len(poses))]) for one in (self.means, self.scales))
            self.bright = brightness(self.likeness * scales, means)
        self.reference = np.where(count > 0, total / np.maximum(count, 1), 0)

    def better_start(self) -> int | None:
        """A good frame, as which the others are to lie, since a bad one may be anywhere; None if there is none."""
        good = (k for k in range(self.start, len(self.reasons)) if not self.reasons[k])
        return next(good, None)

    def _searched(self, seen: np.ndarray, angle: float) -> np.ndarray:
        """The shift of the highest cross-correlation, at the angle of the frame before."""
        matrix = turn(angle)
        level = ndi.affine_transform(np.nan_to_num(seen), matrix, self.middle - matrix @ self.middle, order=1)
        product = fft.rfft2(level, self.padded) * self.model.spectrum(self.padded)
        correlation = fft.irfft2(product, self.padded)
        rows, columns = (np.arange(-m, m + 1) for m in self.limits)
        window = correlation[np.ix_(rows % self.padded[0], columns % self.padded[1])]
        top = np.array(np.unravel_index(np.argmax(window), window.shape)) - self.limits
        return np.array([*(matrix @ top), angle])

    def _beyond(self, pose: np.ndarray) -> str:
        return "farther away than max_shift" if (np.abs(pose[:2]) > self.limits).any() else ""

    def _judged(self, reasons: list[str]) -> list[str]:
        """Why frames are not used, those among them that are much less like the mean than the others."""
        good = np.array([not reason for reason in reasons])
        if not good.any():
            return reasons
        middle = np.median(self.likeness[good])
        spread = 1.4826 * np.median(np.abs(self.likeness[good] - middle))
        bad = self.likeness < max(middle - WORST * spread, HALF * middle)
        return [reason or (UNLIKE if low else "") for reason, low in zip(reasons, bad, strict=True)]

    def motion(self) -> Motion:
        """What was found, against the mean pose."""
        used = np.array([not reason for reason in self.reasons])
        if used.sum() < 2 or not np.isfinite(self.spread[used]).any():
            raise ValueError(NOT_ALIKE)
        errors = np.outer(self.spread, np.sqrt(np.diag(self.model.covariance)))
        return Motion(
            self.poses[:, :2],
            self.poses[:, 2],
            errors[:, :2].mean(1),
            errors[:, 2],
            self.likeness,
            tuple(self.reasons),
            self.middle,
        )


class _Reference:
    """A mean image, and how it changes where it moves and turns."""

    def __init__(self, image: np.ndarray, middle: np.ndarray, fine: float, coarse: float):
        self.image, self.middle, self._spectrum = image, middle, None
        down, right = np.gradient(image)
        rows, columns = (np.arange(n) - m for n, m in zip(image.shape, middle, strict=True))
        around = right * rows[:, None] - down * columns[None]
        strength = ndi.gaussian_filter(image**2, coarse)
        # the vacuum has noise alone
        self.weight = strength / (strength + 0.1 * strength.max())
        columns = np.stack([one.ravel() for one in (down, right, around, image, np.ones_like(image))])
        self.columns, self.weighed = columns, columns * self.weight.ravel()
        self.inverse = np.linalg.pinv(self.weighed @ columns.T)
        self.filter = lambda one: ndi.gaussian_filter(one, fine) - ndi.gaussian_filter(one, coarse)

    def spectrum(self, padded) -> np.ndarray:
        """Conjugate spectrum of the image among zeros, made once."""
        if self._spectrum is None:
            self._spectrum = np.conj(fft.rfft2(self.image, padded))
        return self._spectrum

    @cached_property
    def covariance(self) -> np.ndarray:
        """Of shifts and turn, for a pixel noise of one before the filter of the frames, shape (3, 3)."""
        passed = np.stack([self.filter(one.reshape(self.image.shape)).ravel() for one in self.weighed])
        return (self.inverse @ (passed @ passed.T) @ self.inverse)[:3, :3]

    @cached_property
    def kernel_norm(self) -> float:
        """What the filter leaves of the standard deviation of white noise."""
        point = np.zeros(self.image.shape)
        point[tuple(np.array(point.shape) // 2)] = 1
        return float(np.sqrt((self.filter(point) ** 2).sum()))

    def _solver(self, known: np.ndarray) -> tuple[np.ndarray, float]:
        """Inverse normal matrix for pixels that a frame shows, and their share of the weight."""
        share = float(self.weight[known].sum() / self.weight.sum())
        if share > NEARLY_ALL or share < LEAST_SEEN:
            return self.inverse, max(share, LEAST_SEEN)
        return np.linalg.pinv(self.weighed[:, known.ravel()] @ self.columns[:, known.ravel()].T), share

    def refined(self, seen: np.ndarray, pose: np.ndarray, steps: int) -> tuple[np.ndarray, float, float]:
        """Pose after some steps, the slope of the frame against the image, and the noise of a pixel of the frame."""
        pose = pose.copy()
        for _ in range(steps):
            aligned = warped(seen, pose[:2], pose[2], self.middle)
            known = np.isfinite(aligned)
            rest = np.where(known, aligned - self.image, 0)
            inverse, share = self._solver(known)
            change = inverse @ (self.weighed @ rest.ravel())
            slope = max(1 + change[3], 0.2)
            move = np.clip(change[:3] / slope, [-3, -3, -0.05], [3, 3, 0.05])
            pose[2] -= move[2]
            pose[:2] -= turn(pose[2]) @ move[:2]
        noise = np.sqrt((rest**2).sum() / max(known.sum(), 1) / share) / self.kernel_norm
        return pose, float(1 + change[3]), float(noise)
