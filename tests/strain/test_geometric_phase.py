"""Strain by the phases of reflections, on lattices whose strain is known."""

from __future__ import annotations

import hyperspy.api as hs
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from benchmarks.strain.fields import analytic_field, columns_image
from particlespy_ml.strain import equal_width, left_polar
from particlespy_ml.strain.find_reflections import spectrum_of
from particlespy_ml.strain.phase_maps import MAPS, PhaseSettings, Reflections, find_lattice, noise_of, phase_maps
from tests.invariance.stored import cast, flipped, in_unit, moved, signal_of
from tests.strain.images import (
    HEXAGONAL,
    SQUARE,
    lattice_image,
    turn,
)

SPACING = 9.0


def settings(width=1.0, **more):
    return PhaseSettings(**{"steps": (1.0, 1.0), "width": width, "min_amplitude": 0.25, "noise": None} | more)


def maps_of(signal, **more):
    """Maps by name, along ascending axes."""
    result = signal.geometric_phase(show_progressbar=False, lazy_output=False, **more)
    assert list(result.metadata.particlespy_ml.maps) == list(MAPS)
    return dict(zip(MAPS, np.asarray(result.data, float), strict=True))


def away(values, pixels):
    """What is so far from the border of the frame, without leading axes."""
    return values[..., pixels:-pixels, pixels:-pixels]


def known(deformation):
    strain, rotation = left_polar(deformation)
    return {"exx": strain[0, 0], "eyy": strain[1, 1], "exy": strain[0, 1], "rotation": np.rad2deg(rotation)}


@pytest.fixture(scope="module")
def strained():
    """A crystal with the analytic field in its middle, noise and a vacuum around it."""
    rng = np.random.default_rng(4)
    places = np.stack(np.meshgrid(np.arange(-7, 8), np.arange(-6, 7)), -1).reshape(-1, 2) * SPACING
    u, _ = analytic_field(*places.T, 1 / 30**2, 0.04 / 20)
    image = columns_image((150, 160), (places + u) @ turn(5).T + [78, 74], 1.9)
    return np.rint(20 + 180 * image + rng.normal(0, 5, image.shape))


@pytest.mark.parametrize("cell", [SQUARE, HEXAGONAL], ids=["square", "hexagonal"])
@pytest.mark.parametrize(
    "deformation",
    [np.diag([1.02, 0.99]), turn(1.5), np.array([[1.015, 0.004], [0.01, 0.985]]) @ turn(-1)],
    ids=["strain", "rotation", "both"],
)
def test_homogeneous_strain_and_rotation(cell, deformation):
    frames = [lattice_image((150, 160), cell, SPACING, a) for a in (SQUARE, deformation)]
    maps = maps_of(signal_of(frames), width=1.0)
    for name, value in known(deformation).items():
        tolerance = np.rad2deg(1e-4) if name == "rotation" else 1e-4
        found = away(maps[name][1], int(4 * SPACING))
        np.testing.assert_allclose(found, value, atol=tolerance, err_msg=name)
        assert np.nanmax(np.abs(maps[name][1] - value)) < 15 * tolerance  # to two widths of the border
        np.testing.assert_allclose(away(maps[name][0], int(4 * SPACING)), 0, atol=tolerance)


def test_pixels_that_are_not_square():
    deformation = np.array([[1.01, 0.004], [0.012, 0.99]])
    frames = [lattice_image((120, 170), SQUARE, SPACING, a, steps=(1.5, 1.0)) for a in (SQUARE, deformation)]
    signal = signal_of(frames)
    signal.axes_manager.signal_axes[1].scale *= 1.5
    maps = maps_of(signal)
    for name, value in known(deformation).items():
        tolerance = np.rad2deg(1e-4) if name == "rotation" else 1e-4
        np.testing.assert_allclose(away(maps[name][1], int(4 * SPACING)), value, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("width", [0.7, 1.0, 1.5])
def test_the_analytic_field_within_its_averaging(width):
    shape, alpha, strength = (200, 200), 1 / 50**2, 0.03 / 30
    y, x = np.mgrid[:200, :200] - 99.5
    places = np.stack(np.meshgrid(np.arange(-15, 16), np.arange(-15, 16)), -1).reshape(-1, 2) * 8.0
    u, _ = analytic_field(*places.T, alpha, strength)
    image = columns_image(shape, places + u + 99.5, 1.6)
    at = np.stack([x, y], -1)
    for _ in range(20):  # where what is seen was before the deformation
        at = np.stack([x, y], -1) - analytic_field(at[..., 0], at[..., 1], alpha, strength)[0]
    gradient = analytic_field(at[..., 0], at[..., 1], alpha, strength)[1]
    strain, rotation = left_polar(np.eye(2) + gradient)
    true = {"exx": strain[..., 0, 0], "eyy": strain[..., 1, 1], "exy": strain[..., 0, 1]}
    true["rotation"] = np.rad2deg(rotation)
    how = settings(width)
    lattice = Reflections(find_lattice(image, how).centres, np.eye(2) / 8)
    maps = dict(zip(MAPS, phase_maps(image, how, lattice), strict=True))
    for name, values in true.items():
        error = away(maps[name] - gaussian_filter(values, 8 * width), 30)
        unit = np.rad2deg(1) if name == "rotation" else 1
        assert np.sqrt(np.mean(error**2)) < 3e-4 * unit and np.abs(error).max() < 2e-3 * unit, name


def test_rotated_and_mirrored_images_give_rotated_and_mirrored_maps(strained):
    whole = maps_of(signal_of(strained))
    turned = maps_of(signal_of(np.rot90(strained)))
    mirrored = maps_of(signal_of(strained[:, ::-1]))
    assert np.isfinite(whole["exx"]).sum() > 3000
    for name, other, sign in (("exx", "eyy", 1), ("eyy", "exx", 1), ("exy", "exy", -1), ("rotation", "rotation", 1)):
        np.testing.assert_allclose(turned[name], sign * np.rot90(whole[other]), atol=2e-6, err_msg=name)
    for name, sign in (("exx", 1), ("eyy", 1), ("exy", -1), ("rotation", -1)):
        np.testing.assert_allclose(mirrored[name], sign * whole[name][:, ::-1], atol=2e-6, err_msg=name)
    for name in ("exx", "exy"):
        np.testing.assert_allclose(mirrored[f"{name} error"], whole[f"{name} error"][:, ::-1], rtol=1e-4)


WAYS = {
    "x backwards": flipped(np.s_[::-1, :]),
    "y backwards": flipped(np.s_[:, ::-1]),
    "offset": moved(1e6),
    "u1": cast("u1"),
    ">f4": cast(">f4"),
    "Å": in_unit("Å"),
    "µm": in_unit("µm"),
}


@pytest.mark.parametrize("way", WAYS)
def test_how_an_image_is_stored_does_not_matter(strained, way):
    whole, stored = maps_of(signal_of(strained)), WAYS[way](signal_of(strained))
    found = maps_of(stored.image)
    for name, values in whole.items():
        np.testing.assert_allclose(stored.data(stored.image._deepcopy_with_new_data(found[name])), values, atol=1e-5)


def test_level_and_contrast_do_not_matter(strained):
    whole, found = maps_of(signal_of(strained)), maps_of(signal_of(1e4 - 0.3 * strained))
    for name in ("exx", "eyy", "exy", "rotation", "exx error"):
        np.testing.assert_allclose(found[name], whole[name], atol=1e-6, err_msg=name)
    np.testing.assert_allclose(found["amplitude 1"], 0.3 * whole["amplitude 1"], atol=1e-4)


@pytest.mark.parametrize("cell", [SQUARE, HEXAGONAL], ids=["square", "hexagonal"])
def test_errors_are_those_of_repeated_images(cell):
    rng = np.random.default_rng(1)
    image, sd, margin = lattice_image((84, 80), cell, 8.0), 0.4, 13
    how = settings(0.8)
    lattice = find_lattice(image, how)
    found = [phase_maps(image + rng.normal(0, sd, image.shape), how, lattice) for _ in range(100)]
    found = dict(zip(MAPS, away(np.stack(found, 1), margin), strict=True))
    without = dict(zip(MAPS, away(phase_maps(image, how, lattice), margin), strict=True))
    for name in ("exx", "eyy", "exy", "rotation"):
        scores = (found[name] - without[name]) / found[f"{name} error"]
        assert np.sqrt(np.mean(scores**2)) == pytest.approx(1, abs=0.06), name
        assert np.mean(np.abs(scores) < 1.96) == pytest.approx(0.95, abs=0.02), name
        border = np.sqrt(np.mean(scores**2, 0))[[0, -1]]
        assert np.mean(border) == pytest.approx(1, abs=0.1), name


def test_the_noise_of_a_pixel_is_seen_in_the_spectrum():
    rng = np.random.default_rng(2)
    image = lattice_image((128, 120), HEXAGONAL, 8.0)
    lattice = find_lattice(image, settings())
    for sd in (0.1, 1.0):
        spectrum = spectrum_of(image + rng.normal(0, sd, image.shape), (1.0, 1.0))
        assert noise_of(spectrum, lattice.centres, settings()) == pytest.approx(sd, rel=0.05)
    maps = [maps_of(signal_of(1000 + image * 10), noise=noise)["exx error"] for noise in (1.0, 2.0)]
    np.testing.assert_allclose(maps[1], 2 * maps[0], rtol=1e-5)


def test_equal_averaging_has_equal_noise():
    rng = np.random.default_rng(3)
    sites = np.stack(np.meshgrid(np.arange(30), np.arange(30)), -1).reshape(-1, 2) * 8.0 - 20
    eight = np.array([(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y])
    u = rng.normal(0, 0.05, sites.shape)
    how = settings(equal_width(eight, SQUARE), noise=0.0)
    lattice = find_lattice(columns_image((200, 200), sites, 0.9), how)
    maps = [phase_maps(columns_image((200, 200), at, 0.9), how, lattice) for at in (sites, sites + u)]
    grid = u.reshape(30, 30, 2)
    fitted = sum(x * grid[1 + y : 29 + y, 1 + x : 29 + x, 0] for x, y in eight) / (6 * 8.0)
    assert np.std(fitted) == pytest.approx(0.05 / 8 / np.sqrt(6), rel=0.08)
    assert np.nanstd(maps[1][0] - maps[0][0]) == pytest.approx(np.std(fitted), rel=0.08)


def test_reflections_are_found_and_ordered():
    signal = signal_of(lattice_image((110, 130), HEXAGONAL, SPACING))
    record = signal.geometric_phase(show_progressbar=False).metadata.particlespy_ml.phase
    g = np.array([record.g1, record.g2]) * SPACING * 0.05
    np.testing.assert_allclose(np.linalg.norm(g, axis=1), 2 / np.sqrt(3), rtol=1e-3)
    assert record.units == "1/nm" and record.spacing == pytest.approx(SPACING * 0.05, rel=1e-3)
    assert g[0, 0] > 0 and np.linalg.det(g) > 0
    assert abs(g[0, 1]) <= abs(g[1, 1]) + 1e-6


def test_given_reflections_are_moved_to_their_peaks(strained):
    signal = signal_of(strained)
    record = signal.geometric_phase(show_progressbar=False).metadata.particlespy_ml.phase
    g1, g2 = np.array(record.g1), np.array(record.g2)
    whole, found = maps_of(signal), maps_of(signal, g1=-1.02 * g2, g2=tuple(0.98 * g1))
    for name in ("exx", "eyy", "exy", "rotation", "exx error"):
        np.testing.assert_allclose(found[name], whole[name], atol=1e-6, err_msg=name)
    np.testing.assert_allclose(found["amplitude 2"], whole["amplitude 1"], rtol=1e-5)
    np.testing.assert_allclose(found["phase 1"], -whole["phase 2"], atol=1e-3)
    np.testing.assert_allclose(maps_of(signal, g2=0.98 * g2)["exx"], whole["exx"], atol=1e-6)
    other = signal.geometric_phase(g1 + g2, g2, show_progressbar=False).metadata.particlespy_ml.phase
    np.testing.assert_allclose(other.g1, g1 + g2, rtol=5e-3)


def test_regions_of_reference(strained):
    signal = signal_of(strained)
    inside = np.zeros(strained.shape, bool)
    inside[60:90, 70:100] = True
    by_mask = maps_of(signal, reference=inside)
    assert np.nanmean(by_mask["exx"][inside]) == pytest.approx(0, abs=1e-3)
    region = hs.roi.RectangularROI(70 * 0.05 - 0.01, 60 * 0.05 - 0.01, 100 * 0.05 - 0.01, 90 * 0.05 - 0.01)
    np.testing.assert_array_equal(maps_of(signal, reference=region)["exx"], by_mask["exx"])
    np.testing.assert_array_equal(maps_of(signal.isig[::-1], reference=region)["exx"][:, ::-1], by_mask["exx"])
    circle = hs.roi.CircleROI(85 * 0.05, 75 * 0.05, 10.01 * 0.05)
    assert np.nanmedian(np.abs(maps_of(signal, reference=circle)["exx"] - by_mask["exx"])) < 3e-3
    assert np.nanmean(maps_of(signal)["exx"]) == pytest.approx(0, abs=2e-3)


def test_strain_is_masked_where_the_lattice_is_weak_and_where_it_is_not_wanted(strained):
    signal, wanted = signal_of(strained), np.zeros(strained.shape, bool)
    wanted[50:100, 50:110] = True
    maps = maps_of(signal, mask=wanted)
    assert np.isnan(maps["exx"][~wanted]).all() and np.isfinite(maps["exx"][wanted]).all()
    assert np.isfinite(maps["amplitude 1"][30:120, 30:130]).all()
    whole = maps_of(signal)
    assert np.isnan(whole["exx"][:18]).all() and np.isnan(whole["phase 1"][:, :18]).all()
    seen = [np.isfinite(maps_of(signal, min_amplitude=least)["exx"]).sum() for least in (0, 0.6, 0.8)]
    assert seen[0] > seen[1] > seen[2] > 0


def test_a_series_of_any_shape_lazy_or_not(strained):
    deformation = np.diag([1.01, 1.0])
    frames = [lattice_image((100, 90), SQUARE, SPACING, a) for a in (SQUARE, deformation, SQUARE, deformation)]
    frames += [np.random.default_rng(0).normal(0, 1, (100, 90)) for _ in range(2)]
    series = signal_of(np.reshape(frames, (3, 2, 100, 90)))
    eager = series.geometric_phase(show_progressbar=False)
    lazy = series.as_lazy().geometric_phase()
    assert lazy._lazy and not eager._lazy and eager.data.dtype == np.float32
    assert eager.axes_manager.navigation_shape == lazy.axes_manager.navigation_shape == (2, 3, 12)
    assert eager.axes_manager[2].name == "map"
    np.testing.assert_array_equal(lazy.data.compute(), eager.data)
    assert series.geometric_phase(lazy_output=True)._lazy
    exx = np.asarray(eager.data[0])
    assert np.nanmean(exx[:2, 1]) == pytest.approx(0.01, abs=1e-4) and np.isnan(exx[2]).mean() > 0.999
    alone = maps_of(series, per_frame=True)["exx"]
    np.testing.assert_allclose(np.nanmean(alone[:2], (-2, -1)), 0, atol=1e-5)
    assert np.isnan(alone[2]).all()


def test_padding_of_each_frame_is_its_own_lazy_or_not():
    """As after the correction of drift; the width of columns may be given in any unit."""
    whole = 2 + lattice_image((100, 112), SQUARE, SPACING, np.diag([1.01, 1.0]))
    frames = np.stack([whole, whole, whole])
    frames[1, :12] = frames[2, :, -9:] = 0
    series = signal_of(frames)
    eager = series.geometric_phase(show_progressbar=False, column_width="1.8 px")
    lazy = series.as_lazy().geometric_phase(column_width=1.8 * 0.05)
    np.testing.assert_allclose(lazy.data.compute(), eager.data, atol=1e-6)
    assert eager.metadata.particlespy_ml.phase.column_width == pytest.approx(0.09)
    exx = np.asarray(eager.data[0])
    assert np.isnan(exx[1, :30]).all() and np.isnan(exx[2, :, -27:]).all()
    np.testing.assert_allclose(exx[1:, 40:-40, 30:-40], np.broadcast_to(exx[0, 40:-40, 30:-40], (2, 20, 42)), atol=2e-3)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.random.default_rng(0).normal(100, 5, (128, 120)), "no reflection stands out"),
        (np.full((64, 64), 1000.3), "no reflection stands out"),
        (np.tile(np.cos(np.arange(96) * 0.7), (96, 1)), "fringes of one direction"),
    ],
    ids=["noise", "constant", "fringes"],
)
def test_images_without_a_lattice(image, message):
    with pytest.raises(ValueError, match=message):
        signal_of(image).geometric_phase()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"g1": (2.2, 0), "g2": (-2.2, 0.05)}, ValueError, "collinear"),
        ({"g1": (11, 0)}, ValueError, "g1=.* is out of range"),
        ({"g2": (0.1, 0)}, ValueError, "g2=.* is out of range"),
        ({"g1": (3.2, 1)}, ValueError, "no reflection near g1"),
        ({"g1": (np.nan, 1)}, ValueError, "finite"),
        ({"g1": 3}, TypeError, "two numbers"),
        ({"g1": "x"}, TypeError, "two numbers"),
        ({"width": 0.2}, ValueError, "width=0.2"),
        ({"width": 9}, ValueError, "too large"),
        ({"min_amplitude": 1.5}, ValueError, "min_amplitude"),
        ({"noise": -1}, ValueError, "noise"),
        ({"column_width": -1}, ValueError, "column_width=-1; expected a length of zero or more"),
        ({"column_width": "wide"}, ValueError, "column_width='wide'; expected a number and a unit"),
        ({"reference": np.zeros((5, 5), bool)}, ValueError, "shape"),
        ({"reference": np.zeros((96, 100), bool)}, ValueError, "no pixel"),
        ({"reference": np.zeros((96, 100))}, TypeError, "booleans"),
        ({"reference": "all"}, TypeError, "booleans"),
        ({"mask": np.zeros((5, 5), bool)}, ValueError, "mask"),
    ],
)
def test_arguments_that_cannot_be(arguments, error, message):
    with pytest.raises(error, match=message):
        signal_of(lattice_image((96, 100), SQUARE, SPACING)).geometric_phase(**arguments)


def test_a_reference_where_there_is_no_lattice(strained):
    corner = np.zeros(strained.shape, bool)
    corner[:10, :10] = True
    with pytest.raises(ValueError, match="reference region"):
        signal_of(strained).geometric_phase(reference=corner)


@pytest.mark.parametrize("lazy", [False, True])
def test_pixels_that_are_not_finite_are_named_with_their_frame(lazy):
    frames = np.stack([lattice_image((96, 100), SQUARE, SPACING)] * 2)
    frames[1, 3, 4] = np.nan
    signal = signal_of(frames)
    with pytest.raises(ValueError, match="Frame 1: 1 of 9600 pixels are not finite"):
        (signal.as_lazy() if lazy else signal).geometric_phase(lazy_output=False, show_progressbar=False)


def test_images_that_are_not_calibrated():
    signal = hs.signals.Signal2D(lattice_image((96, 100), SQUARE, SPACING))
    signal.set_signal_type("HRTEM")
    with pytest.raises(ValueError, match="not calibrated"):
        signal.geometric_phase()
