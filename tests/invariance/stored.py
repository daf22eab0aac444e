"""Samples, and ways to store their images that change the pixels and axes, but not the sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from particlespy_ml.core.calibration import NANOMETRES, axis_directions
from particlespy_ml.core.frames import ascending

PIXEL = 0.05  # nm
LEVEL = 60  # counts that part the particles from what surrounds them


@dataclass(frozen=True)
class Stored:
    """An image as it is stored: where its origin is in nm, and which of the sample's frames it holds in which order."""

    image: object
    origin: tuple[float, float] = (0.0, 0.0)
    frames: tuple[int, ...] | None = None

    @property
    def nm(self) -> float:
        """The unit of the image in nm."""
        return NANOMETRES[str(self.image.axes_manager.signal_axes[0].units)]

    def data(self, signal=None) -> np.ndarray:
        """Pixels as they are along ascending axes."""
        signal = self.image if signal is None else signal
        return np.asarray(ascending(np.asarray(signal.data), axis_directions(signal)), float)


# --- samples: whole numbers up to 250, which every dtype holds ---


def signal_of(data, signal_type="HAADF", pixel=PIXEL):
    from hyperspy.signals import Signal2D

    signal = Signal2D(np.asarray(data, float))
    signal.axes_manager.signal_axes.set(scale=pixel, units="nm")
    for axis, name in zip(signal.axes_manager.signal_axes, "xy", strict=True):
        axis.name = name
    signal.set_signal_type(signal_type)
    return signal


ELLIPSES = ((28, 30, 13, 7, 20), (54, 58, 11, 8, 110), (24, 76, 9, 7, 60))  # row, column, half axes, angle


def particles():
    """Three frames of turned ellipses far from the border, on noise."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:80, :100].astype(float)
    frames = []
    for number in range(3):
        frame = np.zeros(rows.shape)
        for row, column, a, b, turn in ELLIPSES[: 3 - number % 2]:
            t = np.deg2rad(turn + 25 * number)
            u = (columns - column - 2 * number) * np.cos(t) + (rows - row) * np.sin(t)
            v = (rows - row) * np.cos(t) - (columns - column - 2 * number) * np.sin(t)
            frame += 100 * (np.hypot(u / a, v / b) < 1) * (1 + 0.3 * u / a)
        frames.append(20 + gaussian_filter(frame, 1) + rng.normal(0, 1.5, frame.shape))
    return signal_of(np.rint(frames))


def stack():
    """Six images of an asymmetric particle, turned and moved."""
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[:28, :28] - 14.0
    images = []
    for turn in rng.uniform(0, 360, 6):
        t = np.deg2rad(turn)
        moved = rng.uniform(-1, 1, 2)
        u = (columns - moved[0]) * np.cos(t) + (rows - moved[1]) * np.sin(t)
        v = (rows - moved[1]) * np.cos(t) - (columns - moved[0]) * np.sin(t)
        image = 150 * np.exp(-((u + 3) ** 2 + v**2) / 16) + 120 * np.exp(-((u - 5) ** 2 + (v - 2) ** 2) / 8)
        images.append(30 + image + rng.normal(0, 2, image.shape))
    signal = signal_of(np.rint(images))
    signal.axes_manager.signal_axes.set(offset=-14 * PIXEL)
    return signal


ROTATIONS = Rotation.random(10, random_state=0).as_matrix()


def projections():
    """Ten projections of points whose rotations are known."""
    points = np.random.default_rng(3).uniform(-4, 4, (7, 3))
    points -= points.mean(0)
    axis = np.arange(24) - 12
    turned = np.einsum("nij,pj->npi", ROTATIONS, points)
    x, y = (np.exp(-((axis - turned[..., i : i + 1]) ** 2) / 5) for i in range(2))
    images = np.einsum("npy,npx->nyx", y, x)
    signal = signal_of(np.rint(20 + 200 * images / images.max()))
    signal.axes_manager.signal_axes.set(offset=-12 * PIXEL)
    return signal


def columns(edge=3, pixel=0.02):
    """Two frames of a small particle on a zone axis, seen with little noise."""
    from particlespy_ml.columns.fit.refine import gaussian_columns

    rng = np.random.default_rng(0)
    across = np.arange(edge) - (edge - 1) / 2
    rows, cols = (g.ravel() for g in np.meshgrid(across, across, indexing="ij"))
    turn = np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
    positions = 9.8 * np.column_stack([rows, cols]) @ turn.T + 30
    counts = 4 - np.rint(np.hypot(*(positions - 30).T) / 9.8)
    frame = gaussian_columns((60, 64), positions, 900.0 * counts, 2.1, background=12)
    return signal_of(np.rint(np.clip([frame + rng.normal(0, 1, frame.shape) for _ in range(2)], 0, 250)), pixel=pixel)


SAMPLES = {"particles": particles, "stack": stack, "projections": projections, "columns": columns}


# --- ways to store them ---


def as_is(signal):
    return Stored(signal)


def flipped(where):
    return lambda signal: Stored(signal.isig[where])


def moved(distance):
    def move(signal):
        for axis in signal.axes_manager.signal_axes:
            axis.offset += distance
        return Stored(signal, (distance, distance))

    return move


def cast(dtype):
    def store(signal):
        signal.data = signal.data.astype(dtype)
        return Stored(signal)

    return store


def in_unit(unit):
    def store(signal):
        for axis in signal.axes_manager.signal_axes:
            axis.scale, axis.offset, axis.units = axis.scale / NANOMETRES[unit], axis.offset / NANOMETRES[unit], unit
        return Stored(signal)

    return store


def lazily(chunks=None):
    def store(signal):
        signal = signal.as_lazy()
        if chunks is not None:
            signal.data = signal.data.rechunk(chunks)
        return Stored(signal)

    return store


def some_frames(*numbers):
    return lambda signal: Stored(stacked(signal, numbers), frames=numbers)


def stacked(signal, numbers):
    picked = signal.inav[: len(numbers)]
    picked.data = np.asarray(signal.data)[list(numbers)]
    return picked


def rolled(signal):
    signal.data = np.roll(signal.data, (4, -7), axis=(-2, -1))
    scale = signal.axes_manager.signal_axes[0].scale
    return Stored(signal, (-7 * scale, 4 * scale))


def padded(value):
    def pad(signal):
        scale = signal.axes_manager.signal_axes[0].scale
        data = np.pad(signal.data, [(0, 0)] * (signal.data.ndim - 2) + [(9, 6), (5, 12)], constant_values=value)
        result = signal_of(data, signal.metadata.Signal.signal_type, scale)
        for axis, old, width in zip(
            result.axes_manager.signal_axes, signal.axes_manager.signal_axes, (5, 9), strict=True
        ):
            axis.offset = old.offset - width * scale
        return Stored(result)

    return pad


FLIPS = {
    "x backwards": flipped(np.s_[::-1, :]),
    "y backwards": flipped(np.s_[:, ::-1]),
    "both backwards": flipped(np.s_[::-1, ::-1]),
}


# name, way, relative tolerance: of lengths, areas, intensities and angles
EXACT = {
    **FLIPS,
    "offset": moved(1e6),
    **{str(np.dtype(kind)): cast(kind) for kind in ("u1", "u2", "f2", "f4", ">u2", ">f4")},
    **{unit: in_unit(unit) for unit in ("Å", "pm", "µm")},
    "lazy": lazily(),
    "lazy, frames apart": lazily((1, -1, -1)),
    "lazy, frames in pieces": lazily((2, 15, 17)),
}


ORDERS = {"reversed": some_frames(2, 1, 0), "first alone": some_frames(0), "last alone": some_frames(2)}
SHIFTS = {"shifted": rolled}
PADDINGS = {"zeros around": padded(0), "a constant around": padded(40)}
