"""The default calls on measured HRTEM images, whose classes nobody knows: what is found, and what of it stays.

``python -m benchmarks.measured IMAGE ... --pixel-size NM``. Each image is turned, mirrored, transposed, cropped by a
few pixels and given another gain and offset, none of which changes what it shows.
"""

from __future__ import annotations

import argparse
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hyperspy.signals import Signal2D

from benchmarks.segmentation import grey
from particlespy_ml.core.calibration import set_pixel_size

CROPPED = (7, 5)  # rows and columns at the beginning
CHANGES: dict[str, tuple[Callable, Callable]] = {  # and the way back of labels
    "turned by 180 degrees": (lambda image: image[::-1, ::-1], lambda labels: labels[::-1, ::-1]),
    "mirrored": (lambda image: image[:, ::-1], lambda labels: labels[:, ::-1]),
    "transposed": (lambda image: image.T, lambda labels: labels.T),
    "another gain and offset": (lambda image: (image * np.float32(37) + 2900).astype(np.int32), lambda labels: labels),
    "cropped": (lambda image: image[CROPPED[0] :, CROPPED[1] :], lambda labels: _padded(labels)),
}


def main(arguments: list[str] | None = None) -> None:
    """Print what is found in all images together, and how much of it stays when they are changed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--pixel-size", type=float, required=True, metavar="NM")
    options = parser.parse_args(arguments)
    classes: Counter = Counter()
    found = answered = 0
    stays = {name: np.zeros(4, int) for name in CHANGES}
    for path in options.images:
        image = grey(path)
        labels, named = classified(image, options.pixel_size)
        _, sure = classified(image, options.pixel_size, target_accuracy=0.95)
        found += len(named)
        answered += sum(name != "undefined" for name in sure.values())
        classes.update(named.values())
        for name, (change, back) in CHANGES.items():
            changed, renamed = classified(change(image), options.pixel_size)
            stays[name] += agreement(labels, named, back(changed), renamed)
    print(f"{len(options.images)} images, {found} whole particles; {answered} have a class at target_accuracy=0.95")
    print("by default:", ", ".join(f"{name} {number}" for name, number in sorted(classes.items())))
    for name, (before, again, either, same) in stays.items():
        print(f"  {name:24} found again {again} of {before}; of {either} with a class before or after {same} keep it")


def classified(image: np.ndarray, pixel_size: float, **options) -> tuple[np.ndarray, dict[int, str]]:
    """Return the labels of a frame and the class of each label."""
    signal = Signal2D(np.ascontiguousarray(image))
    signal.set_signal_type("HRTEM")
    set_pixel_size(signal, pixel_size)
    with warnings.catch_warnings():  # of images without fringes
        warnings.simplefilter("ignore", UserWarning)
        labels = signal.segment_particles(lazy_output=False, show_progressbar=False)
        table = signal.classify_particles(labels=labels, lazy_output=False, show_progressbar=False, **options)
    return labels.data, dict(zip(table["label"].astype(int), table["class"], strict=True))


def agreement(labels: np.ndarray, named: dict, changed: np.ndarray, renamed: dict) -> tuple[int, int, int, int]:
    """Compare two answers.

    Returns
    -------
    before, again, either, same
        Particles of the first; those that the second has too, with an intersection over union of 0.5; those of them
        that have a class in either; and those of these with the same class in both.
    """
    again = either = same = 0
    for number, name in named.items():
        own = labels == number
        there = np.bincount(changed[own])
        there[0] = 0
        other = int(there.argmax())
        shared = there[other]
        if other not in renamed or shared < 0.5 * (own.sum() + (changed == other).sum() - shared):
            continue
        again += 1
        if {name, renamed[other]} != {"undefined"}:
            either += 1
            same += name == renamed[other]
    return len(named), again, either, same


def _padded(labels: np.ndarray) -> np.ndarray:
    return np.pad(labels, [(n, 0) for n in CROPPED])


if __name__ == "__main__":
    main()
