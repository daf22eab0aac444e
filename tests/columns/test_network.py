"""What a network should map, and what is read from its maps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from particlespy_ml.columns.network import (
    MappedColumns,
    columns_from_maps,
    maps_of_columns,
    may_be_counts,
    network_input,
    normalise,
)
from particlespy_ml.models.column_mapper import ColumnMaps

PIXEL = 0.25


def perfect(places, outputs, shape, number=4, error=0.05):
    """Maps of a network that knows everything."""
    known = maps_of_columns(np.asarray(places, float).reshape(-1, 2), np.asarray(outputs), shape, PIXEL)
    columns = np.stack([np.where(known[1] == one, known[0], 0) for one in range(1, number + 1)])
    return ColumnMaps(1 - known[0], columns, known[2:], np.full(shape, error, np.float32))


def lattice(spacing, shape, start=8.0):
    rows, columns = (np.arange(start, n - start, spacing / PIXEL) for n in shape)
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2)


def test_columns_that_are_mapped_are_read_again():
    shape = (90, 120)
    places = lattice(1.6, shape) + np.random.default_rng(0).uniform(-0.5, 0.5, (len(lattice(1.6, shape)), 2))
    outputs = np.random.default_rng(1).integers(1, 5, len(places))
    found = columns_from_maps(perfect(places, outputs, shape), PIXEL)
    assert isinstance(found, MappedColumns) and len(found) == len(places)
    order = np.lexsort(np.round(found.places.T, 2))
    expected = np.lexsort(np.round(places.T, 2))
    np.testing.assert_allclose(found.places[order], places[expected], atol=1e-3)
    np.testing.assert_array_equal(found.posterior[order].argmax(1) + 1, outputs[expected])
    np.testing.assert_allclose(found.errors, 0.05, rtol=1e-3)
    assert found.probabilities.min() > 0.9


@pytest.mark.parametrize("places", [[], [(20.3, 31.8)], [(20.0, 20.0), (20.0, 24.5)]])
def test_none_one_and_two_columns(places):
    found = columns_from_maps(perfect(places, [1] * len(places), (48, 64)), PIXEL)
    assert found.places.shape == (len(places), 2) and found.posterior.shape == (len(places), 4)
    np.testing.assert_allclose(sorted(map(tuple, found.places)), sorted(places), atol=1e-3) if places else None


def test_the_volume_of_a_peak_is_the_probability():
    maps = perfect([(30.0, 30.0)], [2], (60, 60))
    for share in (0.9, 0.6, 0.3):
        faint = with_share(maps, share)
        found = columns_from_maps(faint, PIXEL, threshold=0.1)
        assert found.probabilities == pytest.approx([share], abs=0.05)
    assert len(columns_from_maps(faint, PIXEL, threshold=0.5)) == 0


def with_share(maps, share):
    """Maps of columns that are there with some probability, for each pixel."""
    return ColumnMaps(1 - share * (1 - maps.background), share * maps.columns, maps.offsets, maps.errors)


@pytest.mark.parametrize(("beside", "alone", "found"), [(0.4, 1.0, 18), (0.2, 1.0, 17), (0.4, 0.5, 17), (0.2, 0.5, 16)])
def test_columns_in_company_are_taken_sooner_than_those_alone(beside, alone, found):
    many = [(20.0 + 8 * i, 20.0 + 8 * j) for i in range(4) for j in range(4)]
    maps = perfect([*many, (36.0, 52.0), (36.0, 110.0)], [1] * 18, (70, 130))
    share = np.ones((70, 130))
    share[:, 48:80], share[:, 80:] = beside, alone
    assert len(columns_from_maps(with_share(maps, share), PIXEL, threshold=0.7)) == found


def test_a_column_at_the_border_counts_with_the_part_in_view():
    found = columns_from_maps(perfect([(-0.3, 20.0), (20.0, 39.4)], [1, 1], (40, 40)), PIXEL)
    assert len(found) == 2 and found.probabilities.min() > 0.85


def test_shares_of_outputs_are_their_posterior():
    maps = perfect([(20.0, 20.0)], [1], (40, 40))
    mixed = np.stack([0.7 * maps.columns[0], 0.3 * maps.columns[0], *maps.columns[2:]])
    found = columns_from_maps(ColumnMaps(maps.background, mixed, maps.offsets, maps.errors), PIXEL)
    np.testing.assert_allclose(found.posterior[0], [0.7, 0.3, 0, 0], atol=1e-6)


def test_pixels_that_are_surer_of_the_place_count_more():
    maps = perfect([(20.0, 20.0)], [1], (40, 40))
    offsets, errors = maps.offsets.copy(), maps.errors.copy()
    offsets[:, 20:] += 0.3  # one half is wrong, and says so
    errors[20:] = 1.0
    found = columns_from_maps(ColumnMaps(maps.background, maps.columns, offsets, errors), PIXEL)
    np.testing.assert_allclose(found.places, [(20.0, 20.0)], atol=0.02)


@given(gain=st.floats(1e-3, 1e5), offset=st.floats(-1e4, 1e6))
def test_brightness_and_contrast_do_not_matter(gain, offset):
    image = np.random.default_rng(0).normal(size=(40, 44))
    expected = normalise(image, PIXEL)
    np.testing.assert_allclose(normalise(gain * image + offset, PIXEL), expected, atol=0.02 + 1e-6 * abs(offset) / gain)


def test_normalised_images_have_no_slope_and_one_spread():
    rows = np.linspace(0, 20, 200)[:, None]
    image = np.random.default_rng(0).normal(size=(200, 220)) * (5 + 0.5 * rows) + rows
    scaled = normalise(image, PIXEL)
    assert scaled.dtype == np.float32 and scaled.shape == image.shape
    top, bottom = scaled[60:100], scaled[-100:-60]
    assert abs(top.mean()) < 0.1 and abs(bottom.mean()) < 0.1
    assert top.std() == pytest.approx(1, abs=0.15) and bottom.std() == pytest.approx(1, abs=0.15)


def test_images_of_a_stack_keep_what_they_differ_by():
    stack = np.random.default_rng(0).normal(size=(3, 60, 60))
    stack[1] += 5
    scaled = normalise(stack, PIXEL)
    assert scaled[1].mean() > scaled[0].mean() + 1
    np.testing.assert_array_equal(normalise(stack[0], PIXEL), normalise(stack[:1], PIXEL)[0])


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 130), (63, 65)])
def test_images_of_any_size_are_normalised(shape):
    assert np.isfinite(normalise(np.random.default_rng(0).normal(size=shape), PIXEL)).all()


def test_what_is_constant_is_zero():
    np.testing.assert_array_equal(normalise(np.full((30, 30), 7e5), PIXEL), 0)


BOTH = ("local", "contrast")


def test_contrast_is_that_of_counts_whatever_their_gain():
    wave = np.sin(np.arange(200) / 3)[:, None] * np.ones(220)
    counts = 50 * (1 + 0.2 * wave)
    local, contrast = network_input(counts[None], PIXEL, BOTH)
    np.testing.assert_allclose(contrast[60:-60] / 4, 0.2 * wave[60:-60], atol=0.02)
    np.testing.assert_allclose(network_input(7 * counts[None], PIXEL, BOTH)[1], contrast, atol=1e-5)
    np.testing.assert_array_equal(local, normalise(counts, PIXEL))
    weaker = network_input(50 * (1 + 0.1 * wave)[None], PIXEL, BOTH)
    np.testing.assert_allclose(weaker[0], local, atol=0.02)
    np.testing.assert_allclose(weaker[1], contrast / 2, atol=0.02)


def test_contrast_that_is_unknown_is_zero():
    rng = np.random.default_rng(0)
    images = rng.poisson(30, (2, 50, 60)).astype(float)
    shown = network_input(images, PIXEL, BOTH, counted=False)
    assert shown.shape == (4, 50, 60) and shown[:2].any() and not shown[2:].any()
    assert not network_input(images - images.mean(), PIXEL, ("contrast",)).any()
    with pytest.raises(ValueError, match="Unknown channel 'phase'; expected 'local' or 'contrast'"):
        network_input(images, PIXEL, ("phase",))


def test_pictures_for_the_eye_are_no_counts():
    counts = np.random.default_rng(0).poisson(40, (50, 60))
    scaled = (counts - counts.min()) / np.ptp(counts)
    assert may_be_counts(counts.astype("u2")) and may_be_counts(0.13 * counts.astype("f4"))
    for other in (scaled, scaled * 65535, (scaled * 255).astype("u1"), counts - 40.0, np.full((3, 3), np.nan)):
        assert not may_be_counts(other)
    assert may_be_counts(np.where(counts < 20, np.nan, counts))
