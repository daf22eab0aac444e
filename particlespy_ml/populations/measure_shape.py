"""The verb `measure_shape`: outlines, and where asked images, to columns of shape features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dask.array as da
import numpy as np

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.frames import compute, map_rows
from particlespy_ml.core.image import ImageFrames, navigation_axes
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.particles.measure import outline_mask
from particlespy_ml.populations.features import (
    FOLDS,
    RINGS,
    fourier_descriptors,
    hu_moments,
    radial_profile,
    sample,
    window_of,
    zernike_moduli,
    zernike_orders,
)
from particlespy_ml.tables.rows import add_columns
from particlespy_ml.tables.table import make_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hyperspy.signals import BaseSignal, Signal2D

    from particlespy_ml.models.model import Classifier


OF_OUTLINES = ("fourier", "hu", "zernike")
OF_IMAGES = ("intensity_hu", "intensity_zernike", "radial", "embedding")
FEATURES = OF_OUTLINES + OF_IMAGES


def measure_shape(
    table: BaseSignal,
    features: Sequence[str] | None = None,
    image: Signal2D | None = None,
    *,
    model: str | Path | Classifier | None = None,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
) -> BaseSignal:
    """Measure shape beyond `measure_particles`, as columns that no shift, rotation, mirror or size changes.

    Parameters
    ----------
    table
        Particle table, lazy or not.
    features
        Some of, of the outlines alone: "fourier" (``fourier_2`` to ``fourier_8``: how strongly the outline is an
        ellipse, a triangle, a square, ...), "hu" (``hu_1`` to ``hu_7``), "zernike" (``zernike_n_m`` to order 6); of
        the image inside of the outlines, above the background: "intensity_hu", "intensity_zernike", "radial"
        (``radial_1`` to ``radial_8`` from the middle outwards), and "embedding", a vector: what the network of
        *model* sees before it decides on a class. By default those of the outlines, and with an image the intensities'.
    image
        Image or series that the table was measured on.
    model
        Classifier for the embedding, as for `classify_particles`.
    lazy_output
        Whether the result is lazy; by default if the table or the image is.
    show_progressbar
        Show a progress bar; by default HyperSpy's preference.

    Returns
    -------
    ParticleTable or LazyParticleTable
        With the columns; NaN where a particle has no such feature.

    Raises
    ------
    ValueError
        If a feature is unknown or needs an image, the table does not belong to the image, or pixels are not finite.

    References
    ----------
    See `particlespy_ml.populations.features` for each.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> table = pml.data.gold_on_carbon().measure_particles()
    >>> table.measure_shape("fourier").columns[-7:-4]
    ['fourier_2', 'fourier_3', 'fourier_4']
    """
    features = _check_features(features, image)
    if "outline" not in table.columns:
        raise ValueError("The table has no outlines; make it with measure_particles().")
    grid = PixelGrid.from_dict(table.metadata.get_item(f"{METADATA_NODE}.image").as_dictionary())
    embed = None
    if "embedding" in features:
        embed = _embedder(image, grid, model)
    measure = ShapeMeasurement(features, grid, embed)
    if any(name in OF_IMAGES for name in features):
        data = _map_with_image(measure, table, image, grid)
    else:
        data = map_rows(measure, table.data)
    if lazy_output is None:
        lazy_output = table._lazy or (image is not None and image._lazy)
    if lazy_output and not isinstance(data, da.Array):
        data = da.from_array(data, chunks=1, name=False)
    if not lazy_output and isinstance(data, da.Array):
        (data,) = compute(data, show_progressbar=show_progressbar)
    names = [name for name, _ in measure.columns]
    units = {name: unit for name, unit in table.units.items() if name != "class" and name not in names}
    own = table.metadata.get_item(METADATA_NODE).as_dictionary()
    own = {key: value for key, value in own.items() if key not in ("columns", "units")}
    if embed is not None:
        own["embedding"] = {"model": embed.model.name, "sha256": embed.model.sha256}
    title = table.metadata.get_item("General.title", "")
    return make_table(data, navigation_axes(table), {**units, **dict.fromkeys(names, "")}, own, title)


def _check_features(features, image) -> tuple[str, ...]:
    if features is None:
        features = OF_OUTLINES if image is None else tuple(name for name in FEATURES if name != "embedding")
    features = (features,) if isinstance(features, str) else tuple(features)
    unknown = [str(name) for name in features if name not in FEATURES]
    if unknown or not features:
        raise ValueError(
            f"Unknown shape features {', '.join(map(repr, unknown))}; expected some of {', '.join(FEATURES)}."
        )
    needing = [name for name in features if name in OF_IMAGES]
    if needing and image is None:
        raise ValueError(f"{', '.join(needing)} must see the image; give the measured one with image=.")
    return features


class ShapeMeasurement:
    """A picklable function that adds shape features to the rows of a frame.

    Parameters
    ----------
    features
        Some of `FEATURES`.
    grid
        Calibration of the frames.
    embed
        Called with a frame, its labels and the rows; returns vectors.
    """

    def __init__(self, features: tuple[str, ...], grid: PixelGrid, embed=None):
        self.features, self.grid, self.embed = features, grid, embed

    @property
    def columns(self) -> list[tuple]:
        """Names and dtypes of the columns that are added."""
        names = {
            "fourier": [f"fourier_{k}" for k in FOLDS],
            "hu": [f"hu_{i}" for i in range(1, 8)],
            "zernike": [f"zernike_{n}_{m}" for n, m in zernike_orders()],
            "intensity_hu": [f"intensity_hu_{i}" for i in range(1, 8)],
            "intensity_zernike": [f"intensity_zernike_{n}_{m}" for n, m in zernike_orders()],
            "radial": [f"radial_{i}" for i in range(1, RINGS + 1)],
        }
        columns = [(name, "f4") for feature in self.features for name in names.get(feature, [])]
        if "embedding" in self.features:
            columns.append(("embedding", ("f4", (self.embed.width,))))
        return columns

    def __call__(self, rows: np.ndarray, frame: np.ndarray | None = None) -> np.ndarray:
        """Return the rows with the features."""
        added = [name for name, _ in self.columns]
        out = add_columns(rows, self.columns)
        values = self._values(rows, frame)
        for number, name in enumerate(name for name in added if name != "embedding"):
            out[name] = values[:, number]
        if "embedding" in added:
            out["embedding"] = self.embed(frame, _labels(rows, self.grid), rows)
        return out

    def _values(self, rows: np.ndarray, frame: np.ndarray | None) -> np.ndarray:
        """All features but the embedding, shape (rows, columns)."""
        wanted = [name for name in self.features if name != "embedding"]
        parts = {}
        if "fourier" in wanted:
            parts["fourier"] = fourier_descriptors(rows["outline"])
        for name in wanted:
            parts.setdefault(name, [])
        windowed = [name for name in wanted if name != "fourier"]
        for row in rows if windowed else ():
            mask, x, y = window_of(row["outline"].astype(float))
            above = None
            if frame is not None and any(name in OF_IMAGES for name in windowed):
                lines, columns = self.grid.to_pixels(x, y)
                above = np.where(mask, sample(frame, lines, columns) - row["background"], 0.0)
            for name in windowed:
                parts[name].append(_feature(name, mask, above))
        blocks = [np.reshape(parts[name], (len(rows), -1)) for name in wanted if len(rows)]
        return np.concatenate(blocks, axis=1) if blocks else np.zeros((0, len(self.columns)))


def _feature(name: str, mask: np.ndarray, above: np.ndarray | None) -> np.ndarray:
    if name == "radial":
        return radial_profile(above, mask)
    function = hu_moments if name.endswith("hu") else zernike_moduli
    return function(above if name.startswith("intensity") else mask)


def _labels(rows: np.ndarray, grid: PixelGrid) -> np.ndarray:
    """Labels painted from outlines."""
    labels = np.zeros(grid.shape, rows["label"].dtype)
    for row in rows:
        labels[outline_mask(row, grid)] = row["label"]
    return labels


def _map_with_image(measure: ShapeMeasurement, table, image, grid: PixelGrid):
    """Rows with features of the image, frame by frame."""
    seen = ImageFrames.of(image)
    frames = seen.finite()
    if table.data.shape != frames.shape[:-2] or not grid.matches(seen.grid):
        raise ValueError(
            f"The table was measured on frames of {grid.shape} pixels of {grid.scale} {grid.units} and the navigation "
            f"shape {table.data.shape}; this image has {frames.shape[-2:]}, {seen.grid.scale} "
            f"{seen.grid.units} and {frames.shape[:-2]}."
        )
    if not isinstance(frames, da.Array) and not table._lazy:
        return _measure_block(frames, table.data, measure)
    if not isinstance(frames, da.Array):
        frames = da.from_array(frames, chunks=(1,) * (frames.ndim - 2) + frames.shape[-2:], name=False)
    data = table.data if isinstance(table.data, da.Array) else da.from_array(table.data, chunks=-1, name=False)
    data = data.rechunk(frames.chunks[:-2])
    axes = tuple(range(frames.ndim))
    return da.blockwise(
        _measure_block,
        axes[:-2],
        frames,
        axes,
        data,
        axes[:-2],
        measure=measure,
        concatenate=True,
        dtype=object,
        meta=np.empty((0,) * data.ndim, dtype=object),
    )


def _measure_block(frames: np.ndarray, tables: np.ndarray, measure: ShapeMeasurement) -> np.ndarray:
    out = np.empty(tables.shape, dtype=object)
    for index in np.ndindex(*tables.shape):
        out[index] = measure(tables[index], frames[index])
    return out


def _embedder(image, grid: PixelGrid, model):
    from particlespy_ml.classification.embed import ParticleEmbedder
    from particlespy_ml.models.load import default_model, load_model
    from particlespy_ml.models.model import Classifier

    signal_type = image.metadata.get_item("Signal.signal_type", "")
    model = load_model(default_model(signal_type) if model is None else model)
    if not isinstance(model, Classifier):
        raise ValueError(f"The model {model.name!r} finds particles; an embedding is that of a classifier.")
    return ParticleEmbedder(model, grid)
