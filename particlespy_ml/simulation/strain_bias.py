"""The systematic error of strain from images: how far what is read from a simulated image is from its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.columns.fit.profiles import ColumnProfiles
from particlespy_ml.columns.fit.refine import refine_columns
from particlespy_ml.columns.refine_places import refine_places
from particlespy_ml.core.calibration import NANOMETRES
from particlespy_ml.counting.to_atoms import build_atoms
from particlespy_ml.crystals.relax import relax
from particlespy_ml.quality.noise import Noise
from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.simulation.recording.thermal import haadf_image, hrtem_images
from particlespy_ml.simulation.waves.haadf import HAADFMicroscope
from particlespy_ml.simulation.waves.single_columns import haadf_profiles, hrtem_profiles
from particlespy_ml.strain.deformation import NAMES
from particlespy_ml.strain.facets import facet_of_columns
from particlespy_ml.strain.layers import layers_from_surface
from particlespy_ml.strain.measure_strain import measure_strain

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms
    from hyperspy.signals import BaseSignal
    from numpy.typing import ArrayLike

METHODS = ("gaussians", "profiles")
HEIGHTS = ("best_count", "count", "height")  # columns of a table that tell numbers of atoms, the first that there is
WIDTH = 0.4  # Å, of Gaussians at first
SUMMARY = ("exx", "eyy", "exy", "planar")


@dataclass(frozen=True)
class StrainBias:
    """Strain that is read from a simulated image, beside that of its model.

    Parameters
    ----------
    columns
        One row for each column of the model: ``column``, its number in what was given; ``x``, ``y`` and ``height`` in
        Å and atoms; ``facet`` and ``layer``, see `facet_of_columns` and `layers_from_surface`; how far its place was
        read off, in Å, ``x_bias`` and ``y_bias``; and of exx, eyy, exy, rotation (degrees) and planar what is true,
        ``exx_true``, and what was read less that, ``exx_bias``. NaN where either has no strain.
    image
        In which it was read, without noise unless a dose was given.
    pixel_size
        Of the image in Å.
    method
        How places were read, one of `METHODS`.
    """

    columns: pd.DataFrame
    image: np.ndarray
    pixel_size: float
    method: str

    def to_dataframe(self) -> pd.DataFrame:
        """Return the table of columns."""
        return self.columns.copy()

    def summary(self, by: str = "facet") -> pd.DataFrame:
        """Return mean and rms of the bias of exx, eyy, exy and planar, and the mean of its size for planar.

        Parameters
        ----------
        by
            "facet" or "layer".

        Returns
        -------
        pandas.DataFrame
            One row for each facet or layer, and one for all: ``n`` columns that have a strain, ``exx_mean``,
            ``exx_rms`` and so on, ``planar_mean_size``.
        """
        import pandas as pd

        if by not in ("facet", "layer"):
            raise ValueError(f"by={by!r}; expected 'facet' or 'layer'.")
        groups = {name: group for name, group in self.columns.groupby(by)} | {"all": self.columns}
        return pd.DataFrame({name: _told(group) for name, group in groups.items()}).T.rename_axis(by)


def _told(group: pd.DataFrame) -> dict[str, float]:
    known = group[np.isfinite(group["planar_bias"])]
    found = {"n": len(known)}
    for name in SUMMARY:
        off = known[f"{name}_bias"].to_numpy()
        found[f"{name}_mean"] = float(off.mean()) if len(off) else np.nan
        found[f"{name}_rms"] = float(np.sqrt((off**2).mean())) if len(off) else np.nan
    off = known["planar_bias"].abs()
    return {**found, "planar_mean_size": float(off.mean()) if len(off) else np.nan}


def strain_bias(
    columns: BaseSignal | ArrayLike | Atoms,
    element: str,
    zone_axis: str,
    microscope: Optics | HAADFMicroscope,
    *,
    heights: ArrayLike | None = None,
    method: str = "gaussians",
    pixel_size: float | None = None,
    dose: float | None = None,
    relaxed: bool = True,
    lattice_constant: float | None = None,
    thermal_rms: float = 0.08,
    snapshots: int = 8,
    source_size: float = 0.0,
    seed: int = 0,
) -> StrainBias:
    """Tell how far strain from an image of a particle is from the strain of its columns, by simulation.

    A model is made of the columns and their heights, is relaxed, and its image is simulated, averaged over thermal
    motion. Places of columns are read from the image as they are from measured ones, and `measure_strain` takes them
    and the mean places of the model's atoms alike.

    Parameters
    ----------
    columns
        Column table of one frame with numbers of atoms, as after ``count_atoms()`` or of a network that tells heights;
        places (x, y) in Å, shape (n, 2), with *heights*; or an ASE model whose zone axis is along z, which is imaged as
        it is if *relaxed* is false.
    element
        Chemical symbol.
    zone_axis
        Such as "<110>".
    microscope
        The lens of an HRTEM image or the probe of an HAADF image.
    heights
        Number of atoms of each column, shape (n,); of a table by default ``best_count``, ``count`` or ``height``.
    method
        "gaussians": Gaussians at all columns, as `find_columns` fits them. "profiles": profiles of single columns of
        that height at these optics, see `refine_places`, which corrects most of the bias.
    pixel_size
        Of the simulated image in Å; by default that of the table's image, otherwise 0.2 Å.
    dose
        Electrons per Å² of shot noise; by default none.
    relaxed
        Relax the model by effective medium theory first.
    lattice_constant
        Of the model before that, in Å; by default that of the columns.
    thermal_rms
        Thermal displacement along each axis in Å.
    snapshots
        Number of thermal configurations; their mean places are the truth.
    source_size
        Full width at half maximum of the effective source of an HAADF image in Å.
    seed
        Of thermal motion and noise.

    Returns
    -------
    StrainBias

    Raises
    ------
    TypeError
        If the microscope is none.
    ValueError
        If the table has no numbers of atoms or several frames, or its columns form no lattice of the element along the
        zone axis: amorphous particles have no strain.
    ImportError
        If abTEM is missing.

    References
    ----------
    J. Madsen et al., Adv. Struct. Chem. Imaging 3, 14 (2017).
    """
    if not isinstance(microscope, (Optics, HAADFMicroscope)):
        raise TypeError(f"microscope of {type(microscope).__name__}; expected Optics or HAADFMicroscope.")
    if method not in METHODS:
        raise ValueError(f"Unknown method {method!r}; expected one of {', '.join(METHODS)}.")
    if snapshots < 1 or thermal_rms < 0:
        raise ValueError(
            f"snapshots={snapshots}, thermal_rms={thermal_rms}; expected one or more, and none below zero."
        )
    model, numbers, own_pixel = _model(columns, element, zone_axis, heights, lattice_constant)
    model = relax(model) if relaxed else model
    rng = np.random.default_rng(seed)
    places = model.positions - (model.positions.max(0) + model.positions.min(0)) / 2
    moved = places + thermal_rms * rng.normal(size=(snapshots, *places.shape))
    symbols = model.get_chemical_symbols()
    pixel = float(pixel_size or own_pixel or 0.2)
    if isinstance(microscope, Optics):
        image = hrtem_images(symbols, moved, [microscope], pixel)[0]
    else:
        image = haadf_image(symbols, moved, microscope, pixel, source_size=source_size)
    noise = None
    if dose is not None:
        image, noise = rng.poisson(image * dose * pixel**2) / (dose * pixel**2), Noise.of_dose(dose * pixel**2)
    column = model.arrays["column"]
    _, truth, counts = mean_places(moved, column)
    profiles = None
    if method == "profiles":
        settings = {"spacing": _spacing(places, column), "thermal_rms": thermal_rms, "seed": seed + 1}
        profiles = _profiles(element, counts, microscope, np.ptp(places[:, 2]), source_size, settings)
    read = read_places(image, truth, counts, pixel, profiles, noise)
    found = compare_strain(truth, read, model.info["structure"], model.info["zone_axis"])
    found.insert(0, "column", numbers)
    found.insert(3, "height", counts)
    return StrainBias(found, image, pixel, method)


def mean_places(snapshots: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return numbers, mean places (x, y) over atoms and snapshots, and numbers of atoms of columns.

    Parameters
    ----------
    snapshots
        Shape (m, n, 3).
    column
        Number of the column of each atom, shape (n,).
    """
    numbers, own = np.unique(column, return_inverse=True)
    counts = np.bincount(own)
    mean = snapshots.mean(0)
    places = np.column_stack([np.bincount(own, mean[:, axis]) / counts for axis in (0, 1)])
    return numbers, places, counts


def read_places(
    image: np.ndarray,
    places: np.ndarray,
    heights: np.ndarray,
    pixel_size: float,
    profiles: ColumnProfiles | None = None,
    noise: Noise | None = None,
    off: float = 0.0,
    seed: int = 0,
) -> np.ndarray:
    """Return places of columns as they are read from an image of a model, x and y in Å, shape (n, 2).

    Parameters
    ----------
    image
        Its middle is the origin of the places.
    places, heights
        Of the model, x and y in Å, shape (n, 2), and numbers of atoms.
    pixel_size
        In Å.
    profiles
        Of single columns; without them Gaussians are fitted.
    noise
        See `refine_places`.
    off
        Standard deviation in Å of where the fit starts.
    seed
        Of that.
    """
    middle = (np.array(image.shape) - 1) / 2
    first = places + off * np.random.default_rng(seed).normal(size=places.shape)
    start = first[:, ::-1] / pixel_size + middle
    if profiles is None:
        pixels = refine_columns(image, start, WIDTH / pixel_size, noise=noise).positions
    else:
        pixels = refine_places(image, start, heights, profiles, pixel_size, noise=noise).positions
    return (pixels - middle)[:, ::-1] * pixel_size


def compare_strain(truth: np.ndarray, read: np.ndarray, structure: str, zone_axis: str | Sequence[int]) -> pd.DataFrame:
    """Return the strain of true places, and how far that of places that were read is from it.

    Parameters
    ----------
    truth, read
        Places (x, y), shape (n, 2). The lattice constant of each is that at which it has no mean planar strain over the
        columns that both match.
    structure, zone_axis
        Of the template.

    Returns
    -------
    pandas.DataFrame
        Columns as of `StrainBias` without ``column`` and ``height``.
    """
    import pandas as pd

    template = (structure, zone_axis)
    both = np.ones(len(truth), bool)
    for places in (truth, read):
        both &= np.isfinite(measure_strain(places, template)["planar"].to_numpy())
    of_truth, of_read = (measure_strain(places, template, reference=both) for places in (truth, read))
    facet = facet_of_columns(of_truth, structure, zone_axis)
    rim = np.isfinite(of_truth["normal_x"].to_numpy())
    found = {"x": truth[:, 0], "y": truth[:, 1], "facet": facet, "layer": layers_from_surface(truth, rim)}
    found |= {"x_bias": read[:, 0] - truth[:, 0], "y_bias": read[:, 1] - truth[:, 1]}
    for name in NAMES:
        found[f"{name}_true"] = of_truth[name].to_numpy()
        found[f"{name}_bias"] = of_read[name].to_numpy() - of_truth[name].to_numpy()
    return pd.DataFrame(found)


def _profiles(element, counts, microscope, thickness: float, source_size: float, settings: dict) -> ColumnProfiles:
    if isinstance(microscope, Optics):
        highest = (counts.max() - 1) * settings["spacing"]
        return hrtem_profiles(element, heights=counts, optics=microscope, thickness=max(thickness, highest), **settings)
    return haadf_profiles(element, heights=counts, microscope=microscope, source_size=source_size, **settings)


def _spacing(places: np.ndarray, column: np.ndarray) -> float:
    """Median distance of the atoms of columns along the beam in Å; that of neighbours where no column has two."""
    order = np.lexsort((places[:, 2], column))
    steps, same = np.diff(places[order, 2]), np.diff(column[order]) == 0
    return float(np.median(steps[same])) if same.any() else 2.5


def _model(columns, element: str, zone_axis: str, heights, lattice_constant):
    """ASE atoms with their columns, the numbers of these in what was given, and the pixel size in Å, if any."""
    from ase import Atoms

    pixel = None
    if isinstance(columns, Atoms):
        return _seen_along_z(columns, element, zone_axis)
    if hasattr(columns, "axes_manager"):
        if columns.data.size != 1:
            raise ValueError(f"The table has {columns.data.size} frames; expected one, such as table.inav[0].")
        rows = columns.frame(0)[0]
        unit = 10 * NANOMETRES[columns.grid.units]
        pixel = unit * abs(columns.grid.scale[0])
        places = np.column_stack([rows["x"], rows["y"]]) * unit
        if heights is None:
            known = [name for name in HEIGHTS if name in rows.dtype.names]
            if not known:
                raise ValueError(f"The table has none of {', '.join(HEIGHTS)}; use count_atoms(), or give heights=.")
            heights = rows[known[0]]
    else:
        places = np.asarray(columns, float).reshape(-1, 2)
        if heights is None:
            raise ValueError("Places have no heights; give heights=, the number of atoms of each column.")
    heights = np.asarray(heights, int)
    if heights.shape != (len(places),):
        raise ValueError(f"heights of shape {heights.shape}; expected one for each of {len(places)} columns.")
    model = build_atoms(places, heights, element, zone_axis=zone_axis, lattice_constant=lattice_constant, snap=True)
    return model, np.unique(model.arrays["column"]), pixel


def _seen_along_z(atoms: Atoms, element: str, zone_axis: str):
    """A model and which column each atom belongs to, which it has as ``arrays["column"]`` or tells by its places."""
    from particlespy_ml.crystals.crystal import cubic_element
    from particlespy_ml.simulation.atoms.projected import project

    if set(atoms.get_chemical_symbols()) != {element}:
        raise ValueError(f"The model has {', '.join(sorted(set(atoms.get_chemical_symbols())))}; expected {element}.")
    model = atoms.copy()
    if "column" not in model.arrays:
        model.arrays["column"] = project(model.get_chemical_symbols(), model.positions).column
    model.info.update({"structure": cubic_element(element)[0], "zone_axis": zone_axis})
    return model, np.unique(model.arrays["column"]), None
