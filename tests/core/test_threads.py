"""Linear algebra has one thread while frames are fitted, and all of them before and after."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from particlespy_ml.columns.fit import solver
from particlespy_ml.columns.fit.refine import gaussian_columns, refine_columns
from particlespy_ml.core.threads import one_blas_thread, side_by_side


def blas_threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_the_last_to_leave_restores_the_threads():
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        outer, inner = one_blas_thread(), one_blas_thread()
        outer.__enter__()
        inner.__enter__()
        outer.__exit__()
        assert blas_threads() == {1}
        inner.__exit__()
        assert blas_threads() == before


def test_columns_are_fitted_with_one_thread_in_each_worker(monkeypatch):
    seen, solve = [], solver.Problem.solve

    def watched(self, *arguments, **options):
        seen.append(blas_threads())
        return solve(self, *arguments, **options)

    monkeypatch.setattr(solver.Problem, "solve", watched)
    places = np.array([[12.2, 11.8], [12.0, 24.1], [24.3, 12.0], [24.0, 24.2]])
    image = gaussian_columns((36, 36), places, np.full(4, 100.0), 2.0)
    with threadpool_limits(2, user_api="blas"), ThreadPoolExecutor(2) as pool:
        before = blas_threads()
        for fit in pool.map(lambda _: refine_columns(image, np.round(places), 2.0), range(4)):
            np.testing.assert_allclose(fit.positions, places, atol=1e-3)
        assert blas_threads() == before
    assert seen and all(threads == {1} for threads in seen)


def test_torch_runs_side_by_side_with_one_thread_each_in_the_main_thread_alone():
    import threading

    import torch

    before, main = torch.get_num_threads(), threading.get_ident()
    torch.set_num_threads(2)
    try:
        both = threading.Barrier(2, timeout=30)  # broken unless two are under way at once

        def watched(number):
            both.wait()
            return number, torch.get_num_threads(), threading.get_ident()

        for number, (item, threads, where) in enumerate(side_by_side(watched, list(range(4)))):
            assert (item, threads) == (number, 1) and where != main
        assert torch.get_num_threads() == 2
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(lambda: side_by_side(lambda n: threading.get_ident(), [1, 2])).result()
        assert len(set(found)) == 1 and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
