"""Table of particles: a ragged signal with one structured array for each frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hyperspy.signals import LazySignal

from particlespy_ml.dynamics.class_fractions import class_fractions
from particlespy_ml.dynamics.energies import free_energy_differences
from particlespy_ml.dynamics.plot_class_fractions import plot_class_fractions
from particlespy_ml.dynamics.plot_class_sequence import plot_class_sequence
from particlespy_ml.dynamics.sequences import class_sequence, transitions
from particlespy_ml.particles.particlespy_list import from_particle_list, to_particle_list
from particlespy_ml.particles.track_particles import track_particles
from particlespy_ml.plotting.clustering import plot_clustering
from particlespy_ml.plotting.markers import to_markers
from particlespy_ml.plotting.overlay import plot_overlay
from particlespy_ml.plotting.pairs import plot_pairs
from particlespy_ml.plotting.table import plot_histogram, plot_scatter
from particlespy_ml.populations.cluster_particles import cluster_particles
from particlespy_ml.populations.measure_shape import measure_shape
from particlespy_ml.signals._ragged_table import RaggedTable
from particlespy_ml.stacks.plot_montage import plot_montage
from particlespy_ml.stacks.plot_populations import plot_populations
from particlespy_ml.tables.as_classes import as_classes
from particlespy_ml.tables.classes import UNDEFINED
from particlespy_ml.tables.fit_sizes import fit_sizes
from particlespy_ml.tables.merge_classes import merge_classes
from particlespy_ml.tables.summary import summary
from particlespy_ml.tables.unusual_frames import unusual_frames

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class ParticleTable(RaggedTable):
    """Particles of an image or a series: one structured array for each frame, one row for each particle.

    The navigation axes (time, temperature, tilt, ...) are those of the images. Units of the columns, the classes and
    the provenance are in ``metadata.particlespy_ml``.
    """

    _signal_type = "particle_table"
    _rows_are = "particles"

    @property
    def columns(self) -> list[str]:
        """Names of the columns; "class" comes last where particles are classified."""
        names = super().columns
        return [*names, "class"] if "class_index" in names else names

    @property
    def n_particles(self) -> int:
        """Number of particles in all frames."""
        return self.n_rows

    def __getitem__(self, column: str | ArrayLike | slice):
        """Return a column over all frames, shape (particles,) or (particles, points, 2), or the table of some rows."""
        if isinstance(column, str) and column == "class" and column in self.columns:
            return self.class_names(self["class_index"])
        return super().__getitem__(column)

    def class_names(self, index: ArrayLike) -> np.ndarray:
        """Return class names for values of ``class_index``."""
        return np.array([*self.classes, UNDEFINED], dtype=object)[np.asarray(index, dtype=int)]

    summary = summary
    fit_sizes = fit_sizes
    as_classes = as_classes
    unusual_frames = unusual_frames
    merge_classes = merge_classes
    track_particles = track_particles
    class_fractions = class_fractions
    class_sequence = class_sequence
    transitions = transitions
    free_energy_differences = free_energy_differences
    measure_shape = measure_shape
    cluster_particles = cluster_particles
    to_particle_list = to_particle_list
    from_particle_list = staticmethod(from_particle_list)
    to_markers = to_markers
    plot_overlay = plot_overlay
    plot_histogram = plot_histogram
    plot_scatter = plot_scatter
    plot_pairs = plot_pairs
    plot_clustering = plot_clustering
    plot_class_fractions = plot_class_fractions
    plot_class_sequence = plot_class_sequence
    plot_montage = plot_montage
    plot_populations = plot_populations


class LazyParticleTable(LazySignal, ParticleTable):
    """Lazy `ParticleTable`."""
