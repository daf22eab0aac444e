"""Results of benchmarks as files, so that pages can be compared with them."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from particlespy_ml.core.files import replacing

FOLDER = Path(__file__).parent / "records"
PACKAGES = ("numpy", "scipy", "hyperspy", "particlespy-ml")


def rounded(value, digits: int = 4):
    """Return numbers with so many significant digits, and what holds them as it is."""
    if isinstance(value, dict):
        return {str(key): rounded(one, digits) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one, digits) for one in value]
    return float(f"{value:.{digits}g}")


def save(name: str, part: str, results: dict, options: str = "", folder: Path = FOLDER) -> Path:
    """Write the results of a part of a benchmark with the date and the versions that they are of.

    Parameters
    ----------
    name
        Of the benchmark: ``python -m benchmarks.NAME --parts PART`` makes it.
    part
        The part; other parts of the file stay as they are.
    results
        Numbers, in dictionaries and lists.
    options
        What else was typed.
    folder
        Where the file goes.

    Returns
    -------
    pathlib.Path
        The file.
    """
    path = folder / f"{name}.json"
    record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    record[part] = {
        "command": f"python -m benchmarks.{name} --parts {part} {options}".strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {"python": platform.python_version()} | {package: version(package) for package in PACKAGES},
        "results": rounded(results),
    }
    folder.mkdir(exist_ok=True)
    with replacing(path) as beside:
        beside.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
