"""Table of atomic columns: a ragged signal with one structured array for each frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hyperspy.signals import LazySignal

from particlespy_ml.columns.mean_columns import mean_columns
from particlespy_ml.columns.sublattice import from_sublattice
from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.counting.count_atoms import count_atoms
from particlespy_ml.counting.count_atoms_in_series import count_atoms_in_series
from particlespy_ml.counting.plot_mixture import plot_mixture
from particlespy_ml.counting.to_atoms import to_atoms
from particlespy_ml.counting.total_counts import total_counts
from particlespy_ml.dynamics.surface_dynamics import surface_dynamics
from particlespy_ml.plotting.columns import plot_columns, plot_counts
from particlespy_ml.plotting.strain import plot_strain, plot_strain_arrows
from particlespy_ml.plotting.strain_profiles import plot_rotations, plot_strain_layers, plot_strain_profile
from particlespy_ml.plotting.table import plot_histogram, plot_scatter
from particlespy_ml.signals._ragged_table import RaggedTable
from particlespy_ml.strain.layers import strain_by_layer
from particlespy_ml.strain.measure_strain import measure_strain

if TYPE_CHECKING:
    from atomap.sublattice import Sublattice
    from hyperspy.signals import Signal2D


class ColumnTable(RaggedTable):
    """Atomic columns of an image or a series: one structured array for each frame, one row for each column.

    Positions, volumes (scattering cross-sections in units of the image times an area), widths and their standard
    errors; after `count_atoms` the number of atoms of each column (``count``), or its best guess where it is not
    certain enough (``best_count``). What is wrong with a column is in ``flags``.
    """

    _signal_type = "column_table"
    _rows_are = "columns"

    @property
    def n_columns(self) -> int:
        """Number of atomic columns in all frames."""
        return self.n_rows

    @property
    def grid(self) -> PixelGrid:
        """Calibration of the image that the columns are of."""
        return PixelGrid.from_dict(self.metadata.get_item(f"{METADATA_NODE}.image").as_dictionary())

    def describe_flags(self) -> list[str]:
        """Return what is wrong with each column, in words; empty where nothing is."""
        from particlespy_ml.columns.flags import describe_flags

        return [describe_flags(flags) for flags in self["flags"]]

    count_atoms = count_atoms
    count_atoms_in_series = count_atoms_in_series
    total_counts = total_counts
    to_atoms = to_atoms
    mean_columns = mean_columns
    measure_strain = measure_strain
    strain_by_layer = strain_by_layer
    surface_dynamics = surface_dynamics
    plot_columns = plot_columns
    from_sublattice = staticmethod(from_sublattice)
    plot_counts = plot_counts
    plot_mixture = plot_mixture
    plot_strain = plot_strain
    plot_strain_arrows = plot_strain_arrows
    plot_strain_profile = plot_strain_profile
    plot_strain_layers = plot_strain_layers
    plot_rotations = plot_rotations
    plot_histogram = plot_histogram
    plot_scatter = plot_scatter

    def to_sublattice(self, image: Signal2D, index: int = 0) -> Sublattice:
        """Return the columns of a frame as an atomap ``Sublattice``.

        Parameters
        ----------
        image
            The image or series that the columns are of.
        index
            Number of the frame.
        """
        from particlespy_ml.columns.sublattice import to_sublattice
        from particlespy_ml.core.frames import frames_array

        rows, where = self.frame(index)
        return to_sublattice(np.asarray(frames_array(image)[where]), rows, self.grid)

    def frame(self, index: int = 0) -> tuple[np.ndarray, tuple[int, ...]]:
        """Return the rows of a frame, and its place in the data.

        Parameters
        ----------
        index
            Number of the frame, as in the column ``frame`` of `to_dataframe`.
        """
        frames = self._frames()
        if not -len(frames) <= index < len(frames):
            raise ValueError(f"There is no frame {index}; expected a number from 0 to {len(frames) - 1}.")
        where = np.unravel_index(index % len(frames), self.data.shape)
        return frames[index], tuple(int(i) for i in where)


class LazyColumnTable(LazySignal, ColumnTable):
    """Lazy `ColumnTable`."""
