"""Images of structures that no network was trained on, by a microscope and a camera that it does not know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from particlespy_ml.simulation.atoms.column_recipe import ColumnWaveRecipe
from particlespy_ml.simulation.datasets.column_waves import load_column_field, simulate_column_waves
from particlespy_ml.simulation.recording.columns import ColumnImagingRecipe, ColumnRecording, record_columns

# every field is held out: finer slices and pixels than in training, and the film in the multislice calculation of half
GOLD = ColumnWaveRecipe(
    symbols=("Au",),
    zone_axes=("<110>", "<001>"),
    widths=(16.0, 30.0),
    thicknesses=(8.0, 30.0),
    tilt=2.0,
    off_axis=0.0,
    strain=0.01,
    adatoms=(0.0, 1),
    energies=(300e3,),
    slice_thickness=1.5,
    films=("C",),
    film_thicknesses=(10.0, 30.0),
    film_count=0,
    held_out_every=1,
    seed=7001,
)
# focus within 2 nm of where columns are brightest, what else there is unknown
MICROSCOPE = ColumnImagingRecipe(
    pixel_size=(0.15, 0.25),
    defocus=((1.0, -100.0, -60.0),),
    spherical_aberration=(-1.5e5, -5e4),
    fifth_order=(0.0, 5e7),
    astigmatism=10.0,
    coma=100.0,
    threefold=100.0,
    focal_spread=(25.0, 35.0),
    beam_semiangle=0.1,
    deflection=(0.1, 0.25),
    drift=0.1,
    film=(0.0, 1.0, 1.0),
    empty=0.0,
    gain=0.01,
    readout=0.1,
    illumination=0.01,
    gamma=(0.0, 1.0),
    scale_error=0.01,
)
VIEW = 42.0  # Å
# what was published of focal series: three images 13 ± 2 nm apart, from 4 nm of underfocus on
SERIES = replace(
    MICROSCOPE,
    images=3,
    focal_step=130.0,
    focal_jitter=20.0,
    defocus=((1.0, 39.0, 41.0),),
    spherical_aberration=(-2e5, -1e5),
)
LONG_GOLD = replace(GOLD, zone_axes=("<110>",), thicknesses=(8.0, 34.0), seed=7031)
CERIA = ColumnWaveRecipe(
    structure="ceria",
    kinds=("Ce", "O"),
    widths=(30.0, 44.0),
    thicknesses=(10.0, 38.0),
    tilt=1.5,
    strain=0.01,
    vacancies=0.05,
    adatoms=(0.0, 1),
    energies=(300e3,),
    slice_thickness=1.5,
    film_count=0,
    held_out_every=1,
    held_out_films=0.0,
    seed=7101,
)
CERIA_MICROSCOPE = replace(MICROSCOPE, spherical_aberration=(-1.1e5, -7e4), fifth_order=(4e7, 6e7))
GRAPHENE = ColumnWaveRecipe(
    structure="graphene",
    kinds=("C", "adatom"),
    symbols=("C", "Si"),
    edge=48.0,
    tilt=2.0,
    strain=0.01,
    adatoms=(0.0, 1),
    energies=(80e3,),
    film_count=0,
    held_out_every=1,
    held_out_films=0.0,
    seed=7201,
)
GRAPHENE_MICROSCOPE = replace(
    MICROSCOPE,
    pixel_size=(0.12, 0.2),
    defocus=((1.0, -85.0, -83.0),),
    spherical_aberration=(-1.2e5, -1.2e5),
    fifth_order=(0.0, 0.0),
    astigmatism=3.0,
    coma=30.0,
    threefold=30.0,
    focal_spread=(28.0, 35.0),
    deflection=(0.25, 0.25),
)


def fields(folder: str | Path, name: str, recipe: ColumnWaveRecipe, count: int) -> Path:
    """Simulate the fields that a folder lacks; returns the folder of this recipe's."""
    folder = Path(folder) / name
    simulate_column_waves(folder, count, recipe, workers=None)
    return folder


def recordings(
    folder: Path, count: int, dose: float, microscope: ColumnImagingRecipe = MICROSCOPE, **changes
) -> list[tuple[ColumnRecording, dict]]:
    """Record one image or series of each field at a dose; *changes* are made to the microscope."""
    recipe = replace(microscope, dose=(dose, dose), **changes)
    images = []
    for index in range(count):
        field = load_column_field(folder, index)
        rng = np.random.default_rng([11, index])
        middle = (field.places.max(0) + field.places.min(0)) / 2
        images.append((record_columns(field, recipe, rng, view=VIEW, middle=middle), field.parameters))
    return images


def empty_images(count: int, pixels: int = 200) -> dict[str, list[np.ndarray]]:
    """Frames without columns: vacuum, amorphous films and noise of many correlation lengths, at many doses."""
    from scipy import ndimage as ndi

    from particlespy_ml.simulation.atoms.packing import amorphous_film
    from particlespy_ml.simulation.recording.optics import Optics, image_intensity
    from particlespy_ml.simulation.waves.exit_wave import simulate_exit_wave

    rng = np.random.default_rng(99)
    found: dict[str, list[np.ndarray]] = {"vacuum": [], "amorphous film": [], "noise": []}
    films = []
    for symbol in ("C", "C", "C", "Si", "Si"):
        positions = amorphous_film(symbol, 40.0, rng.uniform(10, 40), rng)
        films.append(simulate_exit_wave([symbol] * len(positions), positions, 40.0, sampling=0.125, pixels=200))
    for number in range(count):
        per_pixel = np.exp(rng.uniform(*np.log((10, 1e5)))) * 0.2**2
        found["vacuum"].append(rng.poisson(per_pixel, (pixels, pixels)).astype(np.float32))
        optics = Optics(
            defocus=rng.uniform(-250, 250),
            spherical_aberration=rng.uniform(-3e5, 3e5),
            astigmatism=rng.uniform(0, 40),
            astigmatism_angle=rng.uniform(0, np.pi),
            focal_spread=rng.uniform(15, 50),
            deflection=rng.uniform(0, 0.3),
        )
        image = image_intensity(films[number % len(films)], 40.0, optics)[::2, ::2]
        found["amorphous film"].append(rng.poisson(np.maximum(image, 0) * per_pixel).astype(np.float32))
        rough = ndi.gaussian_filter(rng.normal(size=(pixels, pixels)), np.exp(rng.uniform(*np.log((0.3, 8)))))
        found["noise"].append(rough.astype(np.float32))
    return found
