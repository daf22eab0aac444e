"""Images beside those that were fitted to them."""

import numpy as np
import pytest

from particlespy_ml.plotting.column_fit import ROWS, plot_column_fit


@pytest.mark.parametrize("count", [1, 3])
def test_every_image_has_a_column_of_three(count):
    images = np.random.default_rng(0).normal(size=(count, 20, 24))
    axes = plot_column_fit(images, 0.9 * images, [f"{n} nm" for n in range(count)], 0.02).axes
    assert len(axes) == 3 * count
    assert [ax.get_ylabel() for ax in axes if ax.get_ylabel()] == list(ROWS)
    assert [ax.get_title() for ax in axes[:count]] == [f"{n} nm" for n in range(count)]
    shown = [ax.images[0] for ax in axes]
    np.testing.assert_allclose(shown[2 * count].get_array(), 0.1 * images[0], atol=1e-12)
    # one scale of greys, about zero for what is left
    assert np.ptp(shown[0].get_clim()) == pytest.approx(np.ptp(shown[2 * count].get_clim()))
    assert sum(shown[2 * count].get_clim()) == pytest.approx(0)


def test_an_image_without_contrast_is_drawn():
    flat = np.ones((1, 10, 12))
    assert len(plot_column_fit(flat, flat, [""], 0.02, figsize=(3, 6)).axes) == 3
