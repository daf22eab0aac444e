"""Bad input: the message says what was expected, what came, and what to do; nothing is lost."""

import re

import dask.array as da
import hyperspy.api as hs
import numpy as np
import pytest
from hyperspy.signals import BaseSignal, ComplexSignal2D, Signal1D, Signal2D

import particlespy_ml as pml

VERBS = ("segment_particles", "measure_particles", "classify_particles")
verbs = pytest.mark.parametrize("verb", VERBS)
both = pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])


@pytest.fixture
def run(model_folder):
    """A function that runs a verb of the package on any signal, to the end."""

    def call(verb, signal, **keywords):
        if verb == "classify_particles":
            keywords.setdefault("model", model_folder)
        result = getattr(pml, verb)(signal, **keywords)
        if getattr(result, "_lazy", False):
            result.compute(show_progressbar=False)
        return result

    return call


def says(error, *parts):
    """Whether the message of an error holds every part (regular expressions, in any order)."""
    message = str(error.value)
    for part in parts:
        assert re.search(part, message), f"{part!r} is not in {message!r}"
    return True


def calibrated(data, lazy=False, scale=0.04, units="nm", signal=Signal2D):
    image = signal(data)
    image.axes_manager.signal_axes.set(scale=scale)
    if units is not None:
        image.axes_manager.signal_axes.set(units=units)
    return image.as_lazy() if lazy else image


# --- what is no calibrated image ---


@both
@verbs
def test_no_calibration(two_disks, run, verb, lazy):
    image = calibrated(two_disks.data, lazy, scale=1, units=None)
    with pytest.raises(ValueError) as error:
        run(verb, image)
    says(error, "not calibrated", "no unit", "expected one of .*nm", r"axes_manager\.signal_axes\.set\(scale=")


@verbs
@pytest.mark.parametrize("units", ["px", "1/nm", "eV", "s", "nm^-1", "rad"])
def test_units_that_are_no_length(two_disks, run, verb, units):
    with pytest.raises(ValueError) as error:
        run(verb, calibrated(two_disks.data, units=units))
    says(error, "not calibrated as a length", re.escape(repr(units)), "expected one of .*nm", "Set the pixel size")


def test_one_axis_without_calibration(two_disks, run):
    two_disks.axes_manager.signal_axes[1].units = ""
    with pytest.raises(ValueError) as error:
        run("classify_particles", two_disks)
    says(error, "not calibrated")


def test_segmentation_by_a_threshold_needs_no_calibration(two_disks, run):
    image = calibrated(two_disks.data, scale=1, units=None)
    assert run("segment_particles", image, method="otsu").data.max() > 0


@pytest.mark.parametrize("scale", [0.0, float("nan"), float("inf")])
def test_a_scale_that_is_no_pixel_size(two_disks, run, scale):
    with pytest.raises(ValueError) as error:
        run("measure_particles", calibrated(two_disks.data, scale=scale))
    says(error, f"scale {scale}", "pixel size above zero")


def test_an_axis_that_is_not_uniform(two_disks, run):
    two_disks.axes_manager.signal_axes[0].convert_to_non_uniform_axis()
    with pytest.raises(ValueError) as error:
        run("measure_particles", two_disks)
    says(error, "not uniform", "expected a uniform pixel size")


@both
@verbs
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite(series, run, verb, lazy, value):
    series.data[1, 3, 4:6] = value
    with pytest.raises(ValueError) as error:
        run(verb, series.as_lazy() if lazy else series)
    says(error, r"Frame \(?1", "2 of 20480 pixels are not finite", "crop.*isig|replace", "nan_to_num")


@both
@verbs
def test_numbers_beyond_the_range_of_a_dtype(series, run, verb, lazy):
    """65504 is the largest float16: what is beyond has become infinite."""
    with np.errstate(over="ignore"):
        series.data = (series.data * [[[1e4]], [[1e4]], [[1e5]]]).astype(np.float16)
    with pytest.raises(ValueError) as error:
        run(verb, series.as_lazy() if lazy else series)
    says(error, "Frame 2", "pixels are not finite")


@both
@verbs
def test_masked_pixels(series, run, verb, lazy):
    data = np.ma.masked_greater(series.data, 1e9)
    data[1, 3, 4:6] = np.ma.masked
    image = calibrated(data)
    image.data = data
    if lazy:
        image = image.as_lazy()
        image.data = da.from_array(data, chunks=(1, -1, -1), asarray=False)
    with pytest.raises(ValueError) as error:
        run(verb, image)
    says(error, "Frame 1", "2 of 20480 pixels are masked", "filled")


@both
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_verbs_of_a_table_name_the_frame(series, lazy, value):
    """A table of clean frames does not make others clean."""
    table = series.measure_particles()
    series.data[2, 3, 4] = value
    image = series.as_lazy() if lazy else series
    for call in (
        lambda: image.extract_particles(table),
        lambda: table.measure_shape("radial", image),
        lambda: table.plot_montage(image, by="label"),
    ):
        with pytest.raises(ValueError) as error:
            result = call()
            result.compute(show_progressbar=False)
        says(error, "Frame 2: 1 of 20480 pixels are not finite")


@both
@verbs
def test_a_constant_frame_has_no_particles(series, run, verb, lazy):
    series.data[0] = 7
    with pytest.warns(UserWarning, match="constant.*no particles"):
        result = run(verb, series.as_lazy() if lazy else series)
    counts = [frame.max() for frame in result.data] if verb == VERBS[0] else [len(rows) for rows in result.data]
    assert counts == [0, 0, 1]


@both
@verbs
def test_complex_data(two_disks, run, verb, lazy):
    with pytest.raises(TypeError) as error:
        run(verb, calibrated(two_disks.data + 1j, lazy, signal=ComplexSignal2D))
    says(error, "Expected an image of real numbers", "complex", r"s\.amplitude")


@both
@verbs
def test_rgb_data(run, verb, lazy):
    image = Signal1D(np.zeros((32, 32, 3), np.uint8))
    image.change_dtype("rgb8")
    image.axes_manager.signal_axes.set(scale=0.04, units="nm")
    with pytest.raises(TypeError) as error:
        run(verb, image.as_lazy() if lazy else image)
    says(error, "Expected an image of real numbers", "RGB", "make it grey|channel")


@both
@verbs
@pytest.mark.parametrize("dimension", [0, 1, 3])
def test_another_number_of_signal_dimensions(run, verb, lazy, dimension):
    signal = BaseSignal(np.zeros((4, 32, 32))).transpose(signal_axes=dimension)
    with pytest.raises(ValueError) as error:
        run(verb, signal.as_lazy() if lazy else signal)
    says(error, "Expected two signal dimensions", f"not {dimension}", r"transpose\(signal_axes=2\)")


@verbs
@pytest.mark.parametrize("image", [np.zeros((32, 32)), da.zeros((32, 32)), [[1]], None, "image.hspy"], ids=type)
def test_what_is_no_signal(run, verb, image):
    with pytest.raises(TypeError) as error:
        run(verb, image)
    says(error, "Expected a HyperSpy image signal", type(image).__name__, "load it")


def test_a_table_is_no_image(two_disks, run):
    with pytest.raises((TypeError, ValueError)) as error:
        run("measure_particles", two_disks.measure_particles())
    says(error, "Expected two signal dimensions|Expected an image")


# --- frames with few or no particles ---


@both
@pytest.mark.parametrize("count", [0, 1])
def test_no_and_one_particle(make_image, make_frame, run, model_folder, tmp_path, lazy, count):
    image = make_image(make_frame([(60, 70)][:count], [18][:count]), lazy=lazy)
    table = run("classify_particles", image)
    assert table.data.shape == (1,) and table.data[0].shape == (count,)
    assert table.to_dataframe().shape[0] == count
    assert table.class_fractions()["particles"].tolist() == [count]
    table.save(tmp_path / "table.hspy")
    assert hs.load(tmp_path / "table.hspy").n_particles == count
    if count:
        assert image.extract_particles(table, box="40 px").data.shape == (1, 40, 40)
    else:
        with pytest.raises(ValueError, match="no particles to extract"):
            image.extract_particles(table, box="40 px")


@pytest.mark.parametrize("kind", ["rgb8", "rgba8", "rgb16"])
@pytest.mark.parametrize("frames", [(), (2,)])
def test_the_code_that_makes_an_image_grey_does(kind, frames):
    """What the error of an RGB image says is run as it stands."""
    channels = 4 if "a" in kind else 3
    grey = np.where(np.hypot(*np.mgrid[-40:40, -40:40]) < 20, 200, 50)
    data = np.broadcast_to(grey[..., None], (*frames, 80, 80, channels)).copy()
    data[..., 3:] = 255  # opaque
    s = Signal1D(np.ascontiguousarray(data, "uint16" if "16" in kind else "uint8"))
    s.change_dtype(kind)
    s.set_signal_type("HAADF")
    with pytest.raises(TypeError, match="make it grey first: ") as error:
        s.measure_particles()
    names = {"s": s}
    for line in str(error.value).split("make it grey first: ")[1].split("; then ")[0].split("; "):
        exec(line, names)
    np.testing.assert_array_equal(names["s"].data, data[..., 0])
    s = calibrated(names["s"].data)
    s.set_signal_type("HAADF")
    assert s.data.shape == (*frames, 80, 80) and s.measure_particles().n_particles == max(1, *frames, 1)


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (1, 1), (2, 2), (5, 5)], ids=str)
@verbs
def test_a_tiny_image(run, verb, shape):
    image = calibrated(np.arange(np.prod(shape), dtype=float).reshape(shape))
    run(verb, image) if shape != (1, 1) else pytest.warns(UserWarning, run, verb, image)


# --- sizes, names, options ---


@pytest.mark.parametrize(("box", "pixels"), [("129 px", 129), ("20 nm", 500), (6, 150)])
def test_a_box_larger_than_the_image(two_disks, box, pixels):
    table = two_disks.measure_particles()
    with pytest.raises(ValueError) as error:
        two_disks.extract_particles(table, box=box)
    says(error, f"is {pixels} pixels, more than the image", r"128.*160", "a number is in nm", "for pixels write")


@pytest.mark.parametrize("box", [0, -3, 0.001])
def test_a_box_of_less_than_a_pixel(two_disks, box):
    with pytest.raises(ValueError, match=f"box={box} is less than a pixel"):
        two_disks.extract_particles(two_disks.measure_particles(), box=box)


def test_the_table_of_another_image(two_disks, series):
    table = series.measure_particles()
    with pytest.raises(ValueError) as error:
        two_disks.extract_particles(table)
    says(error, r"table was measured on frames of \(128, 160\).*\(3,\)", r"this image has \(128, 160\) and \(1,\)")


@verbs
@pytest.mark.parametrize("method", ["ostu", "OTSU", ""])
def test_an_unknown_threshold(two_disks, run, verb, method):
    with pytest.raises(ValueError) as error:
        run(verb, two_disks, method=method)
    says(error, f"Unknown method '{method}'", "expected 'auto', 'network' or one of otsu, .*sauvola")


@verbs
def test_an_unknown_option(two_disks, run, verb):
    with pytest.raises(TypeError) as error:
        run(verb, two_disks, min_size=3)
    says(error, "min_size", "takes .*min_diameter", 'method="otsu"')
    with pytest.raises(TypeError) as error:
        run(verb, two_disks, method="otsu", min_diameter=3)
    says(error, "min_diameter", "take .*min_size")


@pytest.mark.parametrize("method", [3, np.ones((128, 160), bool), ["otsu"]], ids=["number", "mask", "list"])
def test_what_is_no_method(two_disks, run, method):
    with pytest.raises(TypeError) as error:
        run("measure_particles", two_disks, method=method)
    says(error, "Expected method to be", type(method).__name__, "labels=")


@pytest.mark.parametrize(
    "option",
    [{"polarity": "black"}, {"smoothing": -1}, {"min_diameter": -0.5}, {"background_diameter": 0}],
    ids=str,
)
def test_an_option_out_of_range(two_disks, run, option):
    (name,) = option
    with pytest.raises(ValueError) as error:
        run("measure_particles", two_disks, **option)
    says(error, name, "must be", re.escape(str(option[name])))


def test_an_unknown_model(two_disks):
    with pytest.raises(ValueError) as error:
        two_disks.classify_particles("resnet")
    says(error, "Unknown model 'resnet'", "expected one of", "folder of a model of your own")


def test_a_damaged_model(two_disks, make_model):
    folder = make_model()
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ValueError) as error:
        two_disks.classify_particles(folder)
    says(error, "damaged", "sha256", "again")


def test_a_card_that_does_not_fit(two_disks, make_model):
    with pytest.raises(ValueError) as error:
        two_disks.classify_particles(make_model(classes=["one", "two"]))
    says(error, "needs 2 outputs", "the network gives an array of")


@verbs
def test_labels_of_another_shape(two_disks, run, verb):
    with pytest.raises(ValueError) as error:
        run(verb, two_disks, labels=np.zeros((64, 64), int))
    says(error, r"Expected labels of the shape \(128, 160\)", r"got \(64, 64\)")


@verbs
def test_labels_that_are_no_labels(two_disks, run, verb):
    with pytest.raises(TypeError) as error:
        run(verb, two_disks, labels=np.zeros((128, 160)))
    says(error, "Expected labels of integers or a mask of booleans", "float64")


@verbs
def test_labels_and_a_method(two_disks, run, verb):
    with pytest.raises(TypeError, match="either labels= or a method"):
        run(verb, two_disks, labels=np.zeros((128, 160), int), method="otsu")


def test_negative_labels(two_disks, run):
    labels = np.zeros((128, 160), int)
    labels[20:40, 20:40] = -1
    with pytest.raises(ValueError, match="not -1"):
        run("measure_particles", two_disks, labels=labels)


# --- painting ---


def test_painted_frames_of_another_shape(two_disks):
    with pytest.raises(ValueError, match=r"one shape, not \(128, 160\) and \(3, 3\)"):
        two_disks.train_segmentation(np.ones((3, 3), int))


def test_painting_of_one_class_only(two_disks):
    with pytest.raises(ValueError, match="at least two classes"):
        two_disks.train_segmentation(np.ones((128, 160), int))


def test_painting_on_a_series(series):
    with pytest.raises(ValueError, match=r"one frame.*s\.inav\[0\]"):
        series.train_segmentation(np.ones((3, 128, 160), int))


def test_painting_on_pixels_that_are_not_finite(two_disks):
    two_disks.data[3, 4] = np.nan
    with pytest.raises(ValueError, match="1 of 20480 pixels are not finite"):
        two_disks.train_segmentation(np.ones((128, 160), int))


# --- tables ---


def test_a_position_that_is_not_finite(two_disks):
    table = two_disks.measure_particles()
    table.data[0]["x"][1] = np.nan
    with pytest.raises(ValueError, match=r"position \(nan, .*not finite.*select"):
        two_disks.extract_particles(table, box="20 px")
    assert two_disks.extract_particles(table.select("x == x"), box="20 px").data.shape == (1, 20, 20)


def test_fractions_of_a_table_that_is_not_classified(two_disks):
    with pytest.raises(ValueError, match=r"not classified.*classify_particles\(\)"):
        two_disks.measure_particles().class_fractions()


def test_tracks_in_a_grid(grid):
    with pytest.raises(ValueError, match="one axis.*has 2.*inav"):
        grid.measure_particles().track_particles()


def test_a_condition_of_another_length(two_disks):
    with pytest.raises(ValueError, match="2 booleans"):
        two_disks.measure_particles().select([True])


# --- nothing is lost ---


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_the_signal_survives_an_error(series, run, lazy):
    series.data[1, 0, 0] = np.nan
    image = series.as_lazy() if lazy else series
    with pytest.raises(ValueError, match="not finite"):
        run("classify_particles", image)
    assert image._lazy is lazy and type(image).__name__ == ("LazyHAADFImage" if lazy else "HAADFImage")
    good = run("classify_particles", image.inav[2])
    assert good.n_particles == 1
