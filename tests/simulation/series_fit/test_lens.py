"""The lens as numbers: there and back, and what is known of it."""

import numpy as np
import pytest

from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.simulation.series_fit.lens import COUNT, MISALIGNED, SPREADS, TILTED, Lens

NOMINAL = Optics(
    200e3,
    spherical_aberration=-8e4,
    fifth_order=1e7,
    astigmatism=12.0,
    astigmatism_angle=0.4,
    coma=90.0,
    coma_angle=-1.1,
    threefold=70.0,
    threefold_angle=0.3,
    focal_spread=25.0,
    deflection=0.15,
)


def test_the_nominal_lens_is_given_back():
    lens = Lens.start(np.array([40.0, -90.0]), NOMINAL)
    for number, defocus in enumerate((40.0, -90.0)):
        found = lens.optics(number)
        assert found.defocus == defocus and found.energy == 200e3
        for name in ("astigmatism", "astigmatism_angle", "coma", "coma_angle", "threefold", "threefold_angle"):
            assert getattr(found, name) == pytest.approx(getattr(NOMINAL, name))
        assert (found.focal_spread, found.deflection) == pytest.approx((25.0, 0.15))
    assert not lens.known_beforehand().any()
    assert lens.vector.shape == lens.steps.shape == (2 + COUNT + 2 + 2,)


def test_steps_are_weighed_by_what_is_known():
    lens = Lens.start(np.array([40.0, -90.0]), NOMINAL)
    step = np.concatenate([[100.0, 50.0], SPREADS * 0.5, [MISALIGNED, 0.0], [TILTED, 0.0]])
    moved = lens.moved(step, 9.0)
    np.testing.assert_allclose(moved.known_beforehand(), [*[0.5] * COUNT, 1.0, 0.0, 1.0, 0.0])
    assert moved.defocus.tolist() == [140.0, -40.0]
    assert moved.shift(0).tolist() == [0, 0] and moved.shift(1).tolist() == [MISALIGNED, 0]
    assert moved.camera == pytest.approx(0.75)


def test_tilt_and_deflection_stay_within_what_there_can_be():
    lens = Lens.start(np.array([40.0]), NOMINAL)
    step = np.zeros(len(lens.vector))
    step[-2:], step[10], step[11], step[13] = (3.0, 4.0), -5.0, 9.0, -1.0  # deflection, camera and its blur
    moved = lens.moved(step, 2.5)
    np.testing.assert_allclose(moved.tilt, [1.5, 2.0])
    assert moved.optics(0).deflection > 0 and moved.camera == 1 and moved.rest[12] == 0
