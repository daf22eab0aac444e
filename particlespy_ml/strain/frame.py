"""Strain of the columns of one frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from particlespy_ml.strain.deformation import (
    NAMES,
    Polar,
    Scale,
    affine_maps,
    fold_angles,
    strain_and_errors,
)
from particlespy_ml.strain.match import MAX_RMSD, NO_PLACE, Matches, choose_template, match_columns
from particlespy_ml.strain.surface import outward_normals
from particlespy_ml.strain.templates import Template, template_points

DTYPE = [
    *((name, "f8") for name in NAMES),
    *((f"{name}_error", "f8") for name in NAMES),
    ("rmsd", "f8"),
    ("template", "i4"),
    ("match", "i4"),
    ("n_neighbours", "i4"),
    ("n_missing", "i4"),
    ("normal_x", "f8"),
    ("normal_y", "f8"),
]


def strain_of_places(
    places: np.ndarray,
    templates: Sequence[Template],
    *,
    choose: bool = False,
    errors: np.ndarray | None = None,
    r_max: float | None = None,
    reference: np.ndarray | None = None,
    scale: float | Mapping[str, float] | None = None,
    max_rmsd: float = MAX_RMSD,
) -> np.ndarray:
    """Return the strain of every column, with its error.

    Parameters
    ----------
    places
        (x, y), shape (n, 2). Those that are not finite have no strain, and are no neighbours.
    templates
        What columns are matched with.
    choose
        Match with the one of them that fits most columns best, not with all.
    errors
        Standard errors of x and y, shape (n, 2); by default one number, from what the affine maps leave.
    r_max, max_rmsd
        See `particlespy_ml.strain.match.match_columns`.
    reference
        Columns whose mean planar strain is zero, shape (n,); by default all.
    scale
        Lattice constant without strain: one, or one for each template by name.

    Returns
    -------
    numpy.ndarray
        Structured array of `DTYPE`, shape (n,), angles in degrees; ``template`` counts the templates, -1 for none,
        and ``match`` `particlespy_ml.strain.match.OUTCOMES`.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain.frame import strain_of_places
    >>> from particlespy_ml.strain.templates import template
    >>> places = np.array([(1.02 * x, y) for x in range(5) for y in range(5)])
    >>> strain_of_places(places, [template("square")], scale=1)["exx"][12].round(6)
    np.float64(0.02)
    """
    rows = np.zeros(len(places), DTYPE)
    for name in (*NAMES, *(f"{name}_error" for name in NAMES), "rmsd", "normal_x", "normal_y"):
        rows[name] = np.nan
    rows["template"] = -1
    rows["match"] = NO_PLACE
    finite = np.flatnonzero(np.isfinite(places).all(1))
    if not len(finite):
        return rows
    own = np.asarray(places, float)[finite]
    # far from the origin the squares of places would round away what matters
    own = own - own.mean(0)
    chosen = [choose_template(own, templates, r_max, max_rmsd)] if choose else list(templates)
    found = match_columns(own, chosen, r_max, max_rmsd)
    rows["rmsd"][finite] = found.rmsd
    rows["match"][finite] = found.outcome
    if not found.matched.any():
        return rows
    numbers = np.array([templates.index(one) for one in chosen])
    rows["template"][finite] = np.where(found.matched, numbers[found.template], -1)
    rows["n_neighbours"][finite] = found.n_neighbours
    inside = None if reference is None else np.asarray(reference, bool)[finite]
    known = None if errors is None else np.asarray(errors, float)[finite]
    _write_strain(rows, finite, own, found, chosen, known, inside, scale)
    gap = _gap(own, found, chosen)
    rows["normal_x"][finite], rows["normal_y"][finite] = outward_normals(own, gap).T
    return rows


def _write_strain(rows, finite, places, found: Matches, templates, errors, reference, scale) -> None:
    column, numbers, known = found.points()
    most = found.neighbours.shape[1]
    points, totals = template_points(templates, found.template[column], found.site[column], most)
    maps = affine_maps(places[numbers], points, known)
    polar = Polar.of(maps.matrices)
    if errors is None:
        freedom = maps.freedom.sum()
        variance = maps.squares.sum() / freedom if freedom else np.nan
        variances = np.full(places.shape, variance)
    else:
        variances = np.broadcast_to(errors**2, places.shape)
    constant = _scale(polar.stretch[:, :2].mean(1), column, found, templates, reference, scale)
    values, spread = strain_and_errors(polar, maps.weights, numbers, variances, constant)
    fold = np.array([one.fold for one in templates])[found.template[column]]
    values[:, 3] = fold_angles(np.degrees(values[:, 3]), fold)
    spread[:, 3] = np.degrees(spread[:, 3])
    where = finite[column]
    for k, name in enumerate(NAMES):
        rows[name][where], rows[f"{name}_error"][where] = values[:, k], spread[:, k]
    rows["n_missing"][where] = totals - found.n_neighbours[column]


def _scale(stretch: np.ndarray, column: np.ndarray, found: Matches, templates, reference, given) -> Scale:
    """Lattice constants of the matched columns: given, or those at which the reference has no mean planar strain."""
    lattices = list(dict.fromkeys(one.lattice for one in templates))
    of_template = np.array([lattices.index(one.lattice) for one in templates])[found.template[column]]
    count = len(column)
    if given is not None:
        constants = [float(given[one.name] if isinstance(given, Mapping) else given) for one in templates]
        return Scale(np.array(constants)[found.template[column]], np.zeros((0, count)), of_template)
    values, shares = np.full(count, np.nan), np.zeros((len(lattices), count))
    usable = np.isfinite(stretch) & (True if reference is None else reference[column])
    for number in range(len(lattices)):
        own = usable & (of_template == number)
        if own.any():
            shares[number, own] = 1 / own.sum()
            values[of_template == number] = stretch[own].mean()
    return Scale(values, shares, of_template)


def _gap(places: np.ndarray, found: Matches, templates) -> float:
    """Radius of the largest circle between columns inside, in the unit of the places."""
    numbers = np.bincount(found.template[found.matched], minlength=len(templates))
    most = int(numbers.argmax())
    column = np.flatnonzero(found.template == most)
    neighbour = found.neighbours[column, 0]
    known = neighbour >= 0
    radii = np.array([site.radii[0] for site in templates[most].sites])[found.site[column]]
    ratios = np.linalg.norm(places[column] - places[neighbour], axis=1)[known] / radii[known]
    return templates[most].gap * float(np.median(ratios)) if known.any() else np.nan
