"""Where particles meet, and what is put together where they do not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage as ndi
from skimage.measure import label

from particlespy_ml.segmentation.contacts import REACH, contacts, merged


def pieces(seed, number=12, shape=(40, 50)):
    """Voronoi cells with gaps, so that some meet and some do not."""
    rng = np.random.default_rng(seed)
    seeds = np.zeros(shape, int)
    seeds[tuple(rng.integers(0, n, number) for n in shape)] = np.arange(1, number + 1)
    nearest = ndi.distance_transform_edt(seeds == 0, return_indices=True)[1]
    return np.where(ndi.gaussian_filter(rng.normal(size=shape), 4) > -0.02, seeds[tuple(nearest)], 0)


def close_to_another(labels, row, column):
    rows, columns = (slice(max(n - REACH, 0), n + REACH + 1) for n in (row, column))
    return bool(set(np.unique(labels[rows, columns])) - {0, labels[row, column]})


@given(st.integers(0, 1000))
def test_contacts_are_pixels_with_another_particle_near(seed):
    labels = pieces(seed, shape=(16, 18))
    found = contacts(labels)
    for row, column in np.ndindex(labels.shape):
        assert found[row, column] == (labels[row, column] > 0 and close_to_another(labels, row, column))


@given(st.integers(0, 1000))
def test_without_contacts_what_hangs_together_is_one(seed):
    labels = pieces(seed)
    found = merged(labels, np.zeros(labels.shape))
    wanted = label(labels > 0, connectivity=1)
    # the same partition, whatever the numbers
    assert len(np.unique(np.stack([found, wanted]).reshape(2, -1), axis=1).T) == wanted.max() + (wanted.min() == 0)


@given(st.integers(0, 1000))
def test_where_all_is_contact_nothing_changes(seed):
    labels = pieces(seed)
    found = merged(labels, np.ones(labels.shape))
    np.testing.assert_array_equal(found > 0, labels > 0)
    pairs = np.unique(np.stack([labels, found]).reshape(2, -1), axis=1).T
    assert len(pairs) == len(np.unique(labels)) == len(np.unique(found))


def test_true_contacts_keep_true_particles():
    labels = np.zeros((60, 90), int)
    rows, columns = np.ogrid[:60, :90]
    for number, column in enumerate((20, 40, 60), start=1):  # three spheres in a row
        labels[(np.hypot(rows - 30, columns - column) < 10.5) & (labels == 0)] = number
    cut = np.where(columns < 30, 1, np.where(columns < 50, 2, 3)) * (labels > 0)
    np.testing.assert_array_equal(merged(cut, contacts(labels)), cut)
    rod = (np.abs(rows - 30) < 8) & (columns > 5) & (columns < 85)
    beads = rod * (1 + columns // 16)
    np.testing.assert_array_equal(merged(beads, contacts(rod.astype(int))), rod)


def test_borders_of_what_was_put_together_count_as_one():
    labels = np.repeat([[1, 1, 2, 2]], 10, axis=0)
    labels[5:, 2:] = 3
    contact = np.where(np.arange(10)[:, None] < 5, 0.45, 0.9) * np.ones(labels.shape)
    contact[4:6, 2:] = 0.1  # between 2 and 3, which go together first
    contact[4, 1], contact[5, 1] = 0.8, 1.0  # the mean between 1 and 2 is 0.45, which alone would be no contact
    assert merged(labels, contact).max() == 2


@pytest.mark.parametrize("labels", [np.zeros((5, 6), int), np.zeros((0, 4), int), np.ones((3, 3), int)])
def test_nothing_to_put_together(labels):
    np.testing.assert_array_equal(merged(labels, np.zeros(labels.shape)), labels)
    assert not contacts(labels).any()
