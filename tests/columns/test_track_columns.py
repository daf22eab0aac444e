"""Sites of movies: found in the mean, and followed through the frames."""

import dask.array as da
import hyperspy.api as hs
import numpy as np
import pytest

import particlespy_ml as pml
from particlespy_ml.columns.fit.gaussians import gaussian_columns

SHIFTS = np.array([(0, 0), (0.4, -0.3), (1.2, 0.5), (4.5, -3.2), (4.1, -3.0), (0.2, 1.1)])
rows, columns = np.mgrid[:5, :5]
PLACES = np.column_stack([22 + 9.8 * rows.ravel(), 24 + 9.8 * columns.ravel()])


def signal_of(frames):
    s = hs.signals.Signal2D(np.asarray(frames, float))
    s.axes_manager.signal_axes.set(scale=0.02, units="nm")
    s.axes_manager[0].name, s.axes_manager[0].units, s.axes_manager[0].scale = "time", "s", 0.2
    s.set_signal_type("HAADF")
    return s


@pytest.fixture(scope="module")
def movie():
    rng = np.random.default_rng(0)
    full = PLACES[:-1]
    return signal_of([rng.poisson(gaussian_columns((88, 92), full + one, 160.0, 2.1) + 1) for one in SHIFTS])


@pytest.fixture(scope="module")
def table(movie):
    return movie.track_columns(show_progressbar=False)


def test_sites_and_drift(table):
    assert [len(one) for one in table.data] == [24] * 6
    drift = 50 * np.column_stack([table["drift_y"], table["drift_x"]])[::24]
    np.testing.assert_allclose(drift - drift[0], SHIFTS - SHIFTS[0], atol=0.15)
    for number, one in enumerate(table.data):
        seen = 50 * np.column_stack([one["y"], one["x"]])
        away = np.linalg.norm(seen[:, None] - (PLACES[:-1] + SHIFTS[number]), axis=-1).min(1)
        assert away.max() < 0.3 and np.median(away) < 0.16
        assert np.isnan(one["probability"]).all() and (one["significance"] > 5).all()
    assert table.names["facet"][0] == "undefined" and set(table["facet"]) <= set(table.names["facet"])
    assert table["layer"].max() == 3
    strain = table.inav[0].measure_strain("square")
    assert np.nanmax(np.abs(strain["exx"])) < 0.05


def test_frames_are_data_frames_and_have_a_strain(table):
    frame = table.to_dataframe()
    assert len(frame) == 144 and set(frame["facet"]) <= set(table.names["facet"])
    strain = table.inav[0].measure_strain("square").to_dataframe()
    of_facets = strain.groupby("facet", observed=True)["planar"].mean()
    assert len(of_facets) and of_facets.abs().max() < 0.03


def test_lazy_movies_give_the_same(movie, table):
    lazy = movie.as_lazy()
    lazy.data = lazy.data.rechunk((2, -1, -1))
    found = lazy.track_columns()
    assert isinstance(found.data, da.Array)
    found.compute(show_progressbar=False)
    for one, other in zip(found.data, table.data, strict=True):
        for name in one.dtype.names:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_axes_may_descend(movie, table):
    found = movie.isig[::-1, :].track_columns(show_progressbar=False)
    for name in ("x", "y"):
        np.testing.assert_allclose(np.sort(found[name]), np.sort(table[name]), atol=1e-3)
    np.testing.assert_allclose(found["drift_x"][::24], table["drift_x"][::24], atol=1e-4)


def test_bad_frames_have_no_rows_and_are_named(movie):
    bad = movie.deepcopy()
    bad.data[2] = np.nan
    with pytest.warns(UserWarning, match=r"1 of 6 frames are not used, since they are blank.*: 2\."):
        found = bad.track_columns(show_progressbar=False)
    assert [len(one) for one in found.data] == [24, 24, 0, 24, 24, 24]


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (lambda s: s.inav[0], {}, "Expected a movie"),
        (lambda s: s, {"model": "columns-hrtem"}, "model: for method='network' alone"),
        (lambda s: s, {"max_shift": -1.0}, "expected more than 0"),
    ],
)
def test_what_cannot_be_is_refused(movie, change, options, said):
    with pytest.raises(ValueError, match=said):
        change(movie).track_columns(**options)


def test_hrtem_movies_are_searched_by_the_network():
    image = pml.data.columns_of_gold()
    image.data = image.data.astype(float)
    movie = hs.stack([image.isig[70:170, 70:170]] * 2, show_progressbar=False)
    movie.set_signal_type("HRTEM")
    table = movie.track_columns(show_progressbar=False)
    assert len(table.data[0]) > 6 and (table["probability"] > 0.2).all() and np.isnan(table["significance"]).all()


def test_of_several_kinds_the_first_is_followed():
    """Cerium, whose lattice is that of the crystal; columns of oxygen lie between."""
    image = pml.data.columns_of_ceria()
    image.data = image.data.astype(float)
    movie = hs.stack([image.isig[60:150, 60:150]] * 2, show_progressbar=False)
    table = movie.track_columns(model="ceria-hrtem", show_progressbar=False)
    rows = table.data[0]
    places = np.column_stack([rows["mean_x"], rows["mean_y"]])
    apart = np.sort(np.linalg.norm(places[:, None] - places, axis=-1), axis=1)[:, 1]
    assert len(rows) > 8 and 0.27 < np.median(apart) < 0.36 and apart.min() > 0.2
    assert {"bulk", "corner"} & {table.names["facet"][k] for k in rows["facet"]}


@pytest.mark.parametrize(("dtype", "counted"), [("u1", False), ("u2", None), ("f4", None)])
def test_networks_are_told_that_movies_are_pictures_for_the_eye(dtype, counted, monkeypatch):
    """The mean of 8-bit frames does not show that these were none of counts."""
    from particlespy_ml.columns import by_network

    told, find = [], by_network.columns_in_frame

    def seen(*arguments):
        told.append(arguments[5])
        return find(*arguments)

    monkeypatch.setattr(by_network, "columns_in_frame", seen)
    image = pml.data.columns_of_ceria()
    frames = np.clip(np.stack([image.data] * 3) / image.data.max() * 250, 0, 255).astype(dtype)
    movie = hs.signals.Signal2D(frames)
    for axis in movie.axes_manager.signal_axes:
        axis.scale, axis.units = image.axes_manager.signal_axes[0].scale, image.axes_manager.signal_axes[0].units
    movie.set_signal_type("HRTEM")
    movie.track_columns(model="ceria-hrtem", show_progressbar=False)
    assert told and set(told) == {counted}
