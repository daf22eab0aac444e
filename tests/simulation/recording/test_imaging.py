"""What a recorded image keeps of an exit wave, and what it adds."""

from dataclasses import replace

import numpy as np
import pytest

from particlespy_ml.simulation.datasets.exit_waves import Field
from particlespy_ml.simulation.recording.imaging import ImagingRecipe, draw_optics, record
from particlespy_ml.simulation.recording.optics import wavelength

EDGE, PIXELS = 60.0, 135
CLEAN = replace(
    ImagingRecipe().nominal(1e4), focal_spread=(0.0, 0.0), illumination=0.0, gain=0.0, mtf=(1.0, 1.0),
    scale_error=0.0, shear=0.0, astigmatism=0.0, defocus=(0.0, 0.0),
)  # fmt: skip


def make_field(wave=None, middles=((30.0, 30.0),), radius=8.0):
    axis = (np.arange(PIXELS) + 0.0) * EDGE / PIXELS
    masks = []
    for row, column in middles:
        dy, dx = (np.abs(axis - at) for at in (row, column))
        dy, dx = np.minimum(dy, EDGE - dy), np.minimum(dx, EDGE - dx)
        masks.append(dy[:, None] ** 2 + dx**2 <= radius**2)
    masks = np.array(masks).reshape(-1, PIXELS, PIXELS)
    if wave is None:
        wave = np.where(masks.any(0), 0.8, 1.0)
    parameters = {"edge": EDGE, "energy": 300e3}
    return Field(
        wave.astype(np.complex64), masks, np.zeros(len(masks), int), ("sphere",) * len(masks),
        np.full(len(masks), 2 * radius), parameters,
    )  # fmt: skip


@pytest.mark.parametrize("pixel_size", [0.3, 0.7])
@pytest.mark.parametrize("middle", [(30.0, 30.0), (2.0, 57.0)])
def test_the_particle_is_in_the_middle_with_its_labels(pixel_size, middle):
    recipe = replace(CLEAN, pixel_size=(pixel_size, pixel_size))
    seen = record(make_field(middles=(middle,)), recipe, np.random.default_rng(1), view=30.0, middle=np.array(middle))
    assert seen.pixel_size == pytest.approx(pixel_size)
    assert seen.image.shape == (round(30 / pixel_size),) * 2 and seen.image.dtype == np.float32
    rows, columns = np.nonzero(seen.labels)
    middle_of_view = (seen.image.shape[0] - 1) / 2
    assert rows.mean() == pytest.approx(middle_of_view, abs=1) and columns.mean() == pytest.approx(
        middle_of_view, abs=1
    )
    assert len(rows) * pixel_size**2 == pytest.approx(np.pi * 64, rel=0.05)
    dark = seen.image < 0.8 * np.median(seen.image[seen.labels == 0])
    assert (dark == (seen.labels > 0)).mean() > 0.9


def test_dose_sets_mean_and_noise():
    for dose, rel in ((100.0, 0.02), (1e4, 0.01)):
        recipe = replace(CLEAN, dose=(dose, dose))
        field = make_field(np.ones((PIXELS, PIXELS)), ())
        image = record(field, recipe, np.random.default_rng(2), view=50.0).image
        assert image.mean() == pytest.approx(dose * 0.16, rel=rel)
        assert image.var() == pytest.approx(dose * 0.16, rel=0.06)


def test_a_filter_takes_noise_from_beyond_its_transfer():
    field = make_field(np.ones((PIXELS, PIXELS)), ())
    plain = record(field, CLEAN, np.random.default_rng(2), view=50.0).image
    smooth = record(field, replace(CLEAN, smoothed=(1.0, 1.5)), np.random.default_rng(2), view=50.0).image
    assert smooth.mean() == pytest.approx(plain.mean(), rel=0.01)
    power = [np.abs(np.fft.fft2(image - image.mean())) ** 2 for image in (plain, smooth)]
    assert power[1][1:8, 1:8].mean() > 0.7 * power[0][1:8, 1:8].mean()
    middle = slice(len(plain) // 2 - 8, len(plain) // 2 + 8)  # about the Nyquist frequency
    assert power[1][middle, middle].mean() < 0.5 * power[0][middle, middle].mean()


def test_there_are_no_particles_under_a_scale_bar():
    covered = []
    for seed in range(20):
        plain, burnt = (
            record(make_field(radius=25.0), replace(CLEAN, scale_bar=p), np.random.default_rng(seed), view=50.0)
            for p in (0.0, 1.0)
        )
        changed = burnt.image != plain.image
        assert 0 < changed.mean() < 0.2
        assert set(np.unique(burnt.image[changed])) <= {plain.image.min(), plain.image.max()}
        assert not burnt.labels[changed].any()
        covered.append((burnt.labels != plain.labels).mean())
        np.testing.assert_array_equal(burnt.labels[~changed & (burnt.labels > 0)], 1)
    assert max(covered) > 0.02


def test_fringes_keep_their_spacing_and_lose_contrast_to_the_camera():
    order = 24
    x = np.arange(PIXELS) * EDGE / PIXELS
    wave = np.ones((PIXELS, 1)) * (1 + 0.1 * np.exp(2j * np.pi * order * x / EDGE))
    contrasts = []
    for mtf in (1.0, 0.3):
        recipe = replace(CLEAN, dose=(1e7, 1e7), pixel_size=(0.5, 0.5), mtf=(mtf, mtf))
        image = record(make_field(wave, ()), recipe, np.random.default_rng(3), view=50.0).image
        image = image / image.mean() - 1
        spectrum = np.abs(np.fft.fft2(image * np.outer(np.hanning(100), np.hanning(100))))
        spectrum[0, 0] = 0
        row, column = np.unravel_index(spectrum[:, :50].argmax(), (100, 50))
        k = np.hypot(min(row, 100 - row), column) / 50.0
        assert k == pytest.approx(order / EDGE, abs=0.02)
        contrasts.append(image.std())
    # an exponential that is 0.3 at Nyquist, which is 1 / Å here
    assert contrasts[1] / contrasts[0] == pytest.approx(0.3 ** (order / EDGE), rel=0.05)


def test_two_particles_and_a_periodic_view():
    field = make_field(middles=((15.0, 15.0), (40.0, 40.0)))
    seen = record(field, CLEAN, np.random.default_rng(4), view=130.0)
    assert set(np.unique(seen.labels)) == {0, 1, 2}
    share = (seen.labels > 0).mean()
    assert share == pytest.approx(2 * np.pi * 64 / EDGE**2, rel=0.2)  # the field goes on beyond its edge


def test_the_smaller_of_two_that_overlap_is_seen():
    large, small = make_field(middles=((30.0, 30.0),), radius=12.0), make_field(middles=((30.0, 30.0),), radius=5.0)
    field = replace(large, masks=np.concatenate([large.masks, small.masks]))
    seen = record(field, CLEAN, np.random.default_rng(4), view=30.0, middle=np.array([30.0, 30.0]))
    assert seen.labels[37, 37] == 2
    assert (seen.labels == 2).sum() * 0.16 == pytest.approx(np.pi * 25, rel=0.1)


def test_same_seed_same_image():
    field, recipe = make_field(), ImagingRecipe(stretch=(0.5, 2.0), inverted=0.5)
    for seed in range(6):
        first, second = (record(field, recipe, np.random.default_rng(seed), view=40.0) for _ in range(2))
        np.testing.assert_array_equal(first.image, second.image)
        assert np.isfinite(first.image).all()


def test_optics_stay_in_their_ranges():
    recipe = ImagingRecipe(corrected=1.0, focus=300.0)
    drawn = [draw_optics(recipe, 300e3, np.random.default_rng(seed)) for seed in range(200)]
    defocus = np.array([optics.defocus for optics in drawn]) - 300.0
    assert np.abs(defocus).max() <= 1000 and (np.abs(defocus) <= 120).mean() == pytest.approx(0.56, abs=0.1)
    assert all(abs(optics.spherical_aberration) <= 2e5 for optics in drawn)
    uncorrected = draw_optics(
        replace(recipe, corrected=0.0, focus=0.0, defocus=(0.0, 0.0)), 300e3, np.random.default_rng(0)
    )
    scherzer = np.sqrt(1.5 * uncorrected.spherical_aberration * wavelength(300e3))
    assert uncorrected.defocus == pytest.approx(scherzer)


def test_nominal_is_the_range_of_the_paper():
    drawn = [draw_optics(ImagingRecipe().nominal(1e4), 300e3, np.random.default_rng(seed)) for seed in range(100)]
    assert all(abs(optics.defocus) <= 50 and optics.astigmatism <= 30 for optics in drawn)
    assert all(45 <= optics.focal_spread <= 55 and optics.spherical_aberration == 0 for optics in drawn)


def test_unknown_setting():
    with pytest.raises(ValueError, match=r"Unknown detector settings \['dosis'\]"):
        ImagingRecipe.from_dict({"dosis": [1, 2]})


@pytest.mark.parametrize("middle", [(30.0, 30.0), (0.0, 59.0)])
def test_outlines_lie_within_the_masks(middle):
    field = make_field(middles=(middle,))
    views = [
        record(field, CLEAN, np.random.default_rng(1), view=30.0, middle=np.array(middle), outlines=on).labels > 0
        for on in (False, True)
    ]
    assert (views[0] | ~views[1]).all()
    assert views[1].sum() * 0.16 == pytest.approx(np.pi * 7**2, rel=0.08)
