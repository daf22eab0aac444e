"""Frames whose number of particles does not fit those around them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from particlespy_ml.tables.unusual_frames import unusual_counts, unusual_text


@pytest.mark.parametrize(
    ("counts", "unusual"),
    [
        ([], []),
        ([5], []),
        ([2, 0, 1], []),
        ([0, 0, 0], []),
        ([10, 10, 2, 10, 10, 10], [2]),
        ([790, 780, 200, 190, 210, 785, 792, 788, 790, 800], [2, 3, 4]),
        ([780] * 6 + [2400] + [780] * 6, [6]),
        (list(range(20, 400, 10)), []),
        ([100] * 20 + [30] * 20, []),  # a change that lasts
    ],
)
def test_counts(counts, unusual):
    found, usual = unusual_counts(counts)
    assert np.flatnonzero(found).tolist() == unusual
    assert len(usual) == len(counts) and bool(unusual_text(counts)) == bool(unusual)


def test_chance_is_not_unusual():
    rng = np.random.default_rng(0)
    flagged = [unusual_counts(rng.poisson(40, 200))[0].mean() for _ in range(50)]
    assert np.mean(flagged) < 1e-3


def test_a_movie_with_a_blurred_frame(make_frame, make_image):
    places = [(16 + 32 * i, 16 + 32 * j) for i in range(4) for j in range(5)]
    frames = [make_frame(places, [12] * 20, seed=k) for k in range(8)]
    frames[5] = make_frame(places[:3], [12] * 3, seed=9)
    movie = make_image(np.stack(frames), names=("time",))
    with pytest.warns(UserWarning, match=r"particles jumps in 1 of 8 frames: 5 \(3, usual 20\)"):
        table = movie.measure_particles()
    assert table.unusual_frames()[["frame", "count", "usual"]].to_numpy().tolist() == [[5, 3, 20]]
    assert table.unusual_frames()["time"].tolist() == [3.5]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lazy = movie.as_lazy().measure_particles(lazy_output=True)
        movie.inav[:5].measure_particles()
    assert len(lazy.unusual_frames()) == 1


def test_two_axes(grid):
    with pytest.raises(ValueError, match="one axis, but the table has 2"):
        grid.measure_particles().unusual_frames()
