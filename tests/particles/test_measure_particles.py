"""`measure_particles`: against ParticleSpy where it is right, lazy tables, series, and tables in files."""

import warnings

import numpy as np
import pytest
from hyperspy.api import load
from hyperspy.signals import Signal2D
from particlespy.particle_analysis import parameters, particle_analysis


@pytest.mark.parametrize("units", ["nm", "Å"])
@pytest.mark.parametrize("dtype", ["f8", "u2"])
def test_parity_with_particlespy(make_frame, make_image, dtype, units):
    """Isolated particles in square pixels: disks, an ellipse, a bar with a notch."""
    frame = make_frame([(35, 40), (80, 120)], [14, 20], shape=(150, 200), noise=0.05)
    rows, columns = np.mgrid[:150, :200]
    frame[((rows - 110) / 9) ** 2 + ((columns - 50) / 24) ** 2 < 1] += 2
    frame[20:36, 100:150] += 1.5
    frame[20:30, 120:128] -= 1.5
    data = frame.astype(dtype) if dtype == "f8" else np.rint(frame * 1000).astype(dtype)
    image = make_image(data, scale=0.05)
    image.axes_manager.signal_axes.set(units=units)
    options = parameters()
    options.generate(threshold="otsu", min_size=50)
    plain = Signal2D(data, axes=[axis.get_axis_dictionary() for axis in image.axes_manager._axes])
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # ParticleSpy calls what is renamed
        theirs = particle_analysis(plain, options).list
    table = image.measure_particles(method=options, exclude_border=True)
    assert len(theirs) == table.n_particles == 4
    by_name = {name.replace("_", " "): name for name in table.columns}
    for row, particle in zip(table.data[0], theirs, strict=True):
        values = {name: entry["value"] for name, entry in particle.properties.items()}
        for name in (
            "area",
            "equivalent circular diameter",
            "major axis length",
            "minor axis length",
            "eccentricity",
            "solidity",
            "bbox_area",
            "bbox_length",
        ):
            assert row[by_name.get(name, name)] == pytest.approx(values[name], rel=1e-6), name
        # theirs is taken in the skirt, and must be added to compare what is above it
        own, offset = row["area"] / 0.05**2, row["background"] - particle.background
        assert row["intensity_mean"] * own == pytest.approx(values["intensity"] - offset * own)
        assert row["intensity_max"] == pytest.approx(values["intensity_max"] - offset)
        assert (row["y"], row["x"]) == pytest.approx((values["x"], values["y"]))  # theirs are swapped
        own = data[particle.mask > 0].astype(float)
        assert row["intensity_std"] == pytest.approx(own.std())  # theirs is over the whole frame, the rest as zero
        assert particle.properties["area"]["units"].replace("^2", "²") == table.units["area"]


def test_outlines_are_kept_in_files(two_disks, tmp_path):
    two_disks.axes_manager.signal_axes.set(offset=1e6)
    table = two_disks.measure_particles(two_disks.data > 2.5)
    table.save(tmp_path / "table.hspy")
    loaded = load(tmp_path / "table.hspy")
    assert loaded.data[0].dtype == table.data[0].dtype
    np.testing.assert_array_equal(loaded["outline"], table["outline"])
    two = two_disks.extract_particles(loaded, "60 px", mask=True, remove_background=True).data
    assert (two > 0.5).sum((1, 2)) == pytest.approx([np.pi * 14**2, np.pi * 20**2], rel=0.03)


def test_tables_of_fewer_columns_still_load(two_disks, tmp_path):
    """As of versions without an error of the intensity, and with outlines in single precision."""
    table = two_disks.measure_particles(two_disks.data > 2.5)
    names = [name for name in table.columns if name != "intensity_error"]
    (rows,) = table.data
    old = np.zeros(len(rows), [(n, ("f4", (64, 2)) if n == "outline" else rows.dtype[n]) for n in names])
    for name in names:
        old[name] = rows[name]
    table.data[0] = old
    table.metadata.particlespy_ml.columns = names
    table.save(tmp_path / "old.hspy")
    loaded = load(tmp_path / "old.hspy")
    assert loaded.columns == names and len(loaded.to_dataframe()) == 2
    assert two_disks.extract_particles(loaded, mask=True).data.shape[0] == 2


@pytest.mark.parametrize("name", ["two_disks", "series", "grid"])
@pytest.mark.parametrize("arguments", [{}, {"method": "otsu", "min_size": 40}, {"labels": "mask"}])
def test_lazy_and_eager_tables_are_the_same(request, same_rows, name, arguments):
    image = request.getfixturevalue(name)
    if "labels" in arguments:
        arguments = {"labels": image.data > 2.5}
    eager, eager_labels = image.measure_particles(**arguments, return_labels=True)
    lazy, lazy_labels = image.as_lazy().measure_particles(**arguments, return_labels=True)
    assert lazy._lazy and lazy_labels._lazy and not eager._lazy
    same_rows(eager, lazy._computed())
    same_rows(eager, image.measure_particles(eager_labels))
    same_rows(eager, image.measure_particles(**arguments, lazy_output=True)._computed())
    same_rows(eager, image.as_lazy().measure_particles(**arguments, lazy_output=False))
    np.testing.assert_array_equal(eager_labels.data, lazy_labels.data.compute())


def test_tables_keep_the_navigation_axes(two_disks, series, grid):
    assert [a.name for a in grid.measure_particles(method="otsu").axes_manager.navigation_axes] == [
        "time",
        "temperature",
    ]
    (axis,) = series.measure_particles(method="otsu").axes_manager.navigation_axes
    assert (axis.name, axis.scale, axis.offset, axis.units, axis.size) == ("time", 0.5, 1.0, "s", 3)
    assert two_disks.measure_particles(method="otsu").data.shape == (1,)


def test_many_particles(make_frame, make_image):
    centres = [(12 + 24 * i, 12 + 24 * j) for i in range(10) for j in range(10)]
    image = make_image(make_frame(centres, [7] * 100, shape=(240, 240)))
    table = image.measure_particles(image.data > 2.5)
    assert table.n_particles == 100
    found = sorted(
        tuple(np.rint(place).astype(int)) for place in zip(table["y"] / 0.04, table["x"] / 0.04, strict=True)
    )
    assert found == centres


def test_provenance(two_disks):
    two_disks.metadata.General.title = "Gold"
    table = two_disks.measure_particles(method="li", min_size=5)
    record = table.metadata.particlespy_ml
    assert table.metadata.General.title == "Particles of Gold"
    assert record.segmentation.threshold == "li" and record.segmentation.min_size == 5
    assert record.image.units == "nm" and list(record.image.scale) == [0.04, 0.04]
    assert set(record.versions.as_dictionary()) >= {"hyperspy", "particlespy", "numpy"}
    assert table.units["area"] == "nm²"
