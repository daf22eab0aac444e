"""A particle that changes between isomers at a temperature, as a lazy movie of any length, with its truth."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

if TYPE_CHECKING:
    from particlespy_ml.signals.haadf import HAADFImage


FREE_ENERGIES = (0.0, 0.05, 0.10)  # eV, of the isomers in the order of the views
SADDLES = ((0, 1, 1.72), (1, 2, 1.76), (0, 2, 1.85))  # pairs of isomers and the free energy between them in eV
PREFACTOR = 1e12  # attempts a second
BOLTZMANN = 8.617333262e-5  # eV/K
EDGE = 104  # pixels of a frame
PIXEL_SIZE = 0.4  # Å
BLOCK = 50  # frames of a block


def isomer_rates(temperature: float) -> np.ndarray:
    """Return the rates between the isomers of `isomer_dynamics` in 1/s, shape (3, 3), rows from, columns to."""
    rates = np.zeros((3, 3))
    for first, second, saddle in SADDLES:
        for i, j in ((first, second), (second, first)):
            rates[i, j] = PREFACTOR * np.exp(-(saddle - FREE_ENERGIES[i]) / (BOLTZMANN * temperature))
    return rates - np.diag(rates.sum(1))


def isomer_dynamics(
    temperature: float = 700.0, frames: int = 600, *, frame_time: float = 0.1, dose: float = 2e3, seed: int = 0
) -> HAADFImage:
    """Return a lazy simulated HAADF movie of an Au309 particle that changes between three isomers.

    The isomer is a Markov chain in continuous time whose rates follow Arrhenius' law with a prefactor of 1e12 1/s.
    After every change the particle shows another orientation (PRISM images, 300 kV). It drifts, and every frame has its
    own noise. A frame is made when it is read.

    Parameters
    ----------
    temperature
        In kelvin; 670 to 730 K gives changes every few to every hundred frames.
    frames
        Number of frames.
    frame_time
        Time from frame to frame in seconds.
    dose
        Electrons per Å² in a frame.
    seed
        Seed of the states, of drift and of noise.

    Returns
    -------
    LazyHAADFImage
        ``metadata.Simulation`` has the truth: ``isomers`` (names), ``states`` (their index, frame by frame), ``rates``
        (1/s), ``free_energies`` and ``saddles`` (eV), ``log10_prefactor`` and ``temperature`` (K).

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> movie = pml.data.isomer_dynamics(700, frames=200)
    >>> movie.data.shape
    (200, 104, 104)
    """
    import dask.array as da
    from hyperspy.signals import Signal2D

    from particlespy_ml.dynamics.markov import simulate_states

    if temperature <= 0 or frames < 1:
        raise ValueError(f"Expected a positive temperature and at least one frame, not {temperature} K and {frames}.")
    rng = np.random.default_rng(seed)
    rates = isomer_rates(temperature)
    states = simulate_states(rates, frames, frame_time, rng)
    changes = np.flatnonzero(np.diff(states, prepend=-1))
    segment = np.searchsorted(changes, np.arange(frames), side="right") - 1
    views, names = _views()
    view = rng.integers(views.shape[1], size=len(changes))[segment]
    turn = rng.uniform(0, 360, size=len(changes))[segment]
    drift = np.cumsum(rng.normal(scale=0.15, size=(frames, 2)), axis=0)
    drift = 4 * np.sin(drift / 4)  # Å, stays in the field
    plan = np.column_stack([np.arange(frames), states, view, turn, drift])
    blocks = da.from_array(plan, chunks=(BLOCK, plan.shape[1])).map_blocks(
        _record, dose, seed, dtype=np.uint16, drop_axis=1, new_axis=(1, 2), chunks=(_chunks(frames), EDGE, EDGE)
    )
    axes = [{"name": "time", "size": frames, "scale": frame_time, "units": "s", "navigate": True}]
    axes += [{"name": name, "size": EDGE, "scale": PIXEL_SIZE / 10, "units": "nm", "navigate": False} for name in "yx"]
    signal = Signal2D(blocks, axes=axes).as_lazy()
    signal.metadata.General.title = f"Simulated Au309 particle at {temperature:g} K"
    truth = {
        "isomers": list(names),
        "states": states.astype(int).tolist(),
        "rates": rates.tolist(),
        "free_energies": list(FREE_ENERGIES),
        "saddles": [list(saddle) for saddle in SADDLES],
        "log10_prefactor": float(np.log10(PREFACTOR)),
        "temperature": float(temperature),
        "dose_per_A2": float(dose),
    }
    signal.metadata.set_item("Simulation", truth)
    signal.set_signal_type("HAADF")
    return signal


def _chunks(frames: int) -> tuple[int, ...]:
    return tuple(min(BLOCK, frames - start) for start in range(0, frames, BLOCK))


@lru_cache(maxsize=1)
def _views() -> tuple[np.ndarray, tuple[str, ...]]:
    """Fraction of the beam, shape (isomers, views, rows, columns), every 0.3 Å, and the isomers' names."""
    with np.load(str(files("particlespy_ml.data") / "gold_309_views.npz"), allow_pickle=False) as file:
        return file["data"].astype(np.float32), tuple(json.loads(str(file["truth"]))["isomers"])


def _record(plan: np.ndarray, dose: float, seed: int) -> np.ndarray:
    """Frames of one block of the plan: rows of number, state, view, turn in degrees, drift in Å."""
    from particlespy_ml.simulation.recording.scene import PlacedParticle, compose_haadf

    views, _ = _views()
    frames = np.empty((len(plan), EDGE, EDGE), np.uint16)
    middle = np.array([EDGE, EDGE]) * PIXEL_SIZE / 2
    for frame, (number, state, view, turn, *drift) in zip(frames, plan, strict=True):
        image = ndi.rotate(views[int(state), int(view)], turn, reshape=False, order=1)
        particle = PlacedParticle(image, 0.3, tuple(middle + drift))
        frame[:] = compose_haadf([particle], frame.shape, PIXEL_SIZE, dose=dose, seed=seed * 1_000_003 + int(number))
    return frames
