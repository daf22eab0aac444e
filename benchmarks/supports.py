"""Particles on supports: the default call beside the network alone, the contrast method, Otsu and ParticleSpy.

``python -m benchmarks.supports`` draws micrographs that no network was trained on. With ``--boxes FOLDER`` it scores
measured images instead: FOLDER holds ``images`` and, as YOLO boxes of the same names, ``labels``. The pixel size of
these is unknown: the default call is made with several. ``--finetuned 4`` trains the network further on four of them,
drawn anew several times, and scores the others. ParticleSpy's setting is chosen with the truth, image by image, which a
user does not have. F1 is that of particles matched at an intersection over union of 0.5, of masks or of boxes;
intervals are of 95 % over images.

Without ``--boxes`` it also prints F1 by what particles are and what they lie on, how often something is found in frames
with a support or vacuum alone, how far the areas of drawn spheres are off, and how long a frame of 1024 x 1024 pixels
takes. ``--picture FILE`` draws some of the micrographs with what is found, missed and wrong.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from scipy import ndimage as ndi

from benchmarks.segmentation import otsu
from particlespy_ml.models.load import load_model
from particlespy_ml.segmentation.automatic import segment_automatic
from particlespy_ml.segmentation.grid import label_sizes
from particlespy_ml.segmentation.multiscale import segment_multiscale
from particlespy_ml.simulation.micrographs.recipe import MicrographRecipe
from particlespy_ml.simulation.micrographs.supports import KINDS
from particlespy_ml.training.multiscale.evaluate import (
    COUNTED,
    EMPTY_FRAMES,
    FLAT,
    SUPPORTED,
    calibration_error,
    conditions,
    count_visible,
    micrographs,
    with_empty,
)
from particlespy_ml.training.multiscale.finetune import bright, count_boxes, finetune
from particlespy_ml.training.multiscale.label_files import read_labelled

ASSUMED = (0.03, 0.1, 0.3)  # nm, pixel sizes that a user might give to pictures of unknown scale
PIXEL = 0.1
PARTS = ("fields", "kinds", "empty", "spheres", "speed")


def main(arguments: list[str] | None = None) -> None:
    """Print F1 of every way to find particles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boxes", type=Path, metavar="FOLDER", help="measured images and YOLO boxes")
    parser.add_argument("--finetuned", type=int, metavar="N", help="train further on N of the measured images")
    parser.add_argument("--repeats", type=int, default=5, help="draws of these N (default: 5)")
    parser.add_argument("--count", type=int, default=40, help="micrographs of each kind (default: 40)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--model", default="particles-stem", help="bundled model or folder")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw micrographs with what is found")
    options = parser.parse_args(arguments)
    if options.picture:
        draw_picture(options.picture, options.model)
        return
    if options.boxes:
        if options.finetuned:
            print_finetuned(options.boxes, options.finetuned, options.repeats, options.model)
        else:
            print_measured(options.boxes, options.model)
        return
    if "fields" in options.parts:
        for name, recipe in conditions(MicrographRecipe()).items():
            seen = list(micrographs(recipe, "test", options.count))
            print(f"{name}: {len(seen)} drawn micrographs of {seen[0].image.shape[0]} pixels, bright particles")
            print_rows([one.image for one in seen], seen, False, [PIXEL], count_visible, options.model)
    if "kinds" in options.parts:
        print_kinds(options.model, options.count)
    if "empty" in options.parts:
        print_empty(options.model)
    if "spheres" in options.parts:
        print_spheres(options.model, options.count)
    if "speed" in options.parts:
        print_speed(options.model)


def print_kinds(model: str, count: int) -> None:
    """F1 of the network by what the particles are, and by what they lie on."""
    finder, base = load_model(model), conditions(MicrographRecipe())["nominal, supports"]
    kinds = {f"{kind}s on supports": replace(base, bodies=((kind, 1.0),)) for kind, _ in base.bodies}
    kinds |= {f"all, on {kind}": replace(base, supports=((kind, 1.0),), mixed=0.0) for kind in KINDS}
    kinds |= {
        "all, none over another": replace(base, overlap=(0.0, 0.0)),
        "all, no fringes": replace(base, atoms=0.0, fringes=0.0),
    }
    for name, recipe in kinds.items():
        seen = micrographs(recipe, "test", count)
        rows = [count_visible(labels_of(one.image, finder), one) for one in seen]
        print(f"  {name:24} {interval(rows)}", flush=True)


def print_empty(model: str) -> None:
    """What is found where there is nothing, and how far the probabilities are off."""
    finder, every = load_model(model), conditions(MicrographRecipe())["every fault"]
    kinds = {
        "a support, a film or vacuum alone": every,
        "vacuum or a flat film": replace(every, supports=FLAT, mixed=0),
    }
    for name, recipe in kinds.items():
        seen = list(micrographs(replace(recipe, empty=1.0), "empty", EMPTY_FRAMES))
        counts = np.array([len(segment_multiscale(one.image, finder, polarity="bright")[1]) for one in seen])
        print(f"{name}: something in {np.mean(counts > 0):.2f} of {len(seen)} frames, {counts.mean():.2f} a frame")
        counts = np.array([by_default(one.image, PIXEL, "HAADF").max() for one in seen])
        print(f"  by the default call in {np.mean(counts > 0):.2f}, {counts.mean():.2f} a frame", flush=True)
    mixed = list(micrographs(with_empty(MicrographRecipe()), "test", 60))
    print(f"detection probabilities, an eighth of the frames empty: off by {calibration_error(finder, mixed):.3f}")


def print_spheres(model: str, count: int) -> None:
    """Areas of drawn spheres, apart from each other, relative to the truth."""
    finder = load_model(model)
    nominal = replace(
        conditions(MicrographRecipe())["nominal, films"],
        bodies=(("sphere", 1.0),),
        overlap=(0.0, 0.0),
        individual=0.0,
        atoms=0.0,
        fringes=0.0,
        saturation=(0.0, 0.0, 1.0),
        coverage=(0.03, 0.1),
    )
    for name, supports in (("films", FLAT), ("supports", SUPPORTED)):
        rows = []
        for one in micrographs(replace(nominal, supports=supports), "test", 2 * count):
            labels, _ = segment_multiscale(one.image, finder, polarity="bright")
            edges = np.unique(np.concatenate([one.labels[0], one.labels[-1], one.labels[:, 0], one.labels[:, -1]]))
            true, found = label_sizes(one.labels), label_sizes(labels)
            pairs = np.zeros((len(true), len(found)))
            np.add.at(pairs, (one.labels.ravel(), labels.ravel()), 1)
            for number in np.setdiff1d(np.arange(1, len(true)), edges):
                other = int(pairs[number, 1:].argmax()) + 1 if len(found) > 1 else 0
                same = pairs[number, other] / (true[number] + found[other] - pairs[number, other]) if other else 0
                if same > 0.5:
                    rows.append((2 * np.sqrt(true[number] / np.pi), found[other] / true[number] - 1))
        diameters, off = np.array(rows).reshape(-1, 2).T
        for low, high in ((8, 16), (16, 32), (32, 80)):
            own = off[(diameters >= low) & (diameters < high)]
            if not len(own):
                continue
            spread = 1.96 * own.std() / np.sqrt(max(len(own), 1))
            print(
                f"area of spheres on {name}, {low} to {high} pixels across: off by {100 * own.mean():+.1f} ± "
                f"{100 * spread:.1f} % in the mean, {100 * np.median(own):+.1f} % in the median ({len(own)})"
            )


def print_speed(model: str, size: int = 1024, repeats: int = 5) -> None:
    """Time of one frame, and of the default call on a flat background, which needs no network."""
    finder, rng = load_model(model), np.random.default_rng(0)
    recipe = conditions(MicrographRecipe())["nominal, supports"]
    one = next(iter(micrographs(recipe, "test", 1))).image
    frame = np.pad(one, [(0, size - n) for n in one.shape], "symmetric")
    rows, columns = np.indices((size, size))
    flat = 0.1 * rng.normal(size=(size, size))
    for row, column in rng.uniform(100, size - 100, (12, 2)):
        flat += np.hypot(rows - row, columns - column) < 40
    for name, call in (
        ("network on a support", lambda: segment_multiscale(frame, finder, polarity="bright")),
        ("default call on a flat background", lambda: by_default(flat, PIXEL)),
        ("method='auto' there", lambda: segment_automatic(flat, (PIXEL, PIXEL))),
    ):
        call()
        seconds = []
        for _ in range(repeats):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
        print(f"{size} x {size} pixels, {name}: median {np.median(seconds):.2f} s, longest {max(seconds):.2f} s")


def print_finetuned(folder: Path, number: int, repeats: int, model: str) -> None:
    """Scores of measured images after training on others."""
    labelled = [bright(one) for one in read_labelled(folder / "images", folder / "labels")]
    before = load_model(model)
    scores = [count_boxes(labels_of(one.image, before), one.labels) for one in labelled]
    counts: dict[str, dict[int, list]] = {"before": {}, "after": {}}
    for repeat in range(repeats):
        order = np.random.default_rng(repeat).permutation(len(labelled))
        others = [int(k) for k in order[number:]]
        with tempfile.TemporaryDirectory() as out:
            chosen = [labelled[k] for k in order[:number]]
            finetune(model, chosen, Path(out) / "own", folds=0, seed=repeat, show_progressbar=False)
            after = load_model(Path(out) / "own")
        rows = {
            "before": [scores[k] for k in others],
            "after": [count_boxes(labels_of(labelled[k].image, after), labelled[k].labels) for k in others],
        }
        for name, own in rows.items():
            for k, row in zip(others, own, strict=True):
                counts[name].setdefault(k, []).append(row)
            print(f"  draw {repeat}, {name}: {interval(own)}", flush=True)
    for name, by_image in counts.items():
        # the same image in several draws is one image
        rows = [{key: sum(row[key] for row in own) for key in own[0]} for own in by_image.values()]
        print(f"{repeats} draws of {number} of {len(labelled)} images, the others {name}: {interval(rows)}")


def labels_of(image: np.ndarray, finder) -> np.ndarray:
    """Bright particles that a network finds."""
    return segment_multiscale(image, finder, polarity="bright")[0]


def draw_picture(path: Path, model: str) -> None:
    """Micrographs with what is found (yellow), missed (blue) and wrong (red)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    finder, figure = load_model(model), Figure(figsize=(12, 8.2), layout="tight")
    FigureCanvasAgg(figure)
    seen = []
    for recipe in list(conditions(MicrographRecipe()).values()):
        seen += list(micrographs(recipe, "test", 4))
    for axes, one in zip(figure.subplots(3, 4).ravel(), seen, strict=True):
        labels, truth = labels_of(one.image, finder), one.labels
        pairs = np.zeros((labels.max() + 1, truth.max() + 1))
        np.add.at(pairs, (labels.ravel(), truth.ravel()), 1)
        union = pairs.sum(1)[1:, None] + pairs.sum(0)[None, 1:] - pairs[1:, 1:]
        same = pairs[1:, 1:] / np.maximum(union, 1) >= 0.5
        on_hidden = pairs[1:, 1:] @ ~one.visible > 0.5 * pairs[1:].sum(1)
        large = np.pi / 4 * COUNTED**2
        right, known = np.append(False, same.any(1)), np.append(True, same.any(0) | ~one.visible)
        wrong = np.append(False, ~same.any(1) & ~on_hidden & (pairs.sum(1)[1:] >= large))
        known |= pairs.sum(0) < large
        axes.imshow(one.image, cmap="gray", vmin=np.quantile(one.image, 0.005), vmax=np.quantile(one.image, 0.995))
        for mask, colour in (
            (right[labels], "gold"),
            (wrong[labels], "red"),
            (~known[truth], "deepskyblue"),
        ):
            if mask.any():
                axes.contour(mask, [0.5], colors=colour, linewidths=0.8)
        axes.set_axis_off()
    figure.savefig(path, dpi=80)


def print_measured(folder: Path, model: str) -> None:
    """Scores of measured images with boxes."""
    labelled = read_labelled(folder / "images", folder / "labels")
    print(f"{len(labelled)} measured images, {sum(int(one.labels.max()) for one in labelled)} boxes")
    dark = [not np.array_equal(bright(one).image, one.image) for one in labelled]
    print_rows([one.image for one in labelled], [one.labels for one in labelled], dark, ASSUMED, count_boxes, model)


def print_rows(images: list, truths: list, dark, pixel_sizes, count: Callable, model: str) -> None:
    """One line for each way."""
    dark = [dark] * len(images) if isinstance(dark, bool) else dark
    finder = load_model(model)
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


def by_default(image: np.ndarray, pixel_size: float, signal_type: str = "particle_image") -> np.ndarray:
    """Labels of `s.segment_particles()` on an image that knows nothing but its pixel size and signal type."""
    import hyperspy.api as hs

    signal = hs.signals.Signal2D(np.asarray(image, np.float32))
    signal.set_signal_type(signal_type)
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
