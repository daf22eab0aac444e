"""An atlas of templates: what its evidence is, that gain and offset do not matter, and that it is kept and copied."""

import copy
import pickle

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from scipy.special import logsumexp

from particlespy_ml._incoherent import incoherent_haadf
from particlespy_ml.models.atlas import SHARPNESS, TemplateAtlas, with_head
from particlespy_ml.models.networks import build_network, fuse
from particlespy_ml.simulation.structures import closed_shell
from particlespy_ml.simulation.views import orientations

EDGE = 48


@pytest.fixture(scope="module")
def atlas():
    kinds = ("icosahedron", "cuboctahedron", "cuboctahedron")
    models = [closed_shell(kind, n).positions for kind, n in zip(kinds, (55, 55, 147), strict=True)]
    turned = [orientations(kind, 12.0) for kind in kinds]
    return TemplateAtlas.from_models(models, [0, 1, 2], turned, [0, 1, 1])


def images(positions):
    return incoherent_haadf(positions, n_pixels=EDGE, pixel_size=0.4, sigma=0.55, saturation=0.03)


@pytest.fixture(scope="module")
def windows():
    rng = np.random.default_rng(0)
    turned = [
        Rotation.random(rng=rng).apply(closed_shell(kind, 55).positions) + [0.9, -0.6, 0]
        for kind in ("icosahedron", "cuboctahedron")
        for _ in range(6)
    ]
    return images(turned)[:, None]


def test_a_template_correlates_perfectly_with_itself(atlas):
    row = 7
    turned = orientations("icosahedron", 12.0)[row].apply(closed_shell("icosahedron", 55).positions)
    found = atlas.correlations(images([turned]))[0]
    assert found.argmax() == row
    assert found[row] == pytest.approx(1, abs=1e-3)
    assert found.abs().max() < 1.001


def test_evidence_is_the_mean_over_templates(atlas, windows):
    features = atlas(windows).numpy()
    assert features.shape == (12, atlas.n_features) == (12, 4 * 5 + 1)
    found = atlas.correlations(windows[:, 0]).double().numpy()
    counts = atlas.rotation_counts.tolist()
    parts = np.split(found, np.cumsum(counts)[:-1], axis=1)
    for number, sharpness in enumerate(SHARPNESS):
        groups = np.stack([logsumexp(sharpness * part, 1) - np.log(part.shape[1]) for part in parts], 1)
        classes = np.stack([groups[:, 0], logsumexp(groups[:, 1:], 1)], 1)
        wanted = np.hstack([values - values.mean(1, keepdims=True) for values in (classes, groups)])
        np.testing.assert_allclose(features[:, 5 * number : 5 * number + 5], wanted, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(features[:, -1], found.max(1), rtol=1e-5)


def test_clean_particles_have_most_evidence_of_their_class(atlas, windows):
    features = atlas(windows)
    assert (features[:, 15:17].argmax(1) == torch.tensor([0] * 6 + [1] * 6)).all()  # classes at the largest sharpness


def test_gain_and_offset_do_not_matter(atlas, windows):
    np.testing.assert_allclose(atlas(3 + 20 * windows), atlas(windows), rtol=1e-3, atol=2e-2)


def test_a_flat_window_is_evidence_of_nothing(atlas):
    assert torch.isfinite(atlas(torch.zeros(1, 1, EDGE, EDGE))).all()


def test_wider_filters_change_the_correlation(atlas, windows):
    plain = atlas.correlations(windows[:, 0], low_pass=0.0, high_pass=np.inf)
    assert not np.allclose(plain, atlas.correlations(windows[:, 0]))
    assert plain.abs().max() < 1.001


def test_a_network_of_the_same_weights_answers_the_same(atlas, windows):
    network = with_head(atlas, 8).eval()
    settings = {"name": "template_atlas", "hidden": 8, "n_classes": 2, "n_groups": 3, "n_models": 3}
    other = build_network({**settings, "n_atoms": len(atlas.atoms), "n_rotations": len(atlas.rotations)})
    other.load_state_dict(network.state_dict())
    with torch.inference_mode():
        np.testing.assert_allclose(other.eval()(windows), network(windows), atol=1e-5)


def test_copies_share_the_templates_and_pickles_make_their_own(atlas, windows):
    wanted = atlas(windows)
    assert fuse(with_head(atlas, 8))[0].templates(EDGE)[0] is atlas.templates(EDGE)[0]
    assert copy.deepcopy(atlas).templates(EDGE)[0] is atlas.templates(EDGE)[0]
    again = pickle.loads(pickle.dumps(atlas))
    np.testing.assert_allclose(again(windows), wanted, atol=1e-5)
