from .cluster import Clustering, cluster_stability, fit_clusters
from .measure_shape import measure_shape
from .stack import align_particles, class_averages
from .verbs import cluster_particles

__all__ = [
    "Clustering",
    "align_particles",
    "class_averages",
    "cluster_particles",
    "cluster_stability",
    "fit_clusters",
    "measure_shape",
]
