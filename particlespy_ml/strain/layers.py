"""Layers of columns from the surface of a particle inwards, and what their strain is on average."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from particlespy_ml.core.provenance import METADATA_NODE

if TYPE_CHECKING:
    import pandas as pd
    from hyperspy.signals import BaseSignal

# distances between neighbours: the two shells of fcc<110> are 1.15 apart, those of a square lattice 1.41
REACH = 1.28
OF_LAYERS = ("exx", "eyy", "exy", "planar")


def layers_from_surface(places: np.ndarray, at_surface: np.ndarray) -> np.ndarray:
    """Number the columns of a particle by layers from the surface inwards.

    The columns at the surface are layer 1, those next to them layer 2, and so on: one more than the least number of
    steps from column to neighbour that lead to the surface.

    Parameters
    ----------
    places
        (x, y), shape (n, 2). Those that are not finite are in no layer.
    at_surface
        Which of them are at the surface, shape (n,).

    Returns
    -------
    numpy.ndarray
        Whole numbers, shape (n,); 0 where no steps lead to the surface.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain import layers_from_surface
    >>> places = np.array([(x, y) for y in range(4) for x in range(3)])
    >>> layers_from_surface(places, places[:, 1] == 0).reshape(4, 3)[:, 1].tolist()
    [1, 2, 3, 4]
    """
    layers = np.zeros(len(places), int)
    finite = np.flatnonzero(np.isfinite(places).all(1))
    start = np.flatnonzero(np.asarray(at_surface, bool)[finite])
    if not len(start):
        return layers
    if len(finite) > 1:
        own = np.asarray(places, float)[finite]
        tree = cKDTree(own)
        pairs = tree.query_pairs(REACH * np.median(tree.query(own, 2)[0][:, 1]), output_type="ndarray")
    else:
        pairs = np.zeros((0, 2), int)
    steps = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(finite),) * 2).tocsr()
    away = dijkstra(steps, directed=False, indices=start, unweighted=True, min_only=True)
    layers[finite] = np.where(np.isfinite(away), away + 1, 0)
    return layers


def mean_and_error(places: np.ndarray, values: np.ndarray, errors: np.ndarray, neighbours: np.ndarray, chosen):
    """Return the mean of some columns' strain, and its standard error.

    Columns that are near each other share neighbours, and with them the errors of their places. Each error is taken as
    made of equal and independent parts, of the column and its neighbours, that act on all columns alike: for strain
    across a layer that is how it is, for strain along the layer, where neighbours act in opposite ways, it is an upper
    bound.

    Parameters
    ----------
    places
        Of all columns, (x, y), shape (n, 2).
    values, errors
        Strain and its standard error, shape (n,).
    neighbours
        How many neighbours a column was matched with, shape (n,).
    chosen
        Which columns, shape (n,). Of them those without strain do not count.

    Returns
    -------
    mean, error : float
        NaN where there are none.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain.layers import mean_and_error
    >>> places = np.array([(x, 0.0) for x in range(0, 90, 10)])
    >>> mean_and_error(places, np.full(9, 0.02), np.full(9, 0.003), np.zeros(9, int), np.ones(9, bool))
    (0.02, 0.001)
    """
    members = np.flatnonzero(np.asarray(chosen, bool) & np.isfinite(values))
    if not len(members):
        return np.nan, np.nan
    finite = np.flatnonzero(np.isfinite(places).all(1))
    number = np.asarray(neighbours)[members] + 1
    most = min(int(number.max()), len(finite))
    _, near = cKDTree(places[finite]).query(places[members], np.arange(1, most + 1))
    used = np.arange(most) < number[:, None]
    shares = (errors[members] / np.sqrt(np.minimum(number, most)) / len(members))[:, None] * used
    of_places = np.bincount(near.ravel(), shares.ravel(), len(finite))
    return float(values[members].mean()), float(np.sqrt((of_places**2).sum()))


def strain_by_layer(table: BaseSignal, component: str = "planar") -> pd.DataFrame:
    """Return the mean strain of every layer of columns from the surface inwards, with its standard error.

    Parameters
    ----------
    table
        Column table with strain, see `measure_strain`; a lazy one is computed.
    component
        "planar", "exx", "eyy" or "exy".

    Returns
    -------
    pandas.DataFrame
        For every frame one row for each layer: navigation values, ``layer`` from 1 at the surface (see
        `layers_from_surface`), ``columns`` in it, how many of these are ``matched``, the ``mean`` of their strain and
        its standard ``error`` (see `particlespy_ml.strain.layers.mean_and_error`), and their ``scatter``, a standard
        deviation. Columns from which no steps lead to a surface are left out.

    Raises
    ------
    ValueError
        If the columns have no strain, or the component is none of these.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> columns = pml.data.columns_of_platinum().find_columns(dose=2e4)
    >>> layers = columns.measure_strain("fcc<110>").strain_by_layer()
    >>> layers["layer"].tolist()
    [1, 2, 3, 4, 5, 6, 7]
    """
    import pandas as pd

    from particlespy_ml.tables.dataframe import navigation_columns

    check_strained(table)
    if component not in OF_LAYERS:
        raise ValueError(f"component={component!r}; expected one of {', '.join(OF_LAYERS)}.")
    table = table._computed()
    known = navigation_columns(table)
    found = []
    for number, rows in enumerate(table._frames()):
        head = {name: values[number] for name, values in known.items()}
        found += [{**head, **one} for one in means_of_rows(rows, component)]
    names = ("layer", "columns", "matched", "mean", "error", "scatter")
    return pd.DataFrame(found, columns=[*known, *names])


def check_strained(table) -> None:
    """Raise ValueError if the columns of a table have no strain."""
    if "exx" not in table.columns or table.metadata.get_item(f"{METADATA_NODE}.strain") is None:
        raise ValueError("The columns have no strain; call measure_strain() first.")


def layers_of_rows(rows: np.ndarray) -> np.ndarray:
    """Return the layers of the columns of a frame that have strain, see `layers_from_surface`."""
    return layers_from_surface(np.column_stack([rows["x"], rows["y"]]), np.isfinite(rows["normal_x"]))


def means_of_rows(rows: np.ndarray, component: str) -> list[dict]:
    """Return what `strain_by_layer` says of the rows of one frame: a dictionary for each layer.

    Raises
    ------
    ValueError
        If there is no such component.
    """
    if component not in OF_LAYERS:
        raise ValueError(f"component={component!r}; expected one of {', '.join(OF_LAYERS)}.")
    places = np.column_stack([rows["x"], rows["y"]]).astype(float)
    layers, values = layers_of_rows(rows), rows[component]
    found = []
    for layer in np.unique(layers[layers > 0]):
        chosen = layers == layer
        matched = values[chosen & np.isfinite(values)]
        mean, error = mean_and_error(places, values, rows[f"{component}_error"], rows["n_neighbours"], chosen)
        scatter = float(matched.std(ddof=1)) if len(matched) > 1 else np.nan
        found.append(
            {
                "layer": int(layer),
                "columns": int(chosen.sum()),
                "matched": len(matched),
                "mean": mean,
                "error": error,
                "scatter": scatter,
            }
        )
    return found
