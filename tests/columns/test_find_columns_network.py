"""Columns of images by a network that knows a made-up kind of image: bright peaks."""

import hashlib
import json

import dask.array as da
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import particlespy_ml as pml
from particlespy_ml.columns import by_network
from particlespy_ml.columns.network import maps_of_columns
from particlespy_ml.core.padding import known_pixels
from particlespy_ml.models.column_mapper import ColumnMapper, ColumnMaps

PIXEL = 0.02  # nm
PLACES = np.array([(40.2, 30.7), (40.0, 50.3), (70.6, 90.1)])


class Oracle(ColumnMapper):
    """Finds the peaks of an image without noise; stands in for a network, whose training is tested elsewhere."""

    def maps(self, images, tile=768, overlap=112, device=None):
        from skimage.feature import peak_local_max

        images = images[0]
        smooth = gaussian_filter(images, 1.5)  # bright peaks are flat, where they are clipped
        peaks = peak_local_max(smooth, min_distance=3, threshold_abs=4, exclude_border=False)
        places = np.array([refine(images, peak) for peak in peaks]).reshape(-1, 2)
        outputs = np.arange(len(places)) % len(self.outputs) + 1
        known = maps_of_columns(places, outputs, images.shape, 0.25)
        columns = np.stack([np.where(known[1] == number + 1, known[0], 0) for number in range(len(self.outputs))])
        return ColumnMaps(1 - known[0], columns, known[2:], np.full(images.shape, 0.04, np.float32))


def refine(image, peak):
    """Middle of the light about a peak."""
    rows, columns = (np.arange(max(p - 7, 0), min(p + 8, n)) for p, n in zip(peak, image.shape, strict=True))
    window = np.maximum(image[np.ix_(rows, columns)], 0)
    return (window.sum(1) @ rows) / window.sum(), (window.sum(0) @ columns) / window.sum()


CARD = {
    "name": "oracle",
    "sha256": "0",
    "columns": [{"kind": "metal", "heights": 3}],
    "architecture": {"name": "unet", "outputs": 7},
    "pixel_size": {"value": 0.25, "unit": "Å"},
    "pixel_size_range_angstrom": [0.08, 0.36],
    "threshold": 0.5,
}


def oracle(**changes):
    return Oracle({**CARD, **changes}, {})


def peaks_image(places, shape=(110, 130), width=0.05):
    """Bright Gaussians of a width in nm at places in pixels."""
    rows, columns = np.indices(shape)
    frame = np.zeros(shape)
    for row, column in places:
        frame += np.exp(-((rows - row) ** 2 + (columns - column) ** 2) * PIXEL**2 / (2 * width**2))
    return frame + 1e-6 * np.random.default_rng(0).normal(size=shape)


def to_signal(data, make_image, lazy=False, **options):
    return make_image(data, signal_type="HRTEM", lazy=lazy, scale=PIXEL, **options)


def in_order(rows):
    return rows[np.lexsort([rows["x"], rows["y"]])]


def test_places_are_calibrated(make_image):
    table = to_signal(peaks_image(PLACES), make_image).find_columns(model=oracle())
    rows = in_order(table.data[0])
    expected = PLACES[np.lexsort([PLACES[:, 1], PLACES[:, 0]])] * PIXEL
    np.testing.assert_allclose(rows["y"], expected[:, 0], atol=0.002)
    np.testing.assert_allclose(rows["x"], expected[:, 1], atol=0.002)
    np.testing.assert_allclose(rows["x_error"], 0.004, rtol=1e-3)
    assert table.units["x"] == table.units["x_error"] == "nm" and table.n_columns == 3
    assert table.metadata.particlespy_ml.finding.method == "network"


def test_heights_have_a_posterior_and_an_error(make_image):
    rows = to_signal(peaks_image(PLACES), make_image).find_columns(model=oracle()).data[0]
    assert sorted(rows["height"]) == [1, 2, 3]
    np.testing.assert_allclose(rows["expected_height"], rows["height"], atol=1e-5)
    assert rows["resolvable"].all() and (rows["expected_height_error"] < 1e-2).all()
    told = np.stack([rows[f"height_probability_{number}"] for number in (1, 2, 3)], 1)
    np.testing.assert_allclose(told.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(told.max(1), rows["height_probability"])


def test_kinds_are_names_and_kinds_that_are_not_counted_have_no_height(make_image):
    model = oracle(columns=[{"kind": "Ce", "heights": 2}, {"kind": "O", "heights": 1}])
    table = to_signal(peaks_image(PLACES), make_image).find_columns(model=model)
    assert sorted(table["class"]) == ["Ce", "Ce", "O"]
    oxygen = table["class"] == "O"
    assert (table["height"][oxygen] == -1).all() and np.isnan(table["expected_height"][oxygen]).all()
    assert not table["resolvable"][oxygen].any() and (table["height"][~oxygen] > 0).all()
    np.testing.assert_allclose(table["probability_Ce"] + table["probability_O"], 1, rtol=1e-5)
    assert set(table.to_dataframe()["class"]) == {"Ce", "O"}


def test_posteriors_are_turned_into_expectations():
    kinds = (("metal", 3),)
    rows = np.zeros(2, by_network.network_dtype(kinds))
    by_network.write_heights(rows, np.array([[0.5, 0.5, 0.0], [0.0, 0.1, 0.9]]), kinds)
    np.testing.assert_allclose(rows["expected_height"], [1.5, 2.9], rtol=1e-6)
    np.testing.assert_allclose(rows["expected_height_error"], [0.5, 0.3], rtol=1e-5)
    assert rows["resolvable"].tolist() == [False, True] and rows["height"].tolist() == [1, 3]


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 2)])
def test_series_of_any_shape_lazy_and_eager(make_image, same_rows, shape):
    frames = np.stack([peaks_image(PLACES[: number % 4]) for number in range(int(np.prod(shape)))])
    frames = frames.reshape(*shape, *frames.shape[1:])
    eager = to_signal(frames, make_image).find_columns(model=oracle())
    lazy = to_signal(frames, make_image, lazy=True).find_columns(model=oracle())
    assert isinstance(lazy.data, da.Array) and eager.data.shape == shape
    lazy.compute()
    same_rows(eager, lazy)
    counts = [len(rows) for rows in eager.data.ravel()]
    assert counts == [number % 4 for number in range(len(counts))]


def test_masks_and_labels_leave_columns_out(make_image):
    image = to_signal(peaks_image(PLACES), make_image)
    where = np.zeros(image.data.shape, int)
    where[:60] = 7
    assert image.find_columns(model=oracle(), mask=where > 0).n_columns == 2
    table = image.find_columns(model=oracle(), labels=where)
    assert table.columns[0] == "label" and table["label"].tolist() == [7, 7]
    assert image.find_columns(model=oracle(), labels=np.zeros_like(where)).n_columns == 0


def test_axes_that_descend_give_the_same_places(make_image):
    image = to_signal(peaks_image(PLACES), make_image)
    expected = in_order(image.find_columns(model=oracle()).data[0])
    turned = image.isig[::-1, ::-1]
    assert turned.axes_manager.signal_axes[0].scale < 0
    found = in_order(turned.find_columns(model=oracle()).data[0])
    for name in ("x", "y", "height"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)


def test_borders_that_were_not_recorded_hold_no_columns(make_image):
    frame = np.pad(peaks_image(PLACES) + 5, 40, constant_values=0)
    assert known_pixels(frame) is not None
    table = to_signal(frame, make_image).find_columns(model=oracle())
    assert table.n_columns == 3 and not table["flags"].any()


@pytest.mark.parametrize("frame", [np.zeros((30, 40)), np.full((1, 50), 3.0), np.ones((12, 12))])
def test_frames_of_nothing_have_no_columns(make_image, frame):
    table = to_signal(frame, make_image).find_columns(model=oracle())
    assert table.n_columns == 0 and "height" in table.columns


def test_columns_at_the_border_are_flagged(make_image):
    table = to_signal(peaks_image([(55.0, 0.0), (55.0, 60.0)]), make_image).find_columns(model=oracle())
    flags = in_order(table.data[0])["flags"]
    assert [bool(flag & pml.columns.Flag.AT_BORDER) for flag in flags] == [True, False]


def test_a_table_of_a_network_can_be_saved(make_image, same_rows, tmp_path):
    import hyperspy.api as hs

    table = to_signal(peaks_image(PLACES), make_image).find_columns(model=oracle())
    table.save(tmp_path / "columns.hspy")
    same_rows(table, hs.load(tmp_path / "columns.hspy"))
    assert table.describe_columns()["definition"].all()


def test_hrtem_images_are_seen_by_a_network_and_others_fitted(make_image):
    image = to_signal(peaks_image(PLACES), make_image)
    with pytest.raises(ValueError, match="spacing: for method='fit' alone"):
        image.find_columns(spacing=0.3)
    with pytest.raises(ValueError, match="model: for method='network' alone"):
        image.find_columns(method="fit", model=oracle())
    with pytest.raises(ValueError, match="method='peaks'; expected 'fit' or 'network'"):
        image.find_columns(method="peaks")
    assert image.find_columns(method="fit").metadata.particlespy_ml.finding.method == "fit"


def test_pixels_that_are_too_large_are_refused(make_image):
    image = make_image(peaks_image(PLACES), signal_type="HRTEM", scale=0.06)
    with pytest.raises(ValueError, match="pixels of 0.6 Å are too large for the model 'oracle', which needs 0.36 Å"):
        image.find_columns(model=oracle())
    with pytest.raises(ValueError, match="finds no columns; expected one such as 'columns-hrtem'"):
        image.find_columns(model="isomer-haadf")
    with pytest.raises(ValueError, match="min_probability=0; expected"):
        to_signal(peaks_image(PLACES), make_image).find_columns(model=oracle(), min_probability=0)


def test_finer_pixels_are_rebinned(make_image):
    fine = peaks_image(PLACES * 4, (440, 520), width=0.2)  # the same places at a quarter of the pixel
    image = make_image(fine, signal_type="HRTEM", scale=PIXEL / 4)
    rows = in_order(image.find_columns(model=oracle()).data[0])
    expected = PLACES[np.lexsort([PLACES[:, 1], PLACES[:, 0]])] * PIXEL
    np.testing.assert_allclose(rows["y"], expected[:, 0], atol=0.003)


def test_a_frame_that_is_not_finite_is_named(make_image):
    frames = np.stack([peaks_image(PLACES)] * 2)
    frames[1, 3, 3] = np.nan
    with pytest.raises(ValueError, match="Frame 1: 1 of 14300 pixels are not finite"):
        to_signal(frames, make_image).find_columns(model=oracle())
    mask = np.ones(frames.shape, bool)
    mask[1, 3, 3] = False
    assert to_signal(frames, make_image).find_columns(model=oracle(), mask=mask).n_columns == 6


@pytest.mark.parametrize("lazy", [False, True])
def test_maps_have_the_size_of_the_image_and_say_how_sure_they_are(make_image, lazy):
    frames = np.stack([peaks_image(PLACES), peaks_image([])])
    maps = to_signal(frames, make_image, lazy=lazy, names=("time",)).map_columns(oracle())
    names = maps.metadata.particlespy_ml.maps
    assert names == ["background", "metal 1", "metal 2", "metal 3", "confidence"]
    assert maps.data.shape == (5, *frames.shape) and maps.data.dtype == np.float32
    assert isinstance(maps.data, da.Array) == lazy
    assert [axis.name for axis in maps.axes_manager.navigation_axes] == ["time", "map"]
    assert maps.axes_manager.signal_axes[0].scale == PIXEL
    data = np.asarray(maps.data)
    np.testing.assert_allclose(data[:4].sum(0), 1, atol=1e-3)
    np.testing.assert_array_equal(data[4], data[:4].max(0))
    at = tuple(np.rint(PLACES).astype(int).T)
    assert data[0, 0][at].max() < 0.4 and data[0, 1].min() == 1


def test_maps_of_a_single_image(make_image):
    maps = to_signal(peaks_image(PLACES), make_image).map_columns(oracle())
    assert maps.data.shape == (5, 110, 130)


def test_an_untrained_network_runs_tiled_as_at_once(tmp_path, make_image):
    model = pml.load_model(write_mapper(tmp_path / "mapper"))
    frame = np.random.default_rng(0).normal(size=(300, 330)).astype(np.float32)
    whole, tiled = model.maps(frame, tile=4096), model.maps(frame, tile=96)
    for name in ("background", "columns", "offsets", "errors"):
        np.testing.assert_allclose(getattr(tiled, name), getattr(whole, name), atol=2e-5)
    assert model.purpose == "columns: metal of 1 to 3" and model.outputs[2] == ("metal", 3)
    table = to_signal(frame, make_image).find_columns(model=model, min_probability=1e-6)
    assert "height" in table.columns


def write_mapper(folder):
    """A model that maps columns, with random weights."""
    import torch
    from safetensors.torch import save_file

    from particlespy_ml.models.networks import build_network

    torch.manual_seed(0)
    architecture = {"name": "unet", "outputs": 7, "widths": [8, 8, 8, 8], "fold": 2}
    folder.mkdir(parents=True)
    save_file(build_network(architecture).state_dict(), folder / "model.safetensors")
    card = {
        **CARD,
        "format_version": 1,
        "name": "random-mapper",
        "signal_type": "HRTEM",
        "task": "map_columns",
        "architecture": architecture,
        "diameter_range_nm": [1.0, 5.0],
        "sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
    }
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def test_figures_show_kinds_and_heights(make_image):
    image = to_signal(peaks_image(PLACES), make_image)
    model = oracle(columns=[{"kind": "Ce", "heights": 2}, {"kind": "O", "heights": 1}])
    table = image.find_columns(model=model)
    ax = table.plot_columns(image)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Ce", "O"]
    assert table.plot_counts(image).get_title() == "3 atoms in 2 columns"
    for rows in table.data:
        rows["resolvable"] = False
    assert table.plot_counts(image).get_title() == ""


class ContrastOracle(Oracle):
    """Keeps whether it was shown how strong the contrast is."""

    def maps(self, images, tile=768, overlap=112, device=None):
        assert len(images) == 2
        self.card["seen"].append(bool(images[1].any()))
        return super().maps(images[:1])


def test_contrast_is_shown_where_values_may_be_counts_or_are_said_to_be(make_image):
    model = ContrastOracle(
        {
            **CARD,
            "channels": ["local", "contrast"],
            "architecture": {"name": "unet", "outputs": 7, "in_channels": 2},
            "seen": [],
        },
        {},
    )
    frame = 100 + 50 * peaks_image(PLACES) + np.random.default_rng(0).normal(size=(110, 130))
    image = to_signal(frame, make_image)
    picture = to_signal(np.rint((frame - frame.min()) / np.ptp(frame) * 255).astype("u1"), make_image)
    tables = [
        signal.find_columns(model=model, counted=counted)
        for signal in (image, picture)
        for counted in (None, True, False)
    ]
    picture.map_columns(model=model), image.map_columns(model=model, counted=False)
    assert model.card["seen"] == [True, True, False, False, True, False, False, False]
    assert [table.metadata.particlespy_ml.finding.counted for table in tables[:3]] == ["", True, False]
    with pytest.raises(ValueError, match="counted: for method='network' alone"):
        image.find_columns(method="fit", counted=True)


def test_a_network_of_several_images_is_for_series(make_image):
    several = oracle(architecture={"name": "unet", "outputs": 7, "in_channels": 3})
    with pytest.raises(ValueError, match="sees focal series: use find_heights"):
        to_signal(peaks_image(PLACES), make_image).find_columns(model=several)
