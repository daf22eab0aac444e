"""Training further on labelled images of one's own: files, tiles, a tiny run, and the command."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from particlespy_ml.cli import main
from particlespy_ml.models import load_model
from particlespy_ml.models.multiscale_finder import MultiscaleFinder
from particlespy_ml.models.networks import build_network
from particlespy_ml.segmentation.score import count_agreement
from particlespy_ml.training.card import write_model
from particlespy_ml.training.multiscale import evaluate as evaluation
from particlespy_ml.training.multiscale import finetune as finetuning
from particlespy_ml.training.multiscale import labelled_tiles
from particlespy_ml.training.multiscale.finetune import bright, count_boxes, finetune
from particlespy_ml.training.multiscale.label_files import LabelledImage, ellipses, read_labelled


def labelled(seed, shape=(90, 110), dark=False):
    rng = np.random.default_rng(seed)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.int32)
    for number, (row, column) in enumerate(((25, 25), (60, 80)), start=1):
        labels[(rows - row) ** 2 + (columns - column) ** 2 < rng.uniform(7, 12) ** 2] = number
    image = (labels > 0) * (-3.0 if dark else 3.0) + rng.normal(size=shape)
    return LabelledImage(f"image{seed}", image.astype(np.float32), labels)


@pytest.fixture(scope="module", autouse=True)
def small():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labelled_tiles, "TILE", 64)
        patch.setattr(finetuning, "BATCH", 2)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    architecture = {"name": "unet", "in_channels": 2, "widths": [4, 4, 8, 8], "fold": 2, "outputs": 3}
    torch.manual_seed(0)
    card = {
        "name": "tiny",
        "signal_type": "HAADF",
        "task": "multiscale_segmentation",
        "architecture": architecture,
        "threshold": 0.5,
        "diameter_range_px": [4.5, 108.0],
        "detection": [0.0, 1.0, 0.0, 2.5],
        "training": {"detector": {}},
    }
    write_model(folder, build_network(architecture), card)
    return folder


def write(folder, images, how):
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for one in images:
        np.save(folder / "images" / f"{one.name}.npy", one.image)
        if how == "labels":
            np.save(folder / "labels" / f"{one.name}.npy", one.labels)
        elif how == "mask":
            from skimage.io import imsave

            imsave(folder / "labels" / f"{one.name}.png", (255 * (one.labels > 0)).astype(np.uint8))
    return folder / "images", folder / "labels"


@pytest.mark.parametrize("how", ["labels", "mask"])
def test_labels_and_masks_are_read(tmp_path, how):
    first = labelled(0)
    (one,) = read_labelled(*write(tmp_path, [first], how))
    np.testing.assert_array_equal(one.image, first.image)
    np.testing.assert_array_equal(one.labels > 0, first.labels > 0)
    assert one.labels.max() == 2 and not one.boxes


@pytest.mark.parametrize("suffix", [".hdf5", ".h5"])
def test_lists_that_particlespy_saved_are_read(tmp_path, suffix):
    from particlespy.particle_save import save_plist
    from particlespy.ptcl_class import particle, particle_list

    first = labelled(0)
    images, labels = write(tmp_path, [first], "none")
    plist = particle_list()
    for number in (1, 2):
        one = particle()
        one.set_mask((first.labels == number).astype(np.uint8))
        one.set_property("area", 3.0, "nm^2")
        plist.append(one)
    save_plist(plist, str(labels / f"{first.name}{suffix}"))
    (read,) = read_labelled(images, labels)
    assert not read.boxes and read.labels.max() == 2
    np.testing.assert_array_equal(read.labels > 0, first.labels > 0)
    plist.list[1].set_mask(np.ones((4, 4)))
    save_plist(plist, str(labels / f"{first.name}{suffix}"))
    with pytest.raises(ValueError, match="differ in shape"):
        read_labelled(images, labels)


def test_boxes_are_read(tmp_path):
    first = labelled(0)
    images, labels = write(tmp_path, [first], "none")
    box = (10.0, 20.0, 30.0, 16.0)  # left, top, width, height
    rows, columns = first.image.shape
    yolo = (0, (box[0] + box[2] / 2) / columns, (box[1] + box[3] / 2) / rows, box[2] / columns, box[3] / rows)
    (labels / f"{first.name}.txt").write_text(" ".join(map(str, yolo)) + "\n")
    coco = tmp_path / "all.json"
    told = {"images": [{"id": 7, "file_name": f"{first.name}.npy"}], "annotations": [{"image_id": 7, "bbox": box}]}
    coco.write_text(json.dumps(told))
    for where in (labels, coco):
        (one,) = read_labelled(images, where)
        assert one.boxes and one.labels.sum() == pytest.approx(np.pi / 4 * 30 * 16, rel=0.02)
        np.testing.assert_array_equal(one.labels, ellipses(np.array([box]), first.image.shape))


def test_what_does_not_fit_is_refused(tmp_path, model):
    first = labelled(0)
    images, labels = write(tmp_path, [first], "none")
    with pytest.raises(ValueError, match="Expected one file of labels"):
        read_labelled(images, labels)
    np.save(labels / f"{first.name}.npy", first.labels[:-1])
    with pytest.raises(ValueError, match="have the shape"):
        read_labelled(images, labels)
    with pytest.raises(ValueError, match="3 labelled images or more, not 1"):
        finetune(model, [first], tmp_path / "out")
    with pytest.raises(ValueError, match="No image has"):
        finetune(model, [LabelledImage("a", first.image, 0 * first.labels)] * 3, tmp_path / "out")
    with pytest.raises(ValueError, match="cannot be trained further"):
        finetune("particles-hrtem", [first] * 3, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_particles_become_bright():
    one = bright(labelled(1, dark=True))
    assert one.image[one.labels > 0].mean() > one.image[one.labels == 0].mean()
    np.testing.assert_array_equal(bright(one).image, one.image)


def test_boxes_match_once():
    truth = labelled(0).labels
    assert count_boxes(truth, truth) == {"matched": 2, "missed": 0, "wrong": 0}
    assert count_boxes(0 * truth, truth) == {"matched": 0, "missed": 2, "wrong": 0}
    assert count_boxes(truth, 0 * truth) == {"matched": 0, "missed": 0, "wrong": 2}


def test_the_command_writes_a_model_and_says_how_it_does(tmp_path, model, capsys):
    images = [labelled(seed, dark=seed == 1) for seed in range(3)]
    folders = write(tmp_path, images, "labels")
    out = tmp_path / "mine"
    command = ["finetune", str(model), *map(str, folders), "--out", str(out), "--steps", "2", "--folds", "2"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "3 images, 6 particles" in said and "after: F1" in said
    mine = load_model(out)
    assert mine.name == "mine" and mine.card["finetuned"]["from"] == "tiny"
    before = load_model(model)
    assert any(not np.array_equal(mine.weights[name], before.weights[name]) for name in before.weights)


def test_without_a_report(tmp_path, model):
    assert finetune(model, [labelled(seed) for seed in range(3)], tmp_path / "out", steps=1, folds=0) == {}
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_probabilities_are_told_by_the_labelled_images(monkeypatch):
    rng = np.random.default_rng(0)
    inside, diameter = rng.uniform(0.3, 0.99, 4000), rng.uniform(5, 60, 4000)
    true = 1 / (1 + np.exp(-(-1.5 + 2 * np.log(inside / (1 - inside)) + 0.5 * np.log(diameter / 20))))
    rows, right = np.stack([inside, diameter, np.zeros(4000)], 1), rng.random(4000) < true
    card = {"threshold": 0.5, "diameter_range_px": [4.5, 108.0], "detection": [0.0, 1.0, 0.0, 2.5]}
    network = torch.nn.Conv2d(1, 1, 1).requires_grad_(False)
    monkeypatch.setattr(finetuning, "found_and_true", lambda finder, seen: (list(seen), rows, right)[1:])
    told = finetuning.with_own_detection(network, card, [labelled(0)])
    assert told["detection"] == pytest.approx([-1.5, 2, 0.5, 2.5], abs=0.25)
    assert card["detection"] == [0.0, 1.0, 0.0, 2.5]
    assert finetuning.with_own_detection(network, card, [replace(labelled(0), boxes=True)]) == card
    few = (rows[:8], right[:8])  # too few to tell
    monkeypatch.setattr(finetuning, "found_and_true", lambda finder, seen: few)
    assert finetuning.with_own_detection(network, card, [labelled(0)]) == card


class Bump(MultiscaleFinder):
    """Particles are where the image is bright, more so the brighter it is."""

    def maps(self, frame, *args, **options):
        inside = np.clip(frame[1] / 2 + 0.5, 0.01, 0.99)
        return inside, inside, np.zeros_like(inside)


@pytest.mark.parametrize("drawn, wanted", [(10.4, 0.7), (13.6, 0.3)])
def test_a_threshold_is_that_by_which_others_outline(monkeypatch, drawn, wanted):
    rows, columns = np.ogrid[:96, :96]
    away = np.hypot(rows - 48, columns - 48)
    image = np.clip(1 - (away - 8) / 8, 0, 1).astype(np.float32)  # 0.7 at 10.4 pixels from the middle, 0.3 at 13.6
    one = LabelledImage("one", image, (away < drawn).astype(np.int32))
    monkeypatch.setattr(finetuning, "finder_of", lambda network, card: Bump(card, {}))
    monkeypatch.setattr(finetuning, "with_own_detection", lambda network, card, images: card)
    monkeypatch.setattr(finetuning, "count_agreement", lambda found, truth: count_agreement(found, truth, 0.95))
    card = {"threshold": 0.5, "diameter_range_px": [4.5, 108.0], "detection": [9.0, 0.0, 0.0, 0.0]}
    card["architecture"] = {}
    assert finetuning.with_own_threshold(None, card, [one])["threshold"] == wanted
    monkeypatch.setattr(finetuning, "CLEARLY", 1.0)
    assert finetuning.with_own_threshold(None, card, [one])["threshold"] == 0.5


def test_networks_of_other_weights_are_told_apart():
    first, second = torch.nn.Conv2d(1, 1, 1).requires_grad_(False), torch.nn.Conv2d(1, 1, 1).requires_grad_(False)
    names = [evaluation.finder_of(one, {}).sha256 for one in (first, first, second)]
    assert names[0] == names[1] != names[2]
