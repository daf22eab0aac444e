"""Verbs of atomic columns."""

from __future__ import annotations

import numpy as np

from benchmarks.growth.measure import Growth

LATTICE = 0.392  # nm, of platinum; along [001] columns are half of it apart
PIXEL = 0.0196
STEP = LATTICE / 2 / PIXEL
DOSE = 5e4
PER_ATOM = 40.0


def places(columns: int) -> np.ndarray:
    """Rows and columns in pixels of a square of about so many columns."""
    side = round(np.sqrt(columns))
    return np.stack(np.meshgrid(*(np.arange(side),) * 2, indexing="ij"), -1).reshape(-1, 2) * STEP + 2 * STEP


def image(columns: int, frames: int | None = None, seed: int = 0):
    """A pyramid of atoms seen along [001], with the noise of a dose."""
    from hyperspy.signals import Signal2D

    from particlespy_ml.columns.fit.gaussians import gaussian_columns

    rng = np.random.default_rng(seed)
    at = places(columns)
    from_edge = np.minimum(at - at.min(0), at.max(0) - at).min(1) / STEP
    atoms = 2 + np.rint(from_edge).astype(int)
    shape = tuple((at.max(0) + 2 * STEP + 1).astype(int))
    sharp = gaussian_columns(shape, at, PER_ATOM * atoms, 2.4, 0.5)
    data = rng.poisson(np.broadcast_to(sharp * DOSE / 1e3, (() if frames is None else (frames,)) + shape))
    signal = Signal2D(data.astype(np.uint16))
    signal.axes_manager.signal_axes.set(scale=PIXEL, units="nm")
    signal.set_signal_type("HAADF")
    return signal


def find(columns: int):
    """Columns of an image."""
    one = image(columns)
    return lambda: one.find_columns(show_progressbar=False)


def series(frames: int):
    """Columns of the mean of a series, measured in each frame."""
    one = image(100, frames)
    return lambda: one.find_columns_in_series(show_progressbar=False)


def found(columns: int):
    """Columns at known places, which takes less time than to look for them."""
    return image(columns).find_columns(places(columns)[:, ::-1] * PIXEL, show_progressbar=False)


def count(columns: int):
    """Atoms of each column, from the mixture."""
    one = found(columns)
    return lambda: one.count_atoms("mixture", max_components=20)


def atoms(columns: int):
    """A model of atoms."""
    one = found(columns).count_atoms("mixture", max_components=20)
    return lambda: one.to_atoms("Pt", best=True)


GROWTHS = [
    Growth("find_columns", "columns", find, (100, 196, 400, 784), (49, 100, 196)),
    Growth("find_columns_in_series", "frames", series, (8, 16, 32, 64), (4, 8, 16)),
    Growth("count_atoms", "columns", count, (100, 196, 400, 784), (49, 100, 196)),
    Growth("to_atoms", "columns", atoms, (100, 196, 400, 784), (49, 100, 196)),
]
