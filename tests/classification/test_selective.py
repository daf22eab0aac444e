"""Thresholds for an accuracy that is asked for, on images whose truth is known."""

import numpy as np
import pytest

import particlespy_ml as pml
from particlespy_ml.classification.selective import NEVER, Thresholds, fit_thresholds, noise_share
from particlespy_ml.classification.surroundings import LATTICE
from particlespy_ml.models.model import Classifier

TARGETS = (0.8, 0.9, 0.95)


def drawn(count, seed):
    """Images whose probabilities say too much, the more so the noisier they are."""
    rng = np.random.default_rng(seed)
    noise = rng.uniform(0.1, 0.9, count)
    labels = rng.integers(3, size=count)
    logits = rng.normal(size=(count, 3)) * (0.5 + 2 * noise[:, None])
    logits[np.arange(count), labels] += 4 * (1 - noise)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return noise, probabilities, labels


@pytest.fixture(scope="module")
def thresholds():
    return fit_thresholds(*drawn(20_000, 0), bins=10, targets=TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_the_accuracy_that_is_asked_for_is_reached(thresholds, target):
    noise, probabilities, labels = drawn(20_000, 1)
    least = thresholds.at(noise, target)
    kept, right = probabilities.max(1) >= least, probabilities.argmax(1) == labels
    assert kept.mean() > 0.3 and kept[noise < 0.3].mean() > kept[noise > 0.7].mean()
    assert right[kept].mean() > target - 0.015
    for low in (0.1, 0.2, 0.3, 0.4, 0.5):  # images of every noise, as far as it can be reached
        part = kept & (noise > low) & (noise < low + 0.1)
        assert part.sum() < 500 or right[part].mean() > target - 0.02
    some = kept & (least > 0.01)  # others are right that often whatever they say
    assert abs(right[some].mean() - target) < 0.025


def test_a_larger_accuracy_takes_a_larger_probability(thresholds):
    at = np.stack([thresholds.at(np.linspace(0.1, 0.8, 20), target) for target in (0.8, 0.85, 0.9, 0.93, 0.95)])
    assert (np.diff(at, axis=0) >= -1e-9).all()
    assert (thresholds.at(np.array([0.5, 0.99]), 0.99) == NEVER).all(), "more than was fitted is never reached"
    assert thresholds.at(np.array([2.0]), 0.8)[0] == NEVER, "nor is anything in more noise than was seen"


def test_all_right_answers_need_no_probability():
    noise, _, labels = drawn(600, 2)
    found = fit_thresholds(noise, np.eye(3)[labels] * 0.4 + 0.2, labels, bins=3, targets=TARGETS)
    assert (found.min_probability == 0).all()
    wrong = fit_thresholds(noise, np.eye(3)[(labels + 1) % 3], labels, bins=3, targets=TARGETS)
    assert (wrong.min_probability == NEVER).all()


def test_a_card_keeps_them(thresholds):
    back = Thresholds.from_card({"selective_thresholds": thresholds.as_dict()})
    np.testing.assert_allclose(back.min_probability, thresholds.min_probability, atol=1e-4)
    assert Thresholds.from_card({}) is None


def test_windows_with_less_noise_than_any_known_need_what_all_do():
    card = {
        "min_probability": 0.7,
        "selective_thresholds": {"noise": [0.1, 0.5], "targets": [0.9], "min_probability": [[0.2], [0.4]]},
    }
    thresholds = Thresholds.from_card(card)
    np.testing.assert_allclose(thresholds.at(np.array([0.01, 0.09, 0.1, 0.5]), 0.9), [0.7, 0.2, 0.2, 0.4])


def test_particles_on_lattices_have_thresholds_of_their_own():
    noise, probabilities, labels = drawn(20_000, 3)
    rng = np.random.default_rng(4)
    lattice = np.where(rng.random(20_000) < 0.4, 50.0, 5.0)
    confused = (lattice > LATTICE) & (rng.random(20_000) < 0.3)  # as surely wrong as right
    probabilities[confused] = np.roll(probabilities[confused], 1, axis=1)
    half = np.arange(20_000) < 10_000
    found = fit_thresholds(noise[half], probabilities[half], labels[half], lattice[half], bins=6, targets=TARGETS)
    pooled = fit_thresholds(noise[half], probabilities[half], labels[half], bins=6, targets=TARGETS)
    other = ~half & (lattice < LATTICE)
    right = probabilities.argmax(1) == labels
    kept = probabilities.max(1) >= found.at(noise, 0.9, lattice)
    assert right[kept & other].mean() > 0.885
    by_all = probabilities.max(1) >= pooled.at(noise, 0.9)
    assert kept[other].mean() > by_all[other].mean() + 0.2
    back = Thresholds.from_card({"selective_thresholds": found.as_dict()})
    np.testing.assert_allclose(back.at(noise, 0.9, lattice), found.at(noise, 0.9, lattice), atol=1e-3)
    few = fit_thresholds(
        noise[half], probabilities[half], labels[half], np.where(noise[half] < 0.11, 50.0, 5.0), bins=6
    )
    assert few.on_lattices is None, "too few of one kind to tell them apart"
    unseen = found.at(noise[:5], 0.9, np.full(5, np.nan))
    seen = np.stack([found.at(noise[:5], 0.9, np.full(5, value)) for value in (5.0, 50.0)])
    np.testing.assert_array_equal(unseen, seen.max(0))
    next_to_limit = [found.at(noise[:5], 0.9, np.full(5, LATTICE * factor)) for factor in (0.99, 1.01)]
    assert np.ptp(next_to_limit, axis=0).max() < 0.05 * np.ptp(seen, axis=0).max()


def test_the_share_of_noise_is_that_of_white_noise():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64] / 9
    smooth = np.sin(x) * np.cos(y)
    for sigma in (0.05, 0.5, 3.0):
        share = noise_share(smooth[None] + sigma * rng.normal(size=(8, 64, 64)))
        np.testing.assert_allclose(share, sigma / np.hypot(sigma, smooth.std()), rtol=0.06)
        np.testing.assert_allclose(noise_share(5 - 3 * (smooth[None] + 0)), noise_share(smooth[None]), atol=1e-3)
    assert noise_share(np.ones((2, 8, 8))).tolist() == [0, 0] and noise_share(np.zeros((0, 8, 8))).shape == (0,)


def test_what_is_probably_none_of_the_classes_has_none():
    every = Thresholds(np.array([0.0, 1.0]), np.array([0.5, 0.9]), np.zeros((2, 2)))  # whatever a class says is right
    probabilities = np.array([[0.02, 0.03], [0.5, 0.1], [0.3, 0.3], [0.6, 0.4]])
    least = every.least(np.full(4, 0.5), 0.9, probabilities)
    assert least == pytest.approx([0.95, 0.4, 0.4, 0.0])
    assert (probabilities.max(1) >= least).tolist() == [False, True, False, True]
    never = Thresholds(np.array([0.0, 1.0]), np.array([0.5]), np.full((2, 1), NEVER))
    assert (never.least(np.full(4, 0.5), 0.5, probabilities) == NEVER).all()


def test_no_rods_among_isomers():
    """Without noise a bundled threshold may be zero; what the network refuses has no class all the same."""
    model = pml.load_model("isomer-haadf")
    bars = np.zeros((3, 96, 96), np.float32)
    bars[0, 30:66, 8:88], bars[1, 10:20, 10:86], bars[2, 46:50, 46:50] = 1, 1, 1
    windows = (bars - bars.mean((1, 2), keepdims=True)) / bars.std((1, 2), keepdims=True)
    probabilities = model.predict(windows)
    least = Thresholds.from_card(model.card).least(noise_share(windows), 0.95, probabilities)
    assert (probabilities.max(1) < least).all()


@pytest.fixture
def told(model, thresholds):
    """A model whose card knows which probability a noise takes."""
    card = {
        **model.card,
        "selective_thresholds": {"noise": [0, 1], "targets": [0.5, 0.9], "min_probability": [[0, 0.3]] * 2},
    }
    return Classifier(card, model.weights)


def test_particles_have_a_least_probability_of_their_own(two_disks, told):
    table = two_disks.classify_particles(told, target_accuracy=0.9)
    assert table["min_probability"] == pytest.approx(0.3)
    np.testing.assert_array_equal(table["class_index"] >= 0, table["probability"] >= table["min_probability"])
    merged = table.merge_classes({"crystal": table.classes[:2]})
    np.testing.assert_array_equal(merged["class_index"] >= 0, merged["probability"] >= 0.3)
    assert table.metadata.particlespy_ml.model.target_accuracy == 0.9
    less = table.drop("class")
    assert less.columns == two_disks.measure_particles().columns
    lazy = two_disks.as_lazy().classify_particles(told, target_accuracy=0.9)
    lazy.compute(show_progressbar=False)
    np.testing.assert_array_equal(lazy["min_probability"], table["min_probability"])


def test_a_lattice_about_a_particle_changes_its_threshold(two_disks, told):
    card = {**told.card, "selective_thresholds": {**told.card["selective_thresholds"]}}
    card["selective_thresholds"]["on_lattices"] = {
        "noise": [0, 1],
        "targets": [0.5, 0.9],
        "min_probability": [[1, 1]] * 2,
    }
    model = Classifier(card, told.weights)
    assert two_disks.classify_particles(model, target_accuracy=0.9)["min_probability"] == pytest.approx(0.3)
    lattice = two_disks.deepcopy()
    rows, columns = np.indices(two_disks.data.shape)
    lattice.data = two_disks.data + 3 * two_disks.data.std() * np.sin(2.2 * rows + 0.6 * columns)
    labels = two_disks.segment_particles()
    on_it = lattice.classify_particles(model, labels=labels, target_accuracy=0.9)
    assert on_it["min_probability"] == pytest.approx(1) and (on_it["class_index"] == -1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target_accuracy": 0.99}, "0.9 at most"),
        ({"target_accuracy": 0}, "above 0"),
        ({"target_accuracy": 0.9, "min_probability": 0.5}, "leave out"),
        ({"target_accuracy": 0.9, "calibrated": False}, "leave out"),
    ],
)
def test_what_cannot_be_asked_for(two_disks, told, arguments, message):
    with pytest.raises(ValueError, match=message):
        two_disks.classify_particles(told, **arguments)


def test_a_model_that_was_never_tried(two_disks, model):
    with pytest.raises(ValueError, match="give min_probability"):
        two_disks.classify_particles(model, target_accuracy=0.9)


def test_none_of_the_classes():
    table = pml.data.gold_on_carbon().classify_particles()
    total = sum(table[f"probability_{name}"] for name in (*table.classes, "none"))
    np.testing.assert_allclose(total, 1, atol=1e-5)
