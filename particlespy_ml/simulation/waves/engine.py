"""abTEM as all simulations use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def abtem_engine() -> Iterator[ModuleType]:
    """Give abTEM in single precision, on the GPU where CuPy finds one, without threads and bars of its own.

    Simulations run side by side in processes, one for each core.

    Raises
    ------
    ImportError
        If abTEM is missing.
    """
    try:
        import abtem
    except ImportError as error:
        raise ImportError(
            "Simulating images needs abTEM: install the extra with `pip install particlespy-ml[simulation]`."
        ) from error
    import dask

    settings = {
        "precision": "float32",
        "device": find_device(),
        "fftw.planning_effort": "FFTW_ESTIMATE",
        "diagnostics.progress_bar": False,
    }
    with abtem.config.set(settings), dask.config.set(scheduler="synchronous"):
        yield abtem


def find_device() -> str:
    """Return "gpu" where CuPy finds a device, with which abTEM then computes, otherwise "cpu"."""
    try:
        import cupy

        return "gpu" if cupy.cuda.runtime.getDeviceCount() else "cpu"
    except Exception:  # CuPy is missing, or its drivers are
        return "cpu"
