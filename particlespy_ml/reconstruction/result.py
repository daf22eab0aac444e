"""What a reconstruction gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.files import replacing

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Reconstruction:
    """A volume, what it was made of and how far it can be trusted.

    Parameters
    ----------
    volume
        Calibrated signal: slices (y, x) along z.
    half_maps
        The same of two halves of the particles; a navigation axis "half" comes first.
    fsc
        Fourier shell correlation of the half maps: columns ``frequency`` (1 / unit of length), ``resolution`` and
        ``correlation``.
    resolution
        Where the correlation falls below the criterion, in the volume's unit of length. The correlation says how alike
        halves of the data are, not that they are right: both may share a wrong symmetry or a wrong start.
    poses
        One row for each particle: rot, tilt and psi as RELION's in degrees, shift_x and shift_y of the particle from
        the middle of its image, score, half, particle (its place in the stack) and used (whether it is in the volume).
    point_group
        Point group that was imposed.
    log
        One row for each iteration.
    """

    volume: object
    half_maps: object
    fsc: pd.DataFrame
    resolution: float
    poses: pd.DataFrame
    point_group: str
    log: pd.DataFrame

    @property
    def units(self) -> str:
        """Unit of length."""
        return str(self.volume.axes_manager.signal_axes[0].units)

    @property
    def rotations(self) -> np.ndarray:
        """Poses as rotations, shape (particles, 3, 3)."""
        from particlespy_ml.reconstruction.rotations import from_euler

        return from_euler(self.poses[["rot", "tilt", "psi"]].to_numpy())

    def save_mrc(self, filename: str | Path, overwrite: bool = False) -> None:
        """Write the volume as .mrc, and its half maps beside it as NAME_half1.mrc and NAME_half2.mrc.

        Parameters
        ----------
        filename
            Name that ends in .mrc.
        overwrite
            Replace files that exist.

        Raises
        ------
        FileExistsError
            If a file exists and is not to be replaced.
        """
        from particlespy_ml.reconstruction.mrc import write_mrc

        path = Path(filename)
        if path.suffix != ".mrc":
            raise ValueError(f"Expected a name that ends in .mrc, not {path.name}.")
        halves = [path.with_name(f"{path.stem}_half{n}.mrc") for n in (1, 2)]
        found = [p for p in (path, *halves) if p.exists()]
        if found and not overwrite:
            raise FileExistsError(f"{', '.join(map(str, found))}: give overwrite=True to replace.")
        pixel = self.volume.axes_manager.signal_axes[0].scale * _angstrom(self.units)
        for target, data in zip((path, *halves), (self.volume.data, *self.half_maps.data), strict=True):
            with replacing(target) as part:
                write_mrc(part, data, pixel)

    def plot_fsc(self, criterion: float = 0.143, ax=None, figsize=None):
        """Draw the Fourier shell correlation.

        Parameters
        ----------
        criterion, ax, figsize
            See `particlespy_ml.plotting.volume.plot_fsc`.
        """
        from particlespy_ml.plotting.volume import plot_fsc

        return plot_fsc(self, criterion, ax, figsize)

    def plot_slices(self, scale_bar: bool = True, cmap="gray", axes=None, figsize=None):
        """Draw the three middle slices.

        Parameters
        ----------
        scale_bar, cmap, axes, figsize
            See `particlespy_ml.plotting.volume.plot_slices`.
        """
        from particlespy_ml.plotting.volume import plot_slices

        return plot_slices(self, scale_bar, cmap, axes, figsize)

    def plot_surface(self, level: float | None = None, ax=None, figsize=None):
        """Draw the surface of the volume, rendered.

        Parameters
        ----------
        level, ax, figsize
            See `particlespy_ml.plotting.volume.plot_surface`.
        """
        from particlespy_ml.plotting.volume import plot_surface

        return plot_surface(self, level, ax, figsize)

    def __repr__(self) -> str:
        return (
            f"<Reconstruction of {len(self.poses)} particles, {self.point_group}, "
            f"resolution {self.resolution:.3g} {self.units}>"
        )


def _angstrom(units: str) -> float:
    from particlespy_ml.core.calibration import NANOMETRES

    return 10 * NANOMETRES[units]
