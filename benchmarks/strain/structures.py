"""Places of columns whose strain and structure are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.spatial import Delaunay, cKDTree
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


def neighbours_of_one_grain(grains: Grains, reach: float, most: int) -> np.ndarray:
    """Whether the nearest columns within a reach, at most so many, are of a column's own grain, shape (n,)."""
    distances, nearest = cKDTree(grains.places).query(grains.places, most + 1)
    other = np.append(grains.grain, -2)[nearest] != grains.grain[:, None]
    return ~(other & (distances <= reach)).any(1)


@dataclass(frozen=True)
class Sheet:
    """Graphene whose grains meet in rings of five and seven.

    Parameters
    ----------
    grains
        All columns.
    rings
        Most that one of the three rings of a column differs from six, shape (n,); -1 at the rim.
    """

    grains: Grains
    rings: np.ndarray


def sheet_of_rings(radius: float = 20.0, turns=(0.0, 13.0, 27.0), rounds: int = 12) -> Sheet:
    """Three grains of graphene joined by rings, with bonds and angles relaxed; bonds have a length of one.

    Middles of rings are lattices, brought apart at the boundary so that each lies in the middle of its cell (Lloyd);
    columns are where three of them meet, and relax in the potential of Keating.
    """
    apart = 3**0.5
    middles, grain = [], []
    for number, turn in enumerate(turns):
        own = apart * lattice("hexagonal", (radius + 6) / apart, None, turn + 30, (0.2 * number, 0.1 * number))
        sector = np.floor((np.degrees(np.arctan2(own[:, 1], own[:, 0])) % 360) / (360 / len(turns))) == number
        middles.append(own[sector])
        grain.append(np.full(sector.sum(), number))
    middles, grain = np.vstack(middles), np.concatenate(grain)
    pairs = cKDTree(middles).query_pairs(0.72 * apart, output_type="ndarray")
    pairs = pairs[grain[pairs[:, 0]] != grain[pairs[:, 1]]]
    keep = ~np.isin(np.arange(len(middles)), pairs[:, 1])
    middles, grain = middles[keep], grain[keep]
    others = [cKDTree(middles[grain != number]).query(middles)[0] for number in range(len(turns))]
    free = (np.choose(grain, others) < 2.5 * apart) & (np.linalg.norm(middles, axis=1) < radius + 4)
    for _ in range(rounds):
        mesh = Delaunay(middles)
        corners = mesh.points[mesh.simplices]
        centres = corners.mean(1)
        weight = np.bincount(mesh.simplices.ravel(), minlength=len(middles))
        mean = np.stack([np.bincount(mesh.simplices.ravel(), np.repeat(c, 3), len(middles)) for c in centres.T], 1)
        middles = np.where(free[:, None], mean / weight[:, None], middles)
    mesh = Delaunay(middles)
    places = mesh.points[mesh.simplices].mean(1)
    size = np.bincount(mesh.simplices.ravel(), minlength=len(middles))
    inside = np.linalg.norm(places, axis=1) < radius + 2
    places = _relaxed(places, mesh.neighbors, inside)
    kept = np.linalg.norm(places, axis=1) < radius
    ring = np.abs(size[mesh.simplices] - 6).max(1)[kept]
    of_column = np.sort(grain[mesh.simplices], axis=1)[:, 1][kept]  # that of two of three rings
    return Sheet(Grains(places[kept], of_column, np.array(turns)), ring)


def _relaxed(places: np.ndarray, bonded: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Columns at rest, of which those that are not free stay; each has three bonds, or -1."""
    column = np.flatnonzero((bonded >= 0).all(1) & free)
    around = bonded[column]
    pairs = np.stack([column.repeat(3), around.ravel()], 1)

    def energy(flat):
        at = places.copy()
        at[free] = flat.reshape(-1, 2)
        slope = np.zeros_like(at)
        bond = at[pairs[:, 1]] - at[pairs[:, 0]]
        stretch = (bond**2).sum(1) - 1
        force = 4 * stretch[:, None] * bond
        total = (stretch**2).sum()
        each, forces = bond.reshape(-1, 3, 2), force.reshape(-1, 3, 2)
        for a, b in ((0, 1), (1, 2), (2, 0)):
            angle = (each[:, a] * each[:, b]).sum(1) + 0.5
            total += 0.8 * (angle**2).sum()
            forces[:, a] += 1.6 * angle[:, None] * each[:, b]
            forces[:, b] += 1.6 * angle[:, None] * each[:, a]
        for axis in range(2):
            slope[:, axis] = np.bincount(pairs[:, 1], force[:, axis], len(at)) - np.bincount(
                pairs[:, 0], force[:, axis], len(at)
            )
        return total, slope[free].ravel()

    found = minimize(energy, places[free].ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 300})
    at = places.copy()
    at[free] = found.x.reshape(-1, 2)
    return at


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
