from .cluster import Clustering, cluster_stability, fit_clusters
from .cluster_particles import cluster_particles
from .measure_shape import measure_shape

__all__ = ["Clustering", "cluster_particles", "cluster_stability", "fit_clusters", "measure_shape"]
