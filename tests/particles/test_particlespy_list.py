"""Tables to ParticleSpy's particle lists and back."""

import numpy as np
import pytest
from particlespy.particle_analysis import parameters, particle_analysis, particle_analysis_series
from particlespy.particle_load import load_plist
from particlespy.ptcl_class import particle, particle_list

from particlespy_ml.particles.particlespy_list import from_particle_list
from particlespy_ml.signals.particle_table import ParticleTable
from particlespy_ml.tables.dataframe import with_column

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:particlespy")


@pytest.fixture
def options():
    settings = parameters()
    settings.generate(threshold="otsu", min_size=100)
    return settings


def measured(image):
    labels = image.segment_particles(labels=image.data > 2.5)
    return image.measure_particles(labels), labels


@pytest.mark.parametrize("name", ["two_disks", "series", "grid"])
@pytest.mark.parametrize("lazy", [False, True])
def test_round_trip_with_labels_is_exact(request, same_rows, name, lazy):
    image = request.getfixturevalue(name)
    table, labels = measured(image)
    image, labels = (image.as_lazy(), labels.as_lazy()) if lazy else (image, labels)
    particles = table.to_particle_list(image, labels)
    assert len(particles.list) == table.n_particles
    back = ParticleTable.from_particle_list(particles, image)
    same_rows(table, back)
    assert [a.name for a in back.axes_manager._axes] == [a.name for a in table.axes_manager._axes]


def test_round_trip_by_outlines_is_close(two_disks):
    table, _ = measured(two_disks)
    back = from_particle_list(table.to_particle_list(), two_disks)
    for name in ("x", "y", "area", "equivalent_circular_diameter", "major_axis_length", "intensity"):
        np.testing.assert_allclose(back[name], table[name], rtol=0.02)


def test_labels_classes_tracks_and_selections_come_back(series, same_rows, add_classes):
    table, labels = measured(series)
    table = add_classes(table.track_particles(max_displacement=0.3)).select("label == 2 or area > 1.5")
    assert table.n_particles == 2
    back = from_particle_list(table.to_particle_list(series, labels), series)
    assert list(back["label"]) == list(table["label"])
    assert list(back["class"]) == list(table["class"]) and back.classes == table.classes
    for name in ("track", "probability", "probability_amorphous"):
        np.testing.assert_allclose(back[name], table[name])
    assert sorted(back.columns) == sorted(table.columns)


def test_particles_carry_properties_of_particlespy(two_disks):
    table, labels = measured(two_disks)
    first, second = table.to_particle_list(two_disks, labels).list
    row = table.data[0][1]
    assert second.properties["area"] == {"value": row["area"], "units": "nm²"}
    assert second.properties["equivalent circular diameter"]["value"] == row["equivalent_circular_diameter"]
    assert second.properties["major axis length"]["value"] == row["major_axis_length"]
    assert second.properties["x"]["value"] == row["x"]
    assert second.properties["circularity"]["units"] is None
    assert second.properties["intensity_std"]["value"] == pytest.approx(row["intensity_std"] / row["intensity_max"])
    assert first.properties["frame"]["value"] == 0
    assert all(type(entry["value"]) in (int, float, str) for entry in first.properties.values())
    np.testing.assert_array_equal(first.mask, labels.data == 1)


def test_crops_hold_the_whole_bounding_box(two_disks):
    table, labels = measured(two_disks)
    for lazy in (False, True):
        image = two_disks.as_lazy() if lazy else two_disks
        for item in table.to_particle_list(image, labels).list:
            where = np.argwhere(item.mask)
            top, left, bottom, right = item.bbox
            assert [top, left, bottom - 1, right - 1] == [*where.min(0), *where.max(0)]
            np.testing.assert_array_equal(item.image.data, two_disks.data[top:bottom, left:right])
            assert item.image.axes_manager[0].offset == pytest.approx(left * 0.04)


def test_frames_of_a_series(grid):
    table, labels = measured(grid)
    particles = table.to_particle_list(grid, labels).list
    assert [p.properties["frame"]["value"] for p in particles] == [0, 0, 2, 3, 3]
    np.testing.assert_array_equal(particles[2].mask, labels.data[1, 0] == 1)
    np.testing.assert_array_equal(
        particles[2].image.data[5, 6], grid.data[1, 0][particles[2].bbox[0] + 5, particles[2].bbox[1] + 6]
    )


def test_what_particlespy_does_with_the_list(two_disks, make_frame, make_image, tmp_path):
    """Its own clustering and files take the list."""
    centres = [(20 + 40 * i, 20 + 40 * j) for i in range(3) for j in range(3)]
    image = make_image(make_frame(centres, [6, 12] * 4 + [6], shape=(140, 140)))
    table, labels = measured(image)
    particles = table.to_particle_list(image, labels)
    small, large = sorted(particles.cluster_particles(properties=["area"], n_clusters=2), key=lambda p: len(p.list))
    assert (len(small.list), len(large.list)) == (4, 5)
    particles.save(str(tmp_path / "particles.hdf5"))
    loaded = load_plist(str(tmp_path / "particles.hdf5"))
    back = from_particle_list(loaded, image)
    np.testing.assert_allclose(np.sort(back["area"]), np.sort(table["area"]))


def test_a_list_of_particlespy(two_disks, options):
    particles = particle_analysis(two_disks.deepcopy(), options)
    for item, number in zip(particles.list, (5, 7), strict=True):
        item.set_property("cluster", number, None)
    table = from_particle_list(particles, two_disks)
    assert table.n_particles == 2
    np.testing.assert_allclose(table["area"], [p.properties["area"]["value"] for p in particles.list])
    # theirs are swapped
    np.testing.assert_allclose(table["x"], [p.properties["y"]["value"] for p in particles.list])
    np.testing.assert_allclose(table["y"], [p.properties["x"]["value"] for p in particles.list])
    assert list(table["cluster"]) == [5, 7]
    assert table.columns[-1] == "cluster"
    assert table.metadata.particlespy_ml.segmentation.method == "particle_list"


def test_a_series_of_particlespy(make_frame, make_image, options):
    frames = [make_frame([(40, 40), (80, 110)], [14, 20]), make_frame([(60, 70)], [18])]
    image = make_image(np.stack(frames), names=("time",))
    table = from_particle_list(particle_analysis_series(image.deepcopy(), options), image)
    assert [len(rows) for rows in table.data] == [2, 1]
    assert table.axes_manager.navigation_axes[0].name == "time"


def test_no_particles(series):
    table = series.measure_particles(np.zeros(series.data.shape, bool))
    particles = table.to_particle_list(series)
    assert particles.list == []
    back = from_particle_list(particles, series)
    assert back.data.shape == (3,) and back.n_particles == 0 and back.columns == table.columns


def list_of(masks):
    given = particle_list()
    for mask in masks:
        item = particle()
        item.set_mask(mask)
        given.append(item)
    return given


@pytest.fixture
def nested(make_image):
    """An image of a core on a disk, and the masks of both."""
    rows, columns = np.mgrid[:70, :80] - 35
    radius = np.hypot(rows, columns)
    disk, core = radius < 20, radius < 5
    return make_image(100.0 * disk + 50.0 * core + 7), disk, core


@pytest.mark.parametrize("order", [1, -1])
def test_masks_that_overlap_are_each_measured_alone(nested, same_rows, order):
    image, disk, core = nested
    aside = np.roll(disk, 12, axis=1)
    table = from_particle_list(list_of([disk, core, aside][::order]), image)
    areas = np.rint(table["area"] / 0.04**2).astype(int).tolist()
    assert areas == [disk.sum(), core.sum(), aside.sum()][::order]
    assert list(table["label"]) == [1, 2, 3]
    assert list(table["background"]) == [7, 7, 7]  # nothing of the others is background
    at = areas.index(disk.sum())
    assert table["intensity_max"][at] == 150
    back = from_particle_list(table.to_particle_list(image), image)
    assert sorted(np.rint(back["area"] / 0.04**2)) == sorted(areas)


def test_a_mask_alone_is_measured_as_a_label_is(two_disks):
    labels = two_disks.segment_particles(labels=two_disks.data > 2.5).data
    expected = two_disks.measure_particles(labels).data[0]
    found = from_particle_list(list_of([labels == 1, labels == 2]), two_disks).data[0]
    np.testing.assert_array_equal(found, expected)


def test_a_core_in_a_ring_comes_back(nested):
    image, disk, core = nested
    rows, columns = np.mgrid[:70, :80] - 35
    labels = np.where(core, 1, np.where(disk & (np.hypot(rows, columns) > 10), 2, 0))
    table = image.measure_particles(labels)
    by_labels = from_particle_list(table.to_particle_list(image, labels), image)
    np.testing.assert_array_equal(by_labels["area"], table["area"])
    by_outlines = from_particle_list(table.to_particle_list(image), image)
    assert by_outlines.n_particles == 2
    assert by_outlines["area"][1] == pytest.approx(disk.sum() * 0.04**2)  # outlines know no holes


@pytest.mark.parametrize("numbers", [(3, 3), (2**31, 1), (0, 1), (-1, 1), ("a", "b")])
def test_labels_that_do_not_fit_are_numbered_anew(nested, numbers):
    image, disk, core = nested
    given = list_of([disk, core])
    for item, number in zip(given.list, numbers, strict=True):
        item.set_property("label", number, None)
    table = from_particle_list(given, image)
    assert list(table["label"]) == [1, 2]
    assert np.argmax(table["area"]) == 0


def test_empty_masks_are_refused(nested):
    image, disk, _ = nested
    with pytest.raises(ValueError, match="Particle 1 of the list has an empty mask"):
        from_particle_list(list_of([disk, np.zeros_like(disk)]), image)


def test_the_mask_that_a_table_was_measured_on_serves_for_its_list(two_disks):
    mask = two_disks.data > 2.5
    table = two_disks.measure_particles(mask)
    masks = [item.mask for item in table.to_particle_list(labels=mask).list]
    np.testing.assert_array_equal(sum(np.asarray(m, int) for m in masks), mask)
    with pytest.raises(ValueError, match="do not have the particle 1 where the table has it"):
        table.to_particle_list(labels=~mask)


def test_columns_of_vectors_are_left_out(two_disks):
    table = two_disks.measure_particles(two_disks.data > 2.5)
    with_vector = with_column(table, "embedding", [np.ones((2, 3))], ("f4", (3,)), "")
    assert "embedding" not in with_vector.to_particle_list().list[0].properties


def test_lists_that_do_not_fit_the_image(two_disks):
    table, labels = measured(two_disks)
    particles = table.to_particle_list(labels=labels)
    with pytest.raises(ValueError, match=r"mask of shape \(128, 160\) in frame 0; expected one of \(128, 100\)"):
        from_particle_list(particles, two_disks.isig[:100])
    particles.list[1].set_property("frame", 4, None)
    with pytest.raises(ValueError, match="Particle 1 .* in frame 4; expected .* in one of 1 frames"):
        from_particle_list(particles, two_disks)
    del particles.list[0].mask
    with pytest.raises(ValueError, match="Particle 0 of the list has a mask of shape"):
        from_particle_list(particles, two_disks)


def test_labels_of_another_series(series):
    table, labels = measured(series)
    with pytest.raises(ValueError, match="labels of 3 frames, not 2"):
        table.to_particle_list(labels=labels.inav[:2])
