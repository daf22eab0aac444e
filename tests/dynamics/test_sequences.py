"""Movies of tracked particles: sequences, smoothing and rates from tables."""

import numpy as np
import pytest

from particlespy_ml.dynamics import markov
from particlespy_ml.dynamics.sequences import sequences
from particlespy_ml.particles.measure import column_units
from particlespy_ml.particles.table import make_table, object_array

CLASSES = ("icosahedron", "decahedron")
RATES = np.array([[-0.1, 0.1], [0.2, -0.2]])  # 1/s
DTYPE = [
    ("x", "f8"),
    ("track", "i4"),
    ("class_index", "i1"),
    ("probability", "f4"),
    *((f"probability_{name}", "f4") for name in CLASSES),
]


def movie(states, accuracy=0.9, missing=(), seed=0, units="s", scale=0.5):
    """A tracked table of particles with given states (S, T), seen by a classifier of a given accuracy."""
    rng = np.random.default_rng(seed)
    rows = []
    for frame in range(states.shape[1]):
        tracks = [track for track in range(len(states)) if (track, frame) not in missing]
        row = np.zeros(len(tracks), DTYPE)
        for item, track in zip(row, tracks, strict=True):
            truth = states[track, frame]
            seen = truth if rng.random() < accuracy else 1 - truth
            item["track"], item["class_index"], item["probability"] = track, seen, accuracy
            for k, name in enumerate(CLASSES):
                item[f"probability_{name}"] = accuracy if k == seen else 1 - accuracy
        rows.append(row)
    axis = {"name": "time", "size": len(rows), "scale": scale, "units": units, "navigate": True}
    table_units = {name: column_units("nm").get(name, "") for name, _ in DTYPE}
    record = {"classes": list(CLASSES)}
    return make_table(object_array(rows, (len(rows),)), [axis], table_units, record)


@pytest.fixture(scope="module")
def truth():
    """States of two particles at frames of 0.5 s."""
    rng = np.random.default_rng(1)
    return np.stack([markov.simulate_states(RATES, 1500, 0.5, rng) for _ in range(2)])


def test_sequences_keep_tracks_and_gaps(truth):
    found = sequences(movie(truth[:, :20], missing={(0, 3)}))
    assert found.frame_time == 0.5
    assert found.probabilities.shape == (2, 20, 2)
    assert np.isnan(found.probabilities[0, 3]).all()
    assert found.predicted[0, 3] == -1


def test_milliseconds_are_converted(truth):
    assert sequences(movie(truth[:, :5], units="ms", scale=20.0)).frame_time == pytest.approx(0.02)


def test_smoothing_mends_single_frames(truth):
    table = movie(truth, missing={(1, 7), (1, 8)})
    frame = table.class_sequence()
    smooth = frame.pivot(index="track", columns="frame", values="class")
    assert smooth.notna().all(axis=None)
    right = (smooth.to_numpy() == np.array(CLASSES, dtype=object)[truth]).mean()
    assert right > 0.95
    raw = table.class_sequence(smooth=False)
    assert len(raw) == truth.size - 2
    assert (raw["time"] == raw["frame"] * 0.5).all()


def test_rates_are_those_of_the_particles_not_of_the_labels(truth):
    found = movie(truth).transitions()
    frame = found.to_dataframe()
    rate = frame.set_index(["from", "to"])["rate"]
    assert rate["icosahedron", "decahedron"] == pytest.approx(0.1, rel=0.3)
    assert rate["decahedron", "icosahedron"] == pytest.approx(0.2, rel=0.3)
    assert ((frame["rate_low"] < frame["rate"]) & (frame["rate"] < frame["rate_high"])).all()
    np.testing.assert_allclose(frame["branching_ratio"], 1)
    np.testing.assert_allclose(found.dwell_times, [10, 5], rtol=0.3)


def test_movies_that_cannot_be_used_say_why(truth, two_disks):
    with pytest.raises(ValueError, match="not classified"):
        two_disks.measure_particles().transitions()
    with pytest.raises(ValueError, match="expected a time"):
        movie(truth[:, :5], units="K").transitions()
    table = movie(truth[:, :5])
    for index in range(5):
        table.data[index] = table.data[index][[name for name, _ in DTYPE if name != "track"]].copy()
    table.metadata.particlespy_ml.columns = [name for name, _ in DTYPE if name != "track"]
    with pytest.raises(ValueError, match="track_particles"):
        table.transitions()
