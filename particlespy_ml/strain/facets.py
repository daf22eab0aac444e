"""Where columns are in a particle: inside, at a corner, or on which facet."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations, product
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.crystals.projection import projection

if TYPE_CHECKING:
    import pandas as pd

    from particlespy_ml.crystals.crystal import Crystal

FAMILIES = ((1, 1, 1), (1, 0, 0), (1, 1, 0))  # planes of low indices that end cubic crystals
TOLERANCE = 12.0  # degrees between the normal of a rim and that of its facet
SAME_FACET = 1.6  # distances between neighbours: columns of one facet are nearer to each other
ALONG = 15.0  # degrees between a facet and the way from one of its columns to the next
INSIDE, CORNER = "inside", "corner"


def facet_directions(
    structure: Crystal | str, zone_axis: str | Sequence[int], families: Sequence[tuple[int, int, int]] = FAMILIES
) -> dict[str, np.ndarray]:
    """Return in which directions of the projection the facets lie that are seen edge-on.

    Parameters
    ----------
    structure, zone_axis
        A cubic crystal, and what it is seen along, see `particlespy_ml.crystals.projection.projection`.
    families
        Miller indices of planes, one of each family.

    Returns
    -------
    dict
        Of each family, such as "{111}", the angles of the outward normals in degrees from x towards y; none where no
        plane of a family holds the beam.

    Examples
    --------
    >>> from particlespy_ml.strain.facets import facet_directions
    >>> {name: angles.round(1).tolist() for name, angles in facet_directions("fcc", "<110>").items()}
    {'{111}': [-125.3, -54.7, 54.7, 125.3], '{100}': [0.0, 180.0], '{110}': [-90.0, 90.0]}
    """
    frame = projection(structure, zone_axis).frame
    found = {}
    for family in families:
        planes = {one for signs in product((1, -1), repeat=3) for one in permutations(np.array(family) * signs)}
        normals = np.array(sorted(tuple(int(number) for number in one) for one in planes), float)
        across, beam = normals @ frame[:2].T, normals @ frame[2]
        angles = np.degrees(np.arctan2(across[:, 1], across[:, 0]))[np.abs(beam) < 1e-9].round(9)
        name = "{" + "".join(str(number) for number in family) + "}"
        found[name] = np.unique(np.where(angles <= -180, 180, angles))
    return {name: angles for name, angles in found.items() if len(angles)}


def facet_of_columns(
    strain: pd.DataFrame, structure: Crystal | str, zone_axis: str | Sequence[int], tolerance: float = TOLERANCE
) -> np.ndarray:
    """Return where each column is: "inside", on a facet such as "{111}", or at a "corner".

    The normal of the rim at a column is compared with the facets of the crystal as it is turned there, and so is the
    direction in which the rim goes on to either side.

    Parameters
    ----------
    strain
        As `measure_strain` returns it for the template of the crystal along the zone axis, with ``x``, ``y``,
        ``rotation``, ``normal_x`` and ``normal_y``.
    structure, zone_axis
        See `facet_directions`.
    tolerance
        Largest angle in degrees between normal and facet.

    Returns
    -------
    numpy.ndarray
        Names, shape (n,). Columns of the rim that were not matched are turned as most.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain import measure_strain
    >>> from particlespy_ml.strain.facets import facet_of_columns
    >>> places = np.array([(x, y) for y in range(4) for x in range(4)])
    >>> facet_of_columns(measure_strain(places, ("fcc", "<001>"), errors=0.1), "fcc", "<001>")[:2].tolist()
    ['corner', '{100}']
    """
    normals = strain[["normal_x", "normal_y"]].to_numpy(float)
    turn = strain["rotation"].to_numpy(float)
    known = np.isfinite(turn)
    if known.any():
        turn = np.where(known, turn, np.median(turn[known]))
    angles = np.degrees(np.arctan2(normals[:, 1], normals[:, 0])) - turn
    names = np.full(len(normals), INSIDE, object)
    rim = np.isfinite(normals[:, 0])
    names[rim] = CORNER
    places = strain[["x", "y"]].to_numpy(float)
    nearest = np.full(len(normals), float(tolerance))
    for name, directions in facet_directions(structure, zone_axis).items():
        apart = np.abs((angles[:, None] - directions + 180) % 360 - 180)
        away, facing = apart.min(1), directions[apart.argmin(1)] + turn
        closer = away < nearest  # False for NaN
        closer &= _has_others_along(places, rim, facing + 90)
        names[closer], nearest[closer] = name, away[closer]
    return names.astype(str)


def _has_others_along(places: np.ndarray, rim: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Whether each column of the rim has others of it next to it on both sides, along an angle in degrees."""
    found = np.zeros((len(places), 2), bool)
    own = np.flatnonzero(rim)
    if len(own) > 2:
        tree = cKDTree(places)
        reach = SAME_FACET * float(np.median(tree.query(places, 2)[0][:, 1]))
        pairs = own[cKDTree(places[own]).query_pairs(reach, output_type="ndarray")]
        one, other = np.vstack([pairs, pairs[:, ::-1]]).T
        towards = np.degrees(np.arctan2(*(places[other] - places[one]).T[::-1]))
        for side, turn in enumerate((0, 180)):
            along = np.abs((towards - angles[one] + turn + 180) % 360 - 180) < ALONG
            found[one[along], side] = True
    return found.all(1)
