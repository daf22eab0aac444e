"""One HRTEM frame of 4096 x 4096 pixels, found and classified by the bundled networks: time on all cores.

Also what it changes that particles whose class two views are sure of see no more.

``python -m benchmarks.hrtem``
"""

from __future__ import annotations

import time

import numpy as np

EDGE = 4096


def large_frame(edge: int = EDGE):
    """The bundled simulated HRTEM image, mirrored at its edges until it is as large as a camera."""
    from hyperspy.signals import Signal2D

    import particlespy_ml as pml

    image = pml.data.gold_hrtem()
    data = np.pad(image.data, [(0, edge - n) for n in image.data.shape], mode="symmetric")
    signal = Signal2D(data)
    axis = image.axes_manager.signal_axes[0]
    signal.axes_manager.signal_axes.set(scale=axis.scale, units=axis.units)
    signal.set_signal_type("HRTEM")
    return signal


def main() -> None:
    """Print the times."""
    frame = large_frame()
    frame.isig[:512, :512].classify_particles(show_progressbar=False)  # loads the networks
    print(f"One HRTEM frame of {EDGE} x {EDGE} pixels")
    for name, verb in (
        ("segment_particles", frame.segment_particles),
        ("classify_particles", frame.classify_particles),
    ):
        wall, cpu = time.perf_counter(), time.process_time()
        result = verb(show_progressbar=False)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        found = getattr(result, "n_particles", None) or int(result.data.max())
        print(f"  {name}: {wall:.1f} s, {cpu:.1f} s of processors, {found} particles")
    print_effect_of_fewer_views(frame, result)


def print_effect_of_fewer_views(frame, table) -> None:
    """Print by how much probabilities differ from those of all views."""
    from particlespy_ml.models import model

    usual, model.SURE = model.SURE, 2.0  # which no probability reaches
    try:
        whole = frame.classify_particles(show_progressbar=False)
    finally:
        model.SURE = usual
    columns = [f"probability_{name}" for name in table.classes]
    apart = np.max([np.abs(table[name] - whole[name]) for name in columns], axis=0)
    fewer = apart > 1e-4  # the others differ by rounding alone
    best = [np.argmax([one[name] for name in columns], axis=0) for one in (table, whole)]
    print(
        f"  two views were enough for {fewer.sum()} particles or more: their probabilities differ from those of eight "
        f"by {apart[fewer].mean():.4f} in the mean and {apart.max():.3f} at most, the best class of "
        f"{np.count_nonzero(best[0] != best[1])}"
    )


if __name__ == "__main__":
    main()
