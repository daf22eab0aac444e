"""Which columns are found, without being told where."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from particlespy_ml.columns.search.in_image import find_columns_in
from particlespy_ml.columns.search.places import first_positions, lattice_periods, near_others, strongest_of_close


def hits(found, positions, near=4.0):
    distance, index = cKDTree(positions).query(found)
    return np.unique(index[distance < near]), int(np.sum(distance >= near))


@pytest.mark.parametrize("dose", [1e5, 1e4, 3e3])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_column_and_none_besides(make_columns, dose, seed):
    image, positions, _ = make_columns(dose=dose, seed=seed)
    found = find_columns_in(image, 0.02)
    matched, false = hits(found.fit.positions, positions)
    assert len(matched) == len(positions) and false == 0
    assert found.spacing == pytest.approx(9.8, rel=0.06)
    assert (found.significance > found.threshold).all()


def test_a_faint_column_beside_bright_ones(make_columns):
    from particlespy_ml.columns.fit.refine import gaussian_columns

    image, positions, _ = make_columns(dose=1e4, noise=False)
    lone = positions[np.argmax(positions[:, 1])] + [0, 9.8]
    image = image + gaussian_columns(image.shape, [lone], 60.0, 2.1)
    found = find_columns_in(np.random.default_rng(0).poisson(image), 0.02)
    assert cKDTree(found.fit.positions).query(lone)[0] < 2


def test_the_scale_of_the_image_does_not_matter(make_columns):
    image, *_ = make_columns()
    one, other = find_columns_in(image, 0.02), find_columns_in(3e-7 * image, 0.02)
    assert len(one) == len(other)
    np.testing.assert_allclose(one.fit.positions, other.fit.positions, atol=0.02)
    np.testing.assert_allclose(one.fit.volumes, other.fit.volumes / 3e-7, rtol=3e-3)
    np.testing.assert_allclose(one.significance, other.significance, rtol=3e-2)


def test_noise_alone_has_no_columns():
    rng = np.random.default_rng(0)
    counts = [len(find_columns_in(rng.normal(10, 1, (100, 100)), 0.02)) for _ in range(10)]
    assert sum(counts) <= 4  # 0.05 an image are expected; what is significant at first changes the rest


def test_given_positions_stay(make_columns):
    image, positions, _ = make_columns()
    found = find_columns_in(image, 0.02, positions=positions[:20])
    assert len(found) == 20
    assert len(find_columns_in(image, 0.02, positions=np.empty((0, 2)))) == 0


def test_a_mask_limits_the_search(make_columns):
    image, positions, _ = make_columns()
    mask = np.zeros(image.shape, bool)
    mask[:, : image.shape[1] // 2] = True
    found = find_columns_in(image, 0.02, mask=mask)
    assert 0 < len(found) < len(positions)


def test_period_and_first_positions(make_columns):
    image, positions, _ = make_columns(noise=False)
    assert lattice_periods(image, 0.02)[0] == pytest.approx(9.8, rel=0.03)
    found = first_positions(image, 9.8)
    matched, false = hits(found, positions, 2.0)
    assert len(matched) >= 0.9 * len(positions) and false == 0
    with pytest.raises(ValueError, match="smaller pixels"):
        lattice_periods(image, 0.3)


def test_neighbours():
    places = np.array([[0.0, 0.0], [0.0, 1.0], [9.0, 9.0]])
    assert near_others(places, 2.0).tolist() == [True, True, False]
    assert strongest_of_close(places, np.array([1.0, 2.0, 1.0]), 2.0).tolist() == [False, True, True]
    assert near_others(places[:1], 2.0).tolist() == [True]


@pytest.mark.parametrize("crop", [0, 3, 8])
def test_columns_on_a_pedestal_are_refused(crop):
    """Crops of a twin whose columns stand on something far brighter than they are."""
    from particlespy_ml.columns.fit.refine import gaussian_columns

    rows, columns = (k.ravel() for k in np.mgrid[:9, :9])
    places = np.column_stack([22.0 + 7 * rows, 20.0 + 7 * columns + np.where(rows > 4, 2.6 * (rows - 4), 0)])
    pedestal = gaussian_columns((110, 110), [[50.0, 52.0]], 6e7, 22.0)
    image = gaussian_columns((110, 110), places, 3e4, 2.5, 100.0) + pedestal
    image = np.random.default_rng(0).poisson(image)[crop : 110 - crop, crop : 110 - crop]
    found = find_columns_in(image, 0.03, background=1)
    assert len(found) == 0 and "not resolved" in found.reason
