"""Templates of isomers for networks that match them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.simulation.incoherent import incoherent_haadf
from particlespy_ml.simulation.structures import ISOMERS, closed_shell

if TYPE_CHECKING:
    import torch

# rotations that leave the projections of a structure the same but for a turn in the plane
PROJECTION_GROUP = {"icosahedron": "I", "decahedron": "D10", "cuboctahedron": "O", "amorphous": "C1"}
# atoms, and degrees between directions: about a lattice spacing over the diameter, so that fringes are not lost between
_SIZES = ((55, 13.0), (147, 9.0), (309, 7.0), (561, 6.0), (923, 5.5), (1415, 5.5))
_TRUNCATED = ((201, 8.5), (586, 6.0), (1289, 5.5))  # octahedra with large {111} facets
_SIGMA = 0.55  # Å: probe with thermal motion, a source of 0.8 Å, some static disorder
_EDGE = 160  # pixels
_VOLUME = 17.0  # Å^3 of an atom of gold


def view_directions(kind: str, step: float) -> np.ndarray:
    """Beam directions about *step* degrees apart, one of each that are the same by symmetry, shape (n, 3).

    Parameters
    ----------
    kind
        One of `ISOMERS`, in the frame in which `closed_shell` builds it.
    step
        Distance of neighbouring directions in degrees.

    Examples
    --------
    >>> len(view_directions("icosahedron", 5.0)), len(view_directions("cuboctahedron", 5.0))
    (27, 68)
    """
    from scipy.spatial.transform import Rotation

    n = round(4 * np.pi / np.radians(step) ** 2)
    height = 1 - (2 * np.arange(n) + 1) / n
    azimuth = np.pi * (1 + np.sqrt(5)) * np.arange(n)
    width = np.sqrt(1 - height**2)
    points = np.column_stack([width * np.cos(azimuth), width * np.sin(azimuth), height])
    generic = np.array([0.31, 0.17, 0.94])
    group = Rotation.create_group(PROJECTION_GROUP[kind])
    nearest = np.max(points @ group.apply(generic).T, axis=1)
    return points[points @ generic >= nearest - 1e-9]


def remember_templates(network: torch.nn.Module, symbol: str = "Au") -> None:
    """Give a network the templates of isomers, if it has a layer that matches them."""
    from particlespy_ml.models.layers import PolarTemplates

    for module in network.modules():
        if isinstance(module, PolarTemplates):
            module.remember(isomer_templates(symbol))


def isomer_templates(symbol: str = "Au", pixel_size: float = 0.4) -> list[torch.Tensor]:
    """Incoherent images of closed-shell isomers in all views, and of balls without a lattice.

    Returns
    -------
    list of torch.Tensor
        Of each isomer and size the images, shape (views, pixels, pixels).
    """
    groups = [(kind, n, step) for kind in ISOMERS[:3] for n, step in _SIZES]
    groups += [("cuboctahedron", n, step) for n, step in _TRUNCATED]
    images = [_views(closed_shell(kind, n, symbol).positions, view_directions(kind, step), pixel_size)
              for kind, n, step in groups]  # fmt: skip
    return images + [_views(_ball(n), np.array([[0.0, 0.0, 1.0]]), pixel_size) for n, _ in _SIZES]


def _views(positions: np.ndarray, directions: np.ndarray, pixel_size: float) -> torch.Tensor:
    from scipy.spatial.transform import Rotation

    positions = positions - (positions.max(0) + positions.min(0)) / 2
    polar, azimuth = np.arccos(directions[:, 2].clip(-1, 1)), np.arctan2(directions[:, 1], directions[:, 0])
    turned = [turn.apply(positions) for turn in Rotation.from_euler("zy", np.column_stack([-azimuth, -polar]))]
    return incoherent_haadf(turned, n_pixels=_EDGE, pixel_size=pixel_size, sigma=_SIGMA, saturation=0.03)


def _ball(n_atoms: int) -> np.ndarray:
    """Points that fill a ball of the volume of so many atoms, many more than atoms, so that they have no structure."""
    rng = np.random.default_rng(n_atoms)
    points = rng.uniform(-1, 1, (40_000, 3))
    return (3 * n_atoms * _VOLUME / (4 * np.pi)) ** (1 / 3) * points[np.linalg.norm(points, axis=1) < 1]
