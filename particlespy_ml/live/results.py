"""A folder of results that grows: tables, pictures, and what a page shows of them."""

from __future__ import annotations

import csv
import io
import logging
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.files import replacing
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.live.files import free_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd
    from hyperspy.signals import BaseSignal, Signal2D

_logger = logging.getLogger(__name__)

PARTICLES, IMAGES, PAGE = "particles", "images.csv", "index.html"
RESERVED = (PARTICLES, "images", "index", "report", "ledger", "settings")
WIDTH, LEGEND = 6.0, 0.5  # of pictures and of the room for their legend, in inches
_MARK = "\ufeff"  # by which spreadsheets tell UTF-8


class GrowingResults:
    """Results of images, a table and a picture of each, and one table of all.

    Parameters
    ----------
    out
        The folder; it is made where it is missing.
    """

    def __init__(self, out: Path):
        self.out = Path(out)
        self.out.mkdir(parents=True, exist_ok=True)
        self._names: dict[str, str] = {}  # of images, and the file of each
        self._header: list[str] = []
        self._tables: dict[str, BaseSignal | dict] = {}
        self._stale = False  # whether particles.csv lacks rows
        self._changed = False  # whether particles.hspy does

    @property
    def names(self) -> list[str]:
        """Names of the images with results, in the order in which they came."""
        return list(self._names)

    def restore(self, names: Mapping[str, str]) -> list[str]:
        """Take up the results of an earlier run; return the names of those that are not there any more.

        Parameters
        ----------
        names
            Names of images, and the file of each.
        """
        lost = [name for name in names if not all(self.path(name, end).is_file() for end in (".csv", ".hspy"))]
        self._names = {name: file for name, file in names.items() if name not in lost}
        self._changed = bool(self._names)
        self._rebuild()
        return lost

    def path(self, name: str, suffix: str) -> Path:
        """File of the results of an image."""
        return self.out / f"{name}{suffix}"

    def name_for(self, stem: str, taken: set[str]) -> str:
        """Return a name for the results of an image."""
        return free_name(stem, {*RESERVED, *self._names, *taken})

    def save(self, name: str, file: str, table: BaseSignal) -> None:
        """Write the table of an image, over an earlier one of that name, and add its rows to those of all.

        Parameters
        ----------
        name, file
            Of the image.
        table
            Its particles.
        """
        self.add(name, file, write_table(self.out, name, file, table), table)

    def add(self, name: str, file: str, frame: pd.DataFrame, table: BaseSignal | dict) -> None:
        """Add the rows of an image, whose table was written, to those of all.

        Parameters
        ----------
        name, file
            Of the image.
        frame
            From `write_table`.
        table
            Its particles, as a signal or as its dictionary.
        """
        self._tables[name] = table
        self._changed = True
        known = name in self._names
        self._names[name] = file
        new = [column for column in frame if column not in self._header]
        if known or new or self._stale:
            self._rebuild()
        else:
            self._append(frame)

    def forget(self, name: str) -> None:
        """Leave an image, whose file has become another, out of the table of all; its own files go."""
        if self._names.pop(name, None) is None:
            return
        self._tables.pop(name, None)
        for suffix in (".hspy", ".csv", ".png"):
            self.path(name, suffix).unlink(missing_ok=True)
        self._changed = True
        self._rebuild()

    def discard(self, name: str) -> None:
        """Remove the files of an image that is none of those with results."""
        if name not in self._names:
            for suffix in (".hspy", ".csv", ".png"):
                self.path(name, suffix).unlink(missing_ok=True)

    def draw(self, name: str, table: BaseSignal, image: Signal2D) -> None:
        """Write a picture of an image with its particles: the first frame of a series."""
        draw_picture(self.path(name, ".png"), table, image)

    def write_images(self, rows: list[dict]) -> None:
        """Write the table of images, a row each."""
        header: dict[str, None] = {}
        for row in rows:
            header |= dict.fromkeys(row)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(header), restval="", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({key: _cell(value) for key, value in row.items()})
        try:
            with replacing(self.out / IMAGES) as part:
                part.write_text(_MARK + text.getvalue(), encoding="utf-8")
        except OSError as error:  # open in a spreadsheet, on Windows
            _logger.warning("%s could not be written, and is written again later: %s", self.out / IMAGES, error)

    def write_particles(
        self, lock: AbstractContextManager | None = None, rest: Callable[[float], object] = lambda seconds: None
    ) -> None:
        """Write the table of all particles for HyperSpy, where it has changed.

        Parameters
        ----------
        lock
            Held while results are looked at, and not while they are read, joined and written, which takes seconds where
            there are many.
        rest
            Called after each table that was read or made into a signal, with the seconds that this took: thousands are
            read after a restart, and others wait for Python meanwhile.
        """
        import hyperspy.api as hs
        from hyperspy.io import dict2signal

        lock = nullcontext() if lock is None else lock
        with lock:
            if self._stale:
                self._rebuild()
            if not self._changed or not self._names:
                return
            self._changed = False
            held = {name: self._tables.get(name) for name in self._names}
        tables: dict[str, BaseSignal] = {}
        try:
            for name, table in held.items():
                began = time.monotonic()
                if isinstance(table, dict):
                    tables[name] = dict2signal(table)
                elif table is not None:
                    tables[name] = table
                    continue
                elif self.path(name, ".hspy").is_file():
                    tables[name] = hs.load(self.path(name, ".hspy"))
                rest(time.monotonic() - began)
            joined, left_out = join_tables(tables)
            if left_out:
                _logger.warning("Left out of %s.hspy, which is in nm: %s", PARTICLES, "; ".join(left_out))
            if joined is not None:
                with replacing(self.out / f"{PARTICLES}.hspy") as part:
                    joined.save(part, overwrite=True)
        except BaseException:
            self._changed = True  # it is written again
            raise
        finally:  # what was read is not read again
            with lock:
                for name, table in tables.items():
                    if name in self._names and self._tables.get(name) is held[name]:
                        self._tables[name] = table

    def _append(self, frame: pd.DataFrame) -> None:
        text = frame.reindex(columns=self._header).to_csv(index=False, header=False, lineterminator="\n")
        try:
            with open(self.out / f"{PARTICLES}.csv", "a", encoding="utf-8", newline="") as file:
                file.write(text)
        except OSError as error:
            self._stale = True
            _logger.warning("%s.csv could not be written, and is written again later: %s", PARTICLES, error)

    def columns_of_all(self, columns: Sequence[str]) -> pd.DataFrame:
        """Rows of all images, by the tables of each, with the names of their images and some columns that are there."""
        import pandas as pd

        header, bodies = _with_one_header(self._texts())
        wanted = [name for name in ("image", *columns) if name in header]
        if not wanted:
            return pd.DataFrame()
        # an image may be called 007, or NA
        options = {"names": header, "usecols": wanted, "dtype": {"image": str}, "keep_default_na": False}
        return pd.read_csv(io.StringIO("".join(bodies)), **options, na_values=[""], low_memory=False)

    def _texts(self) -> list[str]:
        """The tables of all images as texts, in order."""
        return [self.path(name, ".csv").read_text(encoding="utf-8-sig") for name in self._names]

    def _rebuild(self) -> None:
        """Write the rows of all images anew, from those of each."""
        parts = self._texts()
        if not parts:
            self._header = []
            (self.out / f"{PARTICLES}.csv").unlink(missing_ok=True)
            return
        self._header, bodies = _with_one_header(parts)
        try:
            with replacing(self.out / f"{PARTICLES}.csv") as part:
                with open(part, "w", encoding="utf-8", newline="") as file:
                    file.write(_MARK)
                    csv.writer(file, lineterminator="\n").writerow(self._header)
                    file.writelines(bodies)
            self._stale = False
        except OSError as error:
            self._stale = True
            _logger.warning("%s.csv could not be written, and is written again later: %s", PARTICLES, error)


def _with_one_header(parts: list[str]) -> tuple[list[str], list[str]]:
    """Columns of all CSV texts, in the order in which they came, and the rows of each text in these."""
    import pandas as pd

    if not parts:
        return [], []
    split = [(part if part.endswith("\n") else f"{part}\n").partition("\n") for part in parts]
    if len({head for head, _, _ in split}) == 1:
        return next(csv.reader([split[0][0]])), [body for _, _, body in split]
    frames = [pd.read_csv(io.StringIO(part), dtype=str, keep_default_na=False) for part in parts]
    header: dict[str, None] = {}
    for frame in frames:
        header |= dict.fromkeys(frame)
    options = {"index": False, "header": False, "lineterminator": "\n"}
    return list(header), [frame.reindex(columns=list(header)).to_csv(**options) for frame in frames]


def write_table(out: Path, name: str, file: str, table: BaseSignal) -> pd.DataFrame:
    """Write the table of an image as .hspy and as .csv, whose rows are returned."""
    frame = table.to_dataframe(length_unit="nm", units_in_names=True)
    frame.insert(0, "file", file)
    frame.insert(1, "image", name)
    with replacing(out / f"{name}.hspy") as part:
        table.save(part, overwrite=True)
    with replacing(out / f"{name}.csv") as part:
        frame.to_csv(part, index=False, encoding="utf-8-sig")
    return frame


def draw_picture(path: Path, table: BaseSignal, image: Signal2D) -> None:
    """Write a picture of an image with its particles: the first frame of a series."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from particlespy_ml.plotting.overlay import plot_overlay

    # no pyplot, which belongs to the main thread, and no layout, which draws everything several times
    rows, columns = image.axes_manager.signal_shape[::-1]
    height = float(np.clip(WIDTH * rows / columns, 1.5, 12))
    figure = Figure(figsize=(WIDTH, height + LEGEND))
    FigureCanvasAgg(figure)
    share = LEGEND / (height + LEGEND)
    index = (0,) * image.axes_manager.navigation_dimension
    plot_overlay(table, image, index=index, ax=figure.add_axes((0, share, 1, 1 - share)))
    with replacing(path) as part:
        figure.savefig(part, dpi=100, pil_kwargs={"compress_level": 1})


def join_tables(tables: Mapping[str, BaseSignal]) -> tuple[BaseSignal | None, list[str]]:
    """Return the tables of images as one, and why some are left out; particles that were not classified are undefined.

    Parameters
    ----------
    tables
        Particle tables by name.
    """
    from particlespy_ml.core.calibration import NANOMETRES
    from particlespy_ml.tables.concatenate import concatenate

    kept, left_out = {}, []
    for name, table in tables.items():
        if table.units.get("x") in NANOMETRES:
            kept[name] = table
        else:
            left_out.append(f"{name}: lengths in {table.units.get('x') or 'no unit'}")
    if not kept:
        return None, left_out
    classified = [table for table in kept.values() if table.classes]
    if classified:
        like = max(kept.values(), key=lambda table: len(table.classes))
        kept = {name: table if table.classes else _undefined(table, like) for name, table in kept.items()}
    joined = concatenate(kept)
    node = joined.metadata.get_item(METADATA_NODE)
    if node.has_item("sources"):  # of each image, in its own file; of thousands, too long for one
        del node.sources
    return joined, left_out


def _undefined(table: BaseSignal, like: BaseSignal) -> BaseSignal:
    """A table with the columns of classes of another one, of particles without a class."""
    from particlespy_ml.tables.classes import BESIDE, class_columns
    from particlespy_ml.tables.dataframe import with_columns

    beside = tuple(name for name in BESIDE if name in like.columns)
    added = np.zeros(table.n_rows, dtype=class_columns(like.classes, beside))
    for name in added.dtype.names:
        added[name] = -1 if name == "class_index" else np.nan
    own = like.metadata.get_item(METADATA_NODE).as_dictionary()
    record = {"classes": list(like.classes), **({"model": own["model"]} if "model" in own else {})}
    return with_columns(table, added, dict.fromkeys(added.dtype.names, ""), {}, record)


def _cell(value: object) -> object:
    """A value as a cell of a CSV file."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{key} {number}" for key, number in value.items())
    return f"{value:.6g}" if isinstance(value, float) else value
