"""Example images."""

from __future__ import annotations

from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from particlespy_ml.counting.library import ColumnLibrary
    from particlespy_ml.signals.haadf import HAADFImage
    from particlespy_ml.signals.hrtem import HRTEMImage


_MEASURED = "example_data/experimental/example_Au_nanoparticle.emd"


def gold_on_carbon(lazy: bool = False) -> HAADFImage:
    """Return a simulated HAADF image of six Au particles on carbon.

    PRISM multislice at 300 kV with frozen phonons, 5000 e/Å², 0.04 nm a pixel. The metadata name the isomers
    (``metadata.Simulation``).

    Parameters
    ----------
    lazy
        Whether the image is lazy.

    Returns
    -------
    HAADFImage or LazyHAADFImage

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> pml.data.gold_on_carbon().data.shape
    (384, 384)
    """
    return _bundled("gold_on_carbon", "Simulated Au particles on carbon", [], lazy)


def isomer_movie(lazy: bool = True) -> HAADFImage:
    """Return a simulated HAADF movie of two Au particles, one of which changes between isomers.

    24 frames of 0.5 s, 3000 e/Å² a frame, 0.04 nm a pixel, with drift. The metadata name the isomers frame by frame
    (``metadata.Simulation``).

    Parameters
    ----------
    lazy
        Whether the movie is lazy.

    Returns
    -------
    LazyHAADFImage or HAADFImage

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> pml.data.isomer_movie().axes_manager.navigation_shape
    (24,)
    """
    time = {"name": "time", "scale": 0.5, "units": "s", "navigate": True}
    return _bundled("isomer_movie", "Simulated movie of two Au particles", [time], lazy)


def gold_hrtem(lazy: bool = False) -> HRTEMImage:
    """Return a simulated HRTEM image of Au particles on a film of amorphous carbon.

    Multislice at 300 kV, corrected microscope near focus, 5000 e/Å², 0.04 nm a pixel. The metadata name the class of
    every particle and its place (``metadata.Simulation``).

    Parameters
    ----------
    lazy
        Whether the image is lazy.

    Returns
    -------
    HRTEMImage or LazyHRTEMImage

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> pml.data.gold_hrtem().data.shape
    (450, 450)
    """
    return _bundled("gold_hrtem", "Simulated HRTEM image of Au particles on carbon", [], lazy, "HRTEM")


def columns_of_platinum(lazy: bool = False) -> HAADFImage:
    """Return a simulated HAADF image of a Pt particle along <011>, in fractions of the beam, and its true columns.

    A truncated octahedron of 1289 atoms that lost some of its surface. The image is incoherent: Gaussian columns with
    the cross-sections of `platinum_library` and 2 % scatter, 20000 e/Å², 0.02 nm a pixel. ``metadata.Simulation`` holds
    positions (x, y) in nm and numbers of atoms of the columns.

    Parameters
    ----------
    lazy
        Whether the image is lazy.

    Returns
    -------
    HAADFImage or LazyHAADFImage

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> sum(pml.data.columns_of_platinum().metadata.Simulation.counts)
    1260
    """
    return _bundled("columns_of_platinum", "Simulated Pt particle along <011>", [], lazy)


def decahedron_of_gold(lazy: bool = False) -> HAADFImage:
    """Return a simulated HAADF image, in electrons, of an Au decahedron along its axis: five domains that are strained.

    The atoms are at rest in effective medium theory. The image is incoherent: Gaussian columns, 10⁵ e/Å², 0.02 nm a
    pixel. ``metadata.Simulation`` holds the true positions (``x_nm``, ``y_nm``) and numbers of atoms of the columns.

    Parameters
    ----------
    lazy
        Whether the image is lazy.

    Returns
    -------
    HAADFImage or LazyHAADFImage

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> len(pml.data.decahedron_of_gold().metadata.Simulation.counts)
    221
    """
    return _bundled("decahedron_of_gold", "Simulated Au decahedron along its axis", [], lazy)


def columns_of_gold(lazy: bool = False) -> HRTEMImage:
    """Return a simulated HRTEM image of a twinned Au particle along <110> on carbon, 3 nm across.

    Multislice at 300 kV, corrected microscope, columns bright, 600 e/Å², 0.02 nm a pixel. The metadata say where the
    columns are and how many atoms they have (``metadata.Simulation``).

    Parameters
    ----------
    lazy
        Whether the image is lazy.

    Returns
    -------
    HRTEMImage or LazyHRTEMImage

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> max(pml.data.columns_of_gold().metadata.Simulation.heights)
    8
    """
    return _bundled("columns_of_gold", "Simulated HRTEM image of Au columns", [], lazy, "HRTEM")


def columns_of_ceria(lazy: bool = False) -> HRTEMImage:
    """Return a simulated HRTEM image of a surface of CeO2 along <110>.

    Multislice at 300 kV, corrected microscope, 2000 e/Å², 0.02 nm a pixel. The metadata say where the columns are, of
    which kind, and how many atoms they have (``metadata.Simulation``).

    Parameters
    ----------
    lazy
        Whether the image is lazy.

    Returns
    -------
    HRTEMImage or LazyHRTEMImage

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> sorted(set(pml.data.columns_of_ceria().metadata.Simulation.kinds))
    ['Ce', 'O']
    """
    return _bundled("columns_of_ceria", "Simulated HRTEM image of CeO2 columns", [], lazy, "HRTEM")


def focal_series_of_gold(lazy: bool = False) -> HRTEMImage:
    """Return three simulated HRTEM images of an Au particle along <110>, 13 nm apart in focus, which drifted.

    Multislice at 300 kV, corrected microscope, 3300 e/Å² each, 0.02 nm a pixel, a navigation axis ``defocus`` in nm.
    The metadata say where the columns are in the middle image and how many atoms they have (``metadata.Simulation``).

    Parameters
    ----------
    lazy
        Whether the series is lazy.

    Returns
    -------
    HRTEMImage or LazyHRTEMImage

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> pml.data.focal_series_of_gold()
    <HRTEMImage, title: Simulated focal series of Au columns, dimensions: (3|200, 200)>
    """
    axis = {"name": "defocus", "scale": 13.0, "offset": -4.0, "units": "nm", "navigate": True}
    return _bundled("focal_series_of_gold", "Simulated focal series of Au columns", [axis], lazy, "HRTEM")


def sheet_of_graphene(lazy: bool = False) -> HRTEMImage:
    """Return a simulated HRTEM image of a sheet of graphene with a grain boundary, holes and adatoms.

    Multislice at 80 kV, corrected microscope, atoms bright, 10,000 e/Å², 0.016 nm a pixel. The metadata say where the
    atoms are (``metadata.Simulation``).

    Parameters
    ----------
    lazy
        Whether the image is lazy.

    Returns
    -------
    HRTEMImage or LazyHRTEMImage

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> pml.data.sheet_of_graphene().metadata.Simulation.kinds.count("adatom")
    2
    """
    return _bundled("sheet_of_graphene", "Simulated HRTEM image of graphene", [], lazy, "HRTEM")


def platinum_library() -> ColumnLibrary:
    """Return the cross-sections of columns of 1 to 20 atoms of `columns_of_platinum`.

    Returns
    -------
    particlespy_ml.counting.ColumnLibrary

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> len(pml.data.platinum_library())
    20
    """
    from particlespy_ml.counting.library import load_library

    return load_library(str(files("particlespy_ml.data") / "platinum_library.json"))


def measured_gold_path() -> Path:
    """Return the file of the measured Au image that the PyPI package temul-toolkit carries.

    Raises
    ------
    FileNotFoundError
        If the package is not installed.
    """
    spec = find_spec("temul")
    path = Path(next(iter(spec.submodule_search_locations))) / _MEASURED if spec else None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            "The measured image comes with the package temul-toolkit: `pip install --no-deps temul-toolkit==0.1.9`."
        )
    return path


def measured_gold(lazy: bool = True) -> HAADFImage:
    """Return a measured HAADF image of Au particles: one whole, others cut by the border.

    2048 x 2048 pixels of 0.0075 nm, Titan, 300 kV, from the package temul-toolkit.

    Parameters
    ----------
    lazy
        Whether the image is lazy.

    Returns
    -------
    LazyHAADFImage or HAADFImage

    References
    ----------
    E. O'Connell et al., TEMUL Toolkit, https://pypi.org/project/temul-toolkit/ (GPL-3).
    """
    import hyperspy.api as hs

    return hs.load(measured_gold_path(), signal_type="HAADF", lazy=lazy)


def _bundled(name: str, title: str, navigation: list[dict], lazy: bool, signal_type: str = "HAADF"):
    """A bundled simulation as a calibrated signal."""
    import json

    from hyperspy.signals import Signal2D

    with np.load(str(files("particlespy_ml.data") / f"{name}.npz"), allow_pickle=False) as file:
        data, truth = file["data"], json.loads(str(file["truth"]))
    axes = [{**axis, "size": size} for axis, size in zip(navigation, data.shape, strict=False)]
    for letter, size in zip("yx", data.shape[-2:], strict=True):
        axes.append({"name": letter, "size": size, "scale": truth["pixel_size_nm"], "units": "nm", "navigate": False})
    signal = Signal2D(data, axes=axes)
    signal.metadata.General.title = title
    signal.metadata.set_item("Simulation", truth)
    signal.set_signal_type(signal_type)
    return signal.as_lazy() if lazy else signal
