"""Tables of several images in one."""

from __future__ import annotations

import hyperspy.api as hs
import numpy as np
import pytest

import particlespy_ml as pml
from particlespy_ml.dynamics.comparison import confusion_matrix


@pytest.fixture(scope="module")
def table():
    return pml.data.gold_on_carbon().classify_particles()


@pytest.fixture(scope="module")
def movie():
    return pml.data.isomer_movie().inav[:4].measure_particles(lazy_output=False)


def test_named_tables(table, tmp_path):
    both = pml.concatenate({"fresh": table, "used": table.select("area > 5"), "none": table.select("area < 0")})
    assert both.data.shape == (3,) and both["source"].tolist()[:6] == ["fresh"] * 6
    assert both.summary(by="source")["count"].to_dict()["none"] == 0
    assert both.names["source"] == ("fresh", "used", "none") and both.classes == table.classes
    assert both.metadata.particlespy_ml.sources.source_1.image.title == table.metadata.particlespy_ml.image.title
    np.testing.assert_array_equal(both.select("source == 'used'")["area"], table.select("area > 5")["area"])
    both.save(tmp_path / "both.hspy")
    assert hs.load(tmp_path / "both.hspy").to_dataframe().equals(both.to_dataframe())


def test_titles_and_numbers(table, movie):
    twice = pml.concatenate([table, table])
    assert twice.names["source"] == ("table 0", "table 1")
    parts = pml.concatenate([movie.inav[:2], movie.inav[2:]])
    assert parts.axes_manager[0].name == "time" and parts.axes_manager[0].units == "s"
    np.testing.assert_allclose(parts.axes_manager[0].axis, movie.axes_manager[0].axis)
    again = pml.concatenate([movie, movie])  # time would begin anew
    assert again.axes_manager[0].name == "image" and again.data.shape == (8,)
    alone = pml.concatenate([movie.as_lazy()])
    assert not alone._lazy and alone.n_particles == movie.n_particles


def test_tables_that_were_joined_before(table):
    twice = pml.concatenate([table, table])
    for parts in ([twice, table], [table, twice], [twice, twice]):
        joined = pml.concatenate(parts)
        assert joined.n_particles == sum(part.n_particles for part in parts)
        assert joined.columns.count("source") == 1 and joined.names["source"] == ("table 0", "table 1")
        assert joined["source"].tolist().count("table 0") == parts[0].n_particles
        assert joined["area"].tolist() == [area for part in parts for area in part["area"]]


def test_units_become_those_of_the_first(table):
    image = pml.data.gold_on_carbon()
    for axis in image.axes_manager.signal_axes:
        axis.scale, axis.offset, axis.units = axis.scale * 10, axis.offset * 10, "Å"
    other = image.classify_particles()
    both = pml.concatenate([table, other])
    for name in ("x", "area", "equivalent_circular_diameter", "bbox_x_max"):
        np.testing.assert_allclose(both[name][:6], both[name][6:], rtol=1e-5)
    assert both.units == {**table.units, "source": ""} or both.units["area"] == "nm²"


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda t: [], ValueError, "one table or more"),
        (lambda t: [t, 3], TypeError, "not int"),
        (lambda t: [t, t.drop("outline")], ValueError, "outline are in one of them"),
        (lambda t: [t, t.merge_classes({"all": t.classes[:2]})], ValueError, "the classes|same columns"),
        (lambda t: [t, pml.data.columns_of_platinum().find_columns()], TypeError, "of one kind"),
    ],
)
def test_what_cannot_be_one_table(table, make, error, match):
    with pytest.raises(error, match=match):
        pml.concatenate(make(table))


def test_hyperspy_stack_says_what_does(table):
    with pytest.raises(TypeError, match=r"particlespy_ml\.concatenate"):
        hs.stack([table, table])


def test_tracks_of_later_tables_are_others(movie):
    """Two parts of one movie, in each of which another particle was followed."""
    first, second = (movie.inav[part].track_particles() for part in (slice(0, 2), slice(2, 4)))
    both = pml.concatenate([first, second])
    own = [set(rows["track"].tolist()) for rows in both.data]
    assert not (own[0] | own[1]) & (own[2] | own[3])
    assert both["track"].max() + 1 == len(set(first["track"])) + len(set(second["track"]))
    np.testing.assert_array_equal(pml.concatenate([first])["track"], first["track"])


def test_what_different_models_confuse_is_no_one_matrix():
    """In whatever order they are."""
    table = pml.data.isomer_movie().inav[:4].classify_particles(lazy_output=False)
    table.metadata.particlespy_ml.model.confusion_matrix = np.eye(4).ravel().tolist()
    other = table.deepcopy()
    other.metadata.particlespy_ml.model.confusion_matrix = (0.8 * np.eye(4) + 0.05).ravel().tolist()
    for pair in ([table, other], [other, table]):
        with pytest.warns(UserWarning, match="different models"):
            both = pml.concatenate(pair)
        assert confusion_matrix(both) is None
    np.testing.assert_array_equal(confusion_matrix(pml.concatenate([table, table])), np.eye(4))


def test_surfaces_of_all_images(columns_of_a_particle):
    """Columns at the rim of an image are judged by its own place and size, in the unit of the table."""
    far = columns_of_a_particle(offset=50.0)
    near = columns_of_a_particle(offset=0.0)
    alone = [np.isfinite(one.measure_strain("square")["normal_x"]).sum() for one in (near, far)]
    assert alone[0] == alone[1] > 10
    for pair in ([near, far], [far, near]):
        strain = pml.concatenate(pair).measure_strain("square")
        assert [np.isfinite(rows["normal_x"]).sum() for rows in strain.data] == alone
        assert set(strain.strain_by_layer()["frame"]) == {0, 1}


@pytest.fixture(scope="module")
def columns_of_a_particle():
    rows, columns = np.mgrid[:6, :6]
    places = np.column_stack([20 + 9.8 * rows.ravel(), 20 + 9.8 * columns.ravel()])
    counts = np.random.default_rng(0).poisson(pml.columns.gaussian_columns((90, 90), places, 1500.0, 2.1) + 5)

    def made(offset):
        s = hs.signals.Signal2D(counts.astype(float))
        s.set_signal_type("HAADF")
        s.axes_manager.signal_axes.set(scale=0.02, units="nm", offset=offset)
        return s.find_columns(dose="electrons")

    return made
