"""An atlas of templates: what its evidence is, that gain and offset do not matter, and that it is kept and copied."""

import copy
import pickle

import numpy as np
import pytest
import torch
from scipy import ndimage as ndi
from scipy.spatial.transform import Rotation
from scipy.special import logsumexp

from particlespy_ml.models.atlas import SHARPNESS, TemplateAtlas, with_head
from particlespy_ml.models.incoherent import incoherent_haadf
from particlespy_ml.models.networks import build_network, fuse
from particlespy_ml.simulation.atoms.structures import closed_shell
from particlespy_ml.simulation.atoms.views import orientations

EDGE = 48


MODELS = (("icosahedron", 55), ("cuboctahedron", 147), ("icosahedron", 147), ("cuboctahedron", 55))
GROUPS, GROUP_CLASSES = [1, 0, 2, 0], [1, 0, 0]  # the cuboctahedra are one group, and not neighbours


@pytest.fixture(scope="module")
def atlas():
    models = [closed_shell(kind, n).positions for kind, n in MODELS]
    turned = [orientations(kind, 12.0) for kind, _ in MODELS]
    return TemplateAtlas.from_models(models, GROUPS, turned, GROUP_CLASSES)


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


def test_correlations_are_those_of_shifted_filtered_images(atlas):
    """Beside the search in real space, on one model, for an image with noise and off centre by whole steps."""
    rng = np.random.default_rng(1)
    turned = orientations("icosahedron", 12.0)
    model = closed_shell("icosahedron", 55).positions
    shifts = {"shift_step": 0.4, "max_shift": 1.2, "near_shift": 0.8, "coarse_step": 0.4, "refined": len(turned)}
    filters = {"low_pass": 0.4, "high_pass": 4.0}
    small = TemplateAtlas.from_models([model], [0], [turned], [0], **shifts, **filters)
    image = images([turned[3].apply(model) + [0.8, -0.4, 0]])[0].numpy()
    image = image + rng.normal(0, 0.3 * image.std(), image.shape)

    def filtered(array):
        wide = ndi.gaussian_filter(array, 10, mode="wrap", truncate=8)
        return ndi.gaussian_filter(array - wide, 1, mode="wrap", truncate=8)

    places = np.arange(EDGE**2).reshape(EDGE, EDGE)
    steps = [(row, column) for row in range(-5, 6) for column in range(-5, 6)]
    moved = np.stack([np.roll(places, step, (0, 1)).ravel() for step in steps])

    def standard(array):
        return (array - array.mean()) / array.std()

    sought, wanted = standard(filtered(image)).ravel(), []
    for template in images([rotation.apply(model) for rotation in turned]).numpy():
        wanted.append((standard(filtered(template)).ravel()[moved] @ sought).max() / EDGE**2)
    found = small.correlations(torch.as_tensor(image, dtype=torch.float32)[None])[0].numpy()
    # frequencies above the band are left out, and shifts far from the best of the mean template
    assert np.abs(found - wanted).max() < 0.03
    assert found.argmax() == np.argmax(wanted) == 3


def test_few_in_fine_steps_are_almost_all(atlas, windows, monkeypatch):
    """Beside fine steps and single precision for all templates: the best agree, and no other comes near them."""
    monkeypatch.setattr("particlespy_ml.models.atlas.product_type", lambda: torch.float32)
    whole = copy.deepcopy(atlas)
    whole._made = type(atlas._made)()
    whole.refined = len(atlas.rotations)
    noisy = windows + 0.5 * windows.std() * torch.randn(windows.shape, generator=torch.Generator().manual_seed(0))
    wanted, found = (which.correlations(noisy[:, 0]) for which in (whole, atlas))
    np.testing.assert_allclose(found.amax(1), wanted.amax(1), atol=2e-3)
    assert (found <= wanted + 5e-3).all()
    np.testing.assert_allclose(found.topk(10, 1).values, wanted.topk(10, 1).values, atol=1e-2)


def test_evidence_is_the_mean_over_templates(atlas, windows):
    features = atlas(windows).numpy()
    assert features.shape == (12, atlas.n_features) == (12, 4 * 5 + 1)
    found = atlas.correlations(windows[:, 0]).double().numpy()
    parts = np.split(found, np.cumsum(atlas.rotation_counts.tolist())[:-1], axis=1)
    cuboctahedra, small, large = np.hstack([parts[1], parts[3]]), parts[0], parts[2]
    for number, sharpness in enumerate(SHARPNESS):
        groups = [logsumexp(sharpness * part, 1) - np.log(part.shape[1]) for part in (cuboctahedra, small, large)]
        classes = [np.logaddexp(*groups[1:]), groups[0]]
        wanted = np.hstack([np.stack(values, 1) - np.mean(values, 0)[:, None] for values in (classes, groups)])
        np.testing.assert_allclose(features[:, 5 * number : 5 * number + 5], wanted, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(features[:, -1], found.max(1), rtol=1e-5)


def test_clean_particles_have_most_evidence_of_their_class(atlas, windows):
    features = atlas(windows)
    assert (features[:, 15:17].argmax(1) == torch.tensor([0] * 6 + [1] * 6)).all()  # classes at the largest sharpness


def test_gain_and_offset_do_not_matter(atlas, windows):
    np.testing.assert_allclose(atlas(3 + 20 * windows), atlas(windows), rtol=1e-3, atol=2e-2)


def test_a_flat_window_gives_finite_features(atlas):
    assert torch.isfinite(atlas(torch.zeros(1, 1, EDGE, EDGE))).all()


def test_wider_filters_change_the_correlation(atlas, windows):
    plain = atlas.correlations(windows[:, 0], low_pass=0.0, high_pass=np.inf)
    assert not np.allclose(plain, atlas.correlations(windows[:, 0]))
    assert plain.abs().max() < 1.001


def test_a_network_of_the_same_weights_answers_the_same(atlas, windows):
    network = with_head(atlas, 8, 3).eval()
    settings = {"name": "template_atlas", "outputs": 3, "hidden": 8, "n_classes": 2, "n_groups": 3, "n_models": 4}
    other = build_network({**settings, "n_atoms": len(atlas.atoms), "n_rotations": len(atlas.rotations)})
    other.load_state_dict(network.state_dict())
    with torch.inference_mode():
        np.testing.assert_allclose(other.eval()(windows), network(windows), atol=1e-5)


def test_copies_share_the_templates_and_pickles_make_their_own(atlas, windows):
    wanted = atlas(windows)
    assert fuse(with_head(atlas, 8, 3))[0].templates(EDGE) is atlas.templates(EDGE)
    again = pickle.loads(pickle.dumps(atlas))
    np.testing.assert_allclose(again(windows), wanted, atol=1e-5)


def test_new_buffers_make_new_templates(atlas, windows):
    other = copy.deepcopy(atlas)
    state = {**atlas.state_dict(), "atoms": 0.7 * atlas.atoms}
    other.load_state_dict(state)
    assert not np.allclose(other(windows), atlas(windows))


@pytest.mark.parametrize(
    ("groups", "group_classes", "message"),
    [([0, 0], [0, 1], "Every group"), ([0, 1], [0, 2], "Every class"), ([0, 2], [0, 1], "Every group")],
)
def test_an_empty_group_or_class_is_refused(groups, group_classes, message):
    models, turned = [np.zeros((1, 3))] * 2, [Rotation.identity(1)] * 2
    with pytest.raises(ValueError, match=message):
        TemplateAtlas.from_models(models, groups, turned, group_classes)


def test_numbers_that_do_not_fit_are_refused(atlas):
    state = atlas.state_dict()
    with pytest.raises(ValueError, match="atoms and"):
        copy.deepcopy(atlas).load_state_dict({**state, "rotation_counts": state["rotation_counts"] + 1})
