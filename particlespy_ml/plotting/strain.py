"""Maps of the strain of columns: over the image, column by column or between them, and as arrows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.plotting.colours import UNDEFINED_COLOUR
from particlespy_ml.plotting.columns import _draw_image, _marker_size
from particlespy_ml.strain.deformation import NAMES, unwrap_angles
from particlespy_ml.strain.layers import check_strained

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperspy.signals import BaseSignal, Signal2D
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

COMPONENTS = (*NAMES, *(f"{name}_error" for name in NAMES))
ARROWS = ("displacement", "normal")
SIGNED, POSITIVE = "RdBu_r", "viridis"  # default maps of colours
SHARE = 98  # per cent of the values lie within the colours
# in distances between neighbours: an arrow of which as many are longer as values are beyond the colours
LONGEST = {"displacement": 0.9, "normal": 2.0}
PANEL = 3.4  # inches


def plot_strain(
    table: BaseSignal,
    image: Signal2D | None = None,
    components: str | Sequence[str] = ("exx", "eyy", "exy", "rotation"),
    index: int = 0,
    interpolated: bool = False,
    limit: float | None = None,
    scale_bar: bool = True,
    cmap: str | Colormap | None = None,
    axes: Axes | Sequence[Axes] | None = None,
    figsize: tuple[float, float] | None = None,
) -> np.ndarray:
    """Draw the strain of every column of a frame as a map, over the image where it is given.

    Columns that no template fits are grey. Angles of rotation lie together, whatever turns of the template they came
    from.

    Parameters
    ----------
    table
        Column table with strain, see `measure_strain`. A lazy one is computed.
    image
        Image or series that the columns are of.
    components
        One or several of "exx", "eyy", "exy", "planar" and "rotation", and of their standard errors, such as
        "exx_error": a map for each.
    index
        Number of the frame.
    interpolated
        Whether values are interpolated between columns, linearly in triangles, all over the particle; by default each
        column is a disk. Triangles with a column that no template fits are left out.
    limit
        Strain at the ends of the colours, such as 0.02 for -2 to 2 %; by default 98 per cent of all strains drawn are
        within. Of errors the lower end is zero, and rotation has ends of its own.
    scale_bar
        Whether a bar of a round length is drawn over the first map, where there is an image.
    cmap
        Colour map; by default "RdBu_r" and, of errors, "viridis".
    axes
        As many axes as components to draw in; by default those of a new figure.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    numpy.ndarray of matplotlib.axes.Axes
        One for each component.

    Raises
    ------
    ValueError
        If the columns have no strain, there is no such component or frame, or the axes are too few or too many.
    """
    check_strained(table)
    table = table._computed()
    names = (components,) if isinstance(components, str) else tuple(components)
    if not names or not set(names) <= set(COMPONENTS):
        raise ValueError(f"components={components!r}; expected one or several of {', '.join(COMPONENTS)}.")
    if limit is not None and not limit > 0:
        raise ValueError(f"limit={limit}; expected a strain above zero.")
    rows, where = table.frame(index)
    axes = _new_maps(table, len(names), axes, figsize, image is None)
    values = {name: _of_component(table, rows, name) for name in names}
    ends = _ends(values, limit)
    for number, (ax, name) in enumerate(zip(axes, names, strict=True)):
        _draw_image(ax, table, image, where, scale_bar and number == 0, "gray")
        colours = cmap or (POSITIVE if name.endswith("_error") else SIGNED)
        style = {"cmap": colours, "vmin": ends[name][0], "vmax": ends[name][1]}
        shown = _draw_map(ax, table, rows, values[name], interpolated, style)
        if shown is not None:
            beyond = [float(v) for v in (np.nanmin(values[name]), np.nanmax(values[name]))]
            extend = ("neither", "min", "max", "both")[(beyond[0] < ends[name][0]) + 2 * (beyond[1] > ends[name][1])]
            bar = ax.figure.colorbar(shown, ax=ax, shrink=0.8, extend=extend)
            bar.ax.tick_params(labelsize=8)
        ax.set_title(label_of(name), fontsize=10)
    return axes


def label_of(component: str) -> str:
    """Return what a component is called, with the unit that it is drawn in.

    Examples
    --------
    >>> label_of("exx_error"), label_of("rotation")
    ('error of exx (%)', 'rotation (°)')
    """
    name = component.removesuffix("_error")
    unit = "°" if name == "rotation" else "%"
    return f"{'error of ' if component.endswith('_error') else ''}{name} ({unit})"


def _new_maps(table, count: int, axes, figsize, ticks: bool) -> np.ndarray:
    """As many axes as there are maps: those given, or those of a new figure."""
    if axes is not None:
        axes = np.ravel(np.asarray(axes, object))
        if len(axes) != count:
            raise ValueError(f"{len(axes)} axes were given for {count} components; expected one for each.")
        return axes
    import matplotlib.pyplot as plt

    from particlespy_ml.plotting.layout import SettledLayout

    across = {1: 1, 2: 2, 3: 3, 4: 2}.get(count, 3)
    down = -(-count // across)
    height, width = np.multiply(table.grid.shape, table.grid.scale)
    edge = 5.0 if count == 1 else PANEL
    beside, above = 0.8 + 0.4 * ticks, 0.3 + 0.4 * ticks
    figsize = figsize or (across * (edge + beside), down * (np.clip(edge * height / width, 1.2, 8) + above))
    figure, found = plt.subplots(down, across, figsize=figsize, layout=SettledLayout(), squeeze=False)
    for ax in found.ravel()[count:]:
        ax.remove()
    return found.ravel()[:count]


def _of_component(table, rows: np.ndarray, name: str) -> np.ndarray:
    """Values as they are drawn: strain in per cent, angles in degrees that lie together."""
    values = rows[name].astype(float)
    if name == "rotation":
        return unwrapped(table, rows)
    return values if name == "rotation_error" else 100 * values


def unwrapped(table, rows: np.ndarray) -> np.ndarray:
    """Return the rotation of the columns of a frame, see `particlespy_ml.strain.deformation.unwrap_angles`."""
    return unwrap_angles(rows["rotation"], folds(table, rows))


def folds(table, rows: np.ndarray) -> np.ndarray:
    """Return how many turns leave the template of each column as it is, shape (n,); 1 where there is none."""
    known = [int(fold) for fold in table.metadata.get_item(f"{METADATA_NODE}.strain.folds")]
    return np.array([*known, 1])[np.where(rows["template"] < 0, len(known), rows["template"])]


def _ends(values: dict[str, np.ndarray], limit: float | None) -> dict[str, tuple[float, float]]:
    """Values at the lower and upper end of the colours of each component."""
    strains = [one for name, one in values.items() if "rotation" not in name and not name.endswith("_error")]
    largest = 100 * limit if limit is not None else _largest(np.abs(np.concatenate([*strains, [np.nan]])))
    ends = {}
    for name, one in values.items():
        if name.endswith("_error"):
            ends[name] = (0.0, _largest(one))
        elif name == "rotation":
            middle = float(np.nanmedian(one)) if np.isfinite(one).any() else 0.0
            reach = _largest(np.abs(one - middle))
            ends[name] = (middle - reach, middle + reach)
        else:
            ends[name] = (-largest, largest)
    return ends


def _largest(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return max(float(np.percentile(finite, SHARE)), 1e-6) if finite.size else 1.0


def _draw_map(ax, table, rows: np.ndarray, values: np.ndarray, interpolated: bool, style: dict):
    """Draw values as disks or between columns; return what a colour bar is of, None where there is nothing."""
    finite = np.isfinite(values)
    size = _marker_size(ax, rows)
    if (~finite).any():
        ax.scatter(rows["x"][~finite], rows["y"][~finite], s=0.3 * size, color=UNDEFINED_COLOUR, linewidths=0)
    if not interpolated:
        drawn = {"s": size, "edgecolors": "black", "linewidths": 0.2, **style}
        return ax.scatter(rows["x"][finite], rows["y"][finite], c=values[finite], **drawn) if finite.any() else None
    triangles = _triangles(table, rows)
    triangles = triangles[finite[triangles].all(1)] if len(triangles) else triangles
    if not len(triangles):
        return None
    used, corners = np.unique(triangles, return_inverse=True)
    corners = corners.reshape(-1, 3)
    place = (rows["x"][used], rows["y"][used])
    return ax.tripcolor(*place, values[used], triangles=corners, shading="gouraud", zorder=1, **style)


def _triangles(table, rows: np.ndarray) -> np.ndarray:
    """Triangles between the columns of a frame, without those outside of particles."""
    from scipy.spatial import cKDTree

    from particlespy_ml.strain.surface import inner_mesh

    places = np.column_stack([rows["x"], rows["y"]]).astype(float)
    matched = rows["template"] >= 0
    if len(places) < 3 or not matched.any():
        return np.zeros((0, 3), int)
    near = cKDTree(places).query(places, 2)[0][:, 1]
    gaps = table.metadata.get_item(f"{METADATA_NODE}.strain.gaps")
    ratio = float(gaps[int(np.bincount(rows["template"][matched]).argmax())])
    return inner_mesh(places, ratio * float(np.median(near[matched])))


def plot_strain_arrows(
    table: BaseSignal,
    image: Signal2D | None = None,
    arrows: str = "displacement",
    index: int = 0,
    magnification: float | None = None,
    scale_bar: bool = True,
    cmap: str | Colormap | None = None,
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
) -> Axes:
    """Draw displacements of columns, or the strain along the surface normal, as arrows; a key says how long they are.

    Parameters
    ----------
    table
        Column table with strain, see `measure_strain`. A lazy one is computed.
    image
        Image or series that the columns are of.
    arrows
        "displacement": from the site of a lattice to the column, of the lattice that all columns of the frame have in
        the mean (`site_a`, `site_b` of the table; columns that are on none have no arrow). "normal": the strain along
        the normal of the surface, at the columns of the rim, outwards where the columns are farther apart.
    index
        Number of the frame.
    magnification
        Length of an arrow over that of the displacement, or, of "normal", in distances between neighbours over the
        strain; by default so that nearly all are shorter than the distance between neighbours, or than two of
        "normal".
    scale_bar
        Whether a bar of a round length is drawn, where there is an image.
    cmap
        Colour map of what the arrows show; by default "viridis", and "RdBu_r" for "normal".
    ax
        Axes to draw in; by default a new figure's.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the columns have no strain or, for displacements, no sites, or an option is none of these.
    """
    check_strained(table)
    if arrows not in ARROWS:
        raise ValueError(f"arrows={arrows!r}; expected one of {', '.join(ARROWS)}.")
    if arrows == "displacement" and not {"site_a", "site_b", "flags"} <= set(table.columns):
        raise ValueError(
            "Displacements are from the sites of a lattice, which the columns have not (site_a, site_b): find them "
            'with find_columns(), or take arrows="normal".'
        )
    if magnification is not None and not magnification > 0:
        raise ValueError(f"magnification={magnification}; expected a number above zero.")
    table = table._computed()
    rows, where = table.frame(index)
    vectors, values, near = _arrows(rows, arrows)
    known = np.isfinite(vectors).all(1)
    ax = _new_maps(table, 1, ax, figsize, image is None)[0]
    _draw_image(ax, table, image, where, scale_bar, "gray")
    title = "displacement" if arrows == "displacement" else "strain along the surface normal"
    if not known.any():
        ax.set_title(f"{title}: none", fontsize=10)
        return ax
    sizes = np.linalg.norm(vectors[known], axis=1)
    factor = magnification or LONGEST[arrows] * near / max(float(np.percentile(sizes, SHARE)), 1e-12)
    if magnification is not None and arrows == "normal":
        factor = magnification * near
    drawn = factor * vectors[known]
    units = table.grid.units if arrows == "displacement" else "%"
    unit = 1.0 if arrows == "displacement" else 100.0
    reach = max(float(np.percentile(sizes, SHARE)), 1e-12) * unit
    low = 0.0 if arrows == "displacement" else -reach
    colours = cmap or (POSITIVE if arrows == "displacement" else SIGNED)
    style = {"cmap": colours, "clim": (low, reach), "angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.006}
    style |= {"edgecolor": "white", "linewidth": 0.4, "zorder": 3}
    shown = ax.quiver(rows["x"][known], rows["y"][known], *drawn.T, values[known] * unit, **style)
    label = f"{title} ({units})" if units else title
    ax.figure.colorbar(shown, ax=ax, shrink=0.8, extend="max" if low == 0 else "both", label=label)
    times = f"{factor:.3g} times" if arrows == "displacement" else f"1 % is {0.01 * factor:.2g} {table.grid.units}"
    ax.set_title(f"arrows: {times}", fontsize=9)
    return ax


def _arrows(rows: np.ndarray, arrows: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Vectors, what colours them, and the distance between neighbours."""
    from scipy.spatial import cKDTree

    from particlespy_ml.columns.flags import Flag
    from particlespy_ml.strain.displacements import displacements
    from particlespy_ml.strain.surface import normal_strain

    places = np.column_stack([rows["x"], rows["y"]]).astype(float)
    near = float(np.median(cKDTree(places).query(places, 2)[0][:, 1])) if len(rows) > 1 else 1.0
    if arrows == "normal":
        strain = normal_strain(rows)
        return strain[:, None] * np.column_stack([rows["normal_x"], rows["normal_y"]]), strain, near
    sites = np.column_stack([rows["site_a"], rows["site_b"]])
    on_lattice = (rows["flags"] & (Flag.OFF_LATTICE | Flag.NO_LATTICE)) == 0
    vectors = displacements(places, sites, on_lattice)
    vectors[~on_lattice] = np.nan
    return vectors, np.linalg.norm(vectors, axis=1), near
