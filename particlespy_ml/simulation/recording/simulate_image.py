"""The function `simulate_image`: images of models, with the model and its columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft
from scipy import ndimage as ndi

from particlespy_ml.core.provenance import package_versions
from particlespy_ml.simulation.atoms.model_views import model_columns, view_matrix
from particlespy_ml.simulation.recording.camera import Camera
from particlespy_ml.simulation.recording.optics import Optics, image_intensity
from particlespy_ml.simulation.waves.dft_potential import DFTPotential, exit_wave_of_potential
from particlespy_ml.simulation.waves.exit_wave import simulate_exit_wave
from particlespy_ml.simulation.waves.haadf import HAADFMicroscope, simulate_haadf

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms
    from hyperspy.signals import Signal2D

NODE = "particlespy_ml.simulation"
_VACUUM = 8.0  # Å around the model


def exit_waves(
    models: Sequence[Atoms],
    matrix: np.ndarray,
    *,
    energy: float = 300e3,
    sampling: float = 0.15,
    slice_thickness: float = 2.0,
    thermal_rms: float = 0.0,
    phonons: int = 1,
    edge: float | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, float, np.ndarray]:
    """Return the exit waves of snapshots of a model, each with thermal configurations.

    Parameters
    ----------
    models
        Snapshots of the same atoms.
    matrix
        See `particlespy_ml.simulation.atoms.model_views.view_matrix`.
    energy, sampling, slice_thickness
        See `particlespy_ml.simulation.waves.exit_wave.simulate_exit_wave`.
    thermal_rms, phonons
        Displacement along each axis in Å, and number of configurations of each snapshot. Snapshots of dynamics have
        their own displacements: leave 0.
    edge
        Edge of the field in Å; by default that of the model and 16 Å.
    seed
        Of the displacements.

    Returns
    -------
    waves
        Shape (configurations, pixels, pixels).
    edge
        In Å.
    corner
        x and y in the coordinates of ``positions @ matrix.T`` of the first pixel, shape (2,).
    """
    rng = np.random.default_rng(seed)
    seen = [one.positions @ matrix.T for one in models]
    low = np.min([one[:, :2].min(0) for one in seen], axis=0)
    high = np.max([one[:, :2].max(0) for one in seen], axis=0)
    wanted = float((high - low).max()) + 2 * _VACUUM
    if edge is not None and edge < (high - low).max():
        raise ValueError(f"edge={edge} Å; expected the extent of the model of {(high - low).max():.1f} Å at least.")
    edge = wanted if edge is None else float(edge)
    corner = (low + high) / 2 - edge / 2
    symbols = np.array(models[0].get_chemical_symbols())
    waves = []
    for positions in seen:
        for _ in range(phonons if thermal_rms else 1):
            moved = positions - [*corner, 0]
            if thermal_rms:
                moved = moved + rng.normal(scale=thermal_rms, size=moved.shape)
            options = {"energy": energy, "sampling": sampling, "slice_thickness": slice_thickness}
            waves.append(simulate_exit_wave(symbols, moved, edge, **options))
    return np.stack(waves), edge, corner


def mean_intensity(waves: np.ndarray, edge: float, optics: Optics) -> np.ndarray:
    """Return the mean intensity of several waves, shape (2 n, 2 n); 1 is the empty beam."""
    return np.mean([image_intensity(wave, edge, optics) for wave in waves], axis=0)


def to_pixels(
    intensity: np.ndarray, period: float | tuple[float, float], pixel_size: float, edges: tuple | None = None
) -> np.ndarray:
    """Return an intensity in pixels of some size, averaged over their area, as many as fit into the field.

    Parameters
    ----------
    intensity
        Shape (rows, columns), periodic.
    period, pixel_size
        In Å; two periods where they differ along y and x. The middle of the first pixel is the first sample.
    edges
        Height and width of the field in Å; by default the period.
    """
    period = np.broadcast_to(np.asarray(period, float), 2)
    ky = fft.fftfreq(intensity.shape[0], period[0] / intensity.shape[0])[:, None]
    kx = fft.rfftfreq(intensity.shape[1], period[1] / intensity.shape[1])[None]
    area = fft.irfft2(fft.rfft2(intensity) * np.sinc(ky * pixel_size) * np.sinc(kx * pixel_size), s=intensity.shape)
    counts = [int(edge / pixel_size + 1e-6) for edge in (period if edges is None else edges)]
    points = [
        np.arange(count) * pixel_size * n / one for count, n, one in zip(counts, intensity.shape, period, strict=True)
    ]
    return ndi.map_coordinates(area, np.meshgrid(*points, indexing="ij"), order=3, mode="grid-wrap")


def simulate_image(
    models: Atoms | Sequence[Atoms] | DFTPotential,
    mode: str = "HRTEM",
    view: str | Sequence[float] = "profile",
    *,
    optics: Optics | HAADFMicroscope | None = None,
    pixel_size: float = 0.2,
    dose: float | None = None,
    camera: Camera | None = None,
    tilt: float = 0.0,
    azimuth: float = 0.0,
    turn: float = 0.0,
    thermal_rms: float | None = None,
    phonons: int = 1,
    sampling: float | None = None,
    slice_thickness: float = 2.0,
    edge: float | None = None,
    reference: Atoms | None = None,
    seed: int = 0,
) -> Signal2D:
    """Simulate the image of a model, or the mean image of its snapshots.

    Parameters
    ----------
    models
        A model, such as that of `particlespy_ml.simulation.supported_particle`, or snapshots of one, such as those of
        `particlespy_ml.simulation.run_dynamics`; or the potential that density functional theory found for a cell, from
        `particlespy_ml.simulation.gpaw_potential`, for HRTEM in plan view. Elsewhere atoms are independent of each
        other.
    mode
        "HRTEM": multislice of a plane wave, the optics of *optics*; "HAADF": PRISM of a probe.
    view
        See `particlespy_ml.simulation.atoms.model_views.view_matrix`, also for *tilt*, *azimuth* and *turn* in degrees.
    optics
        `particlespy_ml.simulation.recording.optics.Optics`, or for HAADF
        `particlespy_ml.simulation.waves.haadf.HAADFMicroscope`.
    pixel_size
        In Å.
    dose
        Electrons per Å². By default there is no noise, and the image is in fractions of the beam.
    camera
        For HRTEM with a dose; by default every electron is counted where it falls.
    thermal_rms, phonons
        Thermal displacement along each axis in Å and number of frozen phonon configurations of each snapshot; by
        default 0.08 Å for HAADF of a single model, and none otherwise: snapshots of dynamics have their own. A
        potential has no configurations and is blurred.
    sampling, slice_thickness
        Of the multislice calculation in Å; by default 0.15 Å, and 0.1 Å for HAADF, where it limits the angles.
    edge
        Edge of the field of HRTEM in Å; by default that of the model and 16 Å. Of a potential, as many whole cells as
        reach it; by default one.
    reference
        The model before it moved: says which atoms form a column.
    seed
        Of displacements and noise.

    Returns
    -------
    HRTEMImage or HAADFImage
        Calibrated in nm. Its metadata hold the model, what was simulated and the projected columns, which
        `true_columns` returns.

    Raises
    ------
    ValueError
        If mode or view is unknown, the snapshots are not of the same atoms, an argument is for HRTEM alone, or a
        potential is asked for what it cannot show.

    References
    ----------
    J. Madsen and T. Susi, Open Res. Eur. 1, 24 (2021).
    """
    of_cell = isinstance(models, DFTPotential)
    if of_cell:
        _check_potential(mode, view, tilt, turn, phonons)
        snapshots = [_whole_cells(models, edge)]
    else:
        snapshots = [models] if hasattr(models, "get_chemical_symbols") else list(models)
    if not snapshots or any(len(one) != len(snapshots[0]) for one in snapshots):
        raise ValueError("The snapshots are not of the same atoms; expected one model or snapshots of one.")
    if mode not in ("HRTEM", "HAADF"):
        raise ValueError(f"Unknown mode {mode!r}; expected HRTEM or HAADF.")
    if not pixel_size > 0 or (dose is not None and not dose > 0):
        raise ValueError(f"pixel_size={pixel_size}, dose={dose}; expected numbers above zero.")
    if mode == "HAADF" and (edge is not None or camera is not None):
        raise ValueError("edge= and camera= are for HRTEM; expected neither for HAADF.")
    if thermal_rms is None:
        thermal_rms = 0.08 if mode == "HAADF" and len(snapshots) == 1 else 0.0
    if sampling is None:
        sampling = 0.15 if mode == "HRTEM" else 0.1
    matrix = view_matrix(view, tilt, azimuth, turn)
    rng = np.random.default_rng([seed, 1])
    if mode == "HRTEM":
        optics = optics or Optics()
        options = {"sampling": sampling, "slice_thickness": slice_thickness, "thermal_rms": thermal_rms}
        if of_cell:
            image, corner = _of_potential(models, snapshots[0], optics, pixel_size, options), np.zeros(2)
        else:
            options |= {"energy": optics.energy, "phonons": phonons, "edge": edge, "seed": seed}
            waves, edge, corner = exit_waves(snapshots, matrix, **options)
            image = to_pixels(mean_intensity(waves, edge, optics), edge, pixel_size)
        if dose is not None:
            electrons = dose * pixel_size**2 * image
            image = camera.record(electrons, rng) if camera else rng.poisson(np.maximum(electrons, 0))
    else:
        optics = optics or HAADFMicroscope()
        options = {"sampling": sampling, "slice_thickness": slice_thickness, "thermal_rms": thermal_rms}
        image, corner = _haadf(snapshots, matrix, optics, pixel_size, phonons, seed, options)
        if dose is not None:
            image = rng.poisson(np.maximum(image, 0) * dose * pixel_size**2)
    told = {"mode": mode, "view": str(view), "tilt": tilt, "azimuth": azimuth, "turn": turn, "dose": dose or 0.0}
    told |= {
        "potential": "DFT" if of_cell else "independent atoms",
        "snapshots": len(snapshots),
        "thermal_rms": thermal_rms,
        "phonons": phonons,
        "seed": seed,
    }
    told |= {"optics": {key: float(value) for key, value in asdict(optics).items()}, "sampling": sampling}
    truth = _truth(snapshots, view_matrix(view, 0.0, 0.0, turn), matrix, corner, reference)
    return _signal(np.asarray(image, np.float32), mode, pixel_size, snapshots[0], told, truth)


def _check_potential(mode: str, view, tilt: float, turn: float, phonons: int) -> None:
    """Raise unless a potential can be seen like this."""
    if mode != "HRTEM" or view != "plan" or tilt or turn or phonons != 1:
        raise ValueError(
            f"The image of a potential with mode={mode!r}, view={view!r}, tilt={tilt}, turn={turn}, phonons={phonons}; "
            'expected HRTEM in "plan" view along z of the cell, without tilt, turn or phonons.'
        )


def _whole_cells(potential: DFTPotential, edge: float | None) -> Atoms:
    """The atoms of as many cells of a potential as reach an edge along x and y."""
    return potential.atoms.repeat([max(1, int(np.ceil((edge or 0) / one - 1e-6))) for one in potential.edges[:2]] + [1])


def _of_potential(
    potential: DFTPotential, atoms: Atoms, optics: Optics, pixel_size: float, options: dict
) -> np.ndarray:
    """Image of the cells of a potential that some atoms fill, without noise."""
    wave = exit_wave_of_potential(potential, energy=optics.energy, **options)
    period = potential.edges[1::-1]
    return to_pixels(image_intensity(wave, period, optics), period, pixel_size, tuple(np.diag(atoms.cell)[1::-1]))


def _haadf(snapshots, matrix, optics, pixel_size: float, phonons: int, seed: int, options: dict):
    """Mean image, and the corner of its field."""
    from ase import Atoms

    images = []
    seen = np.array([one.positions @ matrix.T for one in snapshots])
    field = seen.min((0, 1)), seen.max((0, 1))
    options = {**options, "scan_step": pixel_size, "frozen_phonons": phonons, "field": field}
    for number, positions in enumerate(seen):
        turned = Atoms(snapshots[0].get_chemical_symbols(), positions=positions)
        annuli, _ = simulate_haadf(turned, optics, seed=seed + number, **options)
        images.append(annuli.sum(0))
    size = np.array(images[0].shape[::-1]) * pixel_size
    return np.mean(images, axis=0), (field[0] + field[1])[:2] / 2 - size / 2


def _truth(snapshots, straight, matrix, corner, reference) -> dict:
    """Columns in nm, from the corner of the image."""
    columns, layers, spread = model_columns(snapshots, straight, None if reference is None else reference.positions)
    # where the columns lie in the image that is tilted
    positions = np.mean([one.positions for one in snapshots], axis=0) @ matrix.T
    places = (columns.moved(positions).places - corner) * 0.1
    return {
        "x": places[:, 0].tolist(),
        "y": places[:, 1].tolist(),
        "height": columns.heights.tolist(),
        "kind": [str(one) for one in columns.kinds],
        "layer": layers.tolist(),
        "spread": (0.1 * spread).tolist(),
    }


def _signal(image: np.ndarray, mode: str, pixel_size: float, model, told: dict, truth: dict):
    from hyperspy.signals import Signal2D

    signal = Signal2D(image)
    for axis, name in zip(signal.axes_manager.signal_axes, "xy", strict=True):
        axis.name, axis.scale, axis.units = name, 0.1 * pixel_size, "nm"
    signal.set_signal_type(mode)
    signal.metadata.set_item("General.title", model.get_chemical_formula())
    signal.metadata.set_item("Signal.quantity", "electrons" if told["dose"] else "fraction of the beam")
    atoms = {
        "symbols": model.get_chemical_symbols(),
        "positions": model.positions.ravel().tolist(),  # files keep flat lists as they are
        "cell": np.array(model.cell).ravel().tolist(),
        "tags": model.get_tags().tolist(),
    }
    built = model.info.get("supported", {})
    node = {**told, "model": atoms, "built": {key: str(value) for key, value in built.items()}, "columns": truth}
    signal.metadata.set_item(NODE, node | {"versions": package_versions()})
    return signal


def true_columns(signal: Signal2D) -> pd.DataFrame:
    """Return the columns of the model of a simulated image.

    Parameters
    ----------
    signal
        Image of `simulate_image`, as it was made or loaded from a file.

    Returns
    -------
    pandas.DataFrame
        ``x`` and ``y`` in nm, ``height`` in atoms, ``kind``, ``layer`` (from the interface, 0 for the support),
        ``spread`` of the atoms about the column in nm.

    Raises
    ------
    ValueError
        If the signal is no simulated image.
    """
    import pandas as pd

    columns = signal.metadata.get_item(f"{NODE}.columns")
    if columns is None:
        raise ValueError("The image holds no model; expected one of simulate_image.")
    values = columns.as_dictionary() if hasattr(columns, "as_dictionary") else dict(columns)
    return pd.DataFrame({key: np.asarray(value) for key, value in values.items()})


def true_model(signal: Signal2D) -> Atoms:
    """Return the model of a simulated image as ASE atoms.

    Parameters
    ----------
    signal
        Image of `simulate_image`.
    """
    from ase import Atoms

    held = signal.metadata.get_item(f"{NODE}.model")
    if held is None:
        raise ValueError("The image holds no model; expected one of simulate_image.")
    values = held.as_dictionary() if hasattr(held, "as_dictionary") else dict(held)
    positions, cell = (np.reshape(values[name], (-1, 3)) for name in ("positions", "cell"))
    return Atoms(list(values["symbols"]), positions=positions, cell=cell, tags=list(values["tags"]), pbc=(1, 1, 0))
