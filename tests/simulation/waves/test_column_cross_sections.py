"""Libraries of cross-sections beside a multislice calculation that shares only the potential with them."""

import numpy as np
import pytest

from particlespy_ml.simulation.waves.column_cross_sections import simulate_column_library, zone_axis_slab

abtem = pytest.importorskip("abtem")
ENERGY, SEMIANGLE, INNER, OUTER = 200e3, 22.0, 50.0, 80.0  # eV, mrad


@pytest.mark.parametrize(("zone", "layers", "area"), [("<001>", 2, 1 / 4), ("<011>", 2, 1 / np.sqrt(8))])
def test_the_slab_has_a_column_for_each_lattice_point(zone, layers, area):
    slab = zone_axis_slab("Pt", zone, 4)
    size = slab.cell.lengths()
    columns = size[0] * size[1] / (area * 3.92**2)
    assert len(slab) == pytest.approx(4 * columns)
    heights = np.unique(slab.positions[:, 2].round(3))
    assert len(heights) == 4 * layers


def direct_cross_sections(n_atoms: int, edge: int, points: int) -> np.ndarray:
    """Cross-sections of Pt <001> columns by multislice with numpy alone, slices of one atomic layer, no motion."""
    slab = zone_axis_slab("Pt", "<001>", n_atoms)
    repeats = int(np.ceil(edge / 3.92))
    slab = slab.repeat((repeats, repeats, 1))
    slab.positions[:, 2] += 3.92 / 4
    with abtem.config.set({"diagnostics.progress_bar": False}):
        potential = abtem.Potential(slab, sampling=0.1, slice_thickness=1.96 * (1 + 1e-6), projection="infinite")
        slices = np.asarray(potential.build(lazy=False).array, float)
    n, length = slices.shape[-1], repeats * 3.92
    wavelength = abtem.core.energy.energy2wavelength(ENERGY)
    sigma = abtem.core.energy.energy2sigma(ENERGY)
    k = np.fft.fftfreq(n, length / n)
    square = k[:, None] ** 2 + k[None] ** 2
    angle = 1e3 * wavelength * np.sqrt(square)
    band = np.sqrt(square) < (2 / 3) * np.abs(k).max()
    propagate = np.exp(-1j * np.pi * wavelength * 1.96 * square) * band
    pass_through = [np.fft.ifft2(np.fft.fft2(np.exp(1j * sigma * v)) * band) for v in slices]
    detector = (angle >= INNER) & (angle < OUTER)
    aperture = (angle <= SEMIANGLE).astype(complex)
    aperture /= np.sqrt(np.sum(aperture.real))
    out = np.zeros(len(slices))
    for y in np.arange(points) * 3.92 / points:
        for x in np.arange(points) * 3.92 / points:
            wave = np.fft.ifft2(aperture * np.exp(-2j * np.pi * (k[:, None] * y + k[None] * x)), norm="ortho")
            for number, through in enumerate(pass_through):
                wave = np.fft.ifft2(np.fft.fft2(wave * through) * propagate)
                out[number] += np.sum(np.abs(np.fft.fft2(wave, norm="ortho")) ** 2 * detector)
    return out[1::2] / points**2 * 3.92**2 / 4


def test_a_library_is_that_of_a_direct_multislice():
    made = simulate_column_library("Pt", "<001>", 3, edge=7.0, thermal_rms=1e-6, frozen_phonons=1)
    np.testing.assert_allclose(made.cross_sections, direct_cross_sections(3, 7, 8), rtol=0.03)


def test_cross_sections_grow():
    made = simulate_column_library("Al", "<011>", 4, edge=7.0, frozen_phonons=4)
    assert len(made) == 4 and made.units == "Å²"
    assert made.parameters["zone_axis"] == "<011>" and made.spacing == pytest.approx(0.405 / np.sqrt(2), rel=1e-3)
    assert len(made.parameters["standard_errors"]) == 4
    assert np.all(np.array(made.parameters["standard_errors"]) < 0.2 * made.cross_sections)
    # thin columns of a light element scatter nearly in proportion to their atoms
    each = made.cross_sections / np.arange(1, 5)
    np.testing.assert_allclose(each, each.mean(), rtol=0.2)


def test_an_unknown_zone_axis():
    with pytest.raises(ValueError, match="expected one of <001>"):
        zone_axis_slab("Pt", "<123>", 3)
