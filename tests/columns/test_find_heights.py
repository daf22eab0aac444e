"""Heights from focal series, by networks that know a made-up kind of image."""

import dask.array as da
import numpy as np
import pytest

from particlespy_ml.columns.find_heights import find_heights
from particlespy_ml.columns.read import read_columns
from tests.columns.test_find_columns_network import PIXEL, Oracle, in_order, oracle, peaks_image, to_signal

PLACES = np.array([(30.0, 30.0), (30.0, 45.0), (45.0, 30.0), (45.0, 45.0), (60.0, 38.0), (66.0, 60.0)])
SHIFTS = ((4.0, -3.0), (0.0, 0.0), (-2.0, 5.0))


class SeriesOracle(Oracle):
    """Finds peaks in the mean of three images, which must lie on each other for that."""

    def maps(self, images, tile=768, overlap=112, device=None):
        assert images.shape[0] == 3
        self.card["seen"] = images
        return super().maps(images.mean(0, keepdims=True))


@pytest.fixture
def series_oracle():
    return SeriesOracle({**oracle().card, "architecture": {"name": "unet", "outputs": 7, "in_channels": 3}}, {})


def focal_series(shape=(110, 130)):
    return np.stack([peaks_image(PLACES + shift, shape) for shift in SHIFTS])


def test_images_are_registered_onto_the_middle_one(make_image, series_oracle):
    image = to_signal(focal_series(), make_image, names=("defocus",))
    table = image.find_heights(model=series_oracle, register=oracle())
    rows = in_order(table.data[0])
    expected = PLACES[np.lexsort([PLACES[:, 1], PLACES[:, 0]])] * PIXEL
    np.testing.assert_allclose(rows["y"], expected[:, 0], atol=0.003)
    assert table.data.shape == (1,) and table.n_columns == 6
    assert {"height", "expected_height", "height_probability_3"} <= set(table.columns)
    first, middle, last = series_oracle.card["seen"]
    assert np.corrcoef(first.ravel(), middle.ravel())[0, 1] > 0.97
    assert np.corrcoef(last.ravel(), middle.ravel())[0, 1] > 0.97


def test_without_registration_images_lie_as_they_are(make_image, series_oracle):
    image = to_signal(focal_series(), make_image, names=("defocus",))
    image.find_heights(model=series_oracle, register=None)
    first, middle, _ = series_oracle.card["seen"]
    assert np.corrcoef(first.ravel(), middle.ravel())[0, 1] < 0.8


@pytest.mark.parametrize("lazy", [False, True])
def test_other_axes_stay(make_image, series_oracle, lazy):
    frames = np.stack([focal_series()] * 2)
    image = to_signal(frames, make_image, lazy=lazy, names=("time", "defocus"))
    table = image.find_heights(model=series_oracle, register=oracle())
    assert isinstance(table.data, da.Array) == lazy and table.data.shape == (2,)
    assert [axis.name for axis in table.axes_manager.navigation_axes] == ["time"]
    turned = to_signal(np.moveaxis(frames, 1, 0), make_image, lazy=lazy, names=("defocus", "time"))
    other = turned.find_heights("defocus", model=series_oracle, register=oracle())
    table.compute(), other.compute()
    np.testing.assert_array_equal(table["x"], other["x"])
    np.testing.assert_array_equal(table["x"], turned.find_heights(1, model=series_oracle, register=oracle())["x"])


def test_longer_series_are_thinned_out(make_image, series_oracle):
    frames = np.stack([peaks_image(PLACES)] * 7)
    table = to_signal(frames, make_image, names=("defocus",)).find_heights(model=series_oracle, register=oracle())
    assert list(table.metadata.particlespy_ml.finding.images) == [0, 3, 6]


def test_images_of_too_few_columns_warn(make_image, series_oracle):
    frames = focal_series()
    frames[0] = peaks_image([])
    with pytest.warns(UserWarning, match="Images \\[0\\] of a focal series show too few columns"):
        to_signal(frames, make_image, names=("defocus",)).find_heights(model=series_oracle, register=oracle())


def test_what_cannot_be_is_said(make_image, series_oracle):
    image = to_signal(focal_series(), make_image, names=("defocus",))
    with pytest.raises(ValueError, match="no navigation axis 'focus'; expected one of \\['defocus'\\]"):
        image.find_heights("focus", model=series_oracle, register=oracle())
    with pytest.raises(ValueError, match="no navigation axis 1; expected a number from 0 to 0"):
        image.find_heights(1, model=series_oracle, register=oracle())
    with pytest.raises(ValueError, match="has 2 images; the model 'oracle' needs 3"):
        image.inav[:2].find_heights(model=series_oracle, register=oracle())
    with pytest.raises(ValueError, match="sees single images"):
        image.find_heights(model=oracle(), register=oracle())
    with pytest.raises(ValueError, match="not one image"):
        find_heights(to_signal(peaks_image(PLACES), make_image), model=series_oracle, register=oracle())
    with pytest.raises(ValueError, match="mask of the shape of one frame"):
        image.find_heights(model=series_oracle, mask=np.ones((3, 3), bool), register=oracle())


def test_a_mask_leaves_columns_out(make_image, series_oracle):
    where = np.zeros((110, 130), bool)
    where[:50] = True
    image = to_signal(focal_series(), make_image, names=("defocus",))
    assert image.find_heights(model=series_oracle, mask=where, register=oracle()).n_columns == 4


@pytest.mark.parametrize(("dtype", "counts"), [("u1", False), ("u2", True), ("f4", True)])
@pytest.mark.parametrize("registers", [True, False])
def test_whether_images_are_counts_is_judged_as_they_were_recorded(
    make_image, series_oracle, monkeypatch, dtype, counts, registers
):
    seen = []

    def heard(model, images, counted, threshold):
        seen.append(counted)
        return read_columns(model, images, counted, threshold)

    series = focal_series()
    series = np.rint(20 + 200 * (series - series.min()) / np.ptp(series)).astype(dtype)
    image = to_signal(series, make_image, names=("defocus",))
    register = oracle() if registers else None
    monkeypatch.setattr("particlespy_ml.columns.by_network.read_columns", heard)
    image.find_heights(model=series_oracle, register=register)
    assert set(seen) == {counts}
