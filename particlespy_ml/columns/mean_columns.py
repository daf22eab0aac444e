"""The verb `mean_columns`: the mean structure of a movie, from the columns of its frames."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np

from particlespy_ml.columns.mean_places import MeanPlaces, mean_places
from particlespy_ml.columns.rows import LENGTHS, flag_lattice
from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.image import navigation_axes
from particlespy_ml.core.lengths import in_units
from particlespy_ml.core.provenance import METADATA_NODE

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal

DTYPE = np.dtype(
    [
        *((name, "f8") for name in ("x", "y", "x_error", "y_error", "x_scatter", "y_scatter")),
        *((name, "i4") for name in ("n_frames", "n_frames_missing", "site_a", "site_b", "flags")),
    ]
)


def mean_columns(
    table: BaseSignal,
    axis: str | int | None = None,
    *,
    max_shift: float | str | None = None,
    rotation: bool = False,
    min_share: float = 0.5,
) -> BaseSignal:
    """Average the places of the columns of a movie: its mean structure, with standard errors.

    The columns of every frame are shifted onto those of the others, by what most of them agree on, and those that lie
    at one site are averaged, so that strain can be measured once, with the errors of the means.

    Parameters
    ----------
    table
        Column table of a movie, whose frames were searched one by one, lazy or not.
    axis
        Name or number of the navigation axis that is averaged over; needed where there are several, the others stay.
    max_shift
        Largest drift between a frame and the one before: a number in the unit of ``x``, or a text such as "20 px". By
        default six distances between neighbours. A drift by a vector of the lattice is told by the outline of the
        particle alone.
    rotation
        Whether to take out turns of the particle in the plane too.
    min_share
        Share of the frames in which a site must have a column; others are left out.

    Returns
    -------
    ColumnTable or LazyColumnTable
        One row for each site: ``x`` and ``y``, as in the first frame that is used; their standard errors, from the
        scatter of the column about its mean over the root of the number of frames; the scatter itself, ``x_scatter``
        and ``y_scatter``, a standard deviation; ``n_frames`` with a column at the site, and ``n_frames_missing`` of
        those that show the site but no column; the site on the lattice of all; and the flags of most of its columns.
        The frames that are averaged are in memory when it is computed.

    Raises
    ------
    ValueError
        If there is no such axis, or only one frame; if the places are those of one fit to all frames
        (`find_columns_in_series`, `track_columns`), which do not scatter; or if an option is out of range.

    Warns
    -----
    UserWarning
        If frames show too few columns to be shifted onto the others: they are not used. A lazy table warns when it is
        computed.

    Notes
    -----
    Errors take the frames as independent: vibrations that last for several frames make them too small. With few frames
    the scatter of a column is told badly, and that of all columns counts in it as four frames would.

    Examples
    --------
    >>> import hyperspy.api as hs
    >>> import particlespy_ml as pml
    >>> s = pml.data.decahedron_of_gold().isig[2.0:4.0, 2.0:4.0]
    >>> movie = hs.stack([s.isig[k : 90 + k, :90] for k in (0, 3, 6)])
    >>> mean = movie.find_columns(dose="electrons").mean_columns()
    >>> mean.columns[:6]
    ['x', 'y', 'x_error', 'y_error', 'x_scatter', 'y_scatter']
    """
    from particlespy_ml.tables.table import make_table

    if not hasattr(type(table), "n_columns"):
        raise TypeError(f"Expected a column table, as find_columns returns it, not {type(table).__name__}.")
    if not 0 < min_share <= 1:
        raise ValueError(f"min_share={min_share}; expected a share above 0, up to 1.")
    record = table.metadata.get_item(METADATA_NODE).as_dictionary()
    for name, verb in (("series", "find_columns_in_series"), ("movie", "track_columns")):
        if record.get("finding", {}).get(name):
            raise ValueError(
                f"The places are those of one fit to all frames ({verb}), moved as the particle moves, which do not "
                "scatter: measure the strain of one frame, columns.inav[0].measure_strain(), or find the columns of "
                "each frame with find_columns()."
            )
    axes = navigation_axes(table)
    along = _axis_number(table, axes, axis)
    grid = table.grid
    reach = None if max_shift is None else in_units(max_shift, grid, "max_shift")
    if reach is not None and not reach > 0:
        raise ValueError(f"max_shift={max_shift!r}; expected a length above zero.")
    mean = MeanOfFrames(grid, reach, bool(rotation), float(min_share))
    data = _over_axis(mean, table.data, along)
    kept = [one for number, one in enumerate(axes) if number != along]
    record = {name: record[name] for name in ("image", "versions", "finding") if name in record}
    record["mean"] = {
        "axis": str(axes[along].get("name", "")),
        "frames": int(axes[along]["size"]),
        "max_shift": "" if reach is None else reach,
        "rotation": bool(rotation),
        "min_share": float(min_share),
    }
    lengths = (*LENGTHS, "x_scatter", "y_scatter")
    units = {name: grid.units if name in lengths else "" for name in DTYPE.names}
    title = f"Mean of {table.metadata.get_item('General.title', '')}".removesuffix(" of ")
    return make_table(
        data, kept or [{"name": "image", "size": 1, "navigate": True}], units, record, title, "column_table"
    )


@dataclass(frozen=True)
class MeanOfFrames:
    """A picklable function from the rows of the frames of a movie to those of their mean; see `mean_columns`."""

    grid: PixelGrid
    max_shift: float | None
    rotation: bool
    min_share: float

    def __call__(self, frames: list[np.ndarray]) -> np.ndarray:
        """Return one row for each site, in `DTYPE`."""
        places = [np.column_stack([rows["x"], rows["y"]]).astype(float) for rows in frames]
        found = mean_places(places, self.max_shift, rotation=self.rotation, min_share=self.min_share)
        if found.left_out and len(found.left_out) < len(frames):
            numbers = ", ".join(map(str, found.left_out[:10])) + (", ..." if len(found.left_out) > 10 else "")
            warnings.warn(
                f"{len(found.left_out)} of {len(frames)} frames are not used: {numbers}. They show too few columns to "
                "be shifted onto the others, or lie farther away than max_shift.",
                UserWarning,
                stacklevel=2,
            )
        rows = np.zeros(len(found.places), DTYPE)
        rows["x"], rows["y"] = found.places.T
        rows["x_error"], rows["y_error"] = found.errors.T
        rows["x_scatter"], rows["y_scatter"] = found.scatter.T
        seen, missing = self._counted(found)
        rows["n_frames"], rows["n_frames_missing"] = seen, missing
        self._flag(rows, found, frames)
        return rows

    def _counted(self, found: MeanPlaces) -> tuple[np.ndarray, np.ndarray]:
        """Frames with a column at each site, and frames that show the site but no column."""
        there = found.members >= 0
        missing = np.zeros(len(found.places), int)
        for number, moved in enumerate(found.motions):
            if moved is None:
                continue
            pixels = np.column_stack(self.grid.to_pixels(*moved.undo(found.places).T))
            shown = ((pixels >= -0.5) & (pixels <= np.array(self.grid.shape) - 0.5)).all(1)
            missing += shown & ~there[number]
        return there.sum(0), missing

    def _flag(self, rows: np.ndarray, found: MeanPlaces, frames: list[np.ndarray]) -> None:
        if not len(rows):
            return
        if "flags" in frames[0].dtype.names:
            bits = np.array([1 << bit for bit in range(31)])
            votes = np.zeros((len(rows), 31))
            for number, members in enumerate(found.members):
                at = np.flatnonzero(members >= 0)
                votes[at] += (frames[number]["flags"][members[at], None] & bits) > 0
            rows["flags"] = ((votes > 0.5 * rows["n_frames"][:, None]) * bits).sum(1)
        if len(rows) >= 8:
            pixels = np.column_stack(self.grid.to_pixels(rows["x"], rows["y"]))
            flag_lattice(rows, pixels)


def _axis_number(table, axes: list[dict], axis: str | int | None) -> int:
    """Number of the axis that is averaged over, in the order of the array."""
    names = [str(one.get("name", "")) for one in axes]
    if axis is None:
        if len(axes) > 1:
            raise ValueError(f"The table has the axes {names[::-1]}; say over which to average, axis={names[-1]!r}.")
        number = 0
    elif isinstance(axis, str):
        if axis not in names:
            raise ValueError(f"There is no navigation axis {axis!r}; expected one of {names[::-1]}, or its number.")
        number = names.index(axis)
    else:
        if not 0 <= axis < len(names):
            raise ValueError(f"There is no navigation axis {axis}; expected a number from 0 to {len(names) - 1}.")
        number = len(names) - 1 - axis  # HyperSpy counts from the fastest
    if table.data.shape[number] < 2:
        raise ValueError(f"Expected a movie of two frames or more along {names[number]!r}, not {axes[number]['size']}.")
    return number


def _over_axis(function, data, along: int):
    """Call a function with the rows of all frames along an axis, lazily where the data are lazy."""
    lazy = isinstance(data, da.Array)
    moved = (da if lazy else np).moveaxis(data, along, -1)
    if moved.ndim == 1:
        moved = moved[None]
    if not lazy:
        return _of_block(moved, function)
    moved = moved.rechunk({**dict.fromkeys(range(moved.ndim - 1), 1), moved.ndim - 1: -1})
    meta = np.empty((0,) * (moved.ndim - 1), object)
    return moved.map_blocks(_of_block, function=function, drop_axis=moved.ndim - 1, dtype=object, meta=meta)


def _of_block(block: np.ndarray, function) -> np.ndarray:
    out = np.empty(block.shape[:-1], object)
    for index in np.ndindex(*out.shape):
        out[index] = function(list(block[index]))
    return out
