"""Two specimens behind each other, beside one multislice calculation of both."""

import numpy as np
import pytest

from particlespy_ml.simulation.recording.stacked import on_any_support, stack_waves
from particlespy_ml.simulation.waves.exit_wave import simulate_exit_wave

EDGE, PIXELS = 16.0, 64


def wave_of(positions, symbols):
    return simulate_exit_wave(symbols, np.array(positions), EDGE, sampling=0.2, slice_thickness=1.0, pixels=PIXELS)


@pytest.mark.parametrize("support_first", [False, True])
def test_two_specimens_are_those_of_one_calculation(support_first):
    gold, carbon = (5.0, 6.0, 1.5), [(9.0, 9.5, 1.5), (7.0, 11.0, 1.5)]
    apart = 12.0  # Å along the beam between the planes of atoms
    order = (0.0, apart) if support_first else (apart, 0.0)  # the beam goes along z
    both = wave_of(
        [np.add(gold, (0, 0, order[0])), *[np.add(one, (0, 0, order[1])) for one in carbon]], ["Au", "C", "C"]
    )
    # the wave of one specimen alone ends as far behind its atoms as that of both
    own, support = wave_of([gold], ["Au"]), wave_of(carbon, ["C", "C"])
    first_is_gold = order[0] == 0.0
    made = stack_waves(own, support, EDGE, 300e3, apart, support_first=not first_is_gold)
    assert np.abs(made - both).max() < 0.05 * np.abs(both - 1).max()
    wrong = stack_waves(own, support, EDGE, 300e3, apart, support_first=first_is_gold)
    assert np.abs(wrong - both).max() > 2 * np.abs(made - both).max()


def test_supports_of_other_fields_are_left_out():
    rng = np.random.default_rng(0)
    wave = np.ones((16, 16), np.complex64)
    assert on_any_support(wave, [np.ones((8, 8))], 10.0, 300e3, rng) is wave
    support = np.exp(1j * rng.normal(size=(16, 16)))
    seen = on_any_support(wave, [support], 10.0, 300e3, rng)
    # a wave of vacuum shows the support alone, moved
    np.testing.assert_allclose(np.sort(np.abs(seen).ravel()).mean(), 1, atol=0.5)
    assert seen.shape == (16, 16) and np.ptp(np.angle(seen)) > 1
    with pytest.raises(ValueError, match="same field"):
        stack_waves(wave, support[:8], 10.0, 300e3, 5.0)
