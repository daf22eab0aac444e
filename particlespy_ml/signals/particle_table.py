"""Table of particles: a ragged signal with one structured array for each frame."""

from __future__ import annotations

import numpy as np
from hyperspy.signals import LazySignal

from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.signals._ragged_table import RaggedTable
from particlespy_ml.tables.classes import UNDEFINED


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

    def __getitem__(self, column: str) -> np.ndarray:
        """Return a column over all frames, shape (particles,) or, for outlines, (particles, points, 2)."""
        if column == "class" and column in self.columns:
            return self.class_names(self["class_index"])
        return super().__getitem__(column)

    def class_names(self, index) -> np.ndarray:
        """Return class names for values of ``class_index``."""
        return np.array([*self.classes, UNDEFINED], dtype=object)[np.asarray(index, dtype=int)]

    def to_dataframe(self, outline: bool = False):
        """Return one row for each particle of all frames.

        Parameters
        ----------
        outline
            Include the outlines, and other columns of vectors, as arrays.

        Returns
        -------
        pandas.DataFrame
            ``frame`` counts frames from 0; each navigation axis gives a column with its calibrated value. The units are
            in ``attrs["units"]``.
        """
        from particlespy_ml.tables.dataframe import to_dataframe

        return to_dataframe(self, outline)

    def as_classes(self, by: str = "cluster", names=None) -> ParticleTable:
        """Return the table with its clusters, or another column of whole numbers, as the classes of the particles.

        Everything that works by class then works by cluster: fractions, sequences, transitions, montages.

        Parameters
        ----------
        by
            The column; particles of a negative value are undefined.
        names
            A name for each value in ascending order; by default "cluster 0", "cluster 1", ...

        Returns
        -------
        ParticleTable
            The classes before are dropped. Where a cluster's probability is known the others share the rest evenly;
            otherwise it is 1.

        Raises
        ------
        ValueError
            If there is no such column, or not a name for each value.
        """
        from particlespy_ml.tables.dataframe import classes_by

        return classes_by(self, by, names)

    def _by(self, by: str) -> ParticleTable:
        """This table, or with the values of another column than the class as its classes."""
        return self if by == "class" else self.as_classes(by)

    def summary(self, confidence: float = 0.95, by: str = "class"):
        """Return a short report: counts, mean diameters and class fractions with intervals, and the undefined share.

        Parameters
        ----------
        confidence
            See `particlespy_ml.tables.summary.summarise`.
        by
            "class", or "cluster" or another column of whole numbers to take its values for classes.

        Returns
        -------
        pandas.DataFrame
        """
        from particlespy_ml.tables.summary import summarise

        return summarise(self._by(by), confidence)

    def merge_classes(self, groups: dict[str, tuple[str, ...]], min_probability: float | None = None) -> ParticleTable:
        """Return the table with some classes put together, such as two crystalline ones beside amorphous.

        Parameters
        ----------
        groups, min_probability
            See `particlespy_ml.tables.merge_classes.merge_classes`.
        """
        from particlespy_ml.tables.merge_classes import merge_classes

        return merge_classes(self, groups, min_probability)

    def class_fractions(self, per="frame", confidence: float = 0.95, by: str = "class"):
        """Return the fraction of each class, frame by frame, over the whole series or over its steps.

        Parameters
        ----------
        per
            "frame": one row for each frame with its navigation values, the number of particles, and a column for each
            class and for undefined particles; frames without particles have fractions that are NaN. "series": one row
            for each class with its fraction of all classified particles and frames, the bounds of its confidence
            interval, which knows how long particles keep their class, and the same corrected by the model's confusion
            matrix. Frames that are unevenly spaced in time have the weight of the time they stand for. Frames with
            several particles must be tracked for that. Otherwise rows for each step and class: the
            name of a navigation axis, such as "temperature", a number of frames for each step, or one value for each
            frame; see `particlespy_ml.dynamics.comparison.step_fractions`, and `compare_fractions` for several tables.
        confidence
            Confidence of the intervals.
        by
            "class", or "cluster" or another column of whole numbers to take its values for classes.

        Returns
        -------
        pandas.DataFrame
        """
        table = self._by(by)
        if isinstance(per, str) and per == "frame":
            from particlespy_ml.tables.dataframe import class_fractions

            return class_fractions(table)
        from particlespy_ml.dynamics.comparison import series_fractions, step_fractions

        if isinstance(per, str) and per == "series":
            return series_fractions(table, confidence)
        return step_fractions(table._computed(), per, confidence)

    def free_energy_differences(self, temperature: float, confidence: float = 0.95):
        """Return differences of free energy between classes from the fractions of time in a movie at equilibrium.

        Parameters
        ----------
        temperature, confidence
            See `particlespy_ml.dynamics.energies.free_energy_differences`.

        Returns
        -------
        pandas.DataFrame
        """
        from particlespy_ml.dynamics.energies import free_energy_differences

        return free_energy_differences(self, temperature, confidence)

    def track_particles(
        self, max_displacement: float | None = None, memory: int = 3, size_weight: float = 0.5, drift="auto"
    ):
        """Follow particles from frame to frame, also where the stage drifts or jumps.

        The shift that all particles have in common is found and removed before they are linked, so that a jump by more
        than the distance of neighbours does not make every track its neighbour's. Where it cannot be told, as after a
        jump among equal particles on a lattice, tracks end and a warning names the frames and the shifts.

        Parameters
        ----------
        max_displacement, memory, size_weight, drift
            See `particlespy_ml.particles.track_particles.link_particles`.

        Returns
        -------
        ParticleTable
            The table with a column ``track``. ``metadata.particlespy_ml.tracking`` holds the settings and what was
            removed: ``drift``, the place (x, y) of the field in each frame against the first, in the unit of ``x``,
            shape (frames, 2), NaN in frames without particles; and ``breaks``, the frames before which tracks end
            since the shift cannot be told. Drift counts from 0 again after a break.

        Raises
        ------
        ValueError
            If the table has more than one navigation axis, or a setting does not fit.

        Examples
        --------
        >>> import hyperspy.api as hs
        >>> import numpy as np
        >>> import particlespy_ml as pml
        >>> from scipy.ndimage import gaussian_filter
        >>> y, x = np.random.default_rng(1).uniform(20, 140, (2, 12)).astype(int)
        >>> frames = np.zeros((3, 200, 200))
        >>> for frame, jump in zip(frames, (0, 0, 30)):
        ...     frame[y, x + jump] = 1
        >>> movie = hs.signals.Signal2D(gaussian_filter(frames, (0, 2, 2)))
        >>> movie.axes_manager.signal_axes.set(scale=0.1, units="nm")
        >>> movie.set_signal_type("particle_image")
        >>> table = movie.measure_particles(movie.data > 0.01).track_particles()
        >>> table.metadata.particlespy_ml.tracking.drift.round(3).tolist()
        [[0.0, 0.0], [0.0, 0.0], [3.0, 0.0]]
        """
        from particlespy_ml.particles.track_particles import follow_particles
        from particlespy_ml.tables.dataframe import with_column

        if self.axes_manager.navigation_dimension > 1:
            raise ValueError(
                f"Particles are followed along one axis, but the table has {self.axes_manager.navigation_dimension}; "
                "choose a series with inav."
            )
        computed = self._computed()
        frames = computed._frames()
        tracks, found = follow_particles(frames, max_displacement, memory, size_weight, drift, self.units["x"])
        table = with_column(computed, "track", tracks, np.int32, "")
        settings = {
            "max_displacement": max_displacement or "",
            "memory": memory,
            "size_weight": size_weight,
            "drift": found.positions,
            "breaks": [one.frame for one in found.breaks],
        }
        table.metadata.set_item(f"{METADATA_NODE}.tracking", settings)
        return table

    def measure_shape(self, features=None, image=None, **kwargs):
        """Measure shape beyond `measure_particles`: Fourier descriptors, moments, radial profiles, embeddings.

        Parameters
        ----------
        features, image, **kwargs
            See `particlespy_ml.populations.measure_shape`.

        Returns
        -------
        ParticleTable or LazyParticleTable
        """
        from particlespy_ml.populations.measure_shape import measure_shape

        return measure_shape(self, features, image, **kwargs)

    def cluster_particles(
        self, columns=None, method: str = "gaussian_mixture", n_clusters: int | None = None, **kwargs
    ):
        """Sort the particles into populations by their size and shape, or by any other columns.

        Parameters
        ----------
        columns, method, n_clusters, **kwargs
            See `particlespy_ml.populations.cluster_particles`.

        Returns
        -------
        ParticleTable or LazyParticleTable
            With a column ``cluster``.
        """
        from particlespy_ml.populations.cluster_particles import cluster_particles

        return cluster_particles(self, columns, method, n_clusters, **kwargs)

    def class_sequence(self, smooth: bool = True):
        """Return the class of every particle in every frame of a movie, smoothed by a hidden Markov model.

        Parameters
        ----------
        smooth
            See `particlespy_ml.dynamics.sequences.class_sequence`.

        Returns
        -------
        pandas.DataFrame
        """
        from particlespy_ml.dynamics.sequences import class_sequence

        return class_sequence(self, smooth)

    def transitions(self, confidence: float = 0.95):
        """Return counts, dwell times, branching ratios and rates of transitions between classes in a movie.

        Parameters
        ----------
        confidence
            See `particlespy_ml.dynamics.sequences.transitions`.

        Returns
        -------
        particlespy_ml.dynamics.sequences.Transitions
        """
        from particlespy_ml.dynamics.sequences import transitions

        return transitions(self, confidence)

    def to_particle_list(self, image=None, labels=None):
        """Return a ParticleSpy ``particle_list``.

        Parameters
        ----------
        image, labels
            See `particlespy_ml.particles.particlespy_list.to_particle_list`.
        """
        from particlespy_ml.particles.particlespy_list import to_particle_list

        return to_particle_list(self._computed(), image, labels)

    @staticmethod
    def from_particle_list(particles, image) -> ParticleTable:
        """Return a table measured on the masks of a ParticleSpy ``particle_list``.

        Parameters
        ----------
        particles, image
            See `particlespy_ml.particles.particlespy_list.from_particle_list`.
        """
        from particlespy_ml.particles.particlespy_list import from_particle_list

        return from_particle_list(particles, image)

    def to_markers(self, label: str | None = "auto"):
        """Return HyperSpy markers of outlines and labels that follow the navigation.

        Parameters
        ----------
        label
            Column written beside each particle; None for outlines alone; by default the class where there is one.

        Returns
        -------
        list of hyperspy markers
            For ``image.add_marker(markers)``.
        """
        from particlespy_ml.plotting.markers import to_markers

        return to_markers(self._computed(), label)

    def plot_overlay(self, image, index=None, label: str | None = "auto", ax=None):
        """Draw outlines and labels over a frame, as a matplotlib figure.

        Parameters
        ----------
        image, index, label, ax
            See `particlespy_ml.plotting.overlay.plot_overlay`.
        """
        from particlespy_ml.plotting.overlay import plot_overlay

        return plot_overlay(image, self._computed(), index, label, ax)

    def plot_histogram(self, column: str, by: str | None = None, bins="auto", ax=None):
        """Draw a histogram of a column, stacked by class or another column where asked.

        Parameters
        ----------
        column, by, bins, ax
            See `particlespy_ml.plotting.table.plot_histogram`.
        """
        from particlespy_ml.plotting.table import plot_histogram

        return plot_histogram(self._computed(), column, by, bins, ax)

    def plot_scatter(self, x: str, y: str, by: str | None = None, ax=None):
        """Draw one column against another, coloured by class or another column where asked.

        Parameters
        ----------
        x, y, by, ax
            See `particlespy_ml.plotting.table.plot_scatter`.
        """
        from particlespy_ml.plotting.table import plot_scatter

        return plot_scatter(self._computed(), x, y, by, ax)

    def plot_class_fractions(self, per="frame", confidence: float = 0.95, ax=None, by: str = "class"):
        """Draw the fraction of each class over the series, stacked frame by frame or with intervals over its steps.

        Parameters
        ----------
        per, confidence, ax
            See `particlespy_ml.dynamics.plot_class_fractions.plot_class_fractions`.
        by
            "class", or "cluster" or another column of whole numbers to take its values for classes.
        """
        from particlespy_ml.dynamics.plot_class_fractions import plot_class_fractions

        return plot_class_fractions(self._by(by)._computed(), per, confidence, ax)

    def plot_class_sequence(self, smooth: bool | str = True, ax=None):
        """Draw the class of every particle over time, as one strip for each particle.

        Parameters
        ----------
        smooth, ax
            See `particlespy_ml.dynamics.plot_class_sequence.plot_class_sequence`.
        """
        from particlespy_ml.dynamics.plot_class_sequence import plot_class_sequence

        return plot_class_sequence(self._computed(), smooth, ax)

    def plot_montage(self, image, columns: int = 8, order: str = "random", box=None, seed: int = 0, by: str = "class"):
        """Draw particles of each class, or cluster, with their probabilities.

        Parameters
        ----------
        image, columns, order, box, seed, by
            See `particlespy_ml.stacks.plot_montage.plot_montage`.
        """
        from particlespy_ml.stacks.plot_montage import plot_montage

        return plot_montage(image, self._computed(), columns, order, box, seed, by)

    def plot_pairs(self, columns=None, by: str | None = "cluster", **kwargs):
        """Draw columns against each other in pairs, coloured by cluster, with their histograms.

        Parameters
        ----------
        columns, by, **kwargs
            See `particlespy_ml.plotting.pairs.plot_pairs`.
        """
        from particlespy_ml.plotting.pairs import plot_pairs

        return plot_pairs(self._computed(), columns, by, **kwargs)

    def plot_clustering(self, within: int | None = None, ax=None):
        """Draw what the clusters stand on: the score of each number, a dendrogram, reachabilities or distances.

        Parameters
        ----------
        within, ax
            See `particlespy_ml.plotting.clustering.plot_clustering`.
        """
        from particlespy_ml.plotting.clustering import plot_clustering

        return plot_clustering(self, within, ax)

    def plot_populations(self, image, by: str = "cluster", **kwargs):
        """Draw the aligned mean image of each cluster beside some of its particles.

        Parameters
        ----------
        image, by, **kwargs
            See `particlespy_ml.stacks.plot_populations.plot_populations`.
        """
        from particlespy_ml.stacks.plot_populations import plot_populations

        return plot_populations(image, self._computed(), by, **kwargs)


class LazyParticleTable(LazySignal, ParticleTable):
    """Lazy `ParticleTable`."""
