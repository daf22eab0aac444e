"""Threads of torch beside other threads."""

from __future__ import annotations

import threading

_running = {"count": 0, "threads": 1}
_lock = threading.Lock()


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
