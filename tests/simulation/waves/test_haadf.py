"""PRISM images against plain multislice, symmetry and the beam."""

import numpy as np
import pytest

abtem = pytest.importorskip("abtem")
pytestmark = pytest.mark.filterwarnings("ignore::Warning:abtem")

from ase import Atoms  # noqa: E402

from particlespy_ml.simulation.waves.haadf import HAADFMicroscope, simulate_haadf  # noqa: E402

THREE = Atoms("Au3", positions=[[0, 0, 0], [3, 0, 0], [0, 2, 2.9]])


@pytest.fixture(scope="module")
def three():
    """Three atoms in an L, without thermal displacement."""
    return simulate_haadf(THREE, HAADFMicroscope(defocus=10.0), thermal_rms=0.0, vacuum=8.0)


def multislice(parameters, edge, pixels):
    """The image on the innermost annulus by scanning a probe, without PRISM."""
    atoms = THREE.copy()
    atoms.set_cell([edge, edge, 4.9])
    atoms.center()
    potential = abtem.Potential(atoms, sampling=0.1, slice_thickness=2.0, projection="infinite")
    probe = abtem.Probe(energy=200e3, semiangle_cutoff=22, defocus=10.0)
    detector = abtem.AnnularDetector(*parameters["annuli_mrad"][:2])
    scan = abtem.GridScan((0, 0), (edge, edge), gpts=(pixels, pixels), endpoint=False)
    return np.asarray(probe.scan(potential, scan=scan, detectors=detector).compute(progress_bar=False).array).T


def test_prism_equals_multislice(three):
    settings = {"thermal_rms": 0.0, "vacuum": 8.0, "scan_step": 0.6}
    exact, parameters = simulate_haadf(THREE, HAADFMicroscope(defocus=10.0), probe_window=12.0, **settings)
    assert parameters["interpolation"] == 1
    expected = multislice(parameters, 12.0, 20)
    assert np.abs(exact[0] - expected).max() < 0.02 * expected.max()
    # the small window of the default sees a slightly coarser aperture
    small, _ = simulate_haadf(THREE, HAADFMicroscope(defocus=10.0), **settings)
    assert np.corrcoef(small[0].ravel(), expected.ravel())[0, 1] > 0.995
    assert small[0].sum() == pytest.approx(expected.sum(), rel=0.05)


def test_rows_are_y_and_columns_are_x(three):
    images, parameters = three
    total = images.sum(0)
    row, column = np.unravel_index(total.argmax(), total.shape)
    # the two atoms at x = 0, at y = 0 and y = 2, are the left ones, and the one at x = 3 is alone on the right
    rows, columns = np.nonzero(total > 0.3 * total.max())
    assert np.ptp(columns) * parameters["scan_step"] == pytest.approx(3, abs=1)
    assert np.ptp(rows) * parameters["scan_step"] == pytest.approx(2, abs=1)
    middle = (columns.min() + columns.max()) / 2
    assert np.ptp(rows[columns > middle]) < np.ptp(rows[columns < middle])


def test_images_are_fractions_of_the_beam(three):
    images, parameters = three
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.sum(0).max() < 0.5
    assert len(parameters["annuli_mrad"]) == len(images) + 1


def test_thermal_displacements_are_seeded_and_averaged():
    atom = Atoms("Au", positions=[[0, 0, 0]])
    settings = {"thermal_rms": 0.3, "vacuum": 6.0}
    one, _ = simulate_haadf(atom, seed=1, **settings)
    again, _ = simulate_haadf(atom, seed=1, **settings)
    other, _ = simulate_haadf(atom, seed=2, **settings)
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other, rtol=0.01)
    assert simulate_haadf(atom, seed=1, frozen_phonons=2, **settings)[1]["frozen_phonons"] == 2
