"""Particles on supports: the default call beside the network alone, the contrast method, Otsu and ParticleSpy.

``python -m benchmarks.supports`` draws micrographs that no network was trained on. With ``--boxes FOLDER`` it scores
measured images instead: FOLDER holds ``images`` and, as YOLO boxes of the same names, ``labels``. The pixel size of
these is unknown: the default call is made with several. ParticleSpy's setting is chosen with the truth, image by image,
which a user does not have. F1 is that of particles matched at an intersection over union of 0.5, of masks or of boxes;
intervals are of 95 % over images.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
from scipy import ndimage as ndi

from benchmarks.segmentation import otsu
from particlespy_ml.models.load import load_model
from particlespy_ml.segmentation.automatic import segment_automatic
from particlespy_ml.segmentation.multiscale import segment_multiscale
from particlespy_ml.segmentation.score import count_agreement
from particlespy_ml.simulation.micrographs.recipe import MicrographRecipe
from particlespy_ml.training.multiscale.evaluate import COUNTED, above, conditions, micrographs
from particlespy_ml.training.multiscale.finetune import bright, count_boxes
from particlespy_ml.training.multiscale.label_files import read_labelled

ASSUMED = (0.03, 0.1, 0.3)  # nm, pixel sizes that a user might give to pictures of unknown scale
PIXEL = 0.1


def main(arguments: list[str] | None = None) -> None:
    """Print F1 of every way to find particles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boxes", type=Path, metavar="FOLDER", help="measured images and YOLO boxes")
    parser.add_argument("--count", type=int, default=40, help="micrographs of each kind (default: 40)")
    options = parser.parse_args(arguments)
    if options.boxes:
        print_measured(options.boxes)
        return
    for name, recipe in conditions(MicrographRecipe()).items():
        seen = list(micrographs(recipe, "test", options.count))
        print(f"{name}: {len(seen)} drawn micrographs of {seen[0].image.shape[0]} pixels, bright particles")
        truths = [above(one.labels, COUNTED) for one in seen]
        print_rows([one.image for one in seen], truths, False, [PIXEL], lambda a, b: count_agreement(a, b))


def print_measured(folder: Path) -> None:
    """Scores of measured images with boxes."""
    labelled = read_labelled(folder / "images", folder / "labels")
    print(f"{len(labelled)} measured images, {sum(int(one.labels.max()) for one in labelled)} boxes")
    dark = [not np.array_equal(bright(one).image, one.image) for one in labelled]
    print_rows([one.image for one in labelled], [one.labels for one in labelled], dark, ASSUMED, count_boxes)


def print_rows(images: list, truths: list, dark, pixel_sizes, count: Callable) -> None:
    """One line for each way."""
    dark = [dark] * len(images) if isinstance(dark, bool) else dark
    finder = load_model("particles-stem")
    ways = {
        f"default call, {size:g} nm/px": (lambda image, _, size=size: by_default(image, size)) for size in pixel_sizes
    }
    ways["network"] = lambda image, _: segment_multiscale(image, finder)[0]
    for size in pixel_sizes:
        ways[f"method='auto', {size:g} nm/px"] = lambda image, _, size=size: segment_automatic(image, (size, size))
    ways["blurred Otsu"] = lambda image, dark: blurred_otsu(image, dark)
    for name, way in ways.items():
        start = time.perf_counter()
        counts = [count(way(image, one), truth) for image, one, truth in zip(images, dark, truths, strict=True)]
        print(f"  {name:30} {interval(counts)}   {time.perf_counter() - start:6.1f} s", flush=True)
    best = []
    for image, one, truth in zip(images, dark, truths, strict=True):
        grey = np.rint(255 * (image - image.min()) / max(np.ptp(image), 1e-9)).astype(np.uint8)
        found = [
            count(otsu(grey, one, sigma, watershed), truth) for sigma, watershed in product((0, 1, 2, 4), (False, True))
        ]
        best.append(max(found, key=f1))
    print(f"  {'ParticleSpy, best of eight':30} {interval(best)}", flush=True)


def by_default(image: np.ndarray, pixel_size: float) -> np.ndarray:
    """Labels of `s.segment_particles()` on an image that knows nothing but its pixel size."""
    import hyperspy.api as hs

    signal = hs.signals.Signal2D(np.asarray(image, np.float32))
    signal.set_signal_type("particle_image")
    for axis in signal.axes_manager.signal_axes:
        axis.scale, axis.units = pixel_size, "nm"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of what is left out for its size
        return signal.segment_particles(show_progressbar=False).data


def blurred_otsu(image: np.ndarray, dark: bool, sigma: float = 2.0) -> np.ndarray:
    """Pieces above Otsu's threshold of the blurred image."""
    from skimage.filters import threshold_otsu

    smooth = ndi.gaussian_filter(-image if dark else image, sigma)
    return ndi.label(smooth > threshold_otsu(smooth))[0] if np.ptp(smooth) > 0 else np.zeros(image.shape, int)


def f1(count: dict[str, int]) -> float:
    """F1 of one image."""
    return 2 * count["matched"] / max(2 * count["matched"] + count["missed"] + count["wrong"], 1)


def interval(counts: list[dict[str, int]]) -> str:
    """Pooled F1, its interval, precision and recall."""
    table = np.array([[row["matched"], row["missed"], row["wrong"]] for row in counts], float)

    def pooled(rows: np.ndarray) -> float:
        matched, missed, wrong = rows.sum(0)
        return 2 * matched / max(2 * matched + missed + wrong, 1)

    rng = np.random.default_rng(0)
    low, high = np.quantile(
        [pooled(table[rng.integers(len(table), size=len(table))]) for _ in range(1000)], (0.025, 0.975)
    )
    matched, missed, wrong = table.sum(0)
    return (
        f"F1 {pooled(table):.3f} ({low:.3f} to {high:.3f}), precision {matched / max(matched + wrong, 1):.3f}, "
        f"recall {matched / max(matched + missed, 1):.3f}"
    )


if __name__ == "__main__":
    main()
