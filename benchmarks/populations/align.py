"""Errors of alignment without a reference, against noise and the Cramér-Rao bound."""

from __future__ import annotations

import time

import numpy as np

EDGE = 48


def particle(shift=(0.0, 0.0), angle: float = 0.0) -> np.ndarray:
    """A particle without symmetry, at a position in pixels and an angle in degrees, of peak 1."""
    rows, columns = np.indices((EDGE, EDGE)) - EDGE // 2
    r, c = rows - shift[0], columns - shift[1]
    t = np.deg2rad(angle)
    u, v = c * np.cos(t) + r * np.sin(t), -c * np.sin(t) + r * np.cos(t)
    blobs = [(-6, 0, 4.0, 0.8), (5, 1, 3.5, 0.65), (7, 9, 2.5, 0.55), (0, -2, 4, 0.5)]
    return sum(h * np.exp(-((u - a) ** 2 + (v - b) ** 2) / 2 / s**2) for a, b, s, h in blobs).astype(np.float32)


def cramer_rao(noise: float) -> tuple[float, float]:
    """Least errors of angle in degrees and of position in pixels, where neither is known."""
    turn = particle(angle=0.5) - particle(angle=-0.5)
    moves = [particle(shift=half) - particle(shift=[-h for h in half]) for half in ([0.5, 0], [0, 0.5])]
    gradients = np.array([turn.ravel(), *(move.ravel() for move in moves)])
    errors = np.sqrt(np.diag(np.linalg.inv(gradients @ gradients.T / noise**2)))
    return float(errors[0]), float(np.sqrt(np.mean(errors[1:] ** 2)))


def errors_of(noise: float, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Errors of angles in degrees, beside a common turn, and of positions in pixels, beside the mean's own."""
    from hyperspy.signals import Signal2D

    from particlespy_ml.stacks.align_particles import align_particles
    from particlespy_ml.stacks.alignment import _forward

    rng = np.random.default_rng(seed)
    angles, shifts = rng.uniform(0, 360, count), rng.uniform(-3, 3, (count, 2))
    images = np.stack([particle(s, a) for s, a in zip(shifts, angles, strict=True)])
    stack = Signal2D(images + noise * rng.normal(size=images.shape).astype(np.float32))
    record = align_particles(stack, show_progressbar=False).metadata.particlespy_ml.alignment
    turned = record.angles + angles
    common = np.angle(np.exp(1j * np.deg2rad(turned)).sum(), deg=True)
    for _ in range(3):  # the median turn: a few that are upside down do not pull at it
        rest = (turned - common + 180) % 360 - 180
        common += np.median(rest)
    rest = np.column_stack([record.shift_y, record.shift_x]) - shifts
    turned_rest = np.array([_forward(np.deg2rad(a)) @ r for a, r in zip(record.angles, rest, strict=True)])
    return (turned - common + 180) % 360 - 180, turned_rest - np.median(turned_rest, axis=0)


def run(options) -> None:
    """Print median errors over stacks with their bounds."""
    count, seeds = 100, max(3, options.seeds)
    print(f"\nAlignment of {count} turned and shifted particles without a reference, {seeds} stacks; peak 1")
    print("  noise   median |error| of angle       bound   beyond 20 degrees   of position  bound")
    for noise in (0.05, 0.1, 0.2, 0.5, 1.0):
        angles, places, seconds = [], [], []
        for seed in range(seeds):
            began = time.process_time()
            angle, place = errors_of(noise, count, seed)
            seconds.append(time.process_time() - began)
            angles.append(np.abs(angle))
            places.append(np.abs(place).ravel())
        medians = [np.median(a) for a in angles]
        least, place = cramer_rao(noise)
        far = np.mean(np.concatenate(angles) > 20)
        spread = f"({min(medians):.2f} to {max(medians):.2f})"
        # the median of |error| of a normal error is 0.674 standard deviations
        print(
            f"  {noise:4.2f}    {np.mean(medians):5.2f} degrees {spread:16s} {0.674 * least:5.2f}   {far:17.3f}   "
            f"{np.median(np.concatenate(places)):5.2f} pixels  {0.674 * place:.2f}   {np.mean(seconds):.1f} s CPU",
            flush=True,
        )
