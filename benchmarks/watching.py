"""A folder into which images are saved while `particlespy-ml watch` runs, is killed, and is started again.

``python -m benchmarks.watching`` drops files at a steady rate: most at once, some in two halves with a pause between,
some renamed into place, some removed again, some that stay broken, and two that are replaced by another image later. At
half of the time the watcher gets SIGKILL, and another one takes over. At the end every readable file must have one row
and its particles once, as many as its image has. It prints what was wrong, and the time from the last byte of a file to
its row on the standard output.

First it prints the time of the first look at one image of each kind: particles on a flat film, on a support that shows
(whose outlines need a network), and an HRTEM image; by the clock, and by the processor's, which neighbours on a shared
machine lengthen less. ``--files 0`` does that alone.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.images import PIXEL_NM, gold_frame

# Share of the files that are saved in each way; the others at once.
WAYS = {"halves": 0.1, "renamed": 0.1, "removed": 0.04, "broken": 0.03}
PAUSE = 0.7  # seconds between two halves
CATCH_UP = 30  # seconds after the second start in which it does what had come without a watcher


@dataclass
class Dropped:
    """What was saved: particles wanted of each readable file, when its last byte was written, and what is not read."""

    particles: dict[str, int] = field(default_factory=dict)
    written: dict[str, float] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)


def make_images(size: int, counts: tuple[int, ...]) -> dict[int, np.ndarray]:
    """Frames with some numbers of particles each."""
    return {count: gold_frame(count, size, seed=count) for count in counts}


def as_tiff(frame: np.ndarray, number: int) -> bytes:
    """A file of its own: two pixels are its number, in the range of the background."""
    import tifffile

    frame = frame.copy()
    frame[0, 0], frame[0, 1] = 200 + number % 100, 200 + number // 100
    content = io.BytesIO()
    tifffile.imwrite(content, frame)
    return content.getvalue()


def drop(
    folder: Path, files: int, rate: float, images: dict[int, np.ndarray], dropped: Dropped, ways: tuple = ()
) -> None:
    """Save files to a folder, *rate* a second, in ways that are drawn or given; note what should come of them."""
    rng = np.random.default_rng(0)
    counts, helpers = sorted(images), []
    start = time.monotonic()
    for number in range(files):
        time.sleep(max(0.0, start + number / rate - time.monotonic()))
        way = rng.choice([*WAYS, "at once"], p=[*WAYS.values(), 1 - sum(WAYS.values())])
        way = ways[number % len(ways)] if ways else way
        count = counts[int(rng.integers(len(counts)))]
        path, content = folder / f"frame_{number:04d}.tif", as_tiff(images[count], number)
        helper = threading.Thread(target=_save, args=(path, content, str(way), count, dropped))
        helper.start()
        helpers.append(helper)
        if number in (files // 3, files - 2):  # replaced by an image with another number of particles
            old = folder / f"frame_{int(rng.integers(number // 2 + 1)):04d}.tif"
            if old.name in dropped.written and old.name not in dropped.removed | dropped.broken:
                other = counts[(counts.index(dropped.particles[old.name]) + 1) % len(counts)]
                _save(old, as_tiff(images[other], 10_000 + number), "renamed", other, dropped)
    for helper in helpers:
        helper.join()


def _save(path: Path, content: bytes, way: str, count: int, dropped: Dropped) -> None:
    """Save one file in some way."""
    if way == "renamed":
        part = path.with_name(f".{path.stem}.part")
        part.write_bytes(content)
        os.replace(part, path)
    elif way == "broken":
        path.write_bytes(content[: len(content) // 3])
        dropped.broken.add(path.name)
        return
    else:
        with open(path, "wb") as file:
            if way == "halves":
                file.write(content[: len(content) // 2])
                file.flush()
                time.sleep(PAUSE)
                file.write(content[len(content) // 2 :])
            else:
                file.write(content)
    if way == "removed":
        path.unlink()
        dropped.removed.add(path.name)
        return
    dropped.written[path.name] = time.time()
    dropped.particles[path.name] = count


class Process:
    """A watcher in a process of its own, and when it printed each line."""

    def __init__(self, folder: Path, *options: str):
        command = [sys.executable, "-m", "particlespy_ml.cli", "watch", str(folder), "--pixel-size", str(PIXEL_NM)]
        self.process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True, encoding="utf-8")
        self.lines: list[tuple[float, str]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append((time.time(), line.rstrip()))

    def wait_for(self, enough, seconds: float) -> bool:
        """Wait until a function of the lines is true."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and self.process.poll() is None:
            if enough([line for _, line in self.lines]):
                return True
            time.sleep(0.02)
        return enough([line for _, line in self.lines])

    def kill(self) -> None:
        """End it as a loss of power would."""
        self.process.kill()
        self.process.wait()
        self._reader.join(5)

    def end(self, seconds: float = 300) -> int:
        """End it in order, as Ctrl-C does, and return its exit status."""
        self.process.terminate()
        self.process.wait(seconds)
        self._reader.join(5)
        return self.process.returncode


def check(out: Path, dropped: Dropped) -> list[str]:
    """Return what is wrong with the results: files that are missing, twice, or not what they should be."""
    import hyperspy.api as hs
    import pandas as pd

    images = pd.read_csv(out / "images.csv", encoding="utf-8-sig", keep_default_na=False)
    particles = pd.read_csv(out / "particles.csv", encoding="utf-8-sig")
    rows, done = Counter(images["file"]), images[images["status"] == "done"]
    in_all = Counter(particles["file"])
    wrong = [f"{name}: {rows[name]} rows" for name in dropped.particles if rows[name] != 1]
    said = {row["file"]: f"{row['status']}: {row['reason']}" for row in images.to_dict("records")}
    wrong += [f"{name}: not done, {said.get(name)}" for name in set(dropped.particles) - set(done["file"])]
    wrong += [f"{name}: done, but not readable" for name in set(done["file"]) - set(dropped.particles)]
    for row in done.to_dict("records"):
        name, wanted = row["file"], dropped.particles.get(row["file"], 0)
        if not int(row["particles"]) == in_all[name] == wanted:
            wrong.append(
                f"{name}: {row['particles']} particles, {in_all[name]} in the table of all, {wanted} are there"
            )
    joined = hs.load(out / "particles.hspy")
    if joined.n_particles != len(particles):
        wrong.append(f"particles.hspy has {joined.n_particles} rows, particles.csv {len(particles)}")
    unreadable = set(images[images["status"] == "unreadable"]["file"])
    wrong += [f"{name}: broken, and not reported" for name in dropped.broken - unreadable]
    return wrong


def waits(lines: list[tuple[float, str]], written: dict[str, float], what: str) -> dict[str, float]:
    """Seconds from the last byte of each file to its first line with some words, of files saved before the line."""
    found = {}
    for moment, line in lines:
        for name in (word.removesuffix(":") + ".tif" for word in line.split()[1:2]):
            if what in line and name in written and moment > written[name]:
                found.setdefault(name, moment - written[name])
    return found


def when_slow(seconds: dict[str, float], written: dict[str, float], limit: float = 2.0, apart: float = 10.0) -> str:
    """How many files waited longer than a limit, and when in the run these were saved."""
    start = min(written.values())
    moments = sorted(written[name] - start for name, wait in seconds.items() if wait > limit)
    spans: list[list[float]] = []
    for moment in moments:
        if spans and moment < spans[-1][1] + apart:
            spans[-1][1] = moment
        else:
            spans.append([moment, moment])
    shown = ", ".join(f"{low:.0f} to {high:.0f}" for low, high in spans)
    return f"longer than {limit:g} s: {len(moments)} of {len(seconds)}" + (f", saved at {shown} s" if shown else "")


def look_seconds(out: Path) -> np.ndarray:
    """Seconds of the first look at each image of a watch, beside all else that it did."""
    import pandas as pd

    return pd.read_csv(out / "images.csv", encoding="utf-8-sig")["look_seconds"].dropna().to_numpy()


def in_words(what: str, seconds: np.ndarray) -> str:
    """Quantiles of times."""
    middle, most, almost, worst = np.quantile(seconds, [0.5, 0.95, 0.99, 1])
    return (
        f"{what}: median {middle:.2f} s, 95 % within {most:.2f} s, 99 % within {almost:.2f} s, longest {worst:.2f} s "
        f"({len(seconds)})"
    )


def looks(size: int, repeats: int = 9) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Seconds of first looks at images of each kind, by the clock and by the processor's, once all is loaded."""
    from particlespy_ml.live.session import Analysis, as_image

    kinds = {
        "HAADF, flat": ("HAADF", gold_frame(25, size, seed=25), PIXEL_NM),
        "HAADF, on a support": ("HAADF", *support_frame(size)),
        "HRTEM": ("HRTEM", hrtem_frame(size), PIXEL_NM),
    }
    found = {}
    for name, (signal_type, frame, pixel) in kinds.items():
        analysis, image, seconds = Analysis(signal_type, model=None), as_image(frame, signal_type, pixel), []
        for _ in range(repeats + 2):
            clock, processor = time.perf_counter(), time.process_time()
            analysis.look(image)
            seconds.append((time.perf_counter() - clock, time.process_time() - processor))
        found[name] = tuple(np.array(seconds[2:]).T)
    return found


def support_frame(size: int) -> tuple[np.ndarray, float]:
    """Particles on a support of spheres, and the pixel size in nm."""
    import particlespy_ml as pml

    image = pml.data.particles_on_support()
    times = -(-size // min(image.data.shape))
    # mirrored, so that no seam shows
    return np.pad(image.data, (0, (times - 1) * len(image.data)), "symmetric")[:size, :size], 0.15


def hrtem_frame(size: int) -> np.ndarray:
    """Dark particles with fringes on an amorphous film."""
    from scipy import ndimage as ndi

    rng = np.random.default_rng(0)
    film = ndi.gaussian_filter(rng.normal(size=(size, size)), 2, mode="wrap")
    frame = 2.0 - gold_frame(25, size, seed=25) / 1000 + 0.03 * film / film.std()
    return rng.poisson(np.maximum(frame, 0) * 100).astype(np.uint16)


def print_looks(size: int) -> None:
    """Print the times of `looks`."""
    for name, (clock, processor) in looks(size).items():
        what = in_words(f"first look at {size} x {size} pixels, {name}", clock)
        print(f"{what}; of processors median {np.median(processor):.2f} s, least {processor.min():.2f} s", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the load and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watching", description=__doc__)
    parser.add_argument("--files", type=int, default=240)
    parser.add_argument("--rate", type=float, default=2.0, help="files a second")
    parser.add_argument("--size", type=int, default=1024, help="pixels along each edge")
    parser.add_argument("--particles", type=int, nargs="+", default=[9, 16, 25])
    parser.add_argument("--model", default="none", help="classify by this model too")
    parser.add_argument("--settle", type=float, default=120, help="seconds for what waits at the end")
    options = parser.parse_args(arguments)
    print_looks(options.size)
    if not options.files:
        return 0
    images = make_images(options.size, tuple(options.particles))
    dropped = Dropped()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = ("--model", options.model, "--no-page")
        first = Process(folder, *given)
        first.wait_for(lambda lines: lines, 300)
        writer = threading.Thread(target=drop, args=(folder, options.files, options.rate, images, dropped))
        cpu = os.times()
        writer.start()
        time.sleep(options.files / options.rate / 2)
        first.kill()
        killed = time.time()
        second = Process(folder, *given)
        writer.join()

        def all_measured(lines: list[str]) -> bool:
            both = [line for _, line in first.lines] + lines
            said = {line.split()[1].removesuffix(":") + ".tif" for line in both if " measured" in line}
            return said >= set(dropped.particles) and sum("6 times" in line for line in lines) >= len(dropped.broken)

        in_time = second.wait_for(all_measured, options.settle)
        time.sleep(1)
        second.end()
        now = os.times()
        wrong = check(folder / "results", dropped)
        looked = look_seconds(folder / "results")
    print(
        f"{options.files} files of {options.size} x {options.size} pixels at {options.rate:g} a second, "
        f"{len(dropped.removed)} removed, {len(dropped.broken)} broken; killed once: {len(dropped.particles)} readable"
    )
    print(f"  wrong: {len(wrong)}" + "".join(f"\n    {line}" for line in wrong[:20]))
    if not in_time:
        print(f"  not all was done {options.settle:g} s after the last file")
    started = second.lines[0][0] if second.lines else np.inf
    without = {name for name, moment in dropped.written.items() if first.lines[-1][0] - 1 < moment < started + CATCH_UP}
    steady = {name: moment for name, moment in dropped.written.items() if name not in without}
    for what, words in (("first look", "particles,"), ("measured", "measured")):
        seconds = waits([*first.lines, *second.lines], steady, words)
        if seconds:
            print("  " + in_words(f"last byte to row, {what}", np.array(list(seconds.values()))))
            print("    " + when_slow(seconds, dropped.written))
    late = waits(second.lines, {name: dropped.written[name] for name in without}, "particles,")
    if late:
        words = f"the same from the kill to {CATCH_UP} s after the second start, first look"
        print("  " + in_words(words, np.array(list(late.values()))))
    print(f"  the second start took {started - killed:.1f} s, after {killed - min(dropped.written.values()):.0f} s")
    print("  " + in_words("first look alone", looked))
    used = sum(now[2:4]) - sum(cpu[2:4])
    print(f"  processors: {used / max(len(dropped.particles), 1):.2f} s for each readable file, both starts included")
    return 1 if wrong or not in_time else 0


if __name__ == "__main__":
    sys.exit(main())
