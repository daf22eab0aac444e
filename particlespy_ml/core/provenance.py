"""What is recorded with a result."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

METADATA_NODE = "particlespy_ml"
PACKAGES = ("particlespy-ml", "hyperspy", "particlespy", "atomap", "scikit-image", "numpy", "torch")


@lru_cache
def package_versions() -> dict[str, str]:
    """Return the versions of the packages that results depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name.replace("-", "_")] = version(name)
        except PackageNotFoundError:
            continue
    return found
