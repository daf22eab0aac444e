"""Threads of torch and of linear algebra beside other threads."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ContextDecorator

_running = {"count": 0, "threads": 1}
_lock = threading.Lock()
_blas = {"count": 0, "limit": None}
_blas_lock = threading.Lock()


class one_torch_thread:  # noqa: N801 - used as a function
    """Give torch one thread while work runs side by side in several threads already.

    The number of threads is that of the whole process: the first to come sets it, the last to leave restores it.

    Parameters
    ----------
    workers_only
        Leave the main thread all of torch's threads.
    """

    def __init__(self, workers_only: bool = False):
        self._active = not workers_only or threading.current_thread() is not threading.main_thread()

    def __enter__(self):
        import torch

        if self._active:
            with _lock:
                if _running["count"] == 0:
                    _running["threads"] = torch.get_num_threads()
                    torch.set_num_threads(1)
                _running["count"] += 1

    def __exit__(self, *exception):
        import torch

        if self._active:
            with _lock:
                _running["count"] -= 1
                if _running["count"] == 0:
                    torch.set_num_threads(_running["threads"])


def side_by_side(function: Callable, items: list) -> list:
    """Return what a function of torch makes of some items, in as many threads as torch has, each with one of its own.

    Layers of small networks divided among threads wait for each other at the end of each. Where work runs side by side
    already, outside of the main thread, items are taken one after the other.

    Parameters
    ----------
    function
        Called with each item. It enters its own contexts of torch, which hold for one thread.
    items
        What it takes.

    Examples
    --------
    >>> side_by_side(lambda number: number**2, [1, 2, 3])
    [1, 4, 9]
    """
    import torch

    threads = min(torch.get_num_threads(), len(items))
    if threads < 2 or threading.current_thread() is not threading.main_thread():
        with one_torch_thread(workers_only=True):
            return [function(item) for item in items]
    with one_torch_thread(), ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))


class one_blas_thread(ContextDecorator):  # noqa: N801 - used as a function
    """Give linear algebra one thread: of several, those without work spin and take time from who has some.

    The matrices of a fit are small, and frames run side by side already. As for `one_torch_thread` the number is that
    of the whole process: the first to come sets it, the last to leave restores it.

    Examples
    --------
    >>> import numpy as np
    >>> with one_blas_thread():
    ...     inverse = np.linalg.inv(np.eye(3))
    """

    def __enter__(self):
        with _blas_lock:
            if _blas["count"] == 0:
                _free_control()
                _blas["limit"] = _controller().limit(limits=1, user_api="blas")
            _blas["count"] += 1

    def __exit__(self, *exception):
        with _blas_lock:
            _blas["count"] -= 1
            if _blas["count"] == 0:
                _free_control()
                _blas["limit"].restore_original_limits()
                _free_control()


@functools.cache
def _controller():
    """The libraries that are loaded, looked for once: it takes several milliseconds."""
    import scipy.linalg  # noqa: F401 - its library is another than numpy's
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _free_control() -> None:
    """Let any thread set the number next: since its version 3.8 threadpoolctl ignores all but the first."""
    from threadpoolctl import OpenBLASController

    release = getattr(OpenBLASController, "clear_controlling_thread", None)
    if release is not None:
        release(force=True)
