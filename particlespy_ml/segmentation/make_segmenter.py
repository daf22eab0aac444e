"""From a user's choice of method to a segmenter."""

from __future__ import annotations

import numpy as np

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.segmentation.particlespy import THRESHOLDS, TrainedSegmentation, threshold_options
from particlespy_ml.segmentation.segmenter import MULTISCALE_OPTIONS, Segmenter
from particlespy_ml.segmentation.size_loss import SizeLoss

AUTOMATIC_OPTIONS = {
    "polarity": "auto",
    "smoothing": None,
    "min_diameter": 0.8,
    "background_diameter": None,
    "split": True,
    "split_depth": 0.15,
}

NETWORK_OPTIONS = {
    "model": "particles-hrtem",
    "threshold": None,
    "min_diameter": 0.8,
    "split_depth": 0.08,
    "outline": "auto",
    "polarity": "dark",
}

CLEANING_OPTIONS = {"watershed": False, "watershed_size": 0, "watershed_erosion": 0, "min_size": 0}


def make_segmenter(method="auto", *, grid: PixelGrid | None, exclude_border: bool = False, **options) -> Segmenter:
    """Turn what a user asked for into a segmenter.

    Parameters
    ----------
    method
        "auto"; "network"; the name of a ParticleSpy threshold; a ParticleSpy ``parameters`` object; or a
        `TrainedSegmentation`.
    grid
        Calibration of the frames; needed by "auto" and "network", whose sizes are in nm.
    exclude_border
        Whether particles cut by the border are dropped.
    **options
        What the method takes.

    Raises
    ------
    ValueError
        If the method is unknown.
    TypeError
        If an option is unknown to the method.
    """
    if method is None or (isinstance(method, str) and method == "auto"):
        from particlespy_ml.segmentation.automatic import check_options

        unknown = sorted(set(options) - set(AUTOMATIC_OPTIONS))
        if unknown:
            raise TypeError(
                f'Unknown options {unknown} for method="auto", which takes {", ".join(AUTOMATIC_OPTIONS)}; '
                'threshold= goes with method="network", ParticleSpy\'s options with one of its thresholds, such as '
                'method="otsu".'
            )
        full = {**AUTOMATIC_OPTIONS, **options}
        check_options(grid.nanometres, **{key: value for key, value in full.items() if key != "split"})
        loss = SizeLoss(full["min_diameter"])
        return Segmenter("auto", full, grid.nanometres, exclude_border, loss=loss)
    if isinstance(method, str) and method == "network":
        return _network_segmenter(grid, exclude_border, options)
    if isinstance(method, str):
        if method not in THRESHOLDS:
            raise ValueError(
                f"Unknown method {method!r}; expected 'auto', 'network' or one of {', '.join(THRESHOLDS)}."
            )
        if "threshold" in options:
            raise TypeError(
                f"The method {method!r} finds its own threshold; threshold= is the probability of a pixel for "
                'method="network".'
            )
        return Segmenter("threshold", threshold_options(threshold=method, **options), None, exclude_border)
    if isinstance(method, TrainedSegmentation):
        unknown = sorted(set(options) - set(CLEANING_OPTIONS))
        if unknown:
            raise TypeError(f"Unknown options {unknown}; a trained segmentation takes {', '.join(CLEANING_OPTIONS)}.")
        return Segmenter("trained", {**CLEANING_OPTIONS, **options}, None, exclude_border, method)
    if hasattr(method, "generate") or hasattr(method, "segment"):
        return Segmenter("threshold", threshold_options(method, **options), None, exclude_border)
    raise TypeError(
        "Expected method to be a name, a ParticleSpy parameters object or a trained segmentation, not "
        f"{type(method).__name__}; labels or a mask of your own go in labels=."
    )


def _network_segmenter(grid: PixelGrid, exclude_border: bool, options: dict) -> Segmenter:
    """The segmenter that runs a network."""
    from particlespy_ml.models.load import load_model
    from particlespy_ml.models.model import ParticleFinder

    given = dict(options)
    finder = load_model(given.pop("model", NETWORK_OPTIONS["model"]))
    multiscale = hasattr(finder, "detection_probability")
    taken = {"model": None, **MULTISCALE_OPTIONS} if multiscale else NETWORK_OPTIONS
    unknown = sorted(set(given) - set(taken))
    if unknown:
        raise TypeError(
            f'Unknown options {unknown} for method="network", which takes {", ".join(taken)} with the model '
            f"{finder.name!r}."
        )
    full = {**taken, **given}
    del full["model"]
    if not isinstance(finder, ParticleFinder):
        raise ValueError(
            f"The model {finder.name!r} classifies particles and does not find them; expected a model for "
            f"segmentation such as {NETWORK_OPTIONS['model']!r}."
        )
    limits = {"threshold": 1, "split_depth": 1, "min_detection": 1, "min_diameter": float("inf")}
    for name, high in limits.items():
        value = full.get(name)
        if value is not None and not 0 <= value < high:
            raise ValueError(f"{name}={value}; expected a number from 0 to {high}.")
    if multiscale:
        if full["polarity"] not in ("auto", "bright", "dark"):
            raise ValueError(f"Expected polarity to be 'auto', 'bright' or 'dark', not {full['polarity']!r}.")
        return Segmenter("network", full, grid.nanometres, exclude_border, finder=finder)
    if full["outline"] not in ("auto", "atoms", "half", "level"):
        raise ValueError(f"Expected outline to be 'auto', 'atoms', 'half' or 'level', not {full['outline']!r}.")
    if full["polarity"] not in ("dark", "bright"):
        raise ValueError(f"Expected polarity to be 'dark' or 'bright' for a network, not {full['polarity']!r}.")
    if not finder.in_pixel_range(grid.nanometres):
        low, high = finder.card["pixel_size_range_angstrom"]
        raise ValueError(
            f"The pixel size of {max(grid.nanometres) * 10:.3g} Å is outside the range of the model {finder.name!r}, "
            f'{low:g} to {high:g} Å; check the calibration, or segment with method="auto" or a threshold.'
        )
    return Segmenter("network", full, grid.nanometres, exclude_border, finder=finder)


def given_segmenter(dtype: np.dtype, exclude_border: bool, numbered: bool = False) -> Segmenter:
    """Return the segmenter that takes a user's labels (integers) or mask (booleans); *numbered* as for `Segmenter`."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "biu":
        whole = "; whole numbers in floats are labels after labels.astype(int)" if dtype.kind == "f" else ""
        raise TypeError(f"Expected labels of integers or a mask of booleans, not {dtype}{whole}.")
    return Segmenter("mask" if dtype.kind == "b" else "labels", {}, None, exclude_border, numbered=numbered)
