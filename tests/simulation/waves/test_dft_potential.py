"""Waves that leave the potential of a cell, beside those of the same atoms by other ways."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

from benchmarks.supported.bonds import boron_nitride, independent_atoms
from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.simulation.recording.simulate_image import simulate_image, true_columns
from particlespy_ml.simulation.waves.dft_potential import DFTPotential, exit_wave_of_potential, gpaw_potential
from particlespy_ml.simulation.waves.exit_wave import simulate_exit_wave

OPTICS = Optics(80e3, defocus=-80.0, spherical_aberration=-1e5, focal_spread=30.0)


def nitride():
    atoms = boron_nitride(6.0)
    atoms.positions += (0.4, 0.3, 0.0)
    return atoms


@pytest.fixture(scope="module")
def potential():
    return independent_atoms(nitride(), 0.1)


def test_wave_is_that_of_the_same_atoms():
    # a square cell, since the other way has no other ones
    atoms = Atoms("CSi", positions=[(1.2, 3.4, 2.5), (4.1, 2.2, 3.0)], cell=[6.0, 6.0, 6.0], pbc=(1, 1, 0))
    options = {"energy": 80e3, "sampling": 0.1}
    found = exit_wave_of_potential(independent_atoms(atoms, 0.06), slice_thickness=0.5, **options)
    told = simulate_exit_wave(atoms.get_chemical_symbols(), atoms.positions, 6.0, slice_thickness=6.0, **options)
    assert found.shape == told.shape and np.mean(np.abs(found) ** 2) == pytest.approx(1, abs=0.002)
    phases = [np.angle(one / one.mean()) for one in (found, told)]
    np.testing.assert_allclose(phases[0], phases[1], atol=0.02)  # of 0.28 at the atoms


def test_slices_hold_the_whole_potential(potential):
    whole = potential.values.sum() * np.prod(potential.edges) / potential.values.size
    for thickness, sampling in ((0.5, 0.1), (1.7, 0.35), (100.0, 0.2)):
        slices, thicknesses = potential.slices(thickness, sampling)
        area = np.prod(potential.edges[:2]) / np.prod(slices.shape[1:])
        assert thicknesses.sum() == pytest.approx(6.0)
        assert len(slices) == len(thicknesses) and slices.sum() * area == pytest.approx(whole, rel=1e-4)


def test_thermal_motion_blurs_as_a_gaussian():
    x = np.arange(40) / 40 * 5.0
    values = np.cos(2 * np.pi * 2 * x / 5.0)[:, None, None] * np.ones((1, 30, 8))
    wave = DFTPotential(values, Atoms(cell=[5.0, 4.0, 2.0]))
    slices, _ = wave.slices(2.0, 0.1, rms=0.3)
    expected = 2.0 * np.exp(-2 * (np.pi * 0.3 * 2 / 5.0) ** 2) * values[:, :, 0].T
    np.testing.assert_allclose(slices[0], expected, atol=1e-5)


def test_image_is_that_of_independent_atoms(potential):
    """More cells, pixels that do not fit into one, and columns where the image shows them."""
    options = {"optics": OPTICS, "pixel_size": 0.17, "sampling": 0.1}
    image = simulate_image(potential, "HRTEM", "plan", slice_thickness=0.5, edge=12.0, **options)
    assert image.data.shape == (int(12.52 / 0.17), int(13.011 / 0.17))
    columns = true_columns(image)
    assert len(columns) == 4 * 3 * 5 and image.metadata.particlespy_ml.simulation.potential == "DFT"
    pixels = np.rint(columns[["y", "x"]].to_numpy() / 0.017).astype(int)
    inside = (pixels < image.data.shape).all(1)
    bright = image.data[tuple(pixels[inside].T)]
    assert bright.min() > image.data.mean() + image.data.std()
    one = simulate_image(potential, "HRTEM", "plan", slice_thickness=0.5, **options)
    np.testing.assert_allclose(image.data[: one.data.shape[0], : one.data.shape[1]], one.data, atol=1e-5)


def test_noise_camera_and_files(potential, tmp_path):
    import hyperspy.api as hs

    image = simulate_image(potential, "HRTEM", "plan", dose=500.0, edge=8.0, seed=1, optics=OPTICS)
    image.save(tmp_path / "nitride.hspy")
    again = hs.load(tmp_path / "nitride.hspy")
    assert again.data.mean() == pytest.approx(500 * 0.2**2, rel=0.05)
    assert len(true_columns(again)) == 4 * 2 * 4


@pytest.mark.parametrize(
    "wrong", [{"view": "profile"}, {"mode": "HAADF", "view": "plan"}, {"tilt": 1.0}, {"turn": 5.0}, {"phonons": 4}]
)
def test_what_a_potential_cannot_show_is_refused(potential, wrong):
    with pytest.raises(ValueError, match="expected HRTEM in"):
        simulate_image(potential, **{"mode": "HRTEM", "view": "plan", **wrong})


def test_cells_that_are_not_rectangular_are_refused():
    with pytest.raises(ValueError, match="axes lie along x, y and z"):
        DFTPotential(np.zeros((4, 4, 4)), Atoms(cell=[[2.5, 0, 0], [1.2, 2.2, 0], [0, 0, 6]]))
    with pytest.raises(ValueError, match="of shape"):
        DFTPotential(np.zeros((4, 4)), Atoms(cell=[2, 2, 2]))


def test_other_calculators_are_refused():
    with pytest.raises(ValueError, match="EMT holds no calculation of GPAW"):
        gpaw_potential(EMT())


def test_bonds_lower_the_potential_of_boron_nitride():
    """By GPAW, where it is installed: the image is that of independent atoms, with less contrast."""
    gpaw = pytest.importorskip("gpaw")
    atoms = nitride()
    atoms.calc = gpaw.GPAW(mode="lcao", basis="dzp", xc="PBE", kpts=(3, 5, 1), txt=None)
    atoms.get_potential_energy()
    found = gpaw_potential(atoms.calc)
    assert max(np.array(found.edges) / found.values.shape) < 0.06
    options = {"optics": OPTICS, "pixel_size": 0.15, "thermal_rms": 0.06, "sampling": 0.1, "slice_thickness": 0.5}
    both = (found, independent_atoms(atoms, 0.05))
    bonded, free = (simulate_image(one, "HRTEM", "plan", **options).data for one in both)
    assert np.corrcoef(bonded.ravel(), free.ravel())[0, 1] > 0.97
    assert 0.7 < bonded.std() / free.std() < 1.0
    sums = [one.values.mean() - one.values[:, :, 0].mean() for one in both]
    assert 0.7 < sums[0] / sums[1] < 0.95
