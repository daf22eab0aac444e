"""Build sdist and wheel of the commit that is checked out, and check them as a user would meet them.

python .ci/release.py dist [--wheelhouse DIR]
python .ci/release.py dist --sdist-url URL

In turn: sdist and wheel are built from the files that git knows, the wheel from the sdist; ``twine check``; the size
and the files of the wheel; an installation into an empty environment of every Python of ours that is found, and there,
in a folder of its own and without network, `particlespy-ml models` and ``.ci/import_everything.py``. Dependencies come
from the environment that runs this, for Pythons of the same version, and from wheels in DIR for others. Last, the
recipe for conda-forge is written with the hash of the sdist; given where that was uploaded, nothing else is done.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
LARGEST = 40 * 2**20  # bytes of the wheel
PYTHONS = ("3.11", "3.12", "3.13")
OWN = "{}.{}".format(*sys.version_info)
# Laid into the environment that is tried: whatever asks for the network there fails.
NO_NETWORK = """
import socket


def refuse(*arguments, **options):
    raise OSError("the network was asked for")


socket.getaddrinfo = refuse
socket.socket.connect = refuse
socket.socket.connect_ex = refuse
"""
ASK = """
import socket

try:
    socket.create_connection(("localhost", 9))
except OSError as error:
    assert "the network was asked for" in str(error), error
"""


def run(*command, **options) -> str:
    """Run a command and return what it printed; end with what it said where it fails."""
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if result.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{result.stdout}{result.stderr}")
    return result.stdout


def build(out: Path) -> tuple[Path, Path]:
    """Build sdist and wheel of ``HEAD`` into a folder and return their paths."""
    if run("git", "-C", ROOT, "status", "--porcelain"):
        print("files that are not committed are left out of the release", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        run("git", "-C", ROOT, "archive", "--format=tar", "-o", Path(folder, "source.tar"), "HEAD")
        with tarfile.open(Path(folder, "source.tar")) as archive:
            archive.extractall(source, filter="data")
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


def wanted_files() -> set[str]:
    """Return the files of the package that git knows, as a wheel names them."""
    names = run("git", "-C", ROOT, "ls-tree", "-r", "--name-only", "HEAD", "particlespy_ml", "weights").splitlines()
    names = [name for name in names if not name.startswith("particlespy_ml/data/make/")]
    return {f"particlespy_ml/{name}" if name.startswith("weights/") else name for name in names}


def check_wheel(wheel: Path) -> None:
    """End where the wheel is too large, or lacks files, or has others."""
    size = wheel.stat().st_size
    if size > LARGEST:
        raise SystemExit(f"{wheel.name} has {size / 1e6:.1f} MB; at most {LARGEST / 1e6:.1f} MB are allowed")
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if ".dist-info/" not in name}
    wrong = sorted(carried ^ wanted_files())
    if wrong:
        raise SystemExit("in the wheel or in the commit, not in both: " + ", ".join(wrong))


def try_out(python: str, wheel: Path, wheelhouse: Path | None) -> str:
    """Install a wheel into an empty environment of a Python, use it there, and return what was seen."""
    with tempfile.TemporaryDirectory() as folder:
        environment, elsewhere = Path(folder, "environment"), Path(folder, "elsewhere")
        elsewhere.mkdir()
        # nothing of what the caller's Python was told
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        there = {"cwd": elsewhere, "env": clean}
        run(python, "-m", "venv", environment, **there)
        inside = environment / "bin" / "python"
        packages = Path(run(inside, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", **there).strip())
        if wheelhouse is None:
            run(inside, "-m", "pip", "install", "--no-index", "--no-deps", wheel, **there)
            # after the environment's own folder, so that the wheel is what is imported
            (packages / "zz_dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        else:
            run(inside, "-m", "pip", "install", "--no-index", "--find-links", wheelhouse, wheel, **there)
        (packages / "no_network.py").write_text(NO_NETWORK, encoding="utf-8")
        (packages / "no_network.pth").write_text("import no_network\n", encoding="utf-8")
        run(inside, "-c", ASK, **there)
        listed = run(environment / "bin" / "particlespy-ml", "models", **there)
        models = {path.parent.name for path in (ROOT / "weights").glob("*/model.safetensors")}
        if missing := sorted(name for name in models if name not in listed):
            raise SystemExit(f"particlespy-ml models does not list {', '.join(missing)}")
        run(inside, ROOT / ".ci" / "import_everything.py", **there)
    return f"{len(models)} models listed, everything imported, particles classified, without network"


def pythons(wheelhouse: Path | None) -> dict[str, str | None]:
    """Return a program for each version of Python; None where it is not there, or nothing has its dependencies."""
    found: dict[str, str | None] = {version: shutil.which(f"python{version}") for version in PYTHONS}
    if wheelhouse is None:
        found = {version: program if version == OWN else None for version, program in found.items()}
    found[OWN] = sys.executable
    return found


def write_recipe(sdist: Path, out: Path, url: str | None) -> None:
    """Write the recipe for conda-forge with the version and the hash of an sdist."""
    text = (ROOT / "packaging" / "conda" / "recipe.yaml").read_text(encoding="utf-8")
    version = sdist.name.removesuffix(".tar.gz").rpartition("-")[2]
    text = re.sub(r'(?m)^  version: ".*"$', f'  version: "{version}"', text)
    digest = hashlib.sha256(sdist.read_bytes()).hexdigest()
    text = re.sub(r"(?m)^  sha256: \w+$", f"  sha256: {digest}", text)
    if url is not None:
        text = re.sub(r"(?m)^  path: .*$", f"  url: {url}", text)
    (out / "recipe.yaml").write_text(text, encoding="utf-8")


def main() -> None:
    """Build and check a release."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "out", type=Path, help="folder of the release; it is emptied first, unless --sdist-url is given"
    )
    parser.add_argument("--wheelhouse", type=Path, help="folder of wheels of all dependencies for other Pythons")
    parser.add_argument("--sdist-url", help="where the sdist of dist was uploaded; writes the recipe")
    options = parser.parse_args()
    out = options.out.resolve()
    if options.sdist_url is not None:
        (sdist,) = out.glob("*.tar.gz")
        write_recipe(sdist, out, options.sdist_url)
        return
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    sdist, wheel = build(out)
    print(f"{sdist.name}: {sdist.stat().st_size / 1e6:.1f} MB, {wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB")
    print(run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel).strip())
    check_wheel(wheel)
    for version, program in pythons(options.wheelhouse).items():
        if program is None:
            print(f"Python {version}: not tried (it is not installed, or needs --wheelhouse)")
        else:
            own = version == OWN
            print(f"Python {version}: {try_out(program, wheel, None if own else options.wheelhouse)}")
    write_recipe(sdist, out, None)
    print(f"{out.name}/recipe.yaml is the recipe for conda-forge")


if __name__ == "__main__":
    main()
