import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hyperspy.signals import Signal2D

from particlespy_ml.plotting.scale_bar import scale_bar_text
from particlespy_ml.reconstruction import Reconstruction


@pytest.fixture
def reconstruction():
    axis = np.arange(24) - 12
    ball = (np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2) < 6).astype(np.float32)
    axes = [
        {"name": name, "size": 24, "scale": 0.1, "offset": -1.2, "units": "nm", "navigate": name == "z"}
        for name in "zyx"
    ]
    frequency = np.arange(13) / 2.4
    fsc = pd.DataFrame({"frequency": frequency, "correlation": np.linspace(1, 0, 13)})
    volume = Signal2D(ball, axes=axes)
    return Reconstruction(volume, volume, fsc, 0.24, pd.DataFrame({"rot": [0.0]}), "C1", pd.DataFrame())


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_the_correlation_is_drawn_with_its_resolution(reconstruction):
    ax = reconstruction.plot_fsc()
    assert ax.get_xlabel() == "Spatial frequency (1/nm)"
    assert any("0.24 nm" in text.get_text() for text in ax.texts)
    assert ax.lines[0].get_ydata()[0] == 1


def test_slices_have_a_scale_bar(reconstruction):
    axes = reconstruction.plot_slices()
    assert len(axes) == 3
    assert scale_bar_text(axes[0].artists[0]) == "0.2 nm"
    assert axes[0].images[0].get_array().sum() == pytest.approx(reconstruction.volume.data[12].sum())


def test_the_surface_of_a_ball_is_as_wide_as_it(reconstruction):
    ax = reconstruction.plot_surface(0.5)
    limits = [ax.get_xlim(), ax.get_ylim(), ax.get_zlim()]
    assert np.abs(limits) == pytest.approx(0.6, abs=0.08)
    assert len(ax.collections) == 1
    given = plt.figure().add_subplot(projection="3d")
    assert reconstruction.plot_surface(0.5, given) is given
    with pytest.raises(ValueError, match="outside of the volume's values"):
        reconstruction.plot_surface(3.0)
