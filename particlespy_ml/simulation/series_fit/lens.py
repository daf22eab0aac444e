"""The lens of a focal series as numbers that can be fitted, and what is known of them beforehand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from particlespy_ml.simulation.recording.optics import Optics

# standard deviations of what is known of a corrected lens: Cs, C5, astigmatism, coma, three-fold astigmatism (two
# numbers each), focal spread and deflection, in Å; of how far the camera blurs images as it does noise; of the mean
# square of thermal displacements, less that of the library, in Å²; of a blur of images that noise does not show, in Å²;
# and of how strongly atoms scatter, over what they are said to
SPREADS = np.array([6e4, 1.5e7, 10.0, 10.0, 150.0, 150.0, 150.0, 150.0, 4.0, 0.08, 0.5, 0.004, 1.0, 0.03])
COUNT = len(SPREADS)
MISALIGNED = 0.15  # Å, of each image along each axis after it was registered
TILTED = 1.5  # degrees, along each axis
_STEPS = 0.02  # of the standard deviations, for derivatives
_SMALLEST = 0.02  # Å, deflection
_MOTIONS = (-0.006, 0.012)  # Å², none beside that of the library, and 0.14 Å
_BLURS = (0.0, 6.0)  # Å²
_STRENGTHS = (-0.2, 0.2)
_FLOOR = 0.12  # of that blur's transfer


@dataclass(frozen=True)
class Lens:
    """Optics of every image of a series.

    Parameters
    ----------
    defocus
        Of each image in Å, shape (images,).
    rest
        Cs, C5, two numbers each of astigmatism, coma and three-fold astigmatism, focal spread, deflection, the power to
        which the transfer that noise tells blurs images, from 0 to 1, the mean square of thermal displacements less
        that of the library, a blur that noise does not show, and how much more strongly atoms scatter than they are
        said to, which only the waves of all columns together follow, shape (14,).
    shifts
        Along x and y in Å of each image relative to the first, shape (images - 1, 2).
    tilt
        Of the particle in degrees along x and y, shape (2,).
    nominal
        What is known beforehand.
    """

    defocus: np.ndarray
    rest: np.ndarray
    shifts: np.ndarray
    tilt: np.ndarray
    nominal: Optics

    @classmethod
    def start(cls, defocus: np.ndarray, nominal: Optics) -> Lens:
        """Return the nominal lens at some defoci."""
        count = len(defocus)
        return cls(np.asarray(defocus, float), _mean(nominal), np.zeros((count - 1, 2)), np.zeros(2), nominal)

    @property
    def vector(self) -> np.ndarray:
        """All numbers, those of the tilt last."""
        return np.concatenate([self.defocus, self.rest, self.shifts.ravel(), self.tilt])

    @property
    def steps(self) -> np.ndarray:
        """Steps of the numbers for derivatives."""
        count = len(self.defocus)
        return np.concatenate([np.full(count, 1.0), _STEPS * SPREADS, np.full(2 * (count - 1), 0.01), [0.1, 0.1]])

    def moved(self, step: np.ndarray, largest_tilt: float) -> Lens:
        """Return the lens after a step of all its numbers."""
        count = len(self.defocus)
        parts = np.split(self.vector + step, np.cumsum([count, COUNT, 2 * (count - 1)]))
        rest, tilt = parts[1], parts[3]
        rest[8:10] = max(rest[8], 1.0), max(rest[9], _SMALLEST)
        rest[10:12] = np.clip(rest[10], 0, 1), np.clip(rest[11], *_MOTIONS)
        rest[12:] = np.clip(rest[12], *_BLURS), np.clip(rest[13], *_STRENGTHS)
        size = np.hypot(*tilt)
        tilt = tilt * min(1.0, largest_tilt / size) if size else tilt
        return replace(self, defocus=parts[0], rest=rest, shifts=parts[2].reshape(-1, 2), tilt=tilt)

    def each_moved(self, largest_tilt: float) -> list[tuple[Lens, float]]:
        """The lens after a step of each of its numbers, backwards where it can go no further, and the step."""
        found = []
        for number, step in enumerate(self.steps):
            vector = np.zeros(len(self.vector))
            vector[number] = step
            moved = self.moved(vector, largest_tilt)
            if moved.vector[number] - self.vector[number] < 0.5 * step:
                moved, step = self.moved(-vector, largest_tilt), -step
            found.append((moved, float(step)))
        return found

    def known_beforehand(self) -> np.ndarray:
        """Deviations from what is known beforehand over their standard deviations."""
        away = (self.rest - _mean(self.nominal)) / SPREADS
        return np.concatenate([away, self.shifts.ravel() / MISALIGNED, self.tilt / TILTED])

    def shift(self, number: int) -> np.ndarray:
        """Shift of an image along x and y in Å."""
        return np.zeros(2) if number == 0 else self.shifts[number - 1]

    @property
    def camera(self) -> float:
        """Power to which the transfer that noise tells blurs images."""
        return float(self.rest[10])

    @property
    def motion(self) -> float:
        """Mean square of thermal displacements along each axis less that of the library, in Å²."""
        return float(self.rest[11])

    @property
    def strength(self) -> float:
        """How much more strongly atoms scatter than they are said to, over that."""
        return float(self.rest[13])

    def hidden_blur(self, frequency: np.ndarray) -> np.ndarray:
        """Transfer, at frequencies in 1/Å, of a camera that blurs the image and not its noise."""
        return _FLOOR + (1 - _FLOOR) / (1 + self.rest[12] * frequency**2)

    def optics(self, number: int) -> Optics:
        """Optics of an image."""
        cs, c5, a1x, a1y, b2x, b2y, a2x, a2y, spread, deflection, *_ = self.rest
        return replace(
            self.nominal,
            defocus=float(self.defocus[number]),
            spherical_aberration=float(cs),
            fifth_order=float(c5),
            astigmatism=float(np.hypot(a1x, a1y)),
            astigmatism_angle=float(np.arctan2(a1y, a1x) / 2),
            coma=float(np.hypot(b2x, b2y)),
            coma_angle=float(np.arctan2(b2y, b2x)),
            threefold=float(np.hypot(a2x, a2y)),
            threefold_angle=float(np.arctan2(a2y, a2x) / 3),
            focal_spread=float(spread),
            deflection=float(deflection),
        )


def _mean(optics: Optics) -> np.ndarray:
    pairs = []
    for size, angle, order in (
        (optics.astigmatism, optics.astigmatism_angle, 2),
        (optics.coma, optics.coma_angle, 1),
        (optics.threefold, optics.threefold_angle, 3),
    ):
        pairs += [size * np.cos(order * angle), size * np.sin(order * angle)]
    ends = [optics.focal_spread, max(optics.deflection, _SMALLEST), 0.5, 0.0, 0.0, 0.0]
    return np.array([optics.spherical_aberration, optics.fifth_order, *pairs, *ends], float)
