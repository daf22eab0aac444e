"""Segmentation by ParticleSpy's thresholds, and by labels and masks of the user's own."""

from types import SimpleNamespace

import numpy as np
import pytest
from hyperspy.signals import Signal2D
from particlespy.particle_analysis import parameters
from particlespy.segptcls import process
from scipy import ndimage as ndi
from skimage.measure import label

from particlespy_ml.segmentation.numbers import clear_border_particles, number_particles, renumber
from particlespy_ml.segmentation.particlespy import OPTIONS, THRESHOLDS, threshold_options

# ParticleSpy calls what scikit-image has renamed
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:particlespy")

LOCAL = {"local": 51, "local_otsu": 25, "lg_otsu": 25, "niblack": 51, "sauvola": 51}


CROWD = (
    [(40, 40), (80, 110), (90, 60), (90, 83), (0, 90), (60, 159), (127, 20), (20, 120)],
    [14, 20, 12, 12, 10, 9, 8, 3],
)


@pytest.fixture(scope="module")
def crowded(make_frame):
    """One particle alone, a tiny one, three that touch each other, and three at borders."""
    return make_frame(*CROWD)


@pytest.fixture(scope="module")
def clean(make_frame):
    """The same on nothing: local thresholds join the background where there is noise or brightness."""
    return make_frame(*CROWD, noise=0) - 2


def to_dtype(frame, dtype):
    """The frame in a dtype, its contrast kept."""
    if np.dtype(dtype).kind == "f":
        return frame.astype(dtype)
    return np.clip(np.rint(frame * 60), 0, 255).astype(dtype)


def with_particlespy(image, **options):
    """Labels of ParticleSpy itself, numbered without gaps."""
    settings = parameters()
    settings.generate(**options)
    found = process(SimpleNamespace(data=image), settings)
    return np.unique(found, return_inverse=True)[1].reshape(image.shape) if (found == 0).any() else found


def default_options(threshold):
    return {"threshold": threshold, "local_size": LOCAL.get(threshold, 1)}


@pytest.mark.parametrize("dtype", ["f4", "u1"])
@pytest.mark.parametrize("threshold", [name for name in THRESHOLDS if name != "sauvola"])
def test_thresholds_give_the_labels_of_particlespy(crowded, clean, make_image, threshold, dtype):
    image = to_dtype(clean if threshold == "local" else crowded, dtype)
    options = {**default_options(threshold), "min_size": 20}
    expected = with_particlespy(image, **options)
    assert expected.max() > 0
    method = options.pop("threshold")
    labels = make_image(image).segment_particles(method, exclude_border=True, **options)
    np.testing.assert_array_equal(labels.data, expected)
    assert labels.data.dtype == np.int32


@pytest.mark.parametrize(
    "options",
    [
        {"watershed": True},
        {"watershed": True, "watershed_size": 9, "watershed_erosion": 3},
        {"gaussian": 2},
        {"invert": True},
        {"invert": True, "gaussian": 1.5, "watershed": True, "watershed_size": 15, "min_size": 40},
        {"rb_kernel": 9, "threshold": "li"},
        {"min_size": 200},
        {"threshold": "niblack", "local_size": 61, "watershed": True, "watershed_size": 11, "min_size": 100},
    ],
)
@pytest.mark.parametrize("dtype", ["f8", "i2", "u1"])
def test_options_act_as_in_particlespy(crowded, make_image, options, dtype):
    image = to_dtype(crowded, dtype)
    if options.get("invert"):
        image = to_dtype(3.5 - crowded, dtype) if dtype != "i2" else -to_dtype(crowded, dtype)
    # ParticleSpy filters integers in integers
    expected = with_particlespy(image.astype(float) if {"gaussian", "rb_kernel"} & set(options) else image, **options)
    assert expected.max() > 0
    settings = parameters()
    settings.generate(**options)
    signal = make_image(image)
    by_object = signal.segment_particles(settings, exclude_border=True)
    np.testing.assert_array_equal(by_object.data, expected)
    keywords = {"threshold": "otsu", **options}
    by_keywords = signal.segment_particles(keywords.pop("threshold"), exclude_border=True, **keywords)
    np.testing.assert_array_equal(by_keywords.data, expected)


@pytest.mark.parametrize(("min_size", "kept"), [(0, 3), (9, 3), (10, 2), (16, 2), (17, 1), (26, 0)])
def test_min_size_keeps_particles_of_that_size(make_image, min_size, kept):
    image = np.zeros((30, 30))
    image[3:6, 3:6] = image[10:14, 10:14] = image[20:25, 20:25] = 1
    # ParticleSpy drops them with scikit-image 0.26, whose stand-in for the renamed argument does, but not with 0.25
    assert make_image(image).segment_particles("otsu", min_size=min_size).data.max() == kept


def test_keywords_override_the_parameters_object(crowded, make_image):
    settings = parameters()
    settings.generate(threshold="mean", min_size=5)
    labels = make_image(crowded).segment_particles(settings, min_size=200)
    np.testing.assert_array_equal(labels.data, make_image(crowded).segment_particles("mean", min_size=200).data)
    assert labels.metadata.particlespy_ml.segmentation.min_size == 200


def test_a_parameters_object_saved_by_particlespy(crowded, make_image, tmp_path):
    settings = parameters()
    settings.generate(threshold="li", watershed=True, watershed_size=13, min_size=30)
    settings.save(tmp_path / "kept.hdf5")
    loaded = parameters()
    loaded.load(tmp_path / "kept.hdf5")
    one, other = (make_image(crowded).segment_particles(p) for p in (settings, loaded))
    np.testing.assert_array_equal(one.data, other.data)
    assert other.metadata.particlespy_ml.segmentation.as_dictionary() == {
        "method": "threshold",
        "exclude_border": False,
        **OPTIONS,
        "threshold": "li",
        "watershed": True,
        "watershed_size": 13,
        "min_size": 30,
    }


def test_particles_at_the_border_are_kept_unless_excluded(crowded, make_image):
    signal = make_image(crowded)
    kept, dropped = (signal.segment_particles("otsu", exclude_border=b, min_size=20).data for b in (False, True))
    assert kept.max() == 6 and dropped.max() == 3
    np.testing.assert_array_equal(dropped > 0, clear_border_particles(kept) > 0)
    table = signal.measure_particles(kept)
    assert table["touches_border"].sum() == 3
    assert not signal.measure_particles(kept, exclude_border=True)["touches_border"].any()


def test_clear_border_particles_and_renumber():
    labels = np.array([[0, 0, 0, 7], [0, 5, 0, 7], [0, 5, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(clear_border_particles(labels) > 0, labels == 5)
    np.testing.assert_array_equal(renumber(labels), np.where(labels == 7, 2, labels // 5))
    assert renumber(np.zeros((2, 3), int)).max() == 0


@pytest.mark.parametrize("dtype", ["i8", "u8", "u4", ">i4", "u1"])
def test_sparse_and_high_numbers_take_no_room(dtype):
    highest = min(int(np.iinfo(dtype).max), 2**62)  # an array of that length would be refused
    labels = np.zeros((8, 9), dtype)
    labels[0, :3], labels[3:5, 3:5], labels[6, 6] = highest, highest - 2, 5
    np.testing.assert_array_equal(np.unique(clear_border_particles(labels)), [0, 5, highest - 2])
    found, numbers = number_particles(labels)
    np.testing.assert_array_equal(found, [5, highest - 2, highest])
    np.testing.assert_array_equal(numbers, np.select([labels == n for n in found.tolist()], [1, 2, 3]))
    assert numbers.dtype == renumber(labels).dtype == np.int32


def test_numbering_without_background_and_without_particles():
    found, numbers = number_particles(np.full((2, 2), 2**40))
    assert list(found) == [2**40] and (numbers == 1).all()
    assert len(number_particles(np.zeros((2, 2), int))[0]) == 0
    with pytest.raises(ValueError, match="not -3"):
        renumber(np.array([[0, -3]]))


@pytest.mark.parametrize("dtype", ["i8", "u8", "u4"])
def test_numbers_beyond_int32_are_refused_by_name(two_disks, dtype):
    labels = two_disks.segment_particles(labels=two_disks.data > 2.5).data
    high = np.array([0, 5, 2**31], dtype)[labels]
    for lazy in (False, True):
        with pytest.raises(ValueError, match="The label 2147483648 is above 2147483647.*relabel_sequential"):
            two_disks.segment_particles(labels=Signal2D(high).as_lazy() if lazy else high)
    with pytest.raises(ValueError, match="2147483648"):
        two_disks.measure_particles(high)


@pytest.mark.parametrize("dtype", ["i8", "u8", "u4", ">i4", ">u2"])
def test_labels_of_any_integers_are_kept(two_disks, dtype):
    labels = two_disks.segment_particles(labels=two_disks.data > 2.5).data
    ids = np.array([0, 9, min(int(np.iinfo(dtype).max), 2**31 - 1)], dtype)
    given = np.asfortranarray(ids[labels])
    given.flags.writeable = False
    kept = two_disks.segment_particles(labels=given).data
    assert kept.dtype == np.int32
    np.testing.assert_array_equal(kept, given)
    table = two_disks.measure_particles(given)
    assert table["label"].tolist() == [9, int(ids[2])]
    np.testing.assert_array_equal(table["area"], two_disks.measure_particles(labels)["area"])


def test_whole_numbers_in_floats_are_told_how_to_become_labels(two_disks):
    with pytest.raises(TypeError, match=r"not float32; whole numbers in floats are labels after labels.astype\(int\)"):
        two_disks.segment_particles(labels=np.ones(two_disks.data.shape, np.float32))


def test_sides_of_the_frame_that_count_as_border():
    for where in [(0, 3), (5, 3), (3, 0), (3, 6)]:
        labels = np.zeros((6, 7), int)
        labels[2, 2], labels[where] = 1, 2
        np.testing.assert_array_equal(np.unique(clear_border_particles(labels)), [0, 1])


@pytest.mark.parametrize("name", ["two_disks", "series", "grid"])
@pytest.mark.parametrize("options", [{"method": "otsu", "min_size": 30}, {}, {"method": "li", "exclude_border": True}])
def test_lazy_and_eager_labels_are_the_same(request, name, options):
    image = request.getfixturevalue(name)
    eager, lazy = image.segment_particles(**options), image.as_lazy().segment_particles(**options)
    assert lazy._lazy and not eager._lazy
    assert lazy.data.dtype == eager.data.dtype == np.int32
    np.testing.assert_array_equal(eager.data, lazy.data.compute())
    assert eager.data.shape == image.data.shape
    for mine, theirs in zip(eager.axes_manager._axes, image.axes_manager._axes, strict=True):
        assert (mine.name, mine.scale, mine.offset, mine.units) == (
            theirs.name,
            theirs.scale,
            theirs.offset,
            theirs.units,
        )
    assert eager.metadata.Signal.signal_type == ""


def test_numbers_begin_anew_in_each_frame(series):
    labels = series.segment_particles()
    assert [frame.max() for frame in labels.data] == [2, 0, 1]
    assert all(set(np.unique(frame)) == set(range(frame.max() + 1)) for frame in labels.data)


def test_labels_of_ones_own_are_kept(series):
    own = np.zeros(series.data.shape, np.uint16)
    own[0, 30:50, 30:50], own[0, 70:90, 100:120], own[2, 50:80, 60:90] = 40, 9, 2
    for labels in (own, series._deepcopy_with_new_data(own), own.astype(np.int64)):
        result = series.segment_particles(labels=labels)
        np.testing.assert_array_equal(result.data, own)
        assert result.data.dtype == np.int32
        table = series.measure_particles(labels)
        assert [list(rows["label"]) for rows in table.data] == [[9, 40], [], [2]]
        assert list(table.data[0]["area"]) == pytest.approx([400 * 0.04**2] * 2)


def test_a_mask_of_ones_own_is_labelled(series):
    mask = series.data > 2.5
    result = series.segment_particles(labels=mask)
    np.testing.assert_array_equal(result.data, np.stack([label(frame) for frame in mask]))


@pytest.mark.parametrize("lazy_image", [False, True])
@pytest.mark.parametrize("lazy_labels", [False, True])
def test_one_mask_for_all_frames(grid, same_rows, lazy_image, lazy_labels):
    mask = grid.data[0, 0] > 2.5
    every = grid.measure_particles(np.broadcast_to(mask, grid.data.shape))
    image = grid.as_lazy() if lazy_image else grid
    labels = grid.inav[0, 0]._deepcopy_with_new_data(mask)
    labels = labels.as_lazy() if lazy_labels else labels
    table = image.measure_particles(labels)
    assert table._lazy == lazy_image
    same_rows(every, table._computed())
    assert [len(rows) for rows in every.data.ravel()] == [2, 2, 2, 2]


def test_exclude_border_with_labels_and_masks_of_ones_own(two_disks):
    own = np.zeros(two_disks.data.shape, np.int32)
    own[:5, 10:20], own[40:50, 40:50] = 3, 8
    kept = two_disks.segment_particles(labels=own, exclude_border=True).data
    np.testing.assert_array_equal(kept, np.where(own == 8, 8, 0))
    kept = two_disks.segment_particles(labels=own > 0, exclude_border=True).data
    np.testing.assert_array_equal(kept, own == 8)


@pytest.mark.parametrize("shape", [(128, 159), (2, 128, 160), (160, 128), (128,)])
def test_labels_of_a_wrong_shape(series, shape):
    with pytest.raises(ValueError, match=r"shape \(3, 128, 160\).*\(128, 160\); got"):
        series.segment_particles(labels=np.zeros(shape, int))


def test_labels_of_a_wrong_dtype(two_disks):
    with pytest.raises(TypeError, match="labels of integers or a mask of booleans, not float64"):
        two_disks.segment_particles(labels=np.zeros(two_disks.data.shape))
    with pytest.raises(ValueError, match="0 for background and above for particles, not -1"):
        two_disks.segment_particles(labels=np.full(two_disks.data.shape, -1))


def test_labels_and_a_method_exclude_each_other(two_disks):
    mask = two_disks.data > 2.5
    for arguments in ({"method": "otsu"}, {"min_size": 3}):
        with pytest.raises(TypeError, match="labels= or a method"):
            two_disks.segment_particles(labels=mask, **arguments)
    with pytest.raises(TypeError, match="go in labels="):
        two_disks.segment_particles(mask)


def test_unknown_methods_and_options(two_disks):
    with pytest.raises(ValueError, match=r"Unknown method 'otsuu'; expected 'auto', 'network' or one of otsu, mean"):
        two_disks.segment_particles("otsuu")
    with pytest.raises(TypeError, match=r"Unknown options \['colour'\].*min_size"):
        two_disks.segment_particles("otsu", colour=1)
    with pytest.raises(TypeError, match=r"'otsu' finds its own threshold.*method=\"network\""):
        two_disks.segment_particles("otsu", threshold=0.5)
    with pytest.raises(TypeError, match=r"Unknown options \['min_size'\] for method=\"auto\".*polarity"):
        two_disks.segment_particles(min_size=3)
    settings = parameters()
    settings.generate(threshold="otsu")
    settings.segment["threshold"] = "triangle"
    with pytest.raises(ValueError, match="Unknown threshold 'triangle'; expected one of otsu"):
        two_disks.segment_particles(settings)
    with pytest.raises(TypeError, match=r"generate\(\) or load\(\)"):
        two_disks.segment_particles(parameters())


@pytest.mark.parametrize("threshold", ["local", "niblack", "sauvola"])
def test_even_local_sizes_are_refused_before_anything_runs(threshold):
    with pytest.raises(ValueError, match="local_size=50 is even"):
        threshold_options(threshold=threshold, local_size=50)
    assert threshold_options(threshold="local_otsu", local_size=50)["local_size"] == 50


@pytest.mark.parametrize("method", ["otsu", "sauvola", "auto", "trained"])
def test_a_constant_frame_has_no_particles(series, painted, method):
    options = {"local_size": 5} if method == "sauvola" else {}
    if method == "trained":
        method = series.inav[0].train_segmentation(painted)
    series.data[1] = 3
    with pytest.warns(UserWarning, match="constant"):
        labels = series.segment_particles(method, **options)
    assert labels.data[0].any() and not labels.data[1].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("arguments", [{"method": "otsu"}, {}, {"labels": np.zeros((128, 160), int)}])
def test_pixels_that_are_not_finite(two_disks, bad, arguments):
    two_disks.data[3, 4:6] = bad
    with pytest.raises(ValueError, match=r"2 of 20480 pixels are not finite.*nan_to_num"):
        two_disks.segment_particles(**arguments)


def test_haadf_particles_are_bright(make_frame, make_image):
    """Holes of the same contrast are no particles of a HAADF image, but may be asked for in others."""
    frame = make_frame([(40, 40)], [14]) + make_frame([(85, 110)], [18], polarity=-1, noise=0) - 2
    labels = make_image(frame).segment_particles().data
    assert labels[40, 40] == labels.max() == 1
    dark = make_image(frame, signal_type="HRTEM").segment_particles("auto", polarity="dark").data
    assert dark[85, 110] == dark.max() == 1


def test_connected_parts_of_thresholds_are_whole(crowded, make_image):
    labels = make_image(crowded).segment_particles("otsu").data
    np.testing.assert_array_equal(labels > 0, ndi.label(labels, np.ones((3, 3)))[0] > 0)
    assert ndi.label(labels, np.ones((3, 3)))[1] == labels.max()


def test_integers_of_one_value_in_pieces_are_a_mask(two_disks):
    mask = (two_disks.data > 2.5).astype(np.uint8)
    labels = two_disks.segment_particles(labels=255 * mask)
    assert sorted(np.unique(labels.data)) == [0, 1, 2]
    one = np.where(np.arange(mask.shape[1]) < 70, mask, 0)
    assert sorted(np.unique(two_disks.segment_particles(labels=7 * one).data)) == [0, 7]


def test_options_are_checked_before_anything_is_read_and_recorded(two_disks):
    with pytest.raises(ValueError, match="polarity must be one of"):
        two_disks.as_lazy().segment_particles(polarity="purple")
    recorded = two_disks.measure_particles(min_diameter=0.5).metadata.particlespy_ml.segmentation
    assert recorded.min_diameter == 0.5
    assert recorded.polarity == "bright"
    assert recorded.split
