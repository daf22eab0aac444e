"""A model as it is seen: turned so that the beam is along z, tilted, with its columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from particlespy_ml.simulation.atoms.projected import Projected, project

if TYPE_CHECKING:
    from ase import Atoms

VIEWS = ("plan", "profile", "profile y")
# rows are x, y of the image and the beam in the axes of the model; y of an image runs down, and the support lies below
_FRAMES = {
    "plan": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "profile": ((0, 1, 0), (0, 0, -1), (-1, 0, 0)),
    "profile y": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
}


def view_matrix(
    view: str | Sequence[float] = "profile", tilt: float = 0.0, azimuth: float = 0.0, turn: float = 0.0
) -> np.ndarray:
    """Return the matrix that takes positions of a model into the image and along the beam.

    Parameters
    ----------
    view
        "plan": along the normal of the surface; "profile": along x of the model, with the support below; "profile y":
        along y; or the direction of the beam in the model.
    tilt, azimuth
        Tilt off that direction in degrees about an axis in the image, and the direction of the axis from x towards y.
    turn
        About the beam in degrees, from x towards y.

    Returns
    -------
    numpy.ndarray
        Shape (3, 3): ``positions @ matrix.T`` are x, y and the place along the beam.

    Examples
    --------
    >>> from particlespy_ml.simulation.atoms.model_views import view_matrix
    >>> (view_matrix("profile") @ [0, 0, 1]).tolist()
    [0.0, -1.0, 0.0]
    """
    if isinstance(view, str):
        if view not in _FRAMES:
            raise ValueError(f"Unknown view {view!r}; expected one of {', '.join(VIEWS)}, or a direction of the beam.")
        frame = np.array(_FRAMES[view], float)
    else:
        beam = np.asarray(view, float)
        if beam.shape != (3,) or not np.linalg.norm(beam) > 0:
            raise ValueError(f"view={view!r}; expected three numbers, not all zero.")
        beam = beam / np.linalg.norm(beam)
        up = np.array([0.0, 0.0, 1.0]) if abs(beam[2]) < 0.9 else np.array([0.0, -1.0, 0.0])
        y = -(up - (up @ beam) * beam)
        y /= np.linalg.norm(y)
        frame = np.stack([np.cross(y, beam), y, beam])
    axis = np.array([np.cos(np.radians(azimuth)), np.sin(np.radians(azimuth)), 0.0])
    tilted = Rotation.from_rotvec(np.radians(tilt) * axis).as_matrix()
    return Rotation.from_rotvec([0, 0, np.radians(turn)]).as_matrix() @ tilted @ frame


def model_columns(
    models: Sequence[Atoms], matrix: np.ndarray, reference: np.ndarray | None = None, tolerance: float = 0.5
) -> tuple[Projected, np.ndarray, np.ndarray]:
    """Return the columns of a model at their mean places: the truth of its image.

    Parameters
    ----------
    models
        Snapshots of the same atoms.
    matrix
        See `view_matrix`, without a tilt: a tilt spreads the atoms of a column.
    reference
        Positions of the atoms that say which form a column, shape (n, 3), such as those before relaxation; by default
        the mean ones.
    tolerance
        Largest distance in Å of the neighbours of a column in projection.

    Returns
    -------
    columns
        With the mean positions in the image, along the beam in z.
    layers
        Mean layer of each column, 0 for those of the support.
    spread
        Root mean square distance of the atoms of each column from its place in Å, snapshots included.
    """
    positions = np.mean([one.positions for one in models], axis=0)
    symbols = np.array(models[0].get_chemical_symbols())
    layers = models[0].arrays.get("layer", models[0].get_tags()).astype(float)
    seen = positions @ matrix.T
    grouped = project(symbols, (positions if reference is None else reference) @ matrix.T, tolerance)
    columns = grouped.moved(seen)
    of_column = np.bincount(columns.column, layers, len(columns.kinds)) / columns.heights
    away = [((one.positions @ matrix.T)[:, :2] - columns.places[columns.column]) ** 2 for one in models]
    square = np.mean([one.sum(1) for one in away], axis=0)
    spread = np.sqrt(np.bincount(columns.column, square, len(columns.kinds)) / columns.heights)
    return columns, of_column, spread
