"""The command `watch`: a folder that is analysed while images are saved into it."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from particlespy_ml.commands.analyse import REPORT, load_mask, segmentation_options

if TYPE_CHECKING:
    from particlespy_ml.live.watch import Watcher


def watch(options) -> int:
    """Watch a folder until Ctrl-C; return 1 where a file could not be done."""
    from particlespy_ml.live.watch import Watcher

    constant = options.lattice_constant
    watcher = Watcher(
        options.folder,
        options.out,
        options.signal_type,
        hook=options.hook,
        port=None if options.no_page else options.port,
        poll=options.poll,
        recursive=options.recursive,
        pictures=not options.no_pictures,
        say=_say,
        model=None if options.model == "none" else options.model,
        condition=options.condition,
        pixel_size=options.pixel_size,
        min_probability=options.min_probability,
        lattice_constant=None if constant is None else f"{constant} nm",
        method=options.method,
        mask=None if options.mask is None else load_mask(options.mask),
        exclude_border=options.exclude_border,
        options=segmentation_options(options),
    )
    watcher.warm_up()
    gc.collect()
    gc.freeze()  # what was loaded stays: it is not looked through for garbage again and again
    page = f"; page at {watcher.address}" if watcher.address else ""
    _say(f"Watching {options.folder}, results in {watcher.out}{page}. Ctrl-C ends it.")
    with _ends_at_sigterm(watcher):
        watcher.run(until_idle=options.once)
    rows = watcher.rows
    done = [row for row in rows if row["status"] == "done"]
    if options.report and done:
        _report(watcher, done, options.command_line)
    _say(f"{sum(row['particles'] for row in done)} particles in {len(done)} images; results in {watcher.out}")
    bad = [row for row in rows if row["status"] in ("failed", "unreadable")]
    for row in bad:
        _say(f"could not be done: {row['file']}: {row['reason']}")
    return 1 if bad else 0


@contextmanager
def _ends_at_sigterm(watcher: Watcher) -> Iterator[None]:
    """End as at Ctrl-C where a system shuts down, or a script ends the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: watcher.stop())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _say(text: str) -> None:
    print(text, flush=True)  # read as it comes, by a pipe too


def _report(watcher: Watcher, done: list[dict], command: str) -> None:
    """Write the report of other commands."""
    import hyperspy.api as hs

    from particlespy_ml.commands.report import write_report
    from particlespy_ml.commands.results import Results

    results, pictures = Results(), {}
    for row in done:
        picture = watcher.out / f"{row['image']}.png"
        if picture.is_file():
            results.names.append(row["image"])
            results.files.append(Path(row["file"]))
            results.tables.append(hs.load(watcher.out / f"{row['image']}.hspy"))
            pictures[row["image"]] = picture
    write_report(watcher.out / REPORT, results, pictures, command)
