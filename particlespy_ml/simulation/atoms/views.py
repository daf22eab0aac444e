"""Orientations that show a symmetric particle from everywhere, each view once."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

# rotations that leave the projections of a structure the same but for a turn in the plane, and how far to turn
SYMMETRY = {
    "icosahedron": ("I", 180),
    "decahedron": ("D10", 360),
    "cuboctahedron": ("O", 180),
    "amorphous": ("C1", 360),
}


def view_directions(kind: str, step: float) -> np.ndarray:
    """Beam directions about *step* degrees apart, one of each that are the same by symmetry, shape (n, 3).

    Parameters
    ----------
    kind
        One of `SYMMETRY`, in the frame in which `particlespy_ml.simulation.atoms.structures.closed_shell` builds it.
    step
        Distance of neighbouring directions in degrees.

    Examples
    --------
    >>> len(view_directions("icosahedron", 5.0)), len(view_directions("amorphous", 5.0))
    (27, 1650)
    """
    n = round(4 * np.pi / np.radians(step) ** 2)
    height = 1 - (2 * np.arange(n) + 1) / n
    azimuth = np.pi * (1 + np.sqrt(5)) * np.arange(n)
    width = np.sqrt(1 - height**2)
    points = np.column_stack([width * np.cos(azimuth), width * np.sin(azimuth), height])
    generic = np.array([0.31, 0.17, 0.94])
    group = Rotation.create_group(SYMMETRY[kind][0])
    nearest = np.max(points @ group.apply(generic).T, axis=1)
    found = points[points @ generic >= nearest - 1e-9]
    if not len(found):
        raise ValueError(f"step={step} degrees leaves no view of the {kind}; expected 20 or less.")
    return found


def orientations(kind: str, step: float, in_plane: float | None = None) -> Rotation:
    """Rotations that show an isomer from all `view_directions`, each turned in the plane by steps of *in_plane*."""
    directions = view_directions(kind, step)
    turns = np.arange(0, SYMMETRY[kind][1], in_plane or step)
    polar, azimuth = np.arccos(directions[:, 2].clip(-1, 1)), np.arctan2(directions[:, 1], directions[:, 0])
    angles = [(-phi, -theta, np.radians(turn)) for theta, phi in zip(polar, azimuth, strict=True) for turn in turns]
    return Rotation.from_euler("zyz", angles)
