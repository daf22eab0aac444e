"""Images of models: calibration, truth, noise, and comparing them with one another."""

import numpy as np
import pytest
from ase import Atoms

from particlespy_ml.simulation.atoms.model_views import model_columns, view_matrix
from particlespy_ml.simulation.recording.camera import Camera
from particlespy_ml.simulation.recording.compare import compare, register
from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.simulation.recording.simulate_image import simulate_image, to_pixels, true_columns, true_model

OPTICS = Optics(defocus=-60.0, spherical_aberration=-1e5, focal_spread=20.0)
FAST = {"sampling": 0.22, "slice_thickness": 3.0, "optics": OPTICS}


def block(heights=(4, 4, 4, 3, 3, 2)):
    """Columns of gold along x of the model, in two rows, one above the other."""
    points = []
    for number, height in enumerate(heights):
        y, z = 3.2 * (number % 3), 3.0 + 3.2 * (number // 3)
        points += [(2.88 * k, y + 0.3 * (number == 5), z) for k in range(height)]
    atoms = Atoms(["Au"] * len(points), positions=points, cell=[14, 14, 14], pbc=(1, 1, 0))
    atoms.set_tags([1] * len(points))
    return atoms


@pytest.fixture(scope="module")
def image():
    return simulate_image(block(), dose=2e5, pixel_size=0.25, seed=2, edge=26.0, **FAST)


def test_columns_lie_where_the_image_shows_them(image):
    columns = true_columns(image)
    assert sorted(columns["height"]) == [2, 3, 3, 4, 4, 4]
    data = image.data / (2e5 * 0.25**2)
    scale = image.axes_manager["x"].scale
    assert image.metadata.Signal.signal_type == "HRTEM" and scale == pytest.approx(0.025)
    for _, column in columns.iterrows():
        row, across = round(column["y"] / scale), round(column["x"] / scale)
        window = np.abs(data[row - 4 : row + 5, across - 4 : across + 5] - 1)
        weight = window - window.min()
        axis = np.arange(-4, 5)
        found = np.array([weight.sum(1) @ axis, weight.sum(0) @ axis]) / weight.sum()
        assert np.hypot(*found) < 1.5
    # the support lies below: y of an image runs down
    below = columns.sort_values("y")["height"].to_numpy()
    assert below[-3:].tolist() == [4, 4, 4]


def test_model_and_truth_survive_a_file(image, tmp_path):
    import hyperspy.api as hs

    image.save(tmp_path / "image.hspy")
    again = hs.load(tmp_path / "image.hspy")
    np.testing.assert_allclose(true_columns(again)["x"], true_columns(image)["x"])
    assert true_columns(again)["kind"].tolist() == ["Au"] * 6
    np.testing.assert_allclose(true_model(again).positions, block().positions)
    assert true_model(again).get_tags().tolist() == [1] * 20
    with pytest.raises(ValueError, match="no model"):
        true_columns(hs.signals.Signal2D(np.zeros((4, 4))))


def test_noise_has_the_dose_and_the_seed_of_the_image(image):
    assert image.data.mean() == pytest.approx(2e5 * 0.25**2, rel=0.02)
    again = simulate_image(block(), dose=2e5, pixel_size=0.25, seed=2, edge=26.0, **FAST)
    np.testing.assert_array_equal(image.data, again.data)
    camera = Camera(0.1, 0.3, 2.0, gain=20.0)
    blurred = simulate_image(block(), dose=2e5, pixel_size=0.25, seed=2, edge=26.0, camera=camera, **FAST)
    assert blurred.data.mean() == pytest.approx(20 * image.data.mean(), rel=0.01)
    assert blurred.data.std() < 0.7 * 20 * image.data.std()


def test_snapshots_are_averaged_and_spread():
    shifted = block()
    shifted.positions[:, 1] += 0.4
    found = model_columns([block(), shifted], view_matrix("profile"))
    assert found[2] == pytest.approx(np.full(6, 0.2), abs=1e-9)
    one = simulate_image([block(), block()], pixel_size=0.3, edge=24.0, **FAST)
    two = simulate_image(block(), pixel_size=0.3, edge=24.0, **FAST)
    np.testing.assert_allclose(one.data, two.data, rtol=1e-5)
    with pytest.raises(ValueError, match="same atoms"):
        simulate_image([block(), block((1,))])


def test_haadf():
    signal = simulate_image(block((3, 2)), "HAADF", "profile", pixel_size=0.4)
    assert signal.metadata.Signal.signal_type == "HAADF"
    for _, column in true_columns(signal).iterrows():
        row, across = round(column["y"] / 0.04), round(column["x"] / 0.04)
        near = signal.data[row - 2 : row + 3, across - 2 : across + 3]
        assert near.max() > 5 * np.median(signal.data)


def test_snapshots_in_haadf_lie_on_each_other():
    """One atom that moves does not move the others, and thermal motion is what was asked for."""

    def model(x):
        return Atoms("Au3", positions=[[0, 0, 0], [5.0, 0, 0], [x, 0, 0]])

    signal = simulate_image([model(9.0), model(11.0)], "HAADF", "plan", pixel_size=0.35)
    places = true_columns(signal).sort_values("x")
    row = int(round(places["y"].iloc[0] / 0.035))
    line = signal.data[row]
    for x in places["x"].iloc[:2]:
        at = int(round(x / 0.035))
        assert line[at - 1 : at + 2].max() > 0.8 * line.max()
    still = simulate_image(model(9.0), "HAADF", "plan", pixel_size=0.35, thermal_rms=0)
    moving = simulate_image(model(9.0), "HAADF", "plan", pixel_size=0.35)
    assert np.abs(still.data - moving.data).max() > 0.02 * still.data.max()
    coarse = simulate_image(model(9.0), "HAADF", "plan", pixel_size=0.35, thermal_rms=0, sampling=0.14)
    assert np.abs(still.data - coarse.data).max() > 0.02 * still.data.max()
    with pytest.raises(ValueError, match="for HRTEM"):
        simulate_image(model(9.0), "HAADF", edge=30.0)


@pytest.mark.parametrize("pixel_size", [0.3, 0.4, 0.55])
def test_haadf_pixels_have_the_size_they_say(pixel_size):
    pair = Atoms("Au2", positions=[[0, 0, 0], [8.0, 0, 0]])
    signal = simulate_image(pair, "HAADF", "plan", pixel_size=pixel_size, thermal_rms=0)
    light = signal.data.sum(0) - np.median(signal.data.sum(0))
    axis = 10 * signal.axes_manager["x"].axis
    middle = 10 * true_columns(signal)["x"].mean()
    left, right = axis < middle, axis > middle
    found = (light * axis)[right].sum() / light[right].sum() - (light * axis)[left].sum() / light[left].sum()
    assert found == pytest.approx(8.0, abs=0.08)


def test_views():
    for view in ("plan", "profile", "profile y", (1.0, 1.0, 0.0)):
        matrix = view_matrix(view)
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(matrix) == pytest.approx(1)
    tilted = view_matrix("plan", tilt=2.0, azimuth=0.0)
    assert np.degrees(np.arccos(tilted[2, 2])) == pytest.approx(2.0)
    with pytest.raises(ValueError, match="Unknown view"):
        view_matrix("side")
    with pytest.raises(ValueError, match="not all zero"):
        view_matrix((0, 0, 0))


def test_area_of_pixels_keeps_the_mean():
    wave = np.random.default_rng(0).random((60, 60))
    assert to_pixels(wave, 30.0, 0.5).mean() == pytest.approx(wave.mean(), rel=0.02)


def test_register_finds_a_part():
    scene = np.random.default_rng(0).normal(size=(60, 50))
    part = scene[13:33, 7:27]
    mask = np.hypot(*np.meshgrid(np.arange(20) - 10, np.arange(20) - 10)) < 8
    score, place = register(5 * scene + 3, part, mask)
    assert place == (13, 7) and score == pytest.approx(1, abs=1e-6)


def test_compare_finds_model_and_defocus(image):
    wide = image.deepcopy()
    wide.data = np.pad(image.data, ((5, 9), (3, 11)), mode="median")
    wide.axes_manager["y"].size, wide.axes_manager["x"].size = wide.data.shape
    thin, thick = block((2, 2, 2, 1, 1, 1)), block()
    options = {"optics": OPTICS, "defocus": (-90.0, -30.0), "defocus_step": 15.0, "thermal_rms": 0.0, "sampling": 0.22}
    found = compare(wide, [thin, thick], **options)
    assert found.model == 1 and found.correlation > 0.97 and found.r_factor < 0.05
    assert found.defocus == pytest.approx(-60, abs=4) and not found.at_limit
    assert 0 < found.defocus_error < 5
    assert found.scale == pytest.approx(2e5 * 0.25**2, rel=0.1)
    truth = true_columns(image)
    assert np.abs(np.sort(found.columns["x"]) - np.sort(truth["x"] + 3 * 0.025)).max() < 0.03
    assert (found.columns["correlation"] > 0.8).all() and len(found.tries) == 10
    assert found.tries.groupby("model")["correlation"].max()[0] < found.correlation
    assert len(found.plot().axes) == 6
    with pytest.raises(ValueError, match="larger image"):
        compare(image.isig[:30, :30], thick, **options)
    with pytest.raises(ValueError, match="range"):
        compare(image, thick, defocus=(10.0, 10.0))


def test_columns_of_a_tilted_model_are_compared_where_they_are():
    model = block()
    model.positions += [0, 0, 10.0]
    options = {"optics": OPTICS, "thermal_rms": 0.0, "sampling": 0.22}
    seen = simulate_image(model, view="plan", pixel_size=0.3, tilt=4.0, azimuth=30.0, edge=26.0, **options)
    found = compare(
        seen, model, "plan", tilts=(4.0,), azimuths=(30.0,), defocus=(-70.0, -50.0), defocus_step=10.0, **options
    )
    truth = true_columns(seen)
    np.testing.assert_allclose(np.sort(found.columns["x"]), np.sort(truth["x"]), atol=0.01)
    np.testing.assert_allclose(np.sort(found.columns["y"]), np.sort(truth["y"]), atol=0.01)
