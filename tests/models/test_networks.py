import subprocess
import sys

import numpy as np
import pytest
import torch

from particlespy_ml.classification.preprocess import standardise
from particlespy_ml.models.networks import ARCHITECTURES, build_network, fuse

ARCHITECTURE = {"name": "pooled_resnet", "n_classes": 4}
CONVOLUTIONAL = [name for name in ARCHITECTURES if name != "template_atlas"]
NEEDS = {name: {"outputs": 2} if name == "unet" else {"n_classes": 4} for name in CONVOLUTIONAL}
every_architecture = pytest.mark.parametrize("name", CONVOLUTIONAL)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Threads cost more than they bring in arrays as small as these."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@every_architecture
@pytest.mark.parametrize("window", [48, 64, 96, 128, 192])
def test_any_multiple_of_16_gives_logits(window, name):
    network = build_network({"name": name, **NEEDS[name]}).eval()
    shape = (2, 2, window, window) if name == "unet" else (2, 4)
    assert network(torch.zeros(2, 1, window, window)).shape == shape


@every_architecture
def test_fused_network_gives_the_same(name):
    torch.manual_seed(0)
    network = build_network({"name": name, **NEEDS[name]})
    for _ in range(3):
        network(torch.randn(4, 1, 48, 48))  # fills the running statistics
    network.eval()
    windows = torch.randn(2, 1, 48, 48)
    fused = fuse(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in fused.modules())
    torch.testing.assert_close(fused(windows), network(windows), atol=1e-4, rtol=1e-4)
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize("name", ["pooled_resnet", "spectral_resnet"])
def test_windows_that_two_views_are_sure_of_see_no_more(name):
    torch.manual_seed(0)
    network = build_network({"name": name, "n_classes": 3, "views": 8}).eval()
    two = build_network({"name": name, "n_classes": 3}).eval()
    two.load_state_dict(network.state_dict())
    windows, sure = torch.randn(4, 1, 48, 48), torch.tensor([True, False, True, False])
    with torch.inference_mode():
        found = network.until_sure(windows, lambda outputs: sure)
        torch.testing.assert_close(found[sure], ((two(windows) + two(windows.flip(3))) / 2)[sure])
        torch.testing.assert_close(found[~sure], network(windows)[~sure], atol=1e-5, rtol=1e-4)
        assert not torch.allclose(found[sure], network(windows)[sure], atol=1e-4)
        torch.testing.assert_close(network.until_sure(windows, lambda outputs: sure | True)[sure], found[sure])


@pytest.mark.parametrize("name", ["pooled_resnet", "spectral_resnet"])
def test_views_do_not_know_up_from_left(name):
    torch.manual_seed(0)
    network = build_network({"name": name, "n_classes": 3, "views": 8}).eval()
    plain = build_network({"name": name, "n_classes": 3}).eval()
    plain.load_state_dict(network.state_dict())
    window = torch.randn(2, 1, 48, 48)
    with torch.inference_mode():
        turned = [torch.rot90(w, k, (2, 3)) for w in (window, window.transpose(2, 3)) for k in range(4)]
        wanted = torch.stack([plain(w) for w in turned]).mean(0)
        assert not torch.allclose(plain(turned[1]), plain(window), atol=1e-3)
        for w in (window, *turned[3:6], window.flip(2)):
            torch.testing.assert_close(fuse(network)(w), wanted, atol=1e-4, rtol=1e-3)
    torch.manual_seed(1)
    once = network.train()(window)
    torch.manual_seed(1)
    torch.testing.assert_close(once, plain.train()(window))  # in training a window is seen once
    with pytest.raises(ValueError, match="'views' must be"):
        build_network({"name": "pooled_resnet", "n_classes": 3, "views": 3})


@pytest.mark.parametrize("views", [2, 4, 8])
def test_maps_turn_with_the_frame(views):
    torch.manual_seed(0)
    network = build_network({"name": "unet", "outputs": 2, "widths": [4, 8, 8], "views": views}).eval()
    plain = build_network({"name": "unet", "outputs": 2, "widths": [4, 8, 8]}).eval()
    plain.load_state_dict(network.state_dict())
    frame = torch.randn(1, 1, 32, 48)

    def against_turned(maps, turned):
        return (maps(frame).rot90(2, (2, 3)) - maps(turned)).abs().max()

    with torch.inference_mode():
        assert against_turned(plain, frame.rot90(2, (2, 3))) > 1e-3
        assert against_turned(network, frame.rot90(2, (2, 3))) < 1e-5
        if views > 2:
            torch.testing.assert_close(network(frame.rot90(1, (2, 3))), network(frame).rot90(1, (2, 3)))
        if views > 4:
            torch.testing.assert_close(network(frame.flip(3)), network(frame).flip(3))
    torch.testing.assert_close(network.train()(frame), plain.train()(frame))  # in training a frame is seen once


@every_architecture
def test_default_network_is_small(name):
    network = build_network({"name": name, **NEEDS[name]})
    parameters = sum(tensor.numel() for tensor in network.state_dict().values())
    assert 4 * parameters < 8e6


def test_windows_larger_than_the_spectrum_are_an_error():
    with pytest.raises(ValueError, match="192 pixels at most, not 208"):
        build_network({**ARCHITECTURE, "name": "spectral_resnet"}).eval()(torch.zeros(1, 1, 208, 208))


def test_empty_windows_are_finite():
    network = build_network({**ARCHITECTURE, "name": "spectral_resnet"}).eval()
    assert torch.isfinite(network(torch.zeros(1, 1, 64, 64))).all()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"name": "alexnet"}, "pooled_resnet"),
        ({"width": 3}, "widths"),
        ({"widths": (8, 16)}, "same length"),
    ],
)
def test_what_is_unknown_is_an_error(change, message):
    with pytest.raises(ValueError, match=message):
        build_network({**ARCHITECTURE, **change})


def test_importing_the_module_does_not_import_torch():
    code = "import sys, particlespy_ml.models.networks; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_standardise_takes_arrays_and_tensors():
    windows = np.random.default_rng(0).uniform(3, 9, (3, 16, 16)).astype(np.float32)
    result = standardise(windows)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.mean((1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(result.std((1, 2)), 1, rtol=1e-4)
    np.testing.assert_allclose(standardise(torch.from_numpy(windows)).numpy(), result, atol=1e-5)
    np.testing.assert_allclose(standardise(100 * windows + 7), result, atol=1e-3)


def test_standardise_of_a_constant_window_is_zero():
    assert not standardise(np.full((2, 8, 8), 5)).any()
