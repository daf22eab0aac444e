"""Zone axes of simulated particles of all orientations."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from particlespy_ml.columns.fit.refine import gaussian_columns
from particlespy_ml.crystals.projection import ZONE_AXES
from particlespy_ml.crystals.zone_axis import find_zone_axis_in

CONSTANT, PIXEL = 3.92, 0.2


def sphere(diameter=26.0):
    """Atoms of an fcc sphere in Å."""
    n = int(diameter / CONSTANT) + 1
    cells = np.array([(i, j, k) for i in range(-n, n) for j in range(-n, n) for k in range(-n, n)], float)
    sites = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    atoms = CONSTANT * (cells[:, None] + sites).reshape(-1, 3)
    return atoms[np.linalg.norm(atoms, axis=1) < diameter / 2]


def image_of(rotation, dose, seed=0, size=192):
    rng = np.random.default_rng(seed)
    positions = rotation.apply(sphere())[:, :2] / PIXEL + size / 2 + rng.normal(size=2)
    image = gaussian_columns((size, size), positions[:, ::-1], 0.0125 / PIXEL**2, 0.43 / PIXEL, 0.002)
    return rng.poisson(image * dose * PIXEL**2) if dose else image


def along(zone, turn, tilt=0.0):
    axis = np.array(ZONE_AXES[zone], float)
    to_beam, _ = Rotation.align_vectors([[0, 0, 1]], [axis / np.linalg.norm(axis)])
    tilted = Rotation.from_rotvec(np.radians([tilt, 0, 0]))
    return tilted * Rotation.from_euler("z", turn, degrees=True) * to_beam


@pytest.mark.parametrize("dose", [None, 1e3], ids=["clean", "noisy"])
@pytest.mark.parametrize("zone", ZONE_AXES)
@pytest.mark.parametrize(("turn", "tilt"), [(0, 0), (17, 1), (50, 0.5)])
def test_on_axis(zone, turn, tilt, dose):
    found = find_zone_axis_in(image_of(along(zone, turn, tilt), dose), CONSTANT / PIXEL)
    assert found.zone_axis == zone
    assert found.score >= 1
    assert found.lattice_constant == pytest.approx(CONSTANT / PIXEL, rel=0.02)


@pytest.mark.parametrize("dose", [None, 1e3], ids=["clean", "noisy"])
@pytest.mark.parametrize("direction", [(0.21, 0.55, 0.93), (0, 0.35, 1), (1, 1, 2.6), (1, 2.1, 3.2)])
def test_off_axis(direction, dose):
    direction = np.array(direction, float)
    to_beam, _ = Rotation.align_vectors([[0, 0, 1]], [direction / np.linalg.norm(direction)])
    found = find_zone_axis_in(image_of(to_beam, dose), CONSTANT / PIXEL)
    assert found.zone_axis == "" and np.isnan(found.basis).all()


def test_the_lattice_is_that_of_the_particle():
    found = find_zone_axis_in(image_of(along("<001>", 20), None), CONSTANT / PIXEL)
    lengths = np.linalg.norm(found.basis, axis=1)
    np.testing.assert_allclose(lengths, CONSTANT / 2 / PIXEL, rtol=0.02)
    # positions are (column, row) = (x, y) in the image of atoms, turned by 20 degrees from the axes
    angles = np.degrees(np.arctan2(found.basis[:, 0], found.basis[:, 1])) % 90
    assert np.minimum(abs(angles - 20), abs(angles - 70)).max() < 2


def test_noise_and_nothing():
    rng = np.random.default_rng(0)
    assert find_zone_axis_in(np.zeros((100, 100)), 20.0).zone_axis == ""
    assert find_zone_axis_in(np.zeros((10, 10)), 20.0).zone_axis == ""
    for _ in range(5):
        assert find_zone_axis_in(rng.poisson(3.0, (128, 128)), 20.0).zone_axis == ""
    rows, columns = np.indices((128, 128)) - 64
    disk = 8.0 * (np.hypot(rows, columns) < 40)
    assert find_zone_axis_in(rng.poisson(disk + 1), 20.0).zone_axis == ""


def as_measured(zone, turn, scale, seed=0, size=240):
    """A wrong scale, drift, a bright neighbour, a textured support on a slope, few electrons."""
    rng = np.random.default_rng(seed)
    distortion = scale * np.array([[1.015, 0.02], [0.0, 0.985]])
    positions = along(zone, turn, 1).apply(sphere())[:, :2] @ distortion.T / PIXEL + size / 2
    image = gaussian_columns((size, size), positions, 0.0125 / PIXEL**2, 0.5 / PIXEL, 0.002)
    rows, columns = np.indices(image.shape) / size - 0.5
    texture = gaussian_filter(rng.normal(size=image.shape), 2.5)
    image = image + image.max() * (0.03 * texture / texture.std() + 0.1 * (rows + columns) + 0.2)
    image += gaussian_filter(1.5 * image.max() * (np.hypot(rows, columns - 0.52) < 0.2), 3)
    return rng.poisson(np.maximum(image, 0) * 5e3 * PIXEL**2).astype(float)


@pytest.mark.parametrize("scale", [0.92, 1.0, 1.09])
@pytest.mark.parametrize("zone", ["<001>", "<011>"])
def test_measured_images_are_not_perfect(zone, scale):
    found = find_zone_axis_in(as_measured(zone, 25, scale), CONSTANT / PIXEL)
    assert found.zone_axis == zone
    assert found.lattice_constant == pytest.approx(scale * CONSTANT / PIXEL, rel=0.03)


def test_the_particle_in_the_middle_is_the_one():
    """A brighter crystal at the rim does not count, and neither does the padding of a particle at the border."""
    axis, off = image_of(along("<001>", 10), 1e4), image_of(Rotation.from_euler("xyz", [17, 31, 5], degrees=True), 1e4)
    level = int(np.median(off[:5]))
    beside = np.hstack([2 * axis, off])
    beside = np.hstack([beside, np.full((192, 192), level)])  # 576 columns: the one off axis is in the middle
    assert find_zone_axis_in(beside, CONSTANT / PIXEL).zone_axis == ""
    padded = np.pad(axis[:, :140], ((40, 40), (40, 92)), constant_values=level)
    assert find_zone_axis_in(padded, CONSTANT / PIXEL).zone_axis == "<001>"


def test_a_twin_is_on_axis():
    """The two halves of a particle twinned on {111} share one of the <011> reflections."""
    atoms = along("<011>", 0).apply(sphere(34.0))
    normal = along("<011>", 0).apply(np.array([1, 1, -1]) / np.sqrt(3))
    height = atoms @ normal
    half = atoms[height > -1e-6]
    both = np.vstack([half, half[half @ normal > 0.1] - 2 * np.outer(half[half @ normal > 0.1] @ normal, normal)])
    image = gaussian_columns((192, 192), both[:, 1::-1] / PIXEL + 96, 0.0125 / PIXEL**2, 0.43 / PIXEL, 0.002)
    image = np.random.default_rng(0).poisson(image * 1e4 * PIXEL**2)
    assert find_zone_axis_in(image, CONSTANT / PIXEL).zone_axis == "<011>"


def as_signal(images, lazy=False):
    from hyperspy.signals import Signal2D

    signal = Signal2D(np.asarray(images, float))
    signal.axes_manager.signal_axes.set(scale=PIXEL, units="Å")
    signal.set_signal_type("HAADF")
    return signal.as_lazy() if lazy else signal


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_not_finite_are_named(lazy, value):
    images = np.random.default_rng(0).random((3, 64, 64))
    images[1, 5, 6] = value
    with pytest.raises(ValueError, match="Frame 1: 1 of 4096 pixels are not finite"):
        as_signal(images, lazy).find_zone_axis("Pt", lazy_output=lazy).compute() if lazy else as_signal(
            images
        ).find_zone_axis("Pt")


@pytest.mark.parametrize("flip", [np.s_[::-1, :], np.s_[:, ::-1], np.s_[::-1, ::-1]])
def test_axes_that_run_backwards_make_no_difference(flip):
    signal = as_signal(image_of(along("<001>", 20), None))
    one, other = (s.find_zone_axis("Pt").data[0] for s in (signal, signal.isig[flip]))
    assert one["zone_axis"][0] == 0
    np.testing.assert_array_equal(one, other)


def test_a_lattice_constant_larger_than_the_image():
    with pytest.raises(ValueError, match="smaller than two lattice constants"):
        as_signal(np.random.default_rng(0).random((64, 64))).find_zone_axis(lattice_constant=7.0)
