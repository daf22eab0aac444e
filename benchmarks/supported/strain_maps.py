"""Strain of a relaxed model in three dimensions, of its projected columns and of its image, side by side."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from ase import Atoms
from scipy.spatial import cKDTree

from benchmarks.supported.image_strain import LENS, PIXEL, REACH, RMS, refined
from particlespy_ml.simulation.atoms.atomic_strain import atomic_strain
from particlespy_ml.simulation.atoms.model_views import model_columns, view_matrix
from particlespy_ml.simulation.recording.simulate_image import simulate_image, true_columns
from particlespy_ml.strain.measure_strain import measure_strain

DOSE = 1e4  # electrons per Å²
WAYS = ("model, mean of columns", "projected columns", "image")
_LARGEST = 0.06  # of the colours


def strain_of_views(built: Atoms, relaxed: Atoms, lattice: float, facet: str) -> dict[str, np.ndarray]:
    """Strain of the columns of a platinum particle in profile: places and layers, and exx, eyy and exy by every way.

    Parameters
    ----------
    built, relaxed
        The model before and after it moved.
    lattice
        Lattice constant without strain in Å.
    facet
        That on the support: of {100} the beam is along <001>, of {111} along <110>.

    Returns
    -------
    dict
        ``places`` in nm, shape (n, 2); ``layers``, shape (n,); and of each of `WAYS` an array of shape (n, 3), NaN
        where there is no strain.
    """
    own = np.flatnonzero(built.get_tags() > 0)
    places = built.positions[own]
    own_lattice = np.sqrt(2) * cKDTree(places).query(places, k=2)[0][:, 1].min()
    view, template, scale, spacing = _view(built, facet, lattice)
    strain = atomic_strain(relaxed, built, view=view, scale=lattice / own_lattice)
    columns, _, _ = model_columns([relaxed], view_matrix(view), built.positions)
    of_atoms = strain[["exx", "eyy", "exy"]].to_numpy()
    mean = np.full((len(columns.kinds), 3), np.nan)
    for column in np.unique(columns.column[own]):
        values = of_atoms[columns.column[own] == column]
        if np.isfinite(values).all(1).any():
            mean[column] = np.nanmean(values, axis=0)
    image = simulate_image(
        relaxed, view=view, optics=LENS, pixel_size=10 * PIXEL, dose=DOSE, thermal_rms=RMS, phonons=4, reference=built
    )
    table = true_columns(image)
    metal = (table["kind"] == "Pt").to_numpy()
    table, mean = table[metal], mean[metal]
    truth = table[["x", "y"]].to_numpy()
    found = image.find_columns(show_progressbar=False).to_dataframe()[["x", "y"]].to_numpy()
    distance, nearest = cKDTree(found).query(truth, distance_upper_bound=REACH)
    seen = np.isfinite(distance)
    counts = image.data / (DOSE * (10 * PIXEL) ** 2)
    thickness = float(np.ptp(relaxed.positions @ view_matrix(view).T[:, 2]))
    heights = table["height"].to_numpy()
    read = np.full_like(truth, np.nan)
    read[seen] = refined(counts, found[nearest[seen]], heights[seen], LENS, thickness, spacing)
    options = {"neighbours": 4} if template == "square" else {}
    by_image = np.full((len(truth), 3), np.nan)
    by_image[seen] = _planar(read[seen], template, scale, options)
    return {
        "places": truth,
        "layers": np.rint(table["layer"].to_numpy()).astype(int),
        WAYS[0]: mean,
        WAYS[1]: _planar(truth, template, scale, options),
        WAYS[2]: by_image,
    }


def _planar(places: np.ndarray, template: str, scale: float, options: dict) -> np.ndarray:
    return measure_strain(places, template, scale=scale, **options)[["exx", "eyy", "exy"]].to_numpy()


def _view(built: Atoms, facet: str, lattice: float) -> tuple:
    """Beam, template, its lattice constant in nm, and the distance of atoms along the beam in Å."""
    if facet == "100":
        return "profile", "square", 0.05 * lattice, lattice
    first = built.positions[built.arrays["layer"] == 1]
    middle = first[np.argmin(np.linalg.norm(first - first.mean(0), axis=1))]
    step = first[cKDTree(first).query(middle, k=2)[1][1]] - middle
    return (float(step[0]), float(step[1]), 0.0), "fcc<110>", 0.1 * lattice, lattice / np.sqrt(2)


def print_views(found: dict[str, np.ndarray]) -> None:
    """Rms differences of the strains from those of the projected columns, layer by layer."""
    for way in (WAYS[0], WAYS[2]):
        told = []
        for layer in np.unique(found["layers"]):
            off = (found[way] - found[WAYS[1]])[found["layers"] == layer]
            both = np.isfinite(off).all(1)
            rms = 100 * np.sqrt(np.mean(off[both] ** 2, axis=0)) if both.any() else np.full(3, np.nan)
            told.append(f"layer {layer}: {rms[0]:.2f} {rms[1]:.2f} {rms[2]:.2f} ({both.sum()})")
        print(f"    {way} less projected columns, rms in %: {'; '.join(told)}", flush=True)


def draw_views(systems: dict[str, dict[str, np.ndarray]], path: str | Path) -> None:
    """Draw exx and eyy of every system by every way, and save the figure."""
    rows = [(name, found, k) for name, found in systems.items() for k in (0, 1)]
    figure, axes = plt.subplots(len(rows), 3, figsize=(9, 1.7 * len(rows)), layout="constrained", squeeze=False)
    for ax, way in zip(axes[0], WAYS, strict=True):
        ax.set_title(way, fontsize=9)
    for row, (name, found, k) in zip(axes, rows, strict=True):
        for ax, way in zip(row, WAYS, strict=True):
            values = 100 * found[way][:, k]
            known = np.isfinite(values)
            ax.plot(*found["places"][~known].T, "o", ms=5, mfc="none", mec="0.7", mew=0.6)
            limits = {"vmin": -100 * _LARGEST, "vmax": 100 * _LARGEST}
            dots = ax.scatter(*found["places"][known].T, c=values[known], cmap="RdBu_r", s=38, **limits)
            ax.set(aspect="equal", xticks=[], yticks=[])
            ax.invert_yaxis()
        row[0].set_ylabel(f"{name}\n{('exx, along the interface', 'eyy, across it')[k]}", fontsize=8)
    figure.colorbar(dots, ax=axes, label="strain (%)", shrink=0.6)
    figure.savefig(path, dpi=110)
    plt.close(figure)
