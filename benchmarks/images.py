"""Frames with known particles for the benchmarks: simulated, so that any number can be made."""

from __future__ import annotations

import numpy as np

PIXEL_NM = 0.05


def gold_frame(n_particles: int = 100, size: int = 1024, seed: int = 0) -> np.ndarray:
    """A HAADF-like frame of particles of 2 to 3.4 nm with lattice fringes on an uneven support, uint16."""
    rng = np.random.default_rng(seed)
    frame = 0.3 + 0.3 * np.linspace(0, 1, size)[None, :] + 0.1 * np.linspace(0, 1, size)[:, None]
    frame = np.broadcast_to(frame, (size, size)).copy()
    cells = int(np.ceil(np.sqrt(n_particles)))
    pitch = size / cells
    for number in range(n_particles):
        row, column = (np.array(divmod(number, cells)) + 0.5) * pitch + rng.uniform(-6, 6, 2)
        radius = rng.uniform(20, 34)
        low = np.maximum(np.array([row, column]).astype(int) - 40, 0)
        high = np.minimum(low + 81, size)
        rows, columns = np.ogrid[low[0] : high[0], low[1] : high[1]]
        depth = np.sqrt(np.clip(radius**2 - (rows - row) ** 2 - (columns - column) ** 2, 0, None)) / 34
        angle, period = rng.uniform(0, np.pi), 2.35 / (10 * PIXEL_NM)
        fringes = 1 + 0.25 * np.cos(2 * np.pi * (rows * np.sin(angle) + columns * np.cos(angle)) / period)
        frame[low[0] : high[0], low[1] : high[1]] += rng.uniform(0.8, 1.4) * depth * fringes
    return rng.poisson(frame * 400).astype(np.uint16)


def gold_image(n_particles: int = 100, size: int = 1024, seed: int = 0):
    """`gold_frame` as a calibrated HAADF image."""
    return calibrated(gold_frame(n_particles, size, seed))


def calibrated(data):
    """Frames, eager or dask, as a calibrated HAADF signal."""
    from hyperspy.signals import Signal2D

    signal = Signal2D(data)
    if not isinstance(data, np.ndarray):
        signal = signal.as_lazy()
    signal.axes_manager.signal_axes.set(scale=PIXEL_NM, units="nm")
    signal.set_signal_type("HAADF")
    return signal
