"""A gold particle whose surface columns come and go, as a lazy HRTEM movie of any length, with its truth."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft
from scipy import ndimage as ndi

if TYPE_CHECKING:
    from particlespy_ml.signals.hrtem import HRTEMImage

# mean rates at which sites are filled and emptied, in changes a frame, and their spread as a factor
CONDITIONS = {"vacuum": (0.03, 0.03), "oxygen": (0.05, 0.12)}
SPREAD = 1.8
STEP, REACH = 0.25, 6.0  # pixels of drift a frame along each axis, and from the middle where it turns back
TURN = 0.05  # degrees a frame
JUMPS = 0.01  # of the frames
BLOCK = 20  # frames of a block


def surface_movie(
    condition: str = "vacuum", frames: int = 160, *, frame_time: float = 0.2, dose: float = 310.0, seed: int = 0
) -> HRTEMImage:
    """Return a lazy simulated HRTEM movie of a gold particle along <110> whose surface columns come and go.

    Multislice at 300 kV, corrected microscope, 0.025 nm a pixel, a camera that blurs signal and noise. Each surface
    site is a Markov chain in continuous time; one pair of neighbours exchanges its column. The particle drifts, jumps
    and turns. A frame is made when it is read.

    Parameters
    ----------
    condition
        "vacuum", or "oxygen", in which the surface changes faster and is emptied more often.
    frames
        Number of frames.
    frame_time
        Time from frame to frame in seconds.
    dose
        Electrons per Å² in a frame.
    seed
        Seed of states, motion and noise.

    Returns
    -------
    LazyHRTEMImage
        ``metadata.Simulation`` has the truth: ``x_nm`` and ``y_nm`` of the changing sites where the particle has not
        moved, ``states`` (one list of zeros and ones a site), ``rates_on`` and ``rates_off`` (1/s), ``groups`` and
        their ``kinds``, ``drift_x_nm``, ``drift_y_nm`` and ``turns`` (degrees from x towards y) of the frames.

    Raises
    ------
    ValueError
        If the condition is unknown, or there is no frame or no dose.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> movie = pml.data.surface_movie(frames=40)
    >>> movie.data.shape, len(movie.metadata.Simulation.states)
    ((40, 120, 120), 8)
    """
    import dask.array as da
    from hyperspy.signals import Signal2D

    if condition not in CONDITIONS:
        raise ValueError(f"condition={condition!r}; expected one of {', '.join(CONDITIONS)}.")
    if frames < 1 or not dose > 0:
        raise ValueError(f"frames={frames}, dose={dose}; expected one frame or more, and a dose above zero.")
    empty, _, truth = _images()
    rng = np.random.default_rng([seed, list(CONDITIONS).index(condition)])
    states, rates = _states(truth, condition, frames, rng)
    shifts, turns = _motion(frames, rng)
    plan = np.column_stack([np.arange(frames), shifts, turns, states.T])
    edge = len(empty)
    sizes = tuple(min(BLOCK, frames - start) for start in range(0, frames, BLOCK))
    blocks = da.from_array(plan, chunks=(BLOCK, plan.shape[1])).map_blocks(
        _record, dose, seed, dtype=np.uint16, drop_axis=1, new_axis=(1, 2), chunks=(sizes, edge, edge)
    )
    axes = [{"name": "time", "size": frames, "scale": frame_time, "units": "s", "navigate": True}]
    pixel = truth["pixel_size_nm"]
    axes += [{"name": name, "size": edge, "scale": pixel, "units": "nm", "navigate": False} for name in "yx"]
    signal = Signal2D(blocks, axes=axes).as_lazy()
    signal.metadata.General.title = f"Simulated gold particle, {condition}"
    told = {
        **truth,
        "states": states.astype(int).tolist(),
        "rates_on": (rates[:, 0] / frame_time).tolist(),
        "rates_off": (rates[:, 1] / frame_time).tolist(),
        "drift_x_nm": (shifts[:, 1] * pixel).tolist(),
        "drift_y_nm": (shifts[:, 0] * pixel).tolist(),
        "turns": (-np.degrees(turns)).tolist(),
        "condition": condition,
        "dose_per_A2": float(dose),
    }
    signal.metadata.set_item("Simulation", told)
    signal.set_signal_type("HRTEM")
    return signal


@lru_cache(maxsize=1)
def _images() -> tuple[np.ndarray, np.ndarray, dict]:
    """The particle with its sites empty, how it changes where they are full, and what is known of them."""
    with np.load(str(files("particlespy_ml.data") / "gold_surface.npz"), allow_pickle=False) as file:
        truth = json.loads(str(file["truth"]))
        return file["empty"].astype(np.float32), file["changes"].astype(np.float32), truth


def _states(truth: dict, condition: str, frames: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """States of the sites, shape (n, frames), and rates on and off a frame, shape (n, 2)."""
    from particlespy_ml.dynamics.markov import simulate_states

    count = len(truth["x_nm"])
    states, rates = np.zeros((count, frames), int), np.zeros((count, 2))
    for group, kind in zip(truth["groups"], truth["kinds"], strict=True):
        for site in group:
            if kind == "exchanging" and site != group[0]:
                states[site], rates[site] = 1 - states[group[0]], rates[group[0]][::-1]
                continue
            on, off = rates[site] = np.array(CONDITIONS[condition]) * SPREAD ** rng.uniform(-1, 1, 2)
            states[site] = simulate_states(np.array([[-on, on], [off, -off]]), frames, 1.0, rng)
    return states, rates


def _motion(frames: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Shifts in pixels, shape (frames, 2), and turns in radians."""
    shifts, turns = np.zeros((frames, 2)), np.zeros(frames)
    for k in range(1, frames):
        step = rng.normal(scale=STEP, size=2)
        if rng.random() < JUMPS:
            step = rng.uniform(-5, 5, 2)
        shifts[k] = shifts[k - 1] + step
        beyond = np.abs(shifts[k]) > REACH
        shifts[k, beyond] -= 2 * step[beyond]
        turns[k] = turns[k - 1] + rng.normal(scale=np.radians(TURN))
    return shifts, turns


def _record(plan: np.ndarray, dose: float, seed: int) -> np.ndarray:
    """Frames of one block of the plan: rows of number, shift, turn and states."""
    empty, changes, truth = _images()
    edge = len(empty)
    frames = np.empty((len(plan), edge, edge), np.uint16)
    middle = np.full(2, (edge - 1) / 2)
    frequency = np.hypot(fft.fftfreq(edge)[:, None], fft.rfftfreq(edge))
    transfer = 0.07 + 0.93 / (1 + (2 * frequency / 0.6) ** 2)
    for frame, (number, *shift, angle) in zip(frames, plan[:, :4], strict=True):
        states = plan[int(number - plan[0, 0]), 4:].astype(int)
        image, first = empty.copy(), 0
        for group in truth["groups"]:
            code = sum(states[site] << bit for bit, site in enumerate(group))
            image += changes[first + code - 1] if code else 0
            first += 2 ** len(group) - 1
        cos, sin = np.cos(angle), np.sin(angle)
        back = np.array([[cos, sin], [-sin, cos]])
        start = middle - back @ (middle + shift)
        clean = ndi.affine_transform(image, back, start, order=3, mode="nearest")
        rng = np.random.default_rng([seed, int(number), 7])
        counts = rng.poisson(np.maximum(clean, 0) * dose * (10 * truth["pixel_size_nm"]) ** 2)
        blurred = fft.irfft2(fft.rfft2(counts) * transfer, s=counts.shape)
        frame[:] = np.clip(np.rint(blurred), 0, 65535)
    return frames
