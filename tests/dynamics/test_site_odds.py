"""Sites whose states a network tells, which stands in for a trained one: bright pixels are columns."""

import hyperspy.api as hs
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import particlespy_ml as pml
from particlespy_ml.columns.fit.gaussians import gaussian_columns
from particlespy_ml.core.calibration import pixel_grid
from particlespy_ml.dynamics.site_odds import NetworkOdds
from particlespy_ml.models.column_mapper import ColumnMapper, ColumnMaps

CARD = {
    "name": "bright",
    "sha256": "0",
    "columns": [{"kind": "metal", "heights": 1}],
    "architecture": {"name": "unet", "outputs": 5},
    "pixel_size": {"value": 0.25, "unit": "Å"},
    "pixel_size_range_angstrom": [0.08, 0.36],
    "threshold": 0.5,
}
NEAR, SHAPE = 9.0, (76, 80)
PLACES = np.stack(np.meshgrid(20 + NEAR * np.arange(5), 21 + NEAR * np.arange(5), indexing="ij"), -1).reshape(-1, 2)


class Bright(ColumnMapper):
    def maps(self, images, tile=768, overlap=112, device=None):
        bright = 1 / (1 + np.exp(-2 * (gaussian_filter(images[0], 1.0) - 1.5)))
        return ColumnMaps(1 - bright, bright[None], np.zeros((2, *bright.shape)), np.full(bright.shape, 0.05))


@pytest.fixture(scope="module")
def movie():
    """A corner that changes every twelve frames, in a lattice that drifts."""
    rng = np.random.default_rng(0)
    full = np.ones((25, 72))
    full[0] = np.arange(72) // 12 % 2
    shifts = rng.normal(scale=0.2, size=(72, 2)).cumsum(0).clip(-4, 4)
    both = zip(shifts, full.T, strict=True)
    clean = [gaussian_columns(SHAPE, PLACES + shift, 400.0 * on, 1.9) + 2 for shift, on in both]
    signal = hs.signals.Signal2D(rng.poisson(clean).astype(np.float32))
    signal.axes_manager.signal_axes.set(scale=0.02, units="nm")
    return signal, full, shifts


def test_odds_are_high_where_columns_are(movie):
    signal, full, shifts = movie
    odds = NetworkOdds(pixel_grid(signal).ascending().nanometres, Bright(CARD, {}), NEAR)
    for number in (0, 20):
        places = np.vstack([PLACES + shifts[number], [(0.5, 30.0)]])
        found = odds(signal.data[number], places, None)
        assert found.shape == (26, 1) and np.isnan(found[-1, 0])
        assert (found[1:-1] > 0).all() and (found[0, 0] > 0) == bool(full[0, number])
        assert np.abs(found[:-1]).max() < 4.6
    assert np.isnan(odds(np.ones(SHAPE, np.float32), PLACES, None)).all(), "a frame of one value shows nothing"


def test_a_network_tells_the_states(movie):
    signal, full, _ = movie
    table = pml.track_columns(signal, show_progressbar=False)
    found = table.surface_dynamics(signal, evidence="network", model=Bright(CARD, {}))
    changing = found.to_dataframe().query("change == 'column'")
    assert len(changing) == 1
    row = changing.iloc[0]
    assert abs(row["occupancy"] - full[0].mean()) < 0.02
    assert row["raw_event_rate"] == pytest.approx(5 / found.duration)


@pytest.mark.parametrize("arguments", [{"evidence": "peaks"}, {"model": "columns-hrtem"}, {"device": "cpu"}])
def test_bad_arguments(movie, arguments):
    signal = movie[0].inav[:24]
    table = pml.track_columns(signal, show_progressbar=False)
    with pytest.raises(ValueError, match="evidence"):
        table.surface_dynamics(signal, **arguments)
