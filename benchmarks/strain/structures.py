"""Places of columns whose strain and structure are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import erf

from particlespy_ml.crystals.projection import projection


def lattice(name: str, radius: float, zone_axis: str | None = None, turn: float = 0.0, centre=(0.0, 0.0)) -> np.ndarray:
    """Places (x, y) of a lattice within a circle, neighbours at a distance of one, turned by degrees from x to y."""
    if zone_axis is None:
        basis, sites = {"square": np.eye(2), "hexagonal": np.array([[1, 0], [0.5, 0.75**0.5]])}[name], np.zeros((1, 2))
    else:
        shown = projection(name, zone_axis)
        basis, sites = shown.basis / shown.nearest, shown.sites
    most = int(np.ceil(2 * radius / abs(np.linalg.det(basis)) * np.linalg.norm(basis, axis=1).max())) + 2
    cells = np.stack(np.meshgrid(*2 * [np.arange(-most, most + 1)], indexing="ij"), -1).reshape(-1, 1, 2)
    places = ((cells + sites) @ basis).reshape(-1, 2)
    places = places[np.linalg.norm(places, axis=1) < radius]
    return places @ rotation(turn).T + np.asarray(centre)


def rotation(degrees: float) -> np.ndarray:
    """Matrix that turns from x towards y."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s], [s, c]])


@dataclass(frozen=True)
class Field:
    """A square lattice of spacing one, strained by a smooth field.

    exx = f (x + y) exp(-a r²) and eyy = f (x - y) exp(-a r²), of which displacements follow by integration.

    Parameters
    ----------
    edge
        Columns along x and y.
    width
        Of the field: ``a`` is one over its square.
    highest
        Largest strain.
    """

    edge: int = 101
    width: float = 25.0
    highest: float = 0.01

    @property
    def sites(self) -> np.ndarray:
        """Places without strain, shape (edge², 2)."""
        axis = np.arange(self.edge) - (self.edge - 1) / 2
        x, y = np.meshgrid(axis, axis)
        return np.column_stack([x.ravel(), y.ravel()])

    def _parts(self):
        x, y = self.sites.T
        a = 1 / self.width**2
        # (x + y) exp(-a r²) is largest at x = y = width / 2
        return x, y, a, self.highest / (self.width * np.exp(-0.5))

    def places(self) -> np.ndarray:
        """Places with strain, shape (edge², 2)."""
        x, y, a, f = self._parts()
        bell, root = np.exp(-a * (x**2 + y**2)), np.sqrt(np.pi / a) / 2
        u = -bell / (2 * a) + y * np.exp(-a * y**2) * root * erf(np.sqrt(a) * x)
        v = bell / (2 * a) + x * np.exp(-a * x**2) * root * erf(np.sqrt(a) * y)
        return self.sites + f * np.column_stack([u, v])

    def gradient(self) -> np.ndarray:
        """1 + gradient of the displacement at every site, shape (edge², 2, 2)."""
        x, y, a, f = self._parts()
        bell, root = np.exp(-a * (x**2 + y**2)), np.sqrt(np.pi / a) / 2
        u_y = y * bell + np.exp(-a * y**2) * (1 - 2 * a * y**2) * root * erf(np.sqrt(a) * x)
        v_x = -x * bell + np.exp(-a * x**2) * (1 - 2 * a * x**2) * root * erf(np.sqrt(a) * y)
        matrices = f * np.stack([(x + y) * bell, u_y, v_x, (x - y) * bell], -1).reshape(-1, 2, 2)
        return matrices + np.eye(2)


def polar_truth(gradient: np.ndarray) -> np.ndarray:
    """exx, eyy and exy of left polar decompositions, by singular values, shape (n, 3)."""
    left, values, _ = np.linalg.svd(gradient)
    stretch = left @ (values[:, :, None] * np.swapaxes(left, 1, 2))
    return np.column_stack([stretch[:, 0, 0] - 1, stretch[:, 1, 1] - 1, stretch[:, 0, 1]])


@dataclass(frozen=True)
class Grains:
    """Columns of several grains.

    Parameters
    ----------
    places
        Shape (n, 2).
    grain
        Number of each column's grain, -1 for those of several, shape (n,).
    turns
        Of each grain in degrees.
    """

    places: np.ndarray
    grain: np.ndarray
    turns: np.ndarray


def graphene_grains(radius: float = 25.0, turns=(0.0, 13.0, 27.0), nearest: float = 0.7) -> Grains:
    """Three grains of graphene that meet in the middle; of two columns that would nearly touch one is left out."""
    places, grain = [], []
    for number, turn in enumerate(turns):
        own = lattice("graphene", radius, "<0001>", turn, (0.13 * number, 0.07 * number))
        sector = np.floor((np.degrees(np.arctan2(own[:, 1], own[:, 0])) % 360) / (360 / len(turns))) == number
        places.append(own[sector])
        grain.append(np.full(sector.sum(), number))
    places, grain = np.vstack(places), np.concatenate(grain)
    pairs = cKDTree(places).query_pairs(nearest, output_type="ndarray")
    keep = np.ones(len(places), bool)
    keep[pairs[grain[pairs[:, 0]] != grain[pairs[:, 1]], 1]] = False
    return Grains(places[keep], grain[keep], np.array(turns))


def decahedron(layers: int = 12) -> Grains:
    """A decahedron seen along its axis: five domains of fcc<110>, strained alike to fill the circle.

    Columns of twin planes are of no domain, and the middle is of none.
    """
    places, grain = [np.zeros((1, 2))], [np.array([-1])]
    for number in range(5):
        first, second = (np.array([1.0, 0.0]) @ rotation(72.0 * k).T for k in (number, number + 1))
        i, j = (one.ravel() for one in np.mgrid[1 : layers + 1, : layers + 1])
        inside = i + j <= layers
        places.append(np.outer(i[inside], first) + np.outer(j[inside], second))
        grain.append(np.where(j[inside] == 0, -1, number))
    # fcc<110> without a turn has its mirror line, x, along the middle of a domain
    return Grains(np.vstack(places), np.concatenate(grain), 36.0 + 72.0 * np.arange(5))


def neighbours_of_one_grain(grains: Grains, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Whether the columns within reach are all of a column's own grain, and the number of them, shape (n,) each."""
    found = cKDTree(grains.places).query_ball_point(grains.places, reach)
    alike = np.array([np.all(grains.grain[near] == own) for near, own in zip(found, grains.grain, strict=True)])
    return alike, np.array([len(near) - 1 for near in found])


def step(edge: int = 30, strain: float = 0.03, vacancy: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """A square lattice of which the upper half of x is stretched along x, with a surface all around, and a vacancy.

    Returns places and exx, which is NaN where the surroundings lie on both sides of the step.
    """
    x, y = (one.ravel().astype(float) for one in np.meshgrid(np.arange(edge), np.arange(edge)))
    middle = edge // 2
    places = np.column_stack([np.where(x > middle, middle + (x - middle) * (1 + strain), x), y])
    truth = np.where(x > middle, strain, np.where(x < middle, 0.0, np.nan))
    if vacancy:
        keep = ~((x == edge - 3) & (y == edge // 2))
        places, truth = places[keep], truth[keep]
    return places, truth
