"""The verb `measure_strain` for columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from particlespy_ml.core.calibration import NANOMETRES, PixelGrid
from particlespy_ml.core.frames import map_rows
from particlespy_ml.core.image import navigation_axes
from particlespy_ml.core.lengths import in_units
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.strain.frame import DTYPE, strain_of_places
from particlespy_ml.strain.match import LARGEST_RMSD, MAX_RMSD, OUTCOMES
from particlespy_ml.strain.templates import Template, as_templates
from particlespy_ml.tables.classes import UNDEFINED
from particlespy_ml.tables.rows import add_columns
from particlespy_ml.tables.select import condition_of_rows
from particlespy_ml.tables.table import make_table

if TYPE_CHECKING:
    import pandas as pd
    from atomap.sublattice import Sublattice
    from hyperspy.signals import BaseSignal
    from numpy.typing import ArrayLike

    from particlespy_ml.crystals.crystal import Crystal

AUTO = ("square", "hexagonal", "fcc<110>", "graphene")  # of standard templates those that differ by more than scale
NEW = tuple(name for name, _ in DTYPE)


def measure_strain(
    columns: BaseSignal | Sublattice | ArrayLike,
    template: str | Template | tuple[Crystal | str, str | Sequence[int]] | Sequence = "auto",
    *,
    neighbours: int | None = None,
    r_max: float | str | None = None,
    reference: ArrayLike | str | Any | None = None,
    scale: float | str | Mapping[str, float | str] | None = None,
    errors: ArrayLike | None = None,
    max_rmsd: float = MAX_RMSD,
) -> BaseSignal | pd.DataFrame:
    """Measure the strain of every atomic column, with its standard error, by structural template matching.

    The neighbours of a column are matched with those of a template, whatever its scale and turn. The least-squares
    affine map A from the template to the column and its neighbours, with a shift of its own, is taken apart into
    A = P U: the turn U is ``rotation``, and the strain is P - 1. x and y are those of the columns, with x to the right
    and y down where the axes of the image run forwards; angles are from x towards y. The strain is the same on images
    that are flipped with ``isig[::-1]``, as their axes tell.

    Parameters
    ----------
    columns
        Column table, lazy or not; places (x, y), shape (n, 2); or an atomap ``Sublattice``, whose places are in pixels.
    template
        A name of `particlespy_ml.strain.templates.STANDARD`, such as "square", "hexagonal", "fcc<110>", "graphene"; a
        crystal, or its name, and a zone axis, such as ``("CeO2", "<011>")``; a `Template`; or a list of these, of which
        every column is matched with the one that fits best: grains, twins, phases. "auto": in each frame the one of
        square, hexagonal, fcc<110> and graphene that fits most columns best.
    neighbours
        How many a column has, which must fill shells, see `particlespy_ml.strain.templates.template`.
    r_max
        How far neighbours may be: in the unit of the places, or a text such as "0.4 nm" for tables. By default halfway
        between the template's last shell and the next.
    reference
        Columns that have no strain in the mean: one boolean for each; a HyperSpy ROI in the unit of the places; or, for
        tables, a condition on their columns, such as ``"label == 1"``. By default all that are matched. Columns of a
        lattice without any have no strain.
    scale
        Lattice constant without strain, in place of *reference*: a length as *r_max*, or one for each template by name.
        Of "square" and "hexagonal" it is the distance between neighbours.
    errors
        Standard errors of places that are no table: one number, or shape (n,) or (n, 2). A table has its own in
        ``x_error`` and ``y_error``. By default one number is estimated from what the affine maps leave unexplained.
    max_rmsd
        Largest RMSD of a match, over the distance between neighbours, up to .25.

    Returns
    -------
    ColumnTable, LazyColumnTable or pandas.DataFrame
        The same rows in the same order; of a table with its columns before these:

        - ``exx``, ``eyy``, ``exy``, ``planar``, their mean along x and y, and ``rotation`` in degrees, up to the turns
          that leave the template as it is; their standard errors in ``exx_error`` and so on, from those of the column,
          its neighbours and, where it is not given, the lattice constant; NaN where nothing was matched;
        - ``rmsd`` over the distance between neighbours, also where it is too large;
        - ``template``, "undefined" where nothing was matched;
        - ``match``: "matched", or why not: "too few neighbours"; "no template" fits, as between grains and in amorphous
          matter; "neighbour off lattice", where one lies elsewhere than the others say; "several grains", where other
          matches say so of a neighbour; "alone", without two neighbours that are matched, as by chance; "no place";
        - ``n_neighbours`` matched, and ``n_missing`` of the template's;
        - ``normal_x``, ``normal_y``: the unit normal of the surface, outwards, of columns at the rim, else NaN. Rims
          that the border of the image cuts have none.

    Raises
    ------
    TypeError
        If the columns are none of these.
    ValueError
        If a template is unknown, or an argument does not fit the columns.

    References
    ----------
    J. Madsen et al., Adv. Struct. Chem. Imaging 3, 14 (2017); P. M. Larsen, S. Schmidt and J. Schiøtz, Modelling Simul.
    Mater. Sci. Eng. 24, 055007 (2016).

    Examples
    --------
    >>> import numpy as np
    >>> import particlespy_ml as pml
    >>> places = np.array([(1.02 * x, 0.98 * y) for x in range(9) for y in range(9)])
    >>> strain = pml.strain.measure_strain(places, "square", scale=1, errors=0.001)
    >>> strain.loc[40, ["exx", "eyy", "planar"]].astype(float).round(6).tolist()
    [0.02, -0.02, 0.0]
    """
    auto = isinstance(template, str) and template == "auto"
    templates = as_templates(AUTO if auto else template, neighbours if not auto else None)
    if auto and neighbours is not None:
        raise ValueError('neighbours= needs a template; "auto" takes the shells that tell its templates apart.')
    if not 0 < max_rmsd <= LARGEST_RMSD:
        raise ValueError(f"max_rmsd={max_rmsd}; expected a number above 0, up to {LARGEST_RMSD}.")
    if reference is not None and scale is not None:
        raise ValueError("reference= and scale= were both given; expected one of them, as either fixes the scale.")
    table = hasattr(type(columns), "n_columns")
    if not table and hasattr(columns, "axes_manager"):
        raise TypeError(
            f"Expected a column table, as find_columns returns it, or places, not {type(columns).__name__}."
        )
    grid = columns.grid if table else None
    options = {
        "choose": auto,
        "r_max": None if r_max is None else _length(r_max, grid, "r_max"),
        "scale": _lengths(scale, templates, grid),
        "max_rmsd": float(max_rmsd),
    }
    if not table:
        return _of_places(_places(columns), templates, options, errors, reference)
    if errors is not None:
        raise ValueError("errors= is for places; a table has its own in x_error and y_error.")
    return _of_table(columns, templates, options, reference, grid)


def _of_places(places: np.ndarray, templates, options: dict, errors, reference) -> pd.DataFrame:
    import pandas as pd

    if isinstance(reference, str):
        raise ValueError(f"reference={reference!r} is a condition, which only tables have columns for; give booleans.")
    rows = strain_of_places(
        places, templates, errors=_errors(errors, len(places)), reference=_chosen(reference, places), **options
    )
    frame = pd.DataFrame({"x": places[:, 0], "y": places[:, 1], **{name: rows[name] for name in NEW}})
    names = [*(one.name for one in templates), UNDEFINED]
    frame["template"] = pd.Categorical.from_codes(rows["template"] % len(names), names)
    frame["match"] = pd.Categorical.from_codes(rows["match"], OUTCOMES)
    frame.attrs["units"] = {name: "°" for name in ("rotation", "rotation_error")}
    return frame


def _of_table(table, templates, options: dict, reference, grid: PixelGrid):
    if reference is not None and not isinstance(reference, str) and not _is_roi(reference):
        if table.data.size > 1:
            raise ValueError(
                f"reference= of one boolean for each column is for one frame, but the table has {table.data.size}; "
                'give a ROI, or a condition such as "label == 1".'
            )
        reference = np.asarray(reference)
    grids = _grids_of_sources(table) or (grid,)
    data = map_rows(StrainOfFrame(templates, tuple(options.items()), reference, grids), table.data)
    units = {name: unit for name, unit in table.units.items() if name not in NEW}
    units |= {name: "°" if name.startswith("rotation") else "" for name in NEW}
    record = table.metadata.get_item(METADATA_NODE).as_dictionary()
    record["strain"] = {
        "templates": [one.name for one in templates],
        "neighbours": [len(one.sites[0].neighbours) for one in templates],
        "folds": [one.fold for one in templates],
        # radius of the largest circle between columns, over the distance to the nearest
        "gaps": [one.gap / min(site.radii[0] for site in one.sites) for one in templates],
        "reference": "" if reference is None else str(reference),
        **{name: "" if value is None else value for name, value in options.items()},
    }
    record["names"] = {**{key: list(value) for key, value in table.names.items()}}
    record["names"] |= {"template": [one.name for one in templates], "match": list(OUTCOMES)}
    title = table.metadata.get_item("General.title", "")
    return make_table(data, navigation_axes(table), units, record, title, "column_table")


class StrainOfFrame:
    """Adds the strain to the rows of a frame; for `particlespy_ml.core.frames.map_rows`.

    Of concatenated tables *grids* has that of each source, otherwise one.
    """

    def __init__(self, templates: tuple[Template, ...], options: tuple, reference, grids: tuple[PixelGrid, ...]):
        self.templates, self.options, self.reference, self.grids = templates, options, reference, grids

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows with the columns of the strain at their end."""
        places = np.column_stack([rows["x"], rows["y"]]).astype(float)
        errors = None
        if {"x_error", "y_error"} <= set(rows.dtype.names):
            errors = np.column_stack([rows["x_error"], rows["y_error"]]).astype(float)
        if isinstance(self.reference, str):
            reference = condition_of_rows(rows, self.reference)
        else:
            reference = _chosen(self.reference, places)
        found = strain_of_places(places, self.templates, errors=errors, reference=reference, **dict(self.options))
        source = int(rows["source"][0]) if len(self.grids) > 1 and len(rows) else 0
        _leave_out_cut_rims(found, places, self.grids[source])
        out = add_columns(rows, DTYPE)
        for name in NEW:
            out[name] = found[name]
        return out


def _leave_out_cut_rims(found: np.ndarray, places: np.ndarray, grid: PixelGrid) -> None:
    """No normals where a column one place further out would lie outside of the image."""
    rim = np.flatnonzero(np.isfinite(found["normal_x"]))
    if len(rim) < 2:
        return
    from scipy.spatial import cKDTree

    near = np.median(cKDTree(places[rim]).query(places[rim], 2)[0][:, 1])
    out = places[rim] + near * np.column_stack([found["normal_x"][rim], found["normal_y"][rim]])
    pixels = np.column_stack(grid.to_pixels(*out.T))
    cut = rim[((pixels < -0.5) | (pixels > np.array(grid.shape) - 0.5)).any(1)]
    found["normal_x"][cut] = found["normal_y"][cut] = np.nan


def _grids_of_sources(table) -> tuple[PixelGrid, ...]:
    """Calibrations of the images of concatenated tables, in the unit of the table; none of others."""
    node = table.metadata.get_item(f"{METADATA_NODE}.sources")
    if node is None or "source" not in table.columns:
        return ()
    records = node.as_dictionary()
    images = [records[f"source_{k}"].get("image") for k in range(len(records))]
    return tuple(_in_unit(PixelGrid.from_dict(one), table.units["x"]) for one in images) if all(images) else ()


def _in_unit(grid: PixelGrid, unit: str) -> PixelGrid:
    """The calibration with lengths in another unit."""
    if grid.units == unit or not {grid.units, unit} <= set(NANOMETRES):
        return grid
    factor = NANOMETRES[grid.units] / NANOMETRES[unit]
    scale, offset = (tuple(factor * value for value in pair) for pair in (grid.scale, grid.offset))
    return replace(grid, scale=scale, offset=offset, units=unit)


def _places(columns) -> np.ndarray:
    """Places (x, y), shape (n, 2), from an array or an atomap ``Sublattice``."""
    if hasattr(columns, "atom_list"):
        columns = [(atom.pixel_x, atom.pixel_y) for atom in columns.atom_list]
    places = np.asarray(columns, dtype=float)
    if places.size == 0:
        return np.empty((0, 2))
    if places.ndim != 2 or places.shape[1] != 2:
        raise ValueError(f"Expected places (x, y) of the shape (n, 2), not {places.shape}.")
    return places


def _errors(errors, count: int) -> np.ndarray | None:
    if errors is None:
        return None
    found = np.asarray(errors, float)
    if found.shape not in ((), (count,), (count, 2)) or (found < 0).any():
        raise ValueError(
            f"errors of shape {found.shape}; expected standard errors, none below zero: one number, or shape "
            f"({count},) or ({count}, 2)."
        )
    return np.broadcast_to(found if found.ndim != 1 else found[:, None], (count, 2))


def _is_roi(reference) -> bool:
    return all(hasattr(reference, name) for name in ("left", "right", "top", "bottom")) or hasattr(reference, "cx")


def _chosen(reference, places: np.ndarray) -> np.ndarray | None:
    """Which places a reference holds."""
    if reference is None:
        return None
    x, y = places.T
    if hasattr(reference, "cx"):
        distance = np.hypot(x - reference.cx, y - reference.cy)
        inner = reference.r_inner if isinstance(reference.r_inner, (int, float)) else 0  # undefined for a full disk
        return (distance <= reference.r) & (distance >= inner)
    if _is_roi(reference):
        return (reference.left <= x) & (x <= reference.right) & (reference.top <= y) & (y <= reference.bottom)
    found = np.asarray(reference)
    if found.dtype != bool or found.shape != (len(places),):
        raise ValueError(
            f"reference of {found.dtype}, shape {found.shape}; expected {len(places)} booleans, one for each column, "
            "or a ROI."
        )
    return found


def _lengths(scale, templates, grid: PixelGrid | None):
    if scale is None or not isinstance(scale, Mapping):
        return None if scale is None else _length(scale, grid, "scale")
    names = [one.name for one in templates]
    if set(scale) != set(names):
        raise ValueError(f"scale of {', '.join(map(str, scale))}; expected a length for each of {', '.join(names)}.")
    return {name: _length(scale[name], grid, "scale") for name in names}


def _length(value, grid: PixelGrid | None, name: str) -> float:
    if grid is not None:
        found = in_units(value, grid, name)
    elif isinstance(value, str):
        raise ValueError(f"{name}={value!r}, but places have no unit; give a number in theirs.")
    else:
        found = float(value)
    if not (np.isfinite(found) and found > 0):
        raise ValueError(f"{name}={value!r}; expected a length above zero.")
    return found
