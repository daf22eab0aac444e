"""Run the notebooks from top to bottom and keep their outputs, without times and with pictures of little room.

python .ci/notebooks.py [NAMES ...]
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import re
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parents[1] / "notebooks"
LARGEST = 80_000  # bytes of a PNG: noisy images beyond become JPEG


def main() -> None:
    """Run the notebooks that are named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="such as 04_count_atoms; by default all")
    names = parser.parse_args().names
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    for path in sorted(FOLDER.glob("*.ipynb")):
        if not names or path.stem in names:
            run(path)
            print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


def run(path: Path) -> None:
    """Execute a notebook and write it with its outputs."""
    content = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(content, timeout=900, kernel_name="python3", resources=resources).execute()
    for cell in content.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            if "text" in output:  # warnings name a file of the kernel
                output["text"] = re.sub(r"\S*/ipykernel_\d+/\d+\.py:\d+: ", "", output["text"])
            data = output.get("data", {})
            if "image/png" in data:
                kind, data_of_it = smaller(data.pop("image/png"))
                data[kind] = data_of_it
    content.metadata["language_info"] = {"name": "python"}
    nbformat.write(content, path)


def smaller(png: str) -> tuple[str, str]:
    """Return the type of a picture that takes less room, and the picture as base64, as which it is given."""
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    out, kind = io.BytesIO(), "image/png"
    image.save(out, "png", optimize=True)
    if out.tell() > LARGEST:
        out, kind = io.BytesIO(), "image/jpeg"
        image.save(out, "jpeg", quality=85, optimize=True)
    return kind, base64.b64encode(out.getvalue()).decode()


if __name__ == "__main__":
    main()
