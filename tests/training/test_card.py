import torch
from safetensors.torch import load_file

from particlespy_ml.models.networks import build_network
from particlespy_ml.training.card import read_model, round_to_half, write_model

ARCHITECTURE = {"name": "pooled_resnet", "n_classes": 3, "widths": [4, 8], "blocks": [1, 1]}


def test_rounded_weights_take_half_the_space_and_come_back(tmp_path):
    torch.manual_seed(0)
    network = build_network(ARCHITECTURE).eval()
    whole = write_model(tmp_path / "whole", network, {"architecture": ARCHITECTURE}) / "model.safetensors"
    exact = network(torch.ones(1, 1, 48, 48))
    round_to_half(network)
    folder = write_model(tmp_path / "half", network, {"architecture": ARCHITECTURE})
    read, _ = read_model(folder)
    for name, value in network.state_dict().items():
        assert read.state_dict()[name].equal(value)
        assert read.state_dict()[name].dtype == value.dtype
    torch.testing.assert_close(read(torch.ones(1, 1, 48, 48)), exact, atol=5e-3, rtol=0)
    stored = [load_file(path / "model.safetensors")["1.1.weight"].dtype for path in (whole.parent, folder)]
    assert stored == [torch.float32, torch.float16]
