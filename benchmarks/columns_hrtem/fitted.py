"""Places and numbers of atoms by a fit of the lens and of the waves behind columns, beside the network's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hyperspy.signals import Signal2D
from joblib import Parallel, delayed
from scipy.spatial import cKDTree

from benchmarks.columns_hrtem import images
from benchmarks.columns_hrtem.ceria import OPTICS, OVERFOCUS
from particlespy_ml.crystals.crystal import CERIA
from particlespy_ml.simulation.fit_columns import HIGHEST, NOMINAL, WAVES, column_library, fit_columns
from particlespy_ml.simulation.waves.tilted_columns import tilted_columns

DOSES = (1e3, 1e4)
SERIES_DOSES = (3e3, 1e4)
CERIA_DOSES = (500.0, 2000.0, 1e4)
_MATCH = 0.05  # nm
_LATTICE = 4.078  # Å
_LONG = replace(images.LONG_GOLD, held_out_films=0.0)
SETS = {  # fields of which nothing was tried before: tilts, films, and their seeds
    "tilt up to 1 degree": replace(_LONG, tilt=1.0, seed=7061),
    "tilt up to 2 degrees": replace(_LONG, seed=7062),
    "on film, tilt up to 2 degrees": replace(_LONG, held_out_films=1.0, seed=7063),
}


def print_fitted(folder, count: int) -> None:
    """Rms of places less their mean, heights exact and within one, and how sure they are, of single images."""
    libraries = {
        zone: tilted_columns("Au", step * _LATTICE, HIGHEST) for zone, step in (("<110>", 0.5**0.5), ("<001>", 1.0))
    }
    where = images.fields(folder, "gold", images.GOLD, count)
    print(f"Au, {count} structures, one image each, lens unknown; network and fits of it")
    for dose in DOSES:
        recorded = images.recordings(where, count, dose, images.MICROSCOPE)
        for waves in WAVES:
            found = Parallel(n_jobs=-1)(
                delayed(_compared)(seen, told["zone_axis"], libraries[told["zone_axis"]], waves=waves)
                for seen, told in recorded
            )
            for group in ("", "film"):
                own = [one for one, (_, told) in zip(found, recorded, strict=True) if bool(told["film"]) == bool(group)]
                if own:
                    print(f"  {dose:6g} e/Å², {group or 'vacuum':6}, waves={waves!r}: {_told(own)}", flush=True)


def print_fitted_series(folder, count: int) -> None:
    """The same of focal series, the waves of all columns of a particle together."""
    library = tilted_columns("Au", 0.5**0.5 * _LATTICE, HIGHEST)
    print(f"Au <110>, {count} structures of each row, three images each, lens unknown; network and fit of it")
    for name, recipe in SETS.items():
        where = images.fields(folder, f"series, {name}", recipe, count)
        for dose in SERIES_DOSES:
            seen = images.recordings(where, count, dose, images.SERIES)
            found = Parallel(n_jobs=-1)(delayed(_compared)(one, "<110>", library, waves="particle") for one, _ in seen)
            print(f"  {dose:6g} e/Å², {name}: {_told(found)}", flush=True)


def print_fitted_ceria(folder, count: int) -> None:
    """The same of the columns of cerium in single images of ceria."""
    symbols, spacing, where = ("Ce", "O"), CERIA / 2**0.5, images.fields(folder, "ceria", images.CERIA, count)
    library = column_library(symbols, spacing, HIGHEST, 300e3)
    print(f"CeO2 <110>, {count} structures, one image each, lens known as a microscope tells it: columns of Ce")
    for overfocus in OVERFOCUS:
        for dose in CERIA_DOSES:
            focus = {"defocus": ((1.0, -overfocus - 5, -overfocus + 5),)}
            found = []
            for seen, _ in images.recordings(where, count, dose, images.CERIA_MICROSCOPE, **focus):
                found.append(_compared(seen, "<110>", library, "CeO2"))
            print(f"  {overfocus / 10:g} nm, {dose:6g} e/Å²: {_told(found)}", flush=True)


def _signal(seen) -> Signal2D:
    signal = Signal2D(seen.images if len(seen.images) > 1 else seen.images[0])
    for axis in signal.axes_manager.signal_axes:
        axis.scale, axis.units = 0.1 * seen.pixel_size, "nm"
    for axis in signal.axes_manager.navigation_axes:
        axis.name = "defocus"
    signal.set_signal_type("HRTEM")
    return signal


def _compared(seen, zone_axis: str, library, structure: str = "Au", waves: str = "columns") -> dict[str, np.ndarray]:
    """Distances in pm, errors told, heights less the true ones, and probabilities, of the columns both ways found.

    Of ceria, those of the columns of cerium that were told for such.
    """
    signal, first_kind = _signal(seen), seen.kinds == 0
    network = signal.find_columns if len(seen.images) == 1 else signal.find_heights
    options = {} if structure == "Au" else {"model": "ceria-hrtem"}
    first = network(show_progressbar=False, **options).to_dataframe()
    nominal = NOMINAL if structure == "Au" else OPTICS
    fitted = fit_columns(
        signal, structure, zone_axis, waves=waves, optics=nominal, library=library, show_progressbar=False
    )
    truth = 0.1 * seen.pixel_size * seen.places[first_kind][:, ::-1]
    heights, found = np.clip(seen.heights[first_kind], 1, 12), {}
    for name, rows in (("network", first), ("fit", fitted.columns.to_dataframe())):
        if structure != "Au":
            rows = rows[rows["class"] == "Ce"]
        distance, nearest = cKDTree(truth).query(rows[["x", "y"]].to_numpy())
        own = distance < _MATCH
        off = 1e3 * (rows[["x", "y"]].to_numpy() - truth[nearest])[own]
        best = rows["height"].to_numpy()[own]
        found[name] = np.column_stack(
            [
                off,
                1e3 * rows[["x_error", "y_error"]].to_numpy()[own],
                np.clip(best, 1, 12) - heights[nearest][own],
                rows["height_probability"].to_numpy()[own],
            ]
        )
    return found


def _told(found: list[dict[str, np.ndarray]]) -> str:
    parts = []
    for name in ("network", "fit"):
        for one in found:  # images of a series are shifted onto one of them, that the truth is not of
            one[name][:, :2] -= one[name][:, :2].mean(0)
        rows = np.concatenate([one[name] for one in found])
        close, sure = np.mean(np.abs(rows[:, 4]) <= 1), np.mean(rows[:, 5])
        rng, sizes = np.random.default_rng(0), np.array([len(one[name]) for one in found])
        right = np.array([(one[name][:, 4] == 0).sum() for one in found])
        drawn = rng.integers(len(found), size=(500, len(found)))
        low, high = np.quantile(right[drawn].sum(1) / sizes[drawn].sum(1), [0.025, 0.975])
        parts.append(
            f"{name} {len(rows)} columns, places {np.sqrt(np.mean(rows[:, :2] ** 2)):.1f} pm (told "
            f"{np.sqrt(np.mean(rows[:, 2:4] ** 2)):.1f}), exact {right.sum() / sizes.sum():.3f} "
            f"({low:.3f} to {high:.3f}), within one {close:.3f}, mean probability {sure:.3f}"
        )
    return "; ".join(parts)
