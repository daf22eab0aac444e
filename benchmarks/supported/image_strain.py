"""Strain of the columns of an image beside that of the model that was imaged, layer by layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from particlespy_ml.columns.refine_places import refine_places
from particlespy_ml.simulation.atoms.supported_particle import supported_particle
from particlespy_ml.simulation.potentials.relax_structure import relax_structure
from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.simulation.recording.simulate_image import simulate_image, true_columns
from particlespy_ml.simulation.waves.single_columns import hrtem_profiles
from particlespy_ml.strain.measure_strain import measure_strain

LENS = Optics(defocus=-100, spherical_aberration=-1e5, focal_spread=29)
PIXEL = 0.02  # nm
REACH = 0.06  # nm, of a found column from the true one
LATTICE = 0.196  # nm, between columns of platinum along <001>
RMS = 0.06  # Å, thermal displacement along each axis
_BELOW = 0.05  # nm below the lowest column, from where on the support is left out


def print_strain(size: float, doses: tuple[float, ...]) -> None:
    """Rms difference of strain by layer: places by the network, and refined by profiles of single columns."""
    atoms = supported_particle("Pt", "TiO2-anatase", "100", size, face="001", thickness=8)
    relaxed = relax_structure(atoms, "emt", fmax=0.05, steps=300)
    print("Pt{100} on anatase (001), profile, 10 nm of defocus: rms difference of strain, image less model, in %")
    rng = np.random.default_rng(0)
    for dose in doses:
        image = simulate_image(
            relaxed, optics=LENS, pixel_size=10 * PIXEL, dose=dose, thermal_rms=RMS, phonons=4, reference=atoms, seed=1
        )
        metal = true_columns(image).query("kind == 'Pt'")
        truth = metal[["x", "y"]].to_numpy()
        found = image.find_columns(show_progressbar=False).to_dataframe()[["x", "y"]].to_numpy()
        distance = np.linalg.norm(found[:, None] - truth[None], axis=2)
        matched = distance.min(0) < REACH
        network = found[distance.argmin(0)[matched]]
        heights, layers = metal["height"].to_numpy()[matched], np.rint(metal["layer"].to_numpy()[matched]).astype(int)
        counts = image.data / (dose * (10 * PIXEL) ** 2)
        thickness = float(np.ptp(relaxed.positions[:, 0]))
        wrong = np.clip(heights + rng.integers(-1, 2, len(heights)), 1, None)
        ways = {
            "network": network,
            "profiles": refined(counts, network, heights, LENS, thickness),
            "heights off": refined(counts, network, wrong, LENS, thickness),
            "focus off": refined(counts, network, heights, replace(LENS, defocus=LENS.defocus + 10), thickness),
        }
        print(f"  {dose:g} e/Å²: {matched.sum()} of {len(metal)} columns found")
        for name, places in ways.items():
            off = 1e3 * np.sqrt(np.mean(np.sum((places - truth[matched]) ** 2, axis=1)))
            print(f"    {name:12} places {off:.1f} pm; {by_layer(places, truth[matched], layers)}")


def refined(
    image: np.ndarray,
    places: np.ndarray,
    heights: np.ndarray,
    lens: Optics,
    thickness: float,
    spacing: float = 20 * LATTICE,
) -> np.ndarray:
    """Places (x, y) in nm after a fit of profiles of single columns; what lies below the lowest column is left out.

    Parameters
    ----------
    image
        Relative to the empty beam.
    places, heights
        Of the columns of the particle, shape (n, 2) in nm, and their numbers of atoms, shape (n,).
    lens
        Its focus on the plane behind the model.
    thickness
        Of the model along the beam in Å, the support included.
    spacing
        Of the atoms of a column in Å.
    """
    profiles = hrtem_profiles("Pt", spacing, heights, lens, thickness=thickness, thermal_rms=RMS)
    known = np.arange(len(image))[:, None] < (places[:, 1].max() + _BELOW) / PIXEL
    known = np.broadcast_to(known, image.shape)
    fit = refine_places(image, places[:, ::-1] / PIXEL, heights, profiles, 10 * PIXEL, known=known)
    return fit.positions[:, ::-1] * PIXEL


def by_layer(places: np.ndarray, truth: np.ndarray, layers: np.ndarray) -> str:
    """Rms differences of exx, eyy and exy of each layer in %, as text."""
    found, true = (measure_strain(one, "square", neighbours=4, scale=LATTICE) for one in (places, truth))
    told = []
    for layer in np.unique(layers):
        off = [(found[name] - true[name]).to_numpy()[layers == layer] for name in ("exx", "eyy", "exy")]
        rms = [100 * np.sqrt(np.nanmean(one**2)) if np.isfinite(one).any() else np.nan for one in off]
        told.append(f"layer {layer}: {rms[0]:.2f} {rms[1]:.2f} {rms[2]:.2f}")
    return "; ".join(told)
