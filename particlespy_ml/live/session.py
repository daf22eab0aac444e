"""Images as they come: a first look, then particles, sizes and classes, in results that grow."""

from __future__ import annotations

import json
import threading
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from particlespy_ml.core.files import replacing
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.core.threads import one_blas_thread
from particlespy_ml.live.condition import Condition
from particlespy_ml.live.first_pass import ENERGY, FIRST, look_at
from particlespy_ml.live.results import GrowingResults

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal, Signal2D

SIGNAL_TYPES = ("HAADF", "HRTEM", "particle_image")


@dataclass
class Analysis:
    """What is done with each image.

    Parameters
    ----------
    signal_type
        "HAADF", "HRTEM" or "particle_image".
    model
        A classifier by name or folder; "default" is that of the signal type, None measures without classes.
    condition
        Which images are classified, such as ``"focus > .5 and count > 3"``, with the names of
        `particlespy_ml.live.first_pass.FIRST`; others are measured alone. By default all are classified.
    pixel_size
        In nm, over the files' own.
    min_probability, lattice_constant, method, mask, exclude_border
        As for `particlespy_ml.classify_particles`.
    options
        Options of the segmentation, as for `particlespy_ml.segment_particles`.

    Raises
    ------
    ValueError
        If there is no such signal type, condition or model.
    """

    signal_type: str = "HAADF"
    model: str | Path | None = "default"
    condition: str | None = None
    pixel_size: float | None = None
    min_probability: float | None = None
    lattice_constant: float | str | None = None
    method: Any = None
    mask: Any = None
    exclude_border: bool | None = None
    options: dict = field(default_factory=dict)

    def __post_init__(self):
        from particlespy_ml.models.load import DEFAULT_MODELS, load_model

        if self.signal_type not in SIGNAL_TYPES:
            raise ValueError(f"signal_type={self.signal_type!r}; expected one of {SIGNAL_TYPES}.")
        if self.model == "default":
            self.model = DEFAULT_MODELS.get(self.signal_type)
        self._model = None if self.model is None else load_model(self.model)
        self._condition = None if self.condition is None else Condition(self.condition, FIRST)
        if self._condition is not None and self._model is None:
            raise ValueError(
                f"The condition {self.condition!r} chooses what is classified, but there is no model of "
                f"{self.signal_type} images; give model=, or no condition."
            )

    def warm_up(self) -> None:
        """Look at a small image of nothing, so that what is loaded at the first use is loaded before it."""
        image = as_image(np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32), self.signal_type, 0.05)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self.look(image)
            except Exception:  # what is wrong with the settings shows at the first real image
                return

    def describe(self) -> dict:
        """Return what results depend on, as plain values."""
        model = None if self._model is None else {"name": self._model.name, "sha256": self._model.sha256}
        plain = {key: str(value) for key, value in sorted(self.options.items())}
        mask = self.mask is not None
        named = ("signal_type", "pixel_size", "min_probability", "exclude_border", "condition")
        others = {"lattice_constant": str(self.lattice_constant), "method": str(self.method), "mask": mask}
        return {**{name: getattr(self, name) for name in named}, **others, "model": model, "options": plain}

    @one_blas_thread()
    def look(self, image: Signal2D) -> tuple[dict, Any]:
        """Look at an image, or at the first frame of a series: see `particlespy_ml.live.first_pass.look_at`.

        Returns
        -------
        dict
            The row.
        Signal2D
            Labels of the particles; None of a series, where none could be looked for, and where the measurement
            will find them in another way.
        """
        from particlespy_ml.core.calibration import pixel_grid

        started = time.monotonic()
        manager = image.axes_manager
        first = image.inav[(0,) * manager.navigation_dimension] if manager.navigation_dimension else image
        try:
            pixel_size = pixel_grid(first).nanometres
        except ValueError:
            pixel_size = None
        found: list = []

        def segment() -> np.ndarray:
            found.append(self._first_labels(first))
            return found[0][0].data

        energy = None
        if self.signal_type == "HRTEM":
            energy = float(image.metadata.get_item("Acquisition_instrument.TEM.beam_energy", ENERGY) or ENERGY)
        frame = np.asarray(first.data)
        row, _ = look_at(frame, pixel_size, segment, energy=energy, scanned=self.signal_type != "HRTEM")
        labels, said = found[0] if found else (None, "")
        frames = int(np.prod(manager.navigation_shape)) if manager.navigation_dimension else 1
        size = None if pixel_size is None else pixel_size[1]
        head = {"frames": frames, "rows": frame.shape[0], "columns": frame.shape[1], "pixel_size": size}
        chosen = self._model is not None and (self._condition is None or self._condition(row))
        last = labels if frames == 1 and not said else None
        spent = time.monotonic() - started
        return {**head, **row, "count_reason": said, "look_seconds": spent, "classify": chosen}, last

    def _first_labels(self, image: Signal2D) -> tuple[Signal2D, str]:
        """Labels of a frame; and, where its measurement will find particles in another way, how they were counted."""
        from particlespy_ml.segmentation.label_frames import LabelFrames, labels_signal
        from particlespy_ml.segmentation.quick import QuickSegmenter

        frames, whole, others = self._segmenter(image)
        quick = QuickSegmenter.of(whole)
        (array,) = frames.run(LabelFrames(quick, frames.direction), others, (np.dtype(np.int32),), False, False)
        if whole.loss is not None and not quick.said:
            whole.loss.report(1, False)
        return labels_signal(frames, array, whole.parameters), "; ".join(quick.said)

    def _segmenter(self, image: Signal2D) -> tuple:
        """The frames of an image, what finds their particles, and what else that takes."""
        from particlespy_ml.core.image import ImageFrames
        from particlespy_ml.segmentation.choose import choose_segmenter, needs_calibration

        frames = ImageFrames.of(image, None)
        if needs_calibration(None, self.method, frames.signal_type):
            frames = ImageFrames.of(image)
        options = dict(self.options)
        return frames, *choose_segmenter(frames, self.method, None, self._exclude_border, options, self.mask)

    @property
    def _exclude_border(self) -> bool:
        if self.exclude_border is not None:
            return self.exclude_border
        return self.signal_type == "HRTEM" and self._model is not None

    @one_blas_thread()
    def analyse(self, image: Signal2D, classify: bool, labels: Signal2D | None = None) -> BaseSignal:
        """Return the table of an image.

        Parameters
        ----------
        image
            Image or series.
        classify
            Whether particles are classified.
        labels
            Those of `look`, to find nothing twice.
        """
        from particlespy_ml.classification.classify_particles import classify_particles
        from particlespy_ml.particles.measure_particles import measure_particles

        settings = {"lazy_output": False, "show_progressbar": False, "exclude_border": self._exclude_border}
        if labels is None:
            settings |= {"method": self.method, "mask": self.mask, **self.options}
        else:
            settings |= {"labels": labels, "mask": self.mask}
            self._segmenter(image)[1].warn_of_small(np.asarray(image.data), labels.data)
        if classify:
            constant = self.lattice_constant
            chances = {"min_probability": self.min_probability, "lattice_constant": constant}
            table = classify_particles(image, self._model, **chances, **settings)
        else:
            table = measure_particles(image, **settings)
        if labels is not None:  # how they were found, not that they were given
            made = labels.metadata.get_item(f"{METADATA_NODE}.segmentation")
            if made is not None:
                table.metadata.set_item(f"{METADATA_NODE}.segmentation", made.as_dictionary())
        return table


def summarise(table: BaseSignal) -> dict:
    """Return what a row says of a measured table: number, mean diameter and its spread in nm, and numbers by class."""
    frame = table.to_dataframe(length_unit="nm")
    diameters = frame["equivalent_circular_diameter"].to_numpy(float)
    in_nm = frame.attrs["units"].get("equivalent_circular_diameter") == "nm"
    whole = diameters[~frame["touches_border"].to_numpy(bool)] if len(frame) else diameters
    row = {
        "particles": len(frame),
        "mean_diameter": float(whole.mean()) if in_nm and len(whole) else None,
        "diameter_spread": float(whole.std(ddof=1)) if in_nm and len(whole) > 1 else None,
    }
    if table.classes:
        counts = frame["class"].value_counts()
        row["classes"] = {str(name): int(count) for name, count in counts.items() if count}
    return row


class Session:
    """Analyse images one by one, as a script at the microscope has them, and keep all results in a folder.

    Parameters
    ----------
    out
        Folder of the results: for each image a table (.hspy, .csv) and a picture, of all of them ``images.csv``,
        ``particles.csv`` and ``particles.hspy``.
    signal_type, **analysis
        As for `Analysis`: *model*, *condition*, *pixel_size*, *min_probability*, *lattice_constant*, *method*, *mask*,
        *exclude_border*, *options*.

    Raises
    ------
    ValueError
        If an argument is not as it must be, or the folder holds results of other settings.

    Examples
    --------
    >>> import tempfile
    >>> import particlespy_ml as pml
    >>> with tempfile.TemporaryDirectory() as out:
    ...     session = pml.live.Session(out, "HAADF", model=None)
    ...     row = session.add(pml.data.gold_on_carbon(), "gold")
    ...     session.close()
    >>> row["count"], row["focus"] > 0.5
    (6, True)
    """

    def __init__(self, out: str | Path, signal_type: str = "HAADF", **analysis: Any):
        self.analysis = Analysis(signal_type, **analysis)
        self.results = GrowingResults(Path(out))
        check_settings(self.results.out, self.analysis)
        self.rows: list[dict] = []
        self._lock = threading.Lock()

    def add(self, image: Signal2D | np.ndarray, name: str, pixel_size: float | None = None) -> dict:
        """Look at an image, measure and classify it, write its results, and return its row.

        Parameters
        ----------
        image
            HyperSpy signal, or an array of the shape (rows, columns).
        name
            Name of its results; one that is taken gets a number at its end.
        pixel_size
            In nm, for an array, or over the signal's own.

        Raises
        ------
        TypeError, ValueError
            If it is no image that can be measured.
        """
        started = time.monotonic()
        image = as_image(image, self.analysis.signal_type, pixel_size or self.analysis.pixel_size)
        row, labels = self.analysis.look(image)
        table = self.analysis.analyse(image, row["classify"], labels)
        with self._lock:
            free = self.results.name_for(name, set())
            row = {"image": free, "status": "done", **row, **summarise(table)}
            self.results.save(free, name, table)
            self.results.draw(free, table, image)
            row["seconds"] = time.monotonic() - started
            self.rows.append(row)
            self.results.write_images(self.rows)
        return row

    def close(self) -> None:
        """Write the table of all particles."""
        with self._lock:
            self.results.write_particles()


def as_image(image: Signal2D | np.ndarray, signal_type: str, pixel_size: float | None = None) -> Signal2D:
    """Return a signal or an array as an image of a signal type; a signal is changed in place.

    Raises
    ------
    ValueError
        If an array has not two dimensions.
    """
    from hyperspy.signals import Signal2D

    from particlespy_ml.core.calibration import set_pixel_size

    if not hasattr(image, "axes_manager"):
        image = np.asarray(image)
        if image.ndim != 2:
            raise ValueError(f"Expected an array of rows and columns, not one of the shape {image.shape}.")
        image = Signal2D(image)
    if pixel_size is not None:
        set_pixel_size(image, pixel_size)
    image.set_signal_type(signal_type)
    return image


def check_settings(out: Path, analysis: Analysis) -> None:
    """Write down how the results of a folder are made; raise ValueError where there are some that were made otherwise.

    Parameters
    ----------
    out
        The folder.
    analysis
        What will be done.
    """
    path, described = Path(out) / "settings.json", analysis.describe()
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        differing = sorted(key for key in {*before, *described} if before.get(key) != described.get(key))
        if differing:
            changes = ", ".join(f"{key}: {before.get(key)!r}, now {described.get(key)!r}" for key in differing)
            raise ValueError(
                f"{out} holds results that were made with other settings ({changes}): one table would mix them. Give "
                "another output folder, or the same settings."
            )
        return
    with replacing(path) as part:
        part.write_text(json.dumps(described, indent=1), encoding="utf-8")
