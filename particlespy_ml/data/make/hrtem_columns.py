"""Make the example HRTEM images of columns again: ``python -m particlespy_ml.data.make.hrtem_columns`` (needs abTEM).

The structures are drawn from a seed that no library of simulations uses, so no model is trained on them, and the film
of carbon below the gold particle is part of the multislice calculation.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from particlespy_ml.simulation.atoms.column_recipe import ColumnWaveRecipe
from particlespy_ml.simulation.datasets.column_waves import ColumnField, simulate_column_field
from particlespy_ml.simulation.recording.columns import ColumnImagingRecipe, ColumnRecording, record_columns

SEED = 77_000_100
STRUCTURES = {
    "columns_of_gold": ColumnWaveRecipe(
        symbols=("Au",),
        zone_axes=("<110>",),
        widths=(30.0, 32.0),
        thicknesses=(20.0, 22.0),
        tilt=1.0,
        off_axis=0.0,
        strain=0.0,
        vacancies=0.01,
        adatoms=(1.0, 1),
        twins=1.0,
        energies=(300e3,),
        films=("C",),
        film_thicknesses=(12.0, 14.0),
        held_out_every=1,
        held_out_films=1.0,
        seed=SEED,
    ),
    "columns_of_ceria": ColumnWaveRecipe(
        structure="ceria",
        kinds=("Ce", "O"),
        widths=(44.0, 45.0),
        thicknesses=(20.0, 24.0),
        tilt=0.5,
        strain=0.0,
        vacancies=0.0,
        adatoms=(0.0, 1),
        energies=(300e3,),
        held_out_every=1,
        held_out_films=0.0,
        seed=SEED + 1,
    ),
    "sheet_of_graphene": ColumnWaveRecipe(
        structure="graphene",
        kinds=("C", "adatom"),
        symbols=("Si",),
        edge=48.0,
        tilt=0.5,
        strain=0.0,
        adatoms=(1.0, 2),
        energies=(80e3,),
        held_out_every=1,
        held_out_films=0.0,
        seed=SEED + 4,
    ),
    "focal_series_of_gold": ColumnWaveRecipe(
        symbols=("Au",),
        zone_axes=("<110>",),
        widths=(25.0, 27.0),
        thicknesses=(22.0, 26.0),
        tilt=0.8,
        off_axis=0.0,
        strain=0.0,
        vacancies=0.0,
        adatoms=(0.0, 1),
        twins=0.0,
        energies=(300e3,),
        held_out_every=1,
        held_out_films=0.0,
        seed=SEED + 7,
    ),
}
# a corrected microscope with columns bright, and a camera that blurs
MICROSCOPE = ColumnImagingRecipe(
    pixel_size=(0.2, 0.2),
    defocus=((1.0, -80.0, -80.0),),
    spherical_aberration=(-1e5, -1e5),
    fifth_order=(2e7, 2e7),
    astigmatism=8.0,
    coma=60.0,
    threefold=60.0,
    focal_spread=(28.0, 28.0),
    beam_semiangle=0.1,
    deflection=(0.15, 0.15),
    drift=0.1,
    film=(0.0, 1.0, 1.0),
    empty=0.0,
    mtf_floor=(0.07, 0.07),
    mtf_half_width=(0.5, 0.5),
    mtf_exponent=(2.0, 2.0),
    mtf=(1.0, 0.0, 0.0),
    gain=0.005,
    readout=0.05,
    illumination=0.01,
    gamma=(0.0, 1.0),
    scale_error=0.0,
    shear=0.0,
)
DRIFT = ((4, -3), (0, 0), (-2, 6))  # pixels, of the images of a series against the middle one
_MARGIN = 10
IMAGES = {  # number of the structure, e/Å², edge in Å, changes of the microscope
    "columns_of_gold": (0, 600.0, 48.0, {}),
    "columns_of_ceria": (4, 2e3, 46.0, {"defocus": ((1.0, -50.0, -50.0),)}),
    # three images of 3300 e/Å² each, which drifted
    "focal_series_of_gold": (
        0,
        1e4,
        44.0,
        {
            "images": 3,
            "defocus": ((1.0, 40.0, 40.0),),
            "spherical_aberration": (-1.5e5, -1.5e5),
            "misalignment": 0.0,
            "focal_jitter": 0.0,
        },
    ),
    "sheet_of_graphene": (0, 1e4, 42.0, {"pixel_size": (0.16, 0.16)}),
}


def drifted(seen: ColumnRecording) -> ColumnRecording:
    """A series whose images show parts that differ by `DRIFT`; places are those in the middle one."""
    rows, columns = (n - 2 * _MARGIN for n in seen.images.shape[1:])
    images = [
        image[_MARGIN + down : _MARGIN + down + rows, _MARGIN + right : _MARGIN + right + columns]
        for image, (down, right) in zip(seen.images, DRIFT, strict=True)
    ]
    return replace(seen, images=np.stack(images), places=seen.places - _MARGIN)


def main(names: list[str] | None = None) -> None:
    """Write the images, or some of them, into the folder above."""
    for number, (name, recipe) in enumerate(STRUCTURES.items()):
        if names and name not in names:
            continue
        index, dose, view, changes = IMAGES[name]
        entry = simulate_column_field(recipe, index)
        wave = entry["wave"].astype(np.float32)
        told = json.loads(entry["parameters"])
        field = ColumnField(
            wave[0] + 1j * wave[1],
            entry["places"].astype(float),
            entry["heights"].astype(int),
            entry["kinds"].astype(int),
            told,
        )
        microscope = replace(MICROSCOPE, dose=(dose, dose), **changes)
        rng = np.random.default_rng([SEED, number])
        seen = record_columns(field, microscope, rng, view=view, middle=np.full(2, recipe.edge / 2))
        if len(seen.images) > 1:
            seen = drifted(seen)
        size = 0.1 * seen.pixel_size
        inside = ((seen.places >= 0) & (seen.places <= np.array(seen.images.shape[1:]) - 1)).all(1)
        defoci = [round(-0.1 * one, 2) for one in seen.told["defocus"]]
        truth = {
            "pixel_size_nm": size,
            "dose_per_A2": dose,
            "energy_eV": told["energy"],
            # positive where it makes columns bright
            "defocus_nm": defoci if len(defoci) > 1 else defoci[0],
            "x_nm": (seen.places[inside, 1] * size).round(5).tolist(),
            "y_nm": (seen.places[inside, 0] * size).round(5).tolist(),
            "heights": seen.heights[inside].tolist(),
            "kinds": [recipe.kinds[kind] for kind in seen.kinds[inside]],
            "tilt_degrees": told["tilt"],
        }
        counts = np.clip(np.rint(seen.images if len(seen.images) > 1 else seen.images[0]), 0, None).astype(np.uint16)
        np.savez_compressed(Path(__file__).parent.parent / f"{name}.npz", data=counts, truth=json.dumps(truth))


if __name__ == "__main__":
    main(sys.argv[1:])
