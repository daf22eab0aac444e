"""Options of the ways to segment, and the lengths among them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.lengths import in_nanometres

if TYPE_CHECKING:
    from particlespy_ml.models.model import ParticleFinder

# Of networks for any support: depth by which particles are split, and probability from which something is one, where F1
# of drawn micrographs that were not trained on is highest.
SPLIT_DEPTH, MIN_DETECTION = 0.12, 0.65
LENGTHS = ("smoothing", "min_diameter", "background_diameter")


class SegmentationOptions(TypedDict, total=False):
    """Keywords of `segment_particles` that belong to its methods; each method takes some of them."""

    polarity: str
    smoothing: float | str
    min_diameter: float | str
    background_diameter: float | str
    split: bool
    split_depth: float
    model: str | Path | ParticleFinder
    threshold: float
    min_detection: float
    outline: str
    watershed: bool
    watershed_size: int
    watershed_erosion: int
    min_size: int
    invert: bool
    rb_kernel: int
    gaussian: float
    local_size: int


def given_options(options: SegmentationOptions, grid: PixelGrid | None) -> dict:
    """Return the options that were given, None standing for none, with lengths in nm.

    Parameters
    ----------
    options
        As given by the user.
    grid
        Calibration of the frames; None where the method needs none, and takes no lengths.
    """
    given = {name: value for name, value in options.items() if value is not None}
    for name in LENGTHS if grid is not None else ():
        if name in given:
            given[name] = in_nanometres(given[name], grid, name)
    return given
