"""Exit waves of known columns, and of films."""

from dataclasses import replace

import numpy as np
import pytest

from particlespy_ml.simulation.atoms.column_recipe import ColumnWaveRecipe
from particlespy_ml.simulation.datasets.column_waves import (
    film_indices,
    load_column_field,
    load_film,
    simulate_column_field,
    simulate_column_waves,
)
from particlespy_ml.simulation.datasets.store import check_recipe

RECIPE = ColumnWaveRecipe(
    symbols=("Au",),
    zone_axes=("<110>",),
    widths=(10.0, 11.0),
    thicknesses=(6.0, 9.0),
    tilt=0.5,
    off_axis=0.0,
    strain=0.0,
    adatoms=(0.0, 1),
    edge=24.0,
    pixels=96,
    sampling=0.2,
    films=("C",),
    film_thicknesses=(5.0, 6.0),
    film_count=2,
    held_out_every=2,
    held_out_films=1.0,
    held_out_sampling=0.2,
    energies=(300e3,),
    seed=5,
)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    pytest.importorskip("abtem")
    folder = tmp_path_factory.mktemp("columns")
    simulate_column_waves(folder, 2, RECIPE, workers=1, show_progressbar=False)
    return folder


def test_columns_lie_where_the_wave_is_scattered(library):
    field = load_column_field(library, 0)
    assert field.wave.shape == (96, 96) and field.wave.dtype == np.complex64
    assert len(field.places) == len(field.heights) == len(field.kinds) > 5
    step = 24.0 / 96
    rows, columns = np.rint(field.places[:, ::-1] / step).astype(int).T % 96
    phase = np.abs(np.angle(field.wave))
    assert phase[rows, columns].min() > 3 * np.median(phase)
    assert np.corrcoef(phase[rows, columns], field.heights)[0, 1] > 0.5


def test_fields_held_out_have_their_film_in_the_calculation(library):
    trained, held_out = (load_column_field(library, index).parameters for index in (0, 1))
    assert trained["film"] == "" and held_out["film"] == "C"
    assert 5 <= held_out["film_thickness"] <= 6
    assert film_indices(library, RECIPE, held_out=True) == [1]
    assert film_indices(library, RECIPE, held_out=False) == [0]


def test_films_scatter_at_every_energy(library):
    film = load_film(library, 0)
    wave = film.wave(300e3)
    assert film.energies == (300e3,) and wave.shape == (96, 96)
    assert 0.02 < np.angle(wave).std() < 1.0
    assert np.mean(np.abs(wave) ** 2) == pytest.approx(1, abs=0.02)


def test_a_field_depends_on_its_number_alone():
    pytest.importorskip("abtem")
    one, again, other = (simulate_column_field(RECIPE, index) for index in (2, 2, 4))
    np.testing.assert_array_equal(one["wave"], again["wave"])
    assert one["wave"].shape == other["wave"].shape and not np.array_equal(one["wave"], other["wave"])


def test_a_folder_of_another_recipe_is_refused(library):
    with pytest.raises(ValueError, match="another recipe"):
        check_recipe(library, replace(RECIPE, seed=6))


def test_unknown_settings_are_named():
    with pytest.raises(ValueError, match="Unknown simulation settings \\['thickness'\\]"):
        ColumnWaveRecipe.from_dict({"thickness": 3})
