"""Columns whose atoms are counted from features, by a reader that is made up."""

import numpy as np
import pytest

import particlespy_ml as pml
from particlespy_ml.columns.features import feature_count
from particlespy_ml.columns.read import maps_of_outputs, read_columns
from particlespy_ml.models.column_mapper import LARGEST_SET
from tests.columns.test_find_columns_network import CARD, PLACES, Oracle, peaks_image, to_signal

KINDS = [{"kind": "O", "heights": 1}, {"kind": "Ce", "heights": 4}, {"kind": "Si", "heights": 2}]


class ReadingOracle(Oracle):
    """Its maps tell kinds alone: O, Ce and Si in turn, Ce of two atoms mostly."""

    def read(self, features):
        assert features.ndim == 2
        self.card.setdefault("asked", []).append(len(features))
        return np.tile([[0.05, 0.8, 0.1, 0.05]], (len(features), 1))


@pytest.fixture
def model():
    architecture = {"name": "unet", "outputs": 1 + 4 + 3}
    card = {**CARD, "columns": KINDS, "reader": {"kind": "Ce"}, "architecture": architecture}
    return ReadingOracle(card, {})


@pytest.fixture(autouse=True)
def four_maps(monkeypatch):
    """The oracle makes as many maps as its columns have outputs; here a kind that is read has one."""
    from particlespy_ml.models.column_mapper import ColumnMapper, mapped_kinds

    outputs = property(lambda self: tuple((k, h) for k, n in mapped_kinds(self.card) for h in range(1, n + 1)))
    original = Oracle.maps

    def maps(self, *args, **options):
        full = ColumnMapper.outputs
        ColumnMapper.outputs = outputs
        try:
            return original(self, *args, **options)
        finally:
            ColumnMapper.outputs = full

    monkeypatch.setattr(Oracle, "maps", maps)


def test_atoms_are_read_of_one_kind_alone(model, make_image):
    frame = 100 + 50 * peaks_image(PLACES)
    table = to_signal(frame, make_image).find_columns(model=model, check_lattice=False)
    assert model.card["asked"] == [1]
    rows = table.data[0]
    names = table.metadata.particlespy_ml.names["class"]
    kinds = [names[number] for number in rows["class"]]
    assert sorted(kinds) == ["Ce", "O", "Si"]
    cerium = rows[kinds.index("Ce")]
    assert cerium["height"] == 2 and cerium["height_probability"] == pytest.approx(0.8, abs=1e-5)
    assert cerium["expected_height"] == pytest.approx(0.05 + 1.6 + 0.3 + 0.2, abs=1e-4)
    assert rows[kinds.index("O")]["height"] == -1


def test_maps_have_the_numbers_of_the_columns_that_pixels_belong_to(model, make_image):
    image = to_signal(100 + 50 * peaks_image(PLACES), make_image)
    maps = image.map_columns(model=model)
    names = list(maps.metadata.particlespy_ml.maps)
    assert names == ["background", "O", "Ce 1", "Ce 2", "Ce 3", "Ce 4", "Si 1", "Si 2", "confidence"]
    np.testing.assert_allclose(maps.data[:-1].sum(0), 1, atol=1e-3)
    row, column = np.unravel_index(maps.data[names.index("Ce 2")].argmax(), image.data.shape)
    assert min(np.hypot(*(PLACES - (row, column)).T)) < 2
    assert maps.data[3, row, column] / maps.data[2:6, row, column].sum() == pytest.approx(0.8, abs=0.01)


def test_frames_without_columns_ask_for_nothing(model):
    maps, found = read_columns(model, np.random.default_rng(0).normal(100, 1e-3, (1, 60, 60)), True, 0.5)
    assert len(found) == 0 and "asked" not in model.card
    assert maps_of_outputs(model, maps, found).shape == (7, 60, 60)


def test_a_focal_series_may_run_either_way():
    import particlespy_ml as pml

    series = pml.data.focal_series_of_gold()
    expected = series.find_heights("defocus").data[0]
    turned = series.deepcopy()
    turned.data = turned.data[::-1].copy()
    for other in (series.inav[::-1], turned):
        rows = other.find_heights("defocus").data[0]
        assert abs(len(rows) - len(expected)) <= 1
        assert abs(rows["expected_height"].mean() - expected["expected_height"].mean()) < 0.1
    truth = series.metadata.Simulation.heights
    assert abs(expected["expected_height"].mean() - sum(truth) / len(truth)) < 0.5


def test_columns_of_large_images_are_read_in_parts():
    model = pml.load_model("ceria-hrtem")
    features = np.random.default_rng(3).normal(size=(LARGEST_SET, feature_count(1))).astype(np.float32)
    expected = model.read(features)
    assert expected.shape == (LARGEST_SET, 10)
    np.testing.assert_allclose(expected.sum(1), 1, atol=1e-5)
    # every second column is one of the same image
    np.testing.assert_allclose(model.read(np.repeat(features, 2, axis=0)), np.repeat(expected, 2, axis=0), atol=1e-5)
    assert model.read(features[:0]).shape == (0, 10)
    assert model.read(features[:1]).shape == (1, 10)
