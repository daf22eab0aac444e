"""Cards: what is refused, and what the refusal says."""

import json

import pytest

from particlespy_ml.models.load import load_model
from particlespy_ml.training.card import update_card


def test_missing_card(folder):
    (folder / "card.json").unlink()
    with pytest.raises(ValueError, match=r"no model: it lacks card\.json"):
        load_model(folder)


@pytest.mark.parametrize("content", ["{", "", "[]", "3", '"card"', "null"])
def test_card_that_is_no_card(folder, content):
    (folder / "card.json").write_text(content)
    with pytest.raises(ValueError, match=r"card\.json"):
        load_model(folder)


def test_card_that_is_no_text(folder):
    (folder / "card.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not valid JSON"):
        load_model(folder)


@pytest.mark.parametrize(
    "key",
    [
        "format_version",
        "name",
        "signal_type",
        "task",
        "architecture",
        "classes",
        "pixel_size",
        "windows",
        "pixel_size_range_angstrom",
        "diameter_range_nm",
        "temperature",
        "min_probability",
        "sha256",
    ],
)
def test_card_that_lacks_a_key(folder, key):
    path = folder / "card.json"
    card = json.loads(path.read_text())
    del card[key]
    path.write_text(json.dumps(card))
    with pytest.raises(ValueError, match=rf"card\.json lacks {key}\."):
        load_model(folder)


def test_card_that_lacks_two_keys_names_both(folder):
    path = folder / "card.json"
    card = json.loads(path.read_text())
    del card["classes"], card["task"]
    path.write_text(json.dumps(card))
    with pytest.raises(ValueError, match="lacks task, classes"):
        load_model(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pixel_size", 0.4),
        ("pixel_size", {"value": 0.04, "unit": "nm"}),
        ("pixel_size", {"value": 0, "unit": "Å"}),
        ("windows", []),
        ("windows", [0]),
        ("windows", 96),
        ("classes", ["a", "b", "c", "a"]),
        ("classes", ["a", "b", "c", "undefined"]),
        ("classes", "abcd"),
        ("temperature", 0),
        ("temperature", "warm"),
        ("temperature", float("nan")),
        ("min_probability", 1.5),
        ("diameter_range_nm", [4, 1]),
        ("diameter_range_nm", 3),
        ("pixel_size_range_angstrom", [0.1]),
        ("architecture", "pooled_resnet"),
        ("rejects", "yes"),
    ],
)
def test_card_with_a_wrong_value(folder, key, value):
    update_card(folder, **{key: value})
    with pytest.raises(ValueError, match=rf"card\.json has {key} = .*; expected"):
        load_model(folder)


@pytest.mark.parametrize("number", [3, 5])
def test_wrong_number_of_classes(folder, number):
    update_card(folder, classes=[f"class {i}" for i in range(number)])
    with pytest.raises(
        ValueError, match=rf"'random' needs {number} outputs .*, but the network gives an array of \(1, 4\)"
    ):
        load_model(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"widths": [8, 8, 16]},
        {"widths": [8, 8]},
        {"widths": [8, 8], "blocks": [1, 1]},
        {"blocks": [1, 1, 2]},
        {"n_classes": 3},
        {"name": "transformer"},
        {"depth": 3},
        {"widths": "8"},
    ],
    ids=str,
)
def test_architecture_that_does_not_fit(folder, change):
    architecture = json.loads((folder / "card.json").read_text())["architecture"]
    update_card(folder, architecture={**architecture, **change})
    with pytest.raises(ValueError, match="card of the model 'random' does not fit"):
        load_model(folder)


@pytest.mark.parametrize("version", [0, 2, "1"])
def test_wrong_version(folder, version):
    update_card(folder, format_version=version)
    with pytest.raises(ValueError, match=f"format version {version}; .* reads 1"):
        load_model(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": 0}, "has threshold = 0; expected a number between 0 and 1"),
        ({"architecture": {"name": "unet", "outputs": 3, "widths": [4, 8, 8]}}, "does not fit its weights"),
        ({"architecture": {"name": "unet", "widths": [4, 8, 8]}}, "needs 'outputs'"),
        ({"task": "isomer"}, "lacks classes, windows, temperature, min_probability"),
    ],
)
def test_a_finder_that_does_not_fit_its_card(make_finder, changes, message):
    with pytest.raises(ValueError, match=message):
        load_model(make_finder(**changes))
