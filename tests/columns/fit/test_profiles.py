import numpy as np
import pytest

from particlespy_ml.columns import ColumnProfiles
from particlespy_ml.columns.fit.profiles import ProfileSplines

WIDTH, STEP = 0.8, 0.1


def bell(y, x, chirp=0.0):
    return np.exp(-(0.5 + 1j * chirp) * (y**2 + x**2) / WIDTH**2)


def profiles(chirp=0.0, heights=(1,)):
    across = (np.arange(121) - 60) * STEP
    one = bell(across[:, None], across, chirp)
    return ColumnProfiles(
        np.stack([(k + 1) * (one if chirp else one.real) for k in range(len(heights))]), heights, STEP
    )


@pytest.mark.parametrize("chirp", [0.0, 0.7])
def test_values_and_slopes_between_pixels_are_those_of_the_function(chirp):
    pixel = 0.23
    rows, columns = np.array([[-2.3, 0.0, 1.71]]), np.array([[0.4, -1.2]])
    value, down, across = ProfileSplines(profiles(chirp), pixel).read(np.zeros(1, int), rows, columns)[:, 0]
    y, x = rows.T * pixel, columns * pixel
    truth = bell(y, x, chirp)
    slope = -(1 + 2j * chirp) / WIDTH**2 * truth * pixel
    np.testing.assert_allclose(value, truth if chirp else truth.real, atol=2e-5)
    np.testing.assert_allclose(down, y * slope if chirp else (y * slope).real, atol=2e-4)
    np.testing.assert_allclose(across, x * slope if chirp else (x * slope).real, atol=2e-4)


def test_each_column_has_the_profile_of_the_nearest_height():
    several = profiles(heights=(1, 3, 4))
    which = several.numbers([1, 2.1, 9])
    assert which.tolist() == [0, 1, 2]
    found = ProfileSplines(several, STEP).read(which, np.zeros((3, 1)), np.zeros((3, 1)))[0, :, 0, 0]
    np.testing.assert_allclose(found, [1, 2, 3], rtol=1e-3)


def test_the_reach_is_where_a_profile_has_faded():
    assert profiles().reach(0.01) == pytest.approx(WIDTH * np.sqrt(2 * np.log(100)), abs=2 * STEP)
    assert profiles(0.7).reach(0.0) == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("arrays", "heights", "step"),
    [(np.ones((2, 3, 4)), (1, 2), 1), (np.ones((2, 3, 3)), (1,), 1), (np.ones((2, 3, 3)), (2, 1), 1)]
    + [(np.full((1, 3, 3), np.nan), (1,), 1), (np.ones((1, 3, 3)), (1,), 0), (np.ones((0, 3, 3)), (), 1)],
)
def test_what_is_no_profile_is_refused(arrays, heights, step):
    with pytest.raises(ValueError, match="expected|Expected"):
        ColumnProfiles(arrays, heights, step)
