"""Movies of changing particles: a known Markov chain of every site, drift, jumps, rotation, a camera and shot noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import fft
from scipy import ndimage as ndi

from benchmarks.surface.particles import EDGE, PIXELS, changing_particle
from particlespy_ml.core.files import replacing
from particlespy_ml.dynamics.markov import simulate_states
from particlespy_ml.simulation.recording.optics import Optics, image_intensity

OPTICS = Optics(
    energy=300e3, defocus=-80.0, spherical_aberration=-1e5, fifth_order=2.5e7, focal_spread=30.0, deflection=0.18
)
FRAME_TIME = 0.2  # s
VIEW = 36.0  # Å
STEP = 0.25  # pixels of drift a frame, rms along each axis
REACH = 9.0  # pixels of drift from the middle, where it turns back
TURN = 0.05  # degrees a frame
RATES = (0.01, 0.15)  # a frame, the least and the largest of changes: 7 to 100 frames in a state in the mean


@dataclass(frozen=True)
class Movie:
    """A movie and what happened in it.

    Parameters
    ----------
    clean
        Frames without noise, 1 for the empty beam, shape (frames, rows, columns), float16.
    states
        Of each changing site, shape (n, frames).
    places, stable
        Rows and columns in pixels of changing sites and other columns in the particle's own frame, about its middle.
    heights
        Atoms of the changing sites.
    middles, turns
        Where the middle of the particle lies in each frame, in pixels, shape (frames, 2), and its turn in radians.
    pixel
        In Å.
    rates
        On and off of each site in 1/s, shape (n, 2).
    groups, pairs
        See `benchmarks.surface.particles.ChangingParticle`.
    """

    clean: np.ndarray
    states: np.ndarray
    places: np.ndarray
    stable: np.ndarray
    heights: np.ndarray
    middles: np.ndarray
    turns: np.ndarray
    pixel: float
    rates: np.ndarray
    groups: list
    pairs: list

    def recorded(self, dose: float, seed: int = 0) -> np.ndarray:
        """Return counts at a dose in e/Å² a frame, blurred by the camera, shape (frames, rows, columns), float32."""
        rng = np.random.default_rng([seed, int(dose), 5])
        per_pixel = dose * self.pixel**2
        out = np.empty(self.clean.shape, np.float32)
        transfer = camera_transfer(self.clean.shape[1:])
        for frame, clean in zip(out, self.clean, strict=True):
            counts = rng.poisson(clean.astype(np.float32) * per_pixel)
            frame[:] = fft.irfft2(fft.rfft2(counts.astype(np.float32)) * transfer, s=clean.shape)
            frame += 0.05 * np.sqrt(per_pixel) * rng.standard_normal(clean.shape, dtype=np.float32)
        return out

    def first(self, count: int) -> Movie:
        """Return the first frames."""
        cut = {name: getattr(self, name)[:count] for name in ("clean", "middles", "turns")}
        return replace(self, states=self.states[:, :count], **cut)

    def in_frame(self, places: np.ndarray, number: int) -> np.ndarray:
        """Rows and columns in a frame of places in the particle's own frame."""
        return self.middles[number] + places @ turn_matrix(self.turns[number]).T


def turn_matrix(angle: float) -> np.ndarray:
    """Turn of rows and columns by an angle in radians."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def camera_transfer(shape) -> np.ndarray:
    """Transfer of signal and noise: a floor, and a fall with a half width of half of Nyquist."""
    frequency = np.hypot(fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1]))
    return (0.07 + 0.93 / (1 + (2 * frequency / 0.5) ** 2.0)).astype(np.float32)


def draw_states(pairs, groups, frames: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Return states, shape (n, frames), and rates on and off in 1/s, shape (n, 2)."""
    count = sum(map(len, groups))
    states, rates = np.zeros((count, frames), int), np.zeros((count, 2))
    for group, kind in zip(groups, pairs, strict=True):
        for site in group:
            if kind == "exchanging" and site != group[0]:
                states[site], rates[site] = 1 - states[group[0]], rates[group[0]][::-1]
                continue
            rates[site] = np.exp(rng.uniform(*np.log(RATES), 2)) / FRAME_TIME
            on, off = rates[site]
            states[site] = simulate_states(np.array([[-on, on], [off, -off]]), frames, FRAME_TIME, rng)
    return states, rates


def draw_drift(frames: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Return shifts in pixels, shape (frames, 2), with a jump every hundred frames, and turns in radians."""
    shifts, turns = np.zeros((frames, 2)), np.zeros(frames)
    for k in range(1, frames):
        step = rng.normal(scale=STEP, size=2)
        if rng.random() < 0.01:
            angle = rng.uniform(0, 2 * np.pi)
            step = rng.uniform(3, 10) * np.array([np.cos(angle), np.sin(angle)])
        shifts[k] = shifts[k - 1] + step
        beyond = np.abs(shifts[k]) > REACH
        shifts[k][beyond] -= 2 * step[beyond]
        turns[k] = turns[k - 1] + rng.normal(scale=np.radians(TURN))
    return shifts, turns


def movie(seed: int, frames: int, folder: str | Path, pixel: float = 0.2, defocus: float | None = None) -> Movie:
    """Return a movie of a particle, which is simulated where the folder lacks it.

    Parameters
    ----------
    seed
        Of the particle, and of everything that happens.
    frames
        Number of frames.
    folder
        Folder of the waves and movies.
    pixel
        In Å.
    defocus
        In Å, of `OPTICS`; by default a lens near these is drawn.
    """
    rng = np.random.default_rng([seed, frames, 24])
    particle = changing_particle(seed, folder)
    if defocus is None:
        angle, focus = rng.uniform(0, np.pi), OPTICS.defocus + rng.uniform(-15, 15)
        optics = replace(OPTICS, defocus=focus, astigmatism=rng.uniform(0, 10), astigmatism_angle=angle)
    else:
        optics = replace(OPTICS, defocus=defocus)
    states, rates = draw_states(particle.pairs, particle.groups, frames, rng)
    shifts, turns = draw_drift(frames, rng)
    turns = turns + rng.uniform(0, 2 * np.pi)
    count = round(VIEW / pixel)
    middles = (count - 1) / 2 + shifts
    focused = "" if defocus is None else f"_{defocus:g}"
    path = Path(folder) / f"movie_{seed}_{frames}_{pixel:g}{focused}.npy"
    if not path.exists():
        with replacing(path) as beside:
            np.save(beside, record_frames(particle, states, middles, turns, pixel, count, optics))
    middle = np.full(2, EDGE / 2)
    places, stable = ((one - middle)[:, ::-1] / pixel for one in (particle.places, particle.stable))
    clean = np.load(path, mmap_mode="r")
    return Movie(
        clean, states, places, stable, particle.heights, middles, turns, pixel, rates, particle.groups, particle.pairs
    )


def record_frames(particle, states, middles, turns, pixel, count, optics) -> np.ndarray:
    """Noise-free frames, shape (frames, rows, columns), float16."""
    fine = EDGE / (2 * PIXELS)
    ky, kx = fft.fftfreq(2 * PIXELS, fine)[:, None], fft.rfftfreq(2 * PIXELS, fine)[None]
    blur = np.sinc(ky * pixel) * np.sinc(kx * pixel) * np.exp(-2 * (np.pi * optics.deflection) ** 2 * (kx**2 + ky**2))
    blur = blur.astype(np.float32)
    sharp = replace(optics, deflection=0.0)
    out, known = np.empty((states.shape[1], count, count), np.float16), {}
    for k, (state, middle, angle) in enumerate(zip(states.T, middles, turns, strict=True)):
        code = state.tobytes()
        if code not in known:
            if len(known) > 40:
                known.clear()
            intensity = image_intensity(particle.exit_wave(state), EDGE, sharp)
            smooth = fft.irfft2(fft.rfft2(intensity) * blur, s=intensity.shape)
            known[code] = ndi.spline_filter(smooth, 3, output=np.float32, mode="grid-wrap")
        # pixel p of the frame is at the place turn^-1 (p - middle) of the particle's own frame
        matrix = turn_matrix(angle).T * pixel / fine
        start = EDGE / 2 / fine - matrix @ middle
        out[k] = ndi.affine_transform(
            known[code], matrix, start, order=3, mode="grid-wrap", output_shape=(count, count), prefilter=False
        )
    return out


def signal_of(frames, pixel: float):
    """A movie as users load it."""
    import hyperspy.api as hs

    signal = hs.signals.Signal2D(frames)
    signal.axes_manager.signal_axes.set(scale=0.1 * pixel, units="nm")
    axis = signal.axes_manager[0]
    axis.name, axis.units, axis.scale = "time", "s", FRAME_TIME
    signal.set_signal_type("HRTEM")
    return signal
