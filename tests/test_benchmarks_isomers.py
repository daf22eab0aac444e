"""The template matcher of the benchmark finds clean particles in orientations that it does not have."""

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from benchmarks.isomers.atlas import BLUR, SATURATION, Atlas, fit_offsets
from benchmarks.isomers.record import nominal_conditions, record, shift
from benchmarks.isomers.simulations import FOREIGN, draw_foreign
from particlespy_ml.models.incoherent import incoherent_haadf
from particlespy_ml.simulation.atoms.structures import ISOMERS, closed_shell
from particlespy_ml.simulation.atoms.views import orientations
from particlespy_ml.training.isomer.batches import model_items

CRYSTALS = ISOMERS[:3]


@pytest.fixture(scope="module")
def atlas():
    models = [closed_shell(kind, 147).positions for kind in CRYSTALS]
    return Atlas(models, [0, 1, 2], [orientations(kind, 12.0) for kind in CRYSTALS])


def template_images(positions, edge):
    return incoherent_haadf(positions, n_pixels=edge, pixel_size=0.4, sigma=BLUR, saturation=SATURATION)


def scores(atlas, images):
    found = atlas.correlations(images)
    return np.stack([found[:, atlas.labels == label].max(1) for label in range(3)], 1)


@pytest.mark.parametrize("label", range(3))
def test_clean_particles_are_found_off_centre_in_any_orientation(atlas, label):
    rng = np.random.default_rng(label)
    aside = [np.append(rng.uniform(-1.2, 1.2, 2), 0) for _ in range(8)]
    turned = [Rotation.random(rng=rng).apply(closed_shell(CRYSTALS[label], 147).positions) + away for away in aside]
    found = scores(atlas, 7 + 3 * template_images(turned, 64).numpy())
    assert (found.argmax(1) == label).all()
    assert found.max() <= 1.001


def test_a_template_correlates_perfectly_with_itself(atlas):
    number = 5
    image = template_images([atlas.rotations[0][number].apply(atlas.models[0])], 64).numpy()
    found = atlas.correlations(image)[0]
    assert found.argmax() == number
    assert found[number] == pytest.approx(1, abs=1e-4)


def test_offsets_are_those_that_were_put_in():
    rng = np.random.default_rng(0)
    scores, put_in = rng.normal(0.7, 0.02, (4000, 4)), np.array([0.0, 0.01, -0.01, 0.03])
    noise = rng.gumbel(scale=0.01, size=scores.shape)
    _, offsets, _ = fit_offsets(scores, (scores + put_in + noise).argmax(1))
    np.testing.assert_allclose(offsets - offsets.mean(), put_in - put_in.mean(), atol=0.002)


def test_records_are_off_centre_by_what_is_asked_and_repeat():
    items = model_items([(closed_shell("icosahedron", 147).positions, 0)] * 2)
    conditions = nominal_conditions(1e6)
    (rows, windows), (_, again) = (next(iter(record(items, conditions, 3, seed=4))) for _ in range(2))
    assert rows.tolist() == [0, 1]
    np.testing.assert_array_equal(windows, again)
    for window in windows.reshape(-1, *windows.shape[2:]).astype(float):
        bright = window > 0.3 * window.max()
        middle = np.argwhere(bright).mean(0) - (window.shape[0] - 1) / 2
        assert np.hypot(*middle) * 0.4 == pytest.approx(1.5, abs=0.4)


def test_shifts_of_whole_pixels_are_exact():
    images = torch.rand(2, 12, 10)
    moved = shift(images, torch.tensor([[1.0, 0.0], [0.0, -2.0]]))
    torch.testing.assert_close(moved[0], images[0].roll(1, 0), atol=1e-5, rtol=0)
    torch.testing.assert_close(moved[1], images[1].roll(-2, 1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_kinds_have_atoms_at_neighbour_distance(kind):
    atoms = draw_foreign(kind, 300, np.random.default_rng(1))
    distance = cKDTree(atoms.positions).query(atoms.positions, 2)[0][:, 1]
    assert len(atoms) == (75 if kind == "raft" else 300)
    assert 2.3 < np.median(distance) < 2.9
    if kind == "hollow":
        assert np.linalg.norm(atoms.positions, axis=1).min() > 5


def test_unknown_foreign_kind():
    with pytest.raises(ValueError, match="hcp"):
        draw_foreign("onion", 300, np.random.default_rng(1))
