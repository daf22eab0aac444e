"""The segmentations of this package beside ParticleSpy's Otsu thresholds on labelled images of your own.

``python -m benchmarks.segmentation FOLDER --pixel-size NM``: FOLDER holds ``images`` and, in the same order, binary
masks in ``labels``. Particles cut by the border do not count, nor what lies on them, since ParticleSpy always drops
them. The best of Otsu's settings is chosen with the truth, which a user does not have. "Half contrast of the
labelled particles" starts from the labels themselves: it says how far these are from half of the contrast of each.
"""

from __future__ import annotations

import argparse
import warnings
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from scipy import ndimage as ndi
from skimage.io import imread

from particlespy_ml.models.load import load_model
from particlespy_ml.segmentation.automatic import segment_automatic
from particlespy_ml.segmentation.half_contrast import half_contrast_outlines
from particlespy_ml.segmentation.network import segment_with_network
from particlespy_ml.segmentation.score import score_labels


def main(arguments: list[str] | None = None) -> None:
    """Print intersection over union of the masks and F1 of the particles at an intersection over union of 0.5."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pixel-size", type=float, required=True, metavar="NM")
    options = parser.parse_args(arguments)
    scores: dict[str, list] = {}
    network = load_model("particles-hrtem")
    images = sorted((options.folder / "images").iterdir())
    for path, truth_path in zip(images, sorted((options.folder / "labels").iterdir()), strict=True):
        image, truth = grey(path), grey(truth_path)
        truth = ndi.label(truth > truth.max() / 2)[0]
        dark = image[truth > 0].mean() < image[truth == 0].mean()
        pixel_size = (options.pixel_size,) * 2
        answers = {"auto": segment_automatic(image, pixel_size)}
        for outline in ("auto", "atoms", "half", "level"):
            answers[f"network, outline={outline}"] = segment_with_network(image, pixel_size, network, outline=outline)
        answers["half contrast of the labelled particles"] = half_contrast_outlines(image, truth, pixel_size)
        for name, found in answers.items():
            scores.setdefault(name, []).append(score_labels(found, truth))
        for sigma, watershed in product((0, 1, 2, 4, 5, 6), (False, True)):
            name = f"Otsu, gaussian={sigma}, watershed={watershed}"
            scores.setdefault(name, []).append(score_labels(otsu(image, dark, sigma, watershed), truth))
    means = {name: np.mean(rows, axis=0) for name, rows in scores.items()}
    print(f"{len(images)} images: IoU of the masks, F1 of the particles at IoU 0.5")
    for name, (overlap, f1) in sorted(means.items(), key=lambda item: -item[1][1]):
        print(f"  {overlap:.3f}  {f1:.3f}  {name}")


def otsu(image: np.ndarray, dark: bool, sigma: float, watershed: bool) -> np.ndarray:
    """Labels by ParticleSpy's Otsu threshold."""
    from particlespy.particle_analysis import parameters
    from particlespy.segptcls import process

    settings = parameters()
    settings.generate("otsu", watershed, 10, 0, bool(dark), 50, gaussian=sigma)
    with warnings.catch_warnings():  # scikit-image's, of old names that ParticleSpy uses, and of images with one region
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", UserWarning)
        return np.asarray(process(SimpleNamespace(data=image), settings)).astype(np.int32)


def grey(path: Path) -> np.ndarray:
    """Read an image as one of grey values."""
    image = imread(path)
    return image if image.ndim == 2 else np.rint(image[..., :3].mean(-1)).astype(np.uint8)


if __name__ == "__main__":
    main()
