"""Fractions, free energies and barriers of movies against the truth they were made from."""

import numpy as np
import pytest

from particlespy_ml.dynamics import energies, markov
from particlespy_ml.dynamics.fractions import BOLTZMANN_EV
from particlespy_ml.particles.measure import column_units
from particlespy_ml.particles.table import make_table, object_array

CLASSES = ("icosahedron", "decahedron")
DTYPE = [
    ("x", "f8"),
    ("class_index", "i1"),
    ("probability", "f4"),
    *((f"probability_{name}", "f4") for name in CLASSES),
]
CONFUSION = np.array([[0.9, 0.1], [0.2, 0.8]])


def movie(rates, frames, seed, confusion=CONFUSION):
    """A movie of one particle at 1 s a frame, seen with a known confusion."""
    rng = np.random.default_rng(seed)
    rows = []
    for state in markov.simulate_states(rates, frames, 1.0, rng):
        row = np.zeros(1, DTYPE)
        row["class_index"] = seen = int(rng.random() > confusion[state, 0])
        for k, name in enumerate(CLASSES):
            row[f"probability_{name}"] = confusion[k, seen] / confusion[:, seen].sum()
        row["probability"] = row[f"probability_{CLASSES[seen]}"]
        rows.append(row)
    axis = {"name": "time", "size": frames, "scale": 1.0, "units": "s", "navigate": True}
    units = {name: column_units("nm").get(name, "") for name, _ in DTYPE}
    record = {"classes": list(CLASSES), "model": {"confusion_matrix": confusion.ravel().tolist()}}
    return make_table(object_array(rows, (frames,)), [axis], units, record)


def rates_at(temperature, barriers=(0.6, 0.56), prefactor=1e4):
    """Rates of two states by Arrhenius' law, with barriers in eV."""
    leave = prefactor * np.exp(-np.array(barriers) / (BOLTZMANN_EV * temperature))
    return np.array([[-leave[0], leave[0]], [leave[1], -leave[1]]])


def test_fractions_are_corrected_by_the_confusion_matrix():
    truth = markov.stationary_distribution(rates_at(500))
    covered, raw = 0, []
    for seed in range(20):
        frame = movie(rates_at(500), 2500, seed).class_fractions(per="series").set_index("class")
        covered += ((frame["corrected_low"] <= truth) & (truth <= frame["corrected_high"])).all()
        raw.append(frame["fraction"])
        assert (frame["low"] < frame["fraction"]).all()
        assert frame["corrected"].sum() == pytest.approx(1)
    assert covered >= 16
    assert np.mean(raw, axis=0) == pytest.approx(truth @ CONFUSION, abs=0.04)


def test_fractions_of_what_is_an_error():
    with pytest.raises(ValueError, match="expected"):
        movie(rates_at(500), 5, seed=0).class_fractions(per="hour")


def test_free_energy_difference_of_two_states():
    covered = 0
    for seed in range(20):
        table = movie(rates_at(500), 2500, seed)
        frame = table.free_energy_differences(500.0).set_index(["from", "to"])
        row = frame.loc[("icosahedron", "decahedron")]
        # the difference of the barriers: decahedra are left more easily, so they are higher
        covered += row["low"] <= 0.04 <= row["high"]
        assert row["difference"] == pytest.approx(-frame.loc[("decahedron", "icosahedron"), "difference"])
    assert covered >= 16


def test_barriers_of_movies_at_several_temperatures():
    temperatures = [430.0, 460.0, 490.0, 520.0]
    tables = [movie(rates_at(t, prefactor=1e5), 2500, seed=10 + i) for i, t in enumerate(temperatures)]
    with pytest.warns(UserWarning, match="beam"):
        frame = energies.fit_barriers(tables, temperatures)
    frame = frame.set_index(["from", "to"])
    for pair, energy in {("icosahedron", "decahedron"): 0.6, ("decahedron", "icosahedron"): 0.56}.items():
        assert frame.loc[pair, "energy_low"] <= energy <= frame.loc[pair, "energy_high"]
        assert frame.loc[pair, "energy_high"] - frame.loc[pair, "energy_low"] < 0.4
        assert frame.loc[pair, "log10_prefactor_low"] <= 5 <= frame.loc[pair, "log10_prefactor_high"]


def test_one_temperature_for_each_table():
    with pytest.raises(ValueError, match="one temperature for each"):
        energies.fit_barriers([movie(rates_at(500), 10, seed=3)], [500.0, 600.0])
