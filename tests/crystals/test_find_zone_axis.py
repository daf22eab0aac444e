"""The verb find_zone_axis, and what its table is good for."""

from __future__ import annotations

import numpy as np
import pytest

import particlespy_ml as pml


@pytest.fixture(scope="module")
def particle():
    return pml.data.columns_of_platinum()


@pytest.fixture(scope="module")
def alone(particle):
    return particle.find_zone_axis("Pt")


def test_columns_are_added_to_the_particles(particle):
    table = particle.measure_particles()
    found = particle.extract_particles(table).find_zone_axis("Pt", table=table)
    assert found.columns[: len(table.columns)] == table.columns
    assert found["zone_axis"].tolist() == ["<011>"]
    np.testing.assert_array_equal(found["area"], table["area"])
    assert found.units["a_x"] == "nm" and found.metadata.particlespy_ml.zone_axis.crystal == "Pt"
    assert "zone_axis" not in table.columns
    again = particle.extract_particles(found).find_zone_axis("Pt", table=found)
    assert again.columns == found.columns
    assert again.summary(by="zone_axis").loc["<011>", "count"] == 1
    again.plot_overlay(particle)
    with pytest.raises(ValueError, match="0 particles, the stack.*expected the table that it was cut out with"):
        particle.find_zone_axis("Pt", table=table.select("area < 0"))


@pytest.mark.parametrize("length", [0.392, "0.392 nm", "3.92 Å", "19.6 px"])
def test_one_lattice_constant_in_many_ways(particle, alone, length):
    found = particle.find_zone_axis("fcc", lattice_constant=length)
    np.testing.assert_allclose(found["zone_axis_score"], alone["zone_axis_score"], rtol=1e-3)


def test_other_crystals_and_zone_axes(particle, alone):
    with pytest.raises(ValueError, match="lattice constant of its own"):
        particle.find_zone_axis("fcc")
    few = particle.find_zone_axis("Pt", zone_axes=["<111>", (1, 1, 0)])
    assert few["zone_axis"].tolist() == ["[110]"]
    assert "zone_axis_score_<111>" in few.columns and "zone_axis_score_<001>" not in few.columns
    assert particle.find_zone_axis("Co")["zone_axis"].tolist() == ["undefined"]
    own = pml.crystals.crystal("Pt", 3.9)
    np.testing.assert_allclose(particle.find_zone_axis(own)["lattice_constant"], alone["lattice_constant"], rtol=1e-3)
    for axes, match in (
        ([], "one zone axis or more"),
        ("<001>", "a list"),
        (["<001>", (0, 0)], "."),
        ([(1, 1, 0)] * 2, "once"),
    ):
        with pytest.raises(ValueError, match=match):
            particle.find_zone_axis("Pt", zone_axes=axes)


@pytest.mark.parametrize(
    "verb",
    [
        lambda table, image: table.track_particles(),
        lambda table, image: table.measure_shape(),
        lambda table, image: table.to_particle_list(),
        lambda table, image: table.to_markers(),
        lambda table, image: table.plot_overlay(image),
        lambda table, image: table.plot_montage(image, by="zone_axis"),
        lambda table, image: table.plot_populations(image, by="zone_axis"),
        lambda table, image: image.extract_particles(table),
    ],
)
def test_what_needs_measured_particles_says_so(particle, alone, verb):
    with pytest.raises(ValueError, match=r"The table has no .*make it with measure_particles\(\)|Make it with measure"):
        verb(alone, particle)


def test_what_needs_no_measured_particles_works(alone):
    assert alone.summary(by="zone_axis").loc["<011>", "count"] == 1
    assert np.isnan(alone.summary(by="zone_axis").loc["<011>", "mean_diameter"])
    assert alone.class_fractions(by="zone_axis")["<011>"].tolist() == [1.0]
    assert alone.select("zone_axis == '<111>'").n_particles == 0
