"""The verb `cluster_particles`: a table to a table with clusters."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np

from particlespy_ml.core.frames import map_rows
from particlespy_ml.core.image import navigation_axes
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.populations.cluster import Clustering, cluster_stability, fit_clusters
from particlespy_ml.populations.scaling import Scaling, fit_scaling
from particlespy_ml.tables.derive import DEFAULT_COLUMNS, DERIVED, column_of
from particlespy_ml.tables.rows import add_columns
from particlespy_ml.tables.table import make_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperspy.signals import BaseSignal


SAMPLE = 20000


def cluster_particles(
    table: BaseSignal,
    columns: Sequence[str] | None = None,
    method: str = "gaussian_mixture",
    n_clusters: int | None = None,
    *,
    within: int | None = None,
    max_clusters: int = 8,
    min_cluster_size: int | None = None,
    resamples: int = 10,
    sample: int = SAMPLE,
    seed: int = 0,
    components: int | None = None,
    covariance_type: str | None = None,
    linkage: str | None = None,
    damping: float | None = None,
    eps: float | None = None,
    min_samples: int | None = None,
    xi: float | None = None,
) -> BaseSignal:
    """Sort the particles of a table into populations.

    Lengths, areas, intensities and the aspect ratio enter by their logarithm. Every column is then shifted by its
    median and divided by 1.4826 times its median absolute deviation. A missing number is taken for the column's median;
    particles without any number in the columns are in no cluster. What the border cuts has another size and shape than
    its kind: such particles are assigned to clusters, which the others alone are fitted to where these are the most.

    Parameters
    ----------
    table
        Particle table. Of a lazy one, frames are read in an order drawn by the seed until *sample* particles are there
        to be fitted; the clusters of the others are assigned when the result is computed, frame by frame.
    columns
        Columns to cluster by. Beside those of the table there are "aspect_ratio" and "elliptic_compactness", the
        perimeter of the ellipse of that area and ratio over that of the particle. By default
        ("equivalent_circular_diameter", "aspect_ratio", "elliptic_compactness"): size, elongation and compactness,
        of which none follows from the others. Shape features come from `measure_shape`; columns of vectors enter by
        their 8 main components.
    method
        "gaussian_mixture", whose components are merged to clusters until each two of them are parted by a valley;
        "kmeans", "agglomerative", "affinity_propagation", "dbscan", "hdbscan" or "optics". See
        `particlespy_ml.populations.fit_clusters` for what is particular to each.
    n_clusters
        Number of clusters; by default chosen from 1 to *max_clusters*, or found by the density methods themselves.
    max_clusters
        Largest number that is tried.
    min_cluster_size
        Clusters of fewer particles are noise where the number was not given; by default 1 % of them, 5 at least.
    within
        Cluster only the particles of this cluster; the result is then in the column ``subcluster``.
    resamples
        Number of halves of the particles that are clustered again for the stability of the clusters; 0 for none.
    sample
        Particles of a lazy table that are read to be fitted, at most.
    seed
        Of all that is random.
    components, covariance_type
        Of the mixture; by default as many components as the Bayesian information criterion chooses.
    linkage, damping
        Of agglomerative clustering, and of affinity propagation; see scikit-learn.
    eps, min_samples, xi
        Of the density methods: reach of DBSCAN in scaled units, by default the knee of the sorted distances to the
        min_samples-th neighbour; neighbours that a core has; steepness of OPTICS.

    Returns
    -------
    ParticleTable or LazyParticleTable
        With a column ``cluster``: from 0 on, ascending along the first of the columns, -1 for noise and for particles
        without numbers; for the mixture ``cluster_probability`` as well. With *within*, ``subcluster`` numbers the
        parts of the cluster on from those there are, and is -1 for all particles that were never sub-clustered. How it
        was done (method, scaling, scores, stability, and what `plot_clustering` draws) is in
        ``metadata.particlespy_ml.clustering``, or of the parts of cluster 1 in ``.subclustering.cluster_1``.

    Raises
    ------
    ValueError
        If a column, the method or the cluster is unknown, there are too few particles, or all are alike.

    Warns
    -----
    UserWarning
        If particles have no finite number in a column.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> table = pml.data.gold_on_carbon().measure_particles()
    >>> table.cluster_particles(n_clusters=2, resamples=0)["cluster"]
    array([...], dtype=int32)
    """
    columns = check_columns(table, columns)
    rows = _whole_particles(_rows_to_fit(table, columns, within, sample, seed))
    if len(rows) < 2:
        where = f"cluster {within}" if within is not None else "the table"
        raise ValueError(f"There is {len(rows)} particle in {where}; two or more are needed to find clusters.")
    scaling = fit_scaling(rows, columns)
    features, known = scaling(rows)
    _warn_of_missing(rows, scaling)
    options = {"components": components, "covariance_type": covariance_type, "linkage": linkage, "damping": damping}
    options |= {"eps": eps, "min_samples": min_samples, "xi": xi}
    given = {name: value for name, value in options.items() if value is not None}
    settings = {"max_clusters": max_clusters, "min_cluster_size": min_cluster_size, **given}
    clustering = fit_clusters(features[known], method, n_clusters, seed=seed, **settings)
    stability = cluster_stability(features[known], clustering, resamples, seed, **settings) if resamples else {}
    record = {"method": method, "seed": seed, "columns": list(columns)}
    first = 0
    if within is not None:
        first = _first_subcluster(table, within)
        record |= {"within": int(within), "first": first}
    record |= _record(scaling, clustering, stability)
    return _with_clusters(table, AssignClusters(scaling, clustering, within, first), record)


def _warn_of_missing(rows: np.ndarray, scaling: Scaling) -> None:
    """Say in which columns some of the particles that clusters are fitted to have no number."""
    missing = {}
    for name, log in zip(scaling.columns, scaling.logs, strict=True):
        values = column_of(rows, name).reshape(len(rows), -1)
        values = np.where(values > 0, values, np.nan) if log and values.shape[1] == 1 else values
        if unknown := int(np.count_nonzero(~np.isfinite(values).all(1))):
            missing[name] = unknown
    if missing:
        counted = ", ".join(f"{name} ({count})" for name, count in missing.items())
        warnings.warn(
            f"Of {len(rows)} particles some have no finite number in {counted}: there the median of the others is "
            "taken, and a particle without any number is in no cluster (-1).",
            UserWarning,
            stacklevel=3,
        )


def check_columns(table, columns=None) -> tuple[str, ...]:
    """Return the columns to cluster by, the default ones where none are given.

    Raises
    ------
    ValueError
        If a column is unknown, or holds no numbers that can be compared.
    """
    columns = DEFAULT_COLUMNS if columns is None else (columns,) if isinstance(columns, str) else tuple(columns)
    labels = ("class", "cluster", "subcluster", "class_index", "label", "track", "outline")
    allowed = [name for name in table.columns if name not in labels]
    if {"major_axis_length", "minor_axis_length"} <= set(allowed):
        allowed += [name for name in DERIVED if name not in allowed]
    unknown = [str(name) for name in columns if name not in allowed]
    if unknown or not columns:
        raise ValueError(
            f"Cannot cluster by {', '.join(map(repr, unknown)) or 'no columns'}; expected some of {', '.join(allowed)}."
        )
    if len(set(columns)) < len(columns):
        raise ValueError(f"A column is named twice: {', '.join(columns)}.")
    return columns


class AssignClusters:
    """A picklable function that adds clusters to the rows of a frame.

    Parameters
    ----------
    scaling, clustering
        What features are, and what they were found to be.
    within, first
        The cluster that is sub-clustered, and the number of its first part.
    """

    def __init__(self, scaling: Scaling, clustering: Clustering, within: int | None, first: int):
        self.scaling, self.clustering, self.within, self.first = scaling, clustering, within, first

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Names and dtypes of the columns that are added."""
        name = "cluster" if self.within is None else "subcluster"
        more = [(f"{name}_probability", "f4")] if self.clustering.probability is not None else []
        return [(name, "i4"), *more]

    @property
    def replaced(self) -> set[str]:
        """Columns that no longer hold: those of an earlier call, and sub-clusters of earlier clusters."""
        if self.within is None:
            return {"cluster", "cluster_probability", "subcluster", "subcluster_probability"}
        return {"subcluster", "subcluster_probability"}

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows with their clusters."""
        out = add_columns(rows, self.columns, without=self.replaced)
        values = [np.full(len(rows), -1, np.int32), np.full(len(rows), np.nan, np.float32)]
        inside = np.ones(len(rows), bool)
        if self.within is not None:
            inside = rows["cluster"] == self.within
            for (name, _), value in zip(self.columns, values, strict=False):
                if name in rows.dtype.names:
                    value[~inside] = rows[name][~inside]
        features, known = self.scaling(rows[inside])
        chosen = np.flatnonzero(inside)[known]
        found, probability = self.clustering.predict(features[known])
        values[0][chosen] = np.where(found >= 0, found + self.first, -1)
        if probability is not None:
            values[1][chosen] = probability
        for (name, _), value in zip(self.columns, values, strict=False):
            out[name] = value
        return out


def _rows_to_fit(table, columns: tuple[str, ...], within: int | None, sample: int, seed: int) -> np.ndarray:
    """Rows of the columns that clusters are fitted on."""
    if within is not None:
        if "cluster" not in table.columns:
            raise ValueError(f"within={within}, but the particles are not clustered; call cluster_particles() first.")
        if isinstance(within, bool) or not isinstance(within, (int, np.integer)):
            raise ValueError(f"within={within!r}; expected the number of a cluster.")
    needed = [*columns, *(source for name in columns for source in DERIVED.get(name, ()))]
    needed += ["touches_border", *([] if within is None else ["cluster"])]
    needed = [name for name in dict.fromkeys(needed) if name in table.columns]
    if table._lazy:
        rows = _sampled_rows(table.data, needed, within, sample, seed)
    else:
        rows = np.concatenate([_part(part, needed, within) for part in table.data.ravel()])
    if within is not None and len(rows) == 0:
        raise ValueError(f"There is no particle in cluster {within}.")
    return rows


def _whole_particles(rows: np.ndarray) -> np.ndarray:
    """Rows without those that the border cuts, unless few are left."""
    if "touches_border" not in rows.dtype.names:
        return rows
    whole = ~rows["touches_border"]
    return rows[whole] if whole.sum() > max(len(rows) / 2, 1) else rows


def _part(rows: np.ndarray, names: list[str], within: int | None) -> np.ndarray:
    part = np.zeros(len(rows), [(name, rows.dtype[name]) for name in names])
    for name in names:
        part[name] = rows[name]
    return part if within is None else part[part["cluster"] == within]


def _sampled_rows(data: da.Array, names: list[str], within: int | None, sample: int, seed: int) -> np.ndarray:
    """Rows of blocks of a lazy table, in an order drawn by the seed, until there are enough."""
    blocks = list(np.ndindex(*data.numblocks))
    parts, count = [], 0
    for number in np.random.default_rng(seed).permutation(len(blocks)):
        block = data.blocks[blocks[number]].compute()
        parts += [_part(rows, names, within) for rows in block.ravel()]
        count += sum(len(rows) for rows in parts[-block.size :])
        if count >= sample:
            break
    rows = np.concatenate(parts)
    if len(rows) > sample:
        rows = rows[np.sort(np.random.default_rng(seed).choice(len(rows), sample, replace=False))]
    return rows


def _first_subcluster(table, within: int) -> int:
    """First free number after the parts of the other clusters."""
    known = table.metadata.get_item(f"{METADATA_NODE}.subclustering")
    records = known.as_dictionary() if known is not None else {}
    others = [record for name, record in records.items() if name != f"cluster_{within}"]
    return max((int(record["first"]) + int(record["n_clusters"]) for record in others), default=0)


def _record(scaling: Scaling, clustering: Clustering, stability: dict) -> dict:
    """What is recorded of clusters: lists and arrays, which HyperSpy can save."""
    sizes = np.bincount(clustering.labels[clustering.labels >= 0], minlength=clustering.n_clusters)
    record = {
        "n_clusters": clustering.n_clusters,
        "sizes": sizes.tolist(),
        "noise": int((clustering.labels < 0).sum()),
        "rows_fitted": len(clustering.fitted),
        "scaling": {
            "logarithm": [bool(log) for log in scaling.logs],
            "centre": scaling.centres.tolist(),
            "scale": scaling.scales.tolist(),
        },
        "parameters": clustering.fit.parameters,
    }
    if clustering.curve:
        record["curve"] = clustering.curve
    if stability:
        record["stability"] = stability
    if clustering.fit.diagram:
        labels = clustering.labels[clustering.fitted]
        record["diagram"] = {**clustering.fit.diagram, "labels": labels}
    return record


def _with_clusters(table, assign: AssignClusters, record: dict):
    units = {name: unit for name, unit in table.units.items() if name != "class" and name not in assign.replaced}
    own = table.metadata.get_item(METADATA_NODE).as_dictionary()
    own = {key: value for key, value in own.items() if key not in ("columns", "units")}
    if assign.within is None:
        own["clustering"] = record
        own.pop("subclustering", None)
    else:
        own["subclustering"] = {**own.get("subclustering", {}), f"cluster_{assign.within}": record}
    title = table.metadata.get_item("General.title", "")
    data = map_rows(assign, table.data)
    return make_table(data, navigation_axes(table), {**units, **{name: "" for name, _ in assign.columns}}, own, title)
