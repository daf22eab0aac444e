"""Fractions, free energies and barriers of movies against the truth they were made from."""

import numpy as np
import pytest

from particlespy_ml.dynamics import energies, markov
from particlespy_ml.dynamics.fractions import BOLTZMANN_EV
from particlespy_ml.particles.measure import column_units
from particlespy_ml.tables.table import make_table, object_array

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


@pytest.fixture(scope="module")
def heated():
    """Temperatures, and the tables of movies at them."""
    temperatures = [430.0, 460.0, 490.0, 520.0]
    return temperatures, [movie(rates_at(t, prefactor=1e5), 2500, seed=10 + i) for i, t in enumerate(temperatures)]


def test_barriers_of_movies_at_several_temperatures(heated):
    temperatures, tables = heated
    with pytest.warns(UserWarning, match="beam"):
        found = energies.fit_barriers(tables, temperatures)
    assert "Barriers in eV from 4 temperatures" in repr(found)
    frame = found.to_dataframe().set_index(["from", "to"])
    for pair, energy in {("icosahedron", "decahedron"): 0.6, ("decahedron", "icosahedron"): 0.56}.items():
        assert frame.loc[pair, "energy_low"] <= energy <= frame.loc[pair, "energy_high"]
        assert frame.loc[pair, "energy_high"] - frame.loc[pair, "energy_low"] < 0.4
        assert frame.loc[pair, "log10_prefactor_low"] <= 5 <= frame.loc[pair, "log10_prefactor_high"]


def test_enthalpies_of_movies_at_several_temperatures(heated):
    temperatures, tables = heated
    frame = energies.fit_enthalpies(tables, temperatures).to_dataframe()
    assert frame[["from", "to"]].to_numpy().tolist() == [["icosahedron", "decahedron"]]
    row = frame.iloc[0]
    assert row["enthalpy_low"] <= 0.04 <= row["enthalpy_high"]
    assert row["enthalpy_high"] - row["enthalpy_low"] < 0.4
    assert row["entropy_low"] <= 0 <= row["entropy_high"]


def test_lines_are_left_out_where_a_class_is_never_seen():
    tables = [movie(np.array([[-1e-9, 1e-9], [1.0, -1.0]]), 50, seed, np.eye(2)) for seed in range(2)]
    found = energies.fit_enthalpies(tables, [400.0, 500.0])
    assert found.pairs == ()
    assert len(found.to_dataframe()) == 0
    with pytest.raises(ValueError, match="less than two temperatures"):
        found.plot()


@pytest.mark.parametrize("temperatures", [[400.0, 400.0], [400.0, -1.0]])
def test_temperatures_that_make_no_line(heated, temperatures):
    with pytest.raises(ValueError, match="two or more different"):
        energies.fit_enthalpies(heated[1][:2], temperatures)


def test_tables_of_different_classes_make_no_line(heated, make_movie):
    with pytest.raises(ValueError, match="same classes"):
        energies.fit_enthalpies([heated[1][0], make_movie(np.array([[0, 1, 2]]))], [400.0, 500.0])


def test_one_temperature_for_each_table():
    with pytest.raises(ValueError, match="one temperature for each"):
        energies.fit_barriers([movie(rates_at(500), 10, seed=3)], [500.0, 600.0])


def uneven_movie(rates, seed, at_times, jump):
    """Frames of `movie` in bursts with pauses."""
    rng = np.random.default_rng(seed)
    times = np.concatenate([np.arange(25.0) + 200.0 * burst for burst in range(24)])
    states = jump(rates, times, rng)
    table = movie(rates, len(times), seed)
    for row, state in zip(table.data, states, strict=True):
        row["class_index"] = seen = int(rng.random() > CONFUSION[state, 0])
        for k, name in enumerate(CLASSES):
            row[f"probability_{name}"] = CONFUSION[k, seen] / CONFUSION[:, seen].sum()
        row["probability"] = row[f"probability_{CLASSES[seen]}"]
    return at_times(table, times)


def test_barriers_and_enthalpies_of_movies_in_bursts(at_times, jump):
    temperatures = [420.0, 460.0, 500.0]
    tables = [uneven_movie(rates_at(t, prefactor=1e5), 20 + i, at_times, jump) for i, t in enumerate(temperatures)]
    with pytest.warns(UserWarning, match="beam"):
        frame = energies.fit_barriers(tables, temperatures).to_dataframe().set_index(["from", "to"])
    for pair, energy in {("icosahedron", "decahedron"): 0.6, ("decahedron", "icosahedron"): 0.56}.items():
        assert frame.loc[pair, "energy_low"] <= energy <= frame.loc[pair, "energy_high"]
        assert frame.loc[pair, "log10_prefactor_low"] <= 5 <= frame.loc[pair, "log10_prefactor_high"]
    row = energies.fit_enthalpies(tables, temperatures).to_dataframe().iloc[0]
    assert row["enthalpy_low"] <= 0.04 <= row["enthalpy_high"]


def test_free_energies_of_movies_in_bursts(at_times, jump):
    covered = 0
    for seed in range(10):
        table = uneven_movie(rates_at(500), seed, at_times, jump)
        row = table.free_energy_differences(500.0).set_index(["from", "to"]).loc[("icosahedron", "decahedron")]
        covered += row["low"] <= 0.04 <= row["high"]
    assert covered >= 8
