"""What must not matter: the same sample gives the same results, however its image is stored.

A verb without a row in `verbs_of_images` fails here.
"""

from __future__ import annotations

import numpy as np
import pytest

import particlespy_ml as pml
from particlespy_ml.signals.haadf import HAADFImage
from particlespy_ml.signals.hrtem import HRTEMImage
from particlespy_ml.signals.particle_image import ParticleImage
from tests.invariance.stored import SAMPLES, Stored, as_is, particles
from tests.invariance.verbs_of_images import ROUGH, ROWS, Row, public_methods, table_of


def cases(rows):
    for row in rows:
        for name, way in row.ways.items():
            yield pytest.param(row, way, id=f"{row.verb}-{name}")


@pytest.fixture(scope="module")
def model(model_folder):
    return pml.load_model(model_folder)


@pytest.fixture(scope="module")
def expected(model, tmp_path_factory):
    """A function that returns what a row gives as the sample is, run once."""
    known = {}

    def of(row: Row) -> dict:
        if (row.run, row.sample) not in known:
            folder = {"folder": tmp_path_factory.mktemp("as_is")} if row.files else {}
            known[row.run, row.sample] = row.run(as_is(SAMPLES[row.sample]()), model, **folder)
        return known[row.run, row.sample]

    return of


def check(row: Row, way, expected, model, tmp_path) -> None:
    stored = way(SAMPLES[row.sample]())
    found = row.run(stored, model, **({"folder": tmp_path} if row.files else {}))
    wanted = expected(row)
    assert found and set(found) <= set(wanted)
    for name, values in found.items():
        one, other = np.asarray(values, float), np.asarray(wanted[name], float)
        assert one.shape == other.shape, f"{name}: {one.shape} instead of {other.shape}"
        size = np.nanmax(np.abs(other), initial=0)
        np.testing.assert_allclose(one, other, rtol=row.tolerance, atol=row.tolerance * size, err_msg=name)


@pytest.mark.parametrize(("row", "way"), cases(ROWS))
def test_images(row, way, expected, model, tmp_path):
    check(row, way, expected, model, tmp_path)


@pytest.mark.parametrize(("row", "way"), cases(ROUGH))
def test_images_with_borders(row, way, expected, model, tmp_path):
    check(row, way, expected, model, tmp_path)


def test_swapped_axes_swap_x_and_y():
    swapped = particles().transpose(signal_axes=["y", "x"])
    swapped.set_signal_type("HAADF")
    one, other = (table_of(Stored(signal)) for signal in (particles(), swapped))
    for rows, found in zip(one.data, other.data, strict=True):
        rows, found = rows[np.argsort(rows["x"])], found[np.argsort(found["y"])]
        for name in ("area", "major_axis_length", "minor_axis_length", "intensity", "background"):
            np.testing.assert_allclose(found[name], rows[name], rtol=1e-6, err_msg=name)
        np.testing.assert_allclose(found["x"], rows["y"])
        np.testing.assert_allclose(found["y"], rows["x"])
        np.testing.assert_allclose((found["orientation"] + rows["orientation"]) % 180, 90, atol=1e-6)


@pytest.mark.parametrize("cls", [ParticleImage, HAADFImage, HRTEMImage])
def test_every_verb_of_images_has_a_row(cls):
    assert public_methods(cls) - {row.verb.split(" ")[0] for row in ROWS} == set()
