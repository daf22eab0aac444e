from .cluster import Clustering, cluster_stability, fit_clusters
from .measure_shape import measure_shape
from .verbs import cluster_particles

__all__ = ["Clustering", "cluster_particles", "cluster_stability", "fit_clusters", "measure_shape"]
