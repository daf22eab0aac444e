"""The verbs on signals: axes, laziness, flags, bad input, atomap."""

import dask.array as da
import hyperspy.api as hs
import numpy as np
import pytest
from scipy.spatial import cKDTree

from particlespy_ml.columns.flags import Flag, describe_flags


@pytest.fixture
def particle(make_columns, make_image):
    """One calibrated image with its columns in nm (x, y) and counts."""
    image, positions, counts = make_columns()
    return make_image(image, scale=0.02), positions[:, ::-1] * 0.02, counts


@pytest.fixture
def stack(make_columns, make_image):
    """Three frames: a particle, nothing, another particle."""
    frames = [make_columns(seed=0)[0], make_columns(seed=1)[0]]
    return make_image(np.stack([frames[0], np.zeros_like(frames[0]), frames[1]]), scale=0.02, names=("time",))


def test_rows_are_calibrated(particle):
    s, positions, counts = particle
    table = s.find_columns(dose="electrons")
    assert type(table).__name__ == "ColumnTable"
    assert table.data.shape == (1,)
    distance, index = cKDTree(positions).query(np.column_stack([table["x"], table["y"]]))
    assert distance.max() < 0.02 and len(np.unique(index)) == len(counts) == table.n_columns
    # image in electrons: volume over the area of a pixel is the number of electrons
    expected = 0.0235 * counts[index] * 1e4 * 0.02**2
    assert np.abs((table["volume"] - expected) / table["volume_error"]).mean() < 1.2
    assert table.units["x"] == "nm" and table.units["volume"] == "nm²" and table.units["significance"] == ""
    assert table["width"][0] == pytest.approx(2.1 * 0.02, rel=0.03)
    assert (table["flags"] == 0).all()


def test_offset_and_direction_of_axes(particle):
    s, positions, _ = particle
    for axis, offset in zip(s.axes_manager.signal_axes, (-3.0, 7.0), strict=True):
        axis.offset = offset
    table = s.find_columns()
    found = np.column_stack([table["x"], table["y"]])
    assert cKDTree(positions + [-3.0, 7.0]).query(found)[0].max() < 0.02


@pytest.mark.parametrize("unit", ["Å", "pm"])
def test_other_units(particle, unit):
    s, positions, _ = particle
    factor = {"Å": 10, "pm": 1000}[unit]
    s.axes_manager.signal_axes.set(scale=0.02 * factor, units=unit)
    table = s.find_columns(spacing=0.196 * factor)
    assert cKDTree(positions * factor).query(np.column_stack([table["x"], table["y"]]))[0].max() < 0.02 * factor


def test_dose_is_that_of_fractions_of_the_beam(particle):
    s, *_ = particle
    in_electrons = s.find_columns(dose="electrons")
    fraction = s / (1e4 * 0.04)
    in_fractions = fraction.find_columns(dose=1e4)
    np.testing.assert_allclose(in_fractions["volume_error"] * 400, in_electrons["volume_error"], rtol=1e-3)


@pytest.mark.parametrize("shape", [(3,), (1, 3), (3, 1)])
def test_lazy_is_eager(stack, same_rows, shape):
    s = hs.signals.Signal2D(stack.data.reshape(*shape, *stack.data.shape[1:]))
    s.axes_manager.signal_axes.set(scale=0.02, units="nm")
    s.set_signal_type("HAADF")
    eager, lazy = s.find_columns(), s.as_lazy().find_columns()
    assert lazy._lazy and isinstance(lazy.data, da.Array) and type(lazy).__name__ == "LazyColumnTable"
    lazy.compute()
    same_rows(eager, lazy)
    assert [len(rows) for rows in eager.data.ravel()][1] == 0


def test_nothing_is_read_before_compute(stack, monkeypatch):
    def fail(*_):
        raise AssertionError("read")

    lazy = stack.as_lazy()
    lazy.data = lazy.data.map_blocks(fail, dtype=lazy.data.dtype, meta=np.empty((0, 0, 0)))
    table = lazy.find_columns()
    assert table.count_atoms("mixture")._lazy
    with pytest.raises(AssertionError, match="read"):
        table.compute()


def test_any_signal_will_do(particle):
    import particlespy_ml as pml

    s, *_ = particle
    plain = hs.signals.Signal2D(s.data)
    plain.axes_manager.signal_axes.set(scale=0.02, units="nm")
    assert pml.find_columns(plain).n_columns == s.find_columns().n_columns


def test_atomap_and_back(particle):
    s, *_ = particle
    table = s.find_columns()
    sublattice = table.to_sublattice(s)
    atom = sublattice.atom_list[0]
    assert atom.amplitude_gaussian == pytest.approx(table["volume"][0] / 0.02**2)
    again = s.find_columns(sublattice)
    # positions that are given are not tied to the lattice
    assert np.all(np.abs(again["x"] - table["x"]) < 4 * again["x_error"])
    given = s.find_columns(np.column_stack([table["x"], table["y"]])[:10])
    assert given.n_columns == 10


def test_saved_and_loaded(particle, tmp_path, same_rows):
    s, *_ = particle
    table = s.find_columns()
    table.save(tmp_path / "columns.hspy")
    loaded = hs.load(tmp_path / "columns.hspy")
    assert type(loaded) is type(table)
    same_rows(table, loaded)
    assert loaded.grid == table.grid
    with pytest.raises(ValueError, match="ColumnTable cannot be saved"):
        table.save(tmp_path / "columns.zspy")


def test_provenance(particle):
    s, *_ = particle
    record = s.find_columns(dose="electrons", false_positives=0.01).metadata.particlespy_ml
    assert record.finding.dose == "electrons" and record.finding.false_positives == 0.01
    assert "hyperspy" in record.versions


def test_select_and_dataframe(particle):
    s, *_ = particle
    table = s.find_columns()
    bright = table.select("volume > volume.median()")
    assert 0 < bright.n_columns < table.n_columns and type(bright) is type(table)
    assert list(table.to_dataframe().columns)[:3] == ["frame", "x", "y"]
    assert table.to_dataframe().attrs["units"]["x"] == "nm"
    assert "columns>" in repr(table) and "<pre>" in table._repr_html_()


def test_saturated_columns_are_flagged(particle):
    s, _, counts = particle
    s.data = np.minimum(s.data, 0.6 * s.data.max())
    table = s.find_columns()
    clipped = table["flags"] & Flag.SATURATED != 0
    assert 0 < clipped.sum() < table.n_columns
    assert np.median(table["volume"][clipped]) > np.median(table["volume"][~clipped])
    assert "clipped" in describe_flags(Flag.SATURATED)
    counted = table.count_atoms(library=np.arange(1, 8) * 0.0235 * 1e4 * 0.04)
    assert (counted["count"][clipped] == -1).all() and (counted["count"][~clipped] > 0).any()


def test_columns_at_the_border_are_flagged(particle):
    s, *_ = particle
    cut = s.isig[26:, :]
    table = cut.find_columns()
    near = table["x"] - cut.axes_manager.signal_axes[0].offset < 0.06
    assert near.any()
    np.testing.assert_array_equal(table["flags"] & Flag.AT_BORDER != 0, near)


def test_amorphous_particles_are_flagged(make_image):
    from particlespy_ml.columns.fit.refine import gaussian_columns

    rng = np.random.default_rng(0)
    places = [np.array([90.0, 90.0])]
    while len(places) < 60:
        place = rng.uniform(30, 150, 2)
        if np.min(np.linalg.norm(np.array(places) - place, axis=1)) > 9:
            places.append(place)
    image = gaussian_columns((180, 180), places, rng.uniform(300, 1500, 60), 2.1, 1.0)
    table = make_image(rng.poisson(image), scale=0.02).find_columns(spacing=0.2)
    assert table.n_columns > 20
    assert (table["flags"] & (Flag.NO_LATTICE | Flag.SEVERAL_LATTICES) != 0).all()
    counted = table.count_atoms(library=np.arange(1, 8) * 10.0)
    assert (counted["count"] == -1).all()
    assert "lattice" in counted.total_counts()["not_counted_because"][0]
    with pytest.raises(ValueError, match="lattice"):
        counted.to_atoms("Pt")


def test_two_lattices_are_flagged(make_columns, make_image):
    one, *_ = make_columns(tilt=0.0)
    other, *_ = make_columns(tilt=0.6)
    height = max(one.shape[0], other.shape[0])
    both = np.hstack([np.pad(i[:, 15:-15], ((0, height - i.shape[0]), (0, 0)), mode="edge") for i in (one, other)])
    table = make_image(both, scale=0.02).find_columns()
    assert (table["flags"] & Flag.SEVERAL_LATTICES != 0).all()
    assert (table.count_atoms(library=np.arange(1, 8) * 9.4)["count"] == -1).all()
    ignored = table.count_atoms(library=np.arange(1, 8) * 9.4, ignore_flags=Flag.SEVERAL_LATTICES)
    assert (ignored["count"] > 0).any()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"dose": -1}, "above zero"),
        ({"dose": "counts"}, "electrons"),
        ({"false_positives": 0}, "between 0 and 1"),
        ({"background": 7}, "degree"),
        ({"spacing": 0.001}, "two pixels"),
        ({"positions": [[900.0, 1.0]]}, "outside"),
        ({"positions": [1.0, 2.0, 3.0]}, r"shape \(n, 2\)"),
        ({"positions": [[1.0, 1.0]], "mask": np.ones((2, 2), bool)}, "expected one of the two"),
    ],
)
def test_bad_options(particle, options, match):
    with pytest.raises(ValueError, match=match):
        particle[0].find_columns(**options)


def test_bad_images(particle, make_image):
    s, *_ = particle
    uncalibrated = hs.signals.Signal2D(s.data)
    uncalibrated.set_signal_type("HAADF")
    with pytest.raises(ValueError, match="not calibrated"):
        uncalibrated.find_columns()
    oblong = s.deepcopy()
    oblong.axes_manager.signal_axes[0].scale = 0.04
    with pytest.raises(ValueError, match="square"):
        oblong.find_columns()
    holes = s.deepcopy()
    holes.data[3, 4] = np.nan
    with pytest.raises(ValueError, match="Frame 0: 1 of 18225 pixels are not finite"):
        holes.find_columns()
    with pytest.raises(ValueError, match="smaller pixels"):
        make_image(s.data, scale=0.3).find_columns()


def test_zone_axes_of_a_stack(stack):
    found = stack.find_zone_axis(lattice_constant=2 * 0.196)
    assert found["zone_axis"].tolist() == ["<001>", "undefined", "<001>"]
    frame = found.to_dataframe()
    assert np.hypot(frame["a_x"], frame["a_y"])[0] == pytest.approx(0.196, rel=0.02)
    assert np.isnan(frame["a_x"][1]) and frame["zone_axis_score"][0] >= 1
    lazy = stack.as_lazy().find_zone_axis("Pt")
    assert lazy._lazy
    lazy.compute()
    assert lazy["zone_axis"].tolist() == found["zone_axis"].tolist()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"crystal": "Xx"}, "Xx"),
        ({"crystal": "Ga"}, "Ga"),
        ({"lattice_constant": -1}, "above zero"),
        ({"lattice_constant": 0.05}, "too coarse"),
        ({"lattice_constant": 0.4, "crystal": "glass"}, "Unknown crystal"),
    ],
)
def test_zone_axis_errors(particle, options, match):
    with pytest.raises(ValueError, match=match):
        particle[0].find_zone_axis(**options)


def test_a_series_is_measured_together(make_columns, make_image):
    frames = [np.roll(make_columns(dose=300, seed=seed)[0], (seed, -seed // 2), (0, 1)) for seed in range(6)]
    s = make_image(np.stack(frames), scale=0.02, names=("time",))
    _, positions, counts = make_columns(dose=300)
    table = s.as_lazy().find_columns_in_series(dose="electrons")
    assert table._lazy
    table.compute()
    for one, other in zip(table.data, s.find_columns_in_series(dose="electrons").data, strict=True):
        np.testing.assert_array_equal(one, other)
    assert [len(rows) for rows in table.data] == [len(counts)] * 6
    drift = np.array([(rows["x"].mean(), rows["y"].mean()) for rows in table.data]) / 0.02
    np.testing.assert_allclose(drift[:, 1] - drift[0, 1], np.arange(6), atol=0.4)
    lone = s.inav[0].find_columns(dose="electrons")
    assert lone.n_columns <= len(counts)
    with pytest.raises(ValueError, match="one axis"):
        hs.stack([s, s]).find_columns_in_series()


def test_a_reason_for_no_columns_is_logged(make_image, caplog):
    from particlespy_ml.columns.fit.refine import gaussian_columns

    rows, columns = (k.ravel() for k in np.mgrid[:9, :9])
    places = np.column_stack([22.0 + 7 * rows, 20.0 + 7 * columns + np.where(rows > 4, 2.6 * (rows - 4), 0)])
    image = gaussian_columns((110, 110), [[50.0, 52.0]], 6e7, 22.0) + gaussian_columns((110, 110), places, 3e4, 2.5)
    with caplog.at_level("WARNING"):
        table = make_image(np.random.default_rng(0).poisson(image + 100), scale=0.03).find_columns(background=1)
    assert table.n_columns == 0 and "not resolved" in caplog.text
