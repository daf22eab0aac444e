"""Rows of columns: names, units and flags."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from particlespy_ml.columns.flags import Flag
from particlespy_ml.columns.search.in_image import FoundColumns
from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.crystals.plane_lattice import fit_lattice, other_lattice

FEWEST_FOR_A_LATTICE = 8
LARGEST_SPREAD = 0.13  # of the distance between neighbours: a random packing fills sites, but loosely
SMALLEST_FRACTION = 0.6
CUT = 1.5  # widths: a column that is nearer to the border is cut by it


OF_FRAMES = (
    Flag.NO_LATTICE | Flag.SEVERAL_LATTICES | Flag.TOO_FEW_COLUMNS | Flag.UNRESOLVED | Flag.UNCERTAIN_SCALE
)  # of all the columns of a frame
NOT_COUNTED = Flag.SATURATED | Flag.AT_BORDER  # a cross-section of these is not that of the column


PLACES = ("x", "y")
PLACE_ERRORS = ("x_error", "y_error")
CROSS_SECTIONS = ("volume", "volume_error", "width", "width_error", "background", "significance")
SITES = ("site_a", "site_b", "flags")
METHODS = {"fit": (*PLACES, *PLACE_ERRORS, *CROSS_SECTIONS, *SITES), "given": (*PLACES, *SITES)}  # what each one knows
LENGTHS = (*PLACES, *PLACE_ERRORS, "width", "width_error")
AREAS = ("volume", "volume_error")  # units of the image times an area


def column_dtype(method: str = "fit") -> np.dtype:
    """Return names and types of the columns of a table, before counting.

    Parameters
    ----------
    method
        How the atomic columns were found, one of `METHODS`: a table has a cross-section only where one was fitted.
    """
    return np.dtype([(name, "i4" if name in SITES else "f8") for name in METHODS[method]])


def column_units(units: str, method: str = "fit") -> dict[str, str]:
    """Return the unit of every column of a table, see `column_dtype`; *units* is that of lengths."""
    return {name: units if name in LENGTHS else f"{units}²" if name in AREAS else "" for name in METHODS[method]}


def network_dtype(kinds: tuple[tuple[str, int], ...], labelled: bool = False) -> np.dtype:
    """Return names and types of the columns of a table that a network found.

    Parameters
    ----------
    kinds
        Names of the kinds of columns that the network tells, and the largest number of atoms of each.
    labelled
        Whether columns bear the number of their particle.
    """
    names = [(name, "f8") for name in (*PLACES, *PLACE_ERRORS)] + [("probability", "f4")]
    if labelled:
        names.insert(0, ("label", "i4"))
    if len(kinds) > 1:
        names += [("class", "i4"), *((f"probability_{name}", "f4") for name, _ in kinds)]
    highest = max(number for _, number in kinds)
    if highest > 1:
        names += [("height", "i4"), ("height_probability", "f4"), ("expected_height", "f4")]
        names += [("expected_height_error", "f4"), ("resolvable", "?")]
        names += [(f"height_probability_{number}", "f4") for number in range(1, highest + 1)]
    return np.dtype([*names, *((name, "i4") for name in SITES)])


def check_cross_sections(table) -> None:
    """Raise ValueError if a column table has no cross-sections."""
    missing = [name for name in AREAS if name not in table.columns]
    if missing:
        raise ValueError(
            f"The table has no {' and no '.join(missing)}: its columns are places alone. Fit them to the image, with "
            "image.find_columns(positions)."
        )


def column_rows(image: np.ndarray, found: FoundColumns, grid: PixelGrid, check_lattice: bool = True) -> np.ndarray:
    """Return the rows of the columns of a frame.

    Parameters
    ----------
    image
        Shape (rows, columns).
    found
        Its columns.
    grid
        Its calibration; pixels are square.
    check_lattice
        Flag columns that lie on no lattice, and frames that have none or several.
    """
    fit = found.fit
    rows = np.zeros(len(found), column_dtype())
    if fit is None or not len(rows):
        return rows
    size = grid.scale[0]
    rows["x"], rows["y"] = grid.to_xy(*fit.positions.T)
    rows["y_error"], rows["x_error"] = (fit.position_errors * size).T
    rows["volume"], rows["volume_error"] = fit.volumes * size**2, fit.volume_errors * size**2
    rows["width"], rows["width_error"] = fit.widths * size, fit.width_errors * size
    rows["background"], rows["significance"] = fit.background, found.significance
    rows["flags"] = saturated_columns(image, fit.positions) * Flag.SATURATED
    rows["flags"] |= cut_columns(fit.positions, CUT * fit.widths, image.shape, found.known) * Flag.AT_BORDER
    if check_lattice and len(rows) >= FEWEST_FOR_A_LATTICE:
        flag_lattice(rows, fit.positions)
    return rows


def flag_lattice(rows: np.ndarray, positions: np.ndarray) -> None:
    """Write the site of each column on their lattice into rows, and flag those that lie on none."""
    lattice = fit_lattice(positions)
    if lattice is None:
        rows["flags"] |= int(Flag.NO_LATTICE)
        return
    rows["site_a"], rows["site_b"] = lattice.indices.T
    rows["flags"] |= ~lattice.on_lattice * Flag.OFF_LATTICE
    if other_lattice(positions, lattice) is not None:
        rows["flags"] |= int(Flag.SEVERAL_LATTICES)
    elif lattice.fraction < SMALLEST_FRACTION or lattice.spread > LARGEST_SPREAD:
        rows["flags"] |= int(Flag.NO_LATTICE)


def cut_columns(positions: np.ndarray, reach: np.ndarray, shape, known: np.ndarray | None = None) -> np.ndarray:
    """Whether each column reaches beyond the border of an image, or of what was recorded of it, shape (n,).

    Parameters
    ----------
    positions
        In pixels, shape (n, 2).
    reach
        Of each column in pixels, shape (n,).
    shape
        Of the image.
    known
        Pixels that were recorded; by default all.
    """
    lowest, highest = positions - reach[:, None], positions + reach[:, None]
    cut = np.any((lowest <= -0.5) | (highest >= np.array(shape) - 0.5), axis=1)
    if known is not None:
        distance = distance_transform_edt(known)
        nearest = np.clip(np.rint(positions).astype(int), 0, np.array(shape) - 1)
        cut |= distance[tuple(nearest.T)] - 0.5 <= reach
    return cut


def saturated_columns(image: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Whether three or more of the nine pixels at each column have the highest value of the image, shape (n,)."""
    image = np.asarray(image)
    highest = image == image.max()
    if highest.sum() < 6:
        return np.zeros(len(positions), bool)
    padded = np.pad(highest, 1)
    rows, columns = (np.clip(np.rint(p).astype(int), 0, n - 1) for p, n in zip(positions.T, image.shape, strict=True))
    return sum(padded[rows + i, columns + j].astype(int) for i in range(3) for j in range(3)) >= 3
