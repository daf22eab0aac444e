"""What clusters stand on: scores of their number, dendrograms, reachabilities and distances."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.plotting.colours import UNDEFINED_COLOUR, cluster_colour
from particlespy_ml.plotting.table import _axes, legend_beside

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal
    from matplotlib.axes import Axes

INK, FAINT = "#333333", "#999999"
LEAVES = 60  # of a dendrogram at most
SCORES = {
    "BIC": "Bayesian information criterion\n(lower is better)",
    "ICL": "Integrated completed likelihood\n(lower is better)",
    "gap": "Gap statistic",
}


def plot_clustering(
    table: BaseSignal,
    within: int | None = None,
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
) -> Axes:
    """Draw what the clusters of a table stand on.

    For agglomerative clustering the dendrogram; for OPTICS and HDBSCAN the reachability of the particles in their
    order, in which clusters are valleys; for DBSCAN the sorted distances and its reach; for the others the score of
    each number of clusters, the one that was taken marked. For the mixture the score is that of the components, which
    are then merged to clusters.

    Parameters
    ----------
    table
        Table after `cluster_particles`.
    within
        The cluster whose parts are meant; by default the clusters of all particles.
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
        If the particles are not clustered, or their number was given, so that there is no score to draw.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> table = pml.data.gold_on_carbon().measure_particles()
    >>> table.cluster_particles(method="agglomerative", n_clusters=2, resamples=0).plot_clustering().get_ylabel()
    'Distance of the merged clusters'
    """
    node = "clustering" if within is None else f"subclustering.cluster_{within}"
    record = table.metadata.get_item(f"{METADATA_NODE}.{node}")
    if record is None:
        what = "The particles are" if within is None else f"Cluster {within} is"
        raise ValueError(f"{what} not clustered; call cluster_particles() first.")
    record = record.as_dictionary()
    diagram, curve = record.get("diagram", {}), record.get("curve", {})
    if not diagram and not curve:
        raise ValueError(
            f"The number of clusters was given, {record['n_clusters']}, so {record['method']!r} has no score to draw; "
            "call cluster_particles() without n_clusters."
        )
    ax = _axes(ax, figsize)
    first = int(record.get("first", 0))
    if "linkage" in diagram:
        _draw_dendrogram(ax, np.asarray(diagram["linkage"], float), np.asarray(diagram["labels"]) + first)
    elif "reachability" in diagram:
        _draw_reachability(ax, diagram, first)
    elif curve["name"] == "distance":
        _draw_distances(ax, np.asarray(curve["scores"], float), float(record["parameters"]["eps"]))
    else:
        clusters = int(record["n_clusters"])
        _draw_scores(ax, curve, int(record["parameters"].get("components", clusters)), clusters)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _draw_scores(ax, curve: dict, chosen: int, clusters: int) -> None:
    from matplotlib.ticker import MaxNLocator

    numbers, scores = np.asarray(curve["numbers"]), np.asarray(curve["scores"], float)
    errors = np.asarray(curve.get("errors", np.zeros(len(scores))), float)
    if errors.any():
        ax.fill_between(numbers, scores - errors, scores + errors, color=FAINT, alpha=0.25, linewidth=0)
    ax.plot(numbers, scores, "o-", color=INK, markersize=4, linewidth=1.4)
    taken = numbers == chosen
    if taken.any():
        ax.plot(numbers[taken], scores[taken], "o", markersize=9, color=cluster_colour(5), zorder=3)
        style = {"xytext": (0, 14 if scores[taken][0] < scores.mean() else -20), "textcoords": "offset points"}
        text = f"{chosen}" if chosen == clusters else f"{chosen}, merged to {clusters}"
        ax.annotate(text, (chosen, scores[taken][0]), ha="center", color=cluster_colour(5), **style)
    of = "components" if curve["name"] == "BIC" else "clusters"
    ax.set(xlabel=f"Number of {of}", ylabel=SCORES.get(curve["name"], curve["name"]))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.margins(y=0.15)


def _draw_dendrogram(ax, tree: np.ndarray, labels: np.ndarray) -> None:
    """The last merges, each coloured by the cluster that it is inside of; those between clusters are dark."""
    from scipy.cluster.hierarchy import dendrogram

    rows = len(tree) + 1
    own = np.empty(2 * rows - 1, int)  # cluster of each node, or -2 where it joins two
    own[:rows] = labels
    for i, (a, b) in enumerate(tree[:, :2].astype(int)):
        own[rows + i] = own[a] if own[a] == own[b] else -2
    colours = {node: cluster_colour(own[node]) if own[node] != -2 else INK for node in range(2 * rows - 1)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of limits, where all particles are alike
        dendrogram(
            tree,
            truncate_mode="lastp" if rows > LEAVES else None,
            p=LEAVES,
            no_labels=True,
            link_color_func=colours.__getitem__,
            above_threshold_color=INK,
            ax=ax,
        )
    clusters = np.unique(labels[labels >= 0])
    inside = [tree[i, 2] for i in range(len(tree)) if own[rows + i] != -2]
    between = tree[own[rows:] == -2, 2]
    if len(between) and len(inside):
        ax.axhline((between.min() + max(inside)) / 2, color=FAINT, linestyle=(0, (4, 3)), linewidth=1)
    lines = {
        f"{number}: {np.sum(labels == number)}": ax.plot([], [], color=cluster_colour(number))[0] for number in clusters
    }
    ax.set(xlabel="Particles" if rows <= LEAVES else f"Particles, in {LEAVES} groups")
    ax.set_ylabel("Distance of the merged clusters")
    ax.set_ylim(bottom=0)
    legend_beside(ax, lines, "Cluster: particles")


def _draw_reachability(ax, diagram: dict, first: int) -> None:
    reach = np.asarray(diagram["reachability"], float)
    labels = np.asarray(diagram["labels"])[np.asarray(diagram["order"], int)]
    finite = reach[np.isfinite(reach)]
    top = finite.max() if len(finite) else 1.0
    reach = np.where(np.isfinite(reach), reach, top)
    position = np.arange(len(reach))
    areas = {}
    for number in [*np.unique(labels[labels >= 0]), -1]:
        mask = labels == number
        if mask.any():
            colour = cluster_colour(number + first) if number >= 0 else UNDEFINED_COLOUR
            name = f"{number + first}: {mask.sum()}" if number >= 0 else f"none: {mask.sum()}"
            height = np.where(mask, reach, 0)
            areas[name] = ax.fill_between(position, 0, height, step="mid", color=colour, linewidth=0)
    ax.set(xlabel="Particles, in the order of their reach", ylabel="Reachability (scaled units)")
    ax.set_ylim(0, min(top, 3 * np.quantile(reach, 0.98)) or 1)  # zero where all particles are alike
    ax.margins(x=0)
    legend_beside(ax, areas, "Cluster: particles")


def _draw_distances(ax, distances: np.ndarray, eps: float) -> None:
    share = np.linspace(0, 1, len(distances))
    ax.plot(share, distances, color=INK, linewidth=1.4)
    ax.axhline(eps, color=cluster_colour(5), linestyle=(0, (4, 3)), linewidth=1)
    ax.annotate(
        f"eps = {eps:.2g}", (0.02, eps), xytext=(0, 4), textcoords="offset points", color=cluster_colour(5), fontsize=9
    )
    ax.set(xlabel="Fraction of particles", ylabel="Distance to the neighbour (scaled units)", xlim=(0, 1))
    ax.set_ylim(bottom=0)
