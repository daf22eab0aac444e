"""Corrections of labels as arrays: what changes, what stays, and what is refused."""

import numpy as np
import pytest

from particlespy_ml.segmentation.edit_labels import delete, line_numbers, merge, paint, split, split_at


@pytest.fixture
def labels():
    """A bar (3) in two halves of 6 x 8 pixels, a square (5) that touches it, and one (9) far from both."""
    labels = np.zeros((20, 30), np.int32)
    labels[4:10, 2:18] = 3
    labels[4:10, 18:22] = 5
    labels[14:18, 25:29] = 9
    labels.setflags(write=False)  # nothing may write into what it is given
    return labels


def areas(labels):
    return {int(number): int((labels == number).sum()) for number in np.unique(labels[labels > 0])}


EDITS = {
    "delete": lambda labels: delete(labels, 5),
    "merge": lambda labels: merge(labels, [5, 3]),
    "split": lambda labels: split(labels, 3, [(0, 9), (12, 9)]),
    "split_at": lambda labels: split_at(labels, 3, [(6, 4), (6, 15)]),
    "paint": lambda labels: paint(labels, [(1, 1), (1, 4)], 1.0),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64, np.uint32, ">i4"])
def test_the_dtype_and_other_particles_stay(labels, edit, dtype):
    given = labels.astype(dtype)
    found = EDITS[edit](given)
    assert found.dtype == given.dtype and found.shape == given.shape and not np.shares_memory(found, given)
    np.testing.assert_array_equal(given, labels)
    np.testing.assert_array_equal(found == 9, labels == 9)
    np.testing.assert_array_equal(found, EDITS[edit](labels))


def test_numbers_that_the_dtype_does_not_hold(labels):
    full = np.where(labels == 9, 255, labels).astype(np.uint8)
    assert paint(full, [(1, 1)], 1).dtype == np.int32
    found = split(full, 3, [(0, 9), (12, 9)])
    assert found.dtype == np.int32 and found.max() == 256


def test_delete(labels):
    assert areas(delete(labels, 5)) == {3: 96, 9: 16}
    assert areas(delete(labels, (9, 3, 3))) == {5: 24}
    assert areas(delete(labels, np.array([3, 5, 9]))) == {}


def test_merge(labels):
    assert areas(merge(labels, [5, 3])) == {3: 120, 9: 16}
    assert areas(merge(labels, [9, 5])) == {3: 96, 5: 40}


def test_split_gives_pixels_on_the_line_to_the_nearer_part(labels):
    found = split(labels, 3, [(-3, 12), (40, 12)])
    assert areas(found) == {3: 66, 5: 24, 9: 16, 10: 30}
    np.testing.assert_array_equal(np.isin(found, (3, 10)), labels == 3)
    assert (found[4:10, 2:12] == 3).all() and (found[4:10, 13:18] == 10).all()  # the larger keeps the number


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("slope", [-2.3, -1, -0.4, 0, 0.4, 1, 2.3])
def test_split_along_any_direction(turn, slope):
    rows, columns = np.mgrid[:41, :41] - 20
    disk = (np.hypot(rows, columns) < 15).astype(np.int32)
    line = np.array([(-30 * slope, -30), (30 * slope, 30)]) + 20
    found = split(np.rot90(disk, turn), 1, line)
    sizes = areas(found)
    assert set(sizes) == {1, 2} and sum(sizes.values()) == disk.sum()
    assert abs(sizes[1] - sizes[2]) < 0.15 * disk.sum()


def test_split_by_a_polyline_into_three(labels):
    zigzag = [(0, 6), (12, 6), (12, 14), (0, 14)]
    found = split(labels, 3, zigzag, new_number=20)
    assert set(areas(found)) == {3, 5, 9, 20, 21}
    assert areas(found)[3] >= areas(found)[20] >= areas(found)[21]


@pytest.mark.parametrize("line", [[(0, 9), (6, 9)], [(0, 0), (3, 25)], [(50, 50), (60, 60)], [(6, 6), (6, 6)]])
def test_lines_that_do_not_part_a_particle(labels, line):
    with pytest.raises(ValueError, match=r"does not part the particle 3; expected a line that crosses it"):
        split(labels, 3, line)


def test_pieces_become_particles(labels):
    merged = merge(labels, [5, 9])
    assert areas(split(merged, 5)) == {3: 96, 5: 24, 6: 16}
    with pytest.raises(ValueError, match="The particle 3 hangs together"):
        split(merged, 3)
    corner = np.array([[1, 0], [0, 1]])
    with pytest.raises(ValueError, match="hangs together"):
        split(corner, 1)


def test_split_at_necks():
    rows, columns = np.mgrid[:40, :90]
    three = np.zeros((40, 90), bool)
    for column in (20, 45, 70):
        three |= np.hypot(rows - 20, columns - column) < 14
    found = split_at(three.astype(int), 1, [(20, 45), (22, 18), (18, 71)])
    assert [found[20, column] for column in (20, 45, 70)] == [2, 1, 3]
    middles = [np.flatnonzero((found == number).any(0)).mean() for number in (2, 1, 3)]
    np.testing.assert_allclose(middles, [19.5, 45, 70.5], atol=1.5)
    # pieces without a point keep the number
    three[38, 88] = True
    assert split_at(three.astype(int), 1, [(20, 45), (22, 18)])[38, 88] == 1


@pytest.mark.parametrize("points", [[(20, 14), (20, 28)], [(12, 20), (30, 21)], [(20, 20), (29, 29)]])
def test_split_at_without_a_neck_cuts_halfway(points):
    rows, columns = np.mgrid[:41, :41] - 20
    disk = (np.hypot(rows, columns) < 18).astype(np.int32)
    found = split_at(disk, 1, points)
    nearer = np.hypot(*(np.mgrid[:41, :41].T - points[1]).T) < np.hypot(*(np.mgrid[:41, :41].T - points[0]).T)
    assert ((found == 2) == nearer)[disk > 0].mean() > 0.95


@pytest.mark.parametrize("second", [(20, 52), (23, 50), (17, 58), (24, 56)])
@pytest.mark.parametrize("first", [(20, 20), (28, 26), (10, 14)])
def test_split_at_finds_the_neck_wherever_the_points_are(first, second):
    rows, columns = np.mgrid[:40, :70]
    two = (np.hypot(rows - 20, columns - 20) < 16) | (np.hypot(rows - 20, columns - 54) < 9)
    two |= (abs(rows - 20) < 5) & (columns > 20) & (columns < 54)
    found = split_at(two.astype(int), 1, [first, second])
    assert found[20, 20] == 1 and found[20, 54] == 2
    assert 30 < np.flatnonzero((found == 2)[20])[0] < 51


def test_split_at_knows_of_pixels_that_are_not_square():
    rows, columns = np.mgrid[:20, :90]
    two = (np.hypot(2 * rows - 20, columns - 25) < 19) | (np.hypot(2 * rows - 20, columns - 60) < 19)
    found = split_at(two.astype(int), 1, [(10, 25), (10, 60)], pixel_size=(2, 1))
    edge = np.flatnonzero((found == 2).any(0))[0]
    assert abs(edge - 42.5) < 2


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([(6, 4), (0, 0)], r"inside of the particle 3; not of it are the pixels \(0, 0\)"),
        ([(6, 4), (6, 99)], r"not of it are the pixels \(6, 99\)"),
        ([(6, 4), (6.2, 4.2)], "two pixels or more"),
        ([(6, 4)], r"shape \(points, 2\) with 2 or more, not \(1, 2\)"),
    ],
)
def test_points_that_do_not_part_a_particle(labels, points, message):
    with pytest.raises(ValueError, match=message):
        split_at(labels, 3, points)


def test_an_outline_is_filled(labels):
    square = [(0.5, 0.5), (0.5, 6.5), (6.5, 6.5), (6.5, 0.5)]
    found = paint(labels, square)
    assert areas(found) == {3: 96 - 15, 5: 24, 9: 16, 10: 36}
    assert areas(paint(labels, square, only=0)) == {3: 96, 5: 24, 9: 16, 10: 21}
    assert areas(paint(labels, square, number=3)) == {3: 96 + 21, 5: 24, 9: 16}
    assert areas(paint(labels, square, number=0)) == {3: 81, 5: 24, 9: 16}
    assert areas(paint(labels, square, number=0, only=5)) == areas(labels)
    beyond = [(-9, -9), (-9, 99), (99, 99), (99, -9)]
    assert areas(paint(labels, beyond, number=7)) == {7: 600}


def test_a_stroke_has_the_width_of_the_brush():
    empty = np.zeros((60, 80), np.int32)
    assert paint(empty, [(30, 40)], 10).sum() == pytest.approx(np.pi * 100, rel=0.03)
    stroke = paint(empty, [(30, 20), (30, 60)], 5.0)
    assert stroke.sum() == pytest.approx(np.pi * 25 + 40 * 11, rel=0.03)
    assert np.flatnonzero(stroke.any(1)).tolist() == list(range(25, 36))
    flat = paint(empty, [(30, 40)], (4, 8))
    assert np.flatnonzero(flat.any(1)).size == 9 and np.flatnonzero(flat.any(0)).size == 17
    assert paint(empty, [(3.2, 4.4)], 0.1).sum() == 1  # the pixel under the point
    assert paint(empty, [(-50, 40), (110, 40)], 1).sum() == 60 * 3


def test_labels_along_a_line(labels):
    assert set(line_numbers(labels, [(6, 0), (6, 29)]).tolist()) == {0, 3, 5}
    assert line_numbers(labels, [(50, 50), (60, 60)]).size == 0


ONE = np.array([[0, 1]])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: delete(ONE, 4), ValueError, "no particle 4; the particles are: 1"),
        (lambda: delete(ONE * 0, 4), ValueError, "the particles are: none"),
        (lambda: delete(np.arange(30)[None], 40), ValueError, r"19, 20, \.\.\.\."),
        (lambda: delete(ONE, []), ValueError, "no particle given"),
        (lambda: delete(ONE, 0), ValueError, "from 1 to"),
        (lambda: delete(ONE, 1.5), TypeError, "whole number, not 1.5"),
        (lambda: delete(ONE, True), TypeError, "whole number, not True"),
        (lambda: delete(ONE > 0, 1), TypeError, "not bool; number a mask with skimage"),
        (lambda: delete(ONE * 1.0, 1), TypeError, "labels of integers, not float64"),
        (lambda: delete(-ONE, 1), ValueError, "not -1"),
        (lambda: delete(ONE[0], 1), ValueError, r"one frame, shape \(rows, columns\), not \(2,\)"),
        (lambda: merge(ONE, [1, 1]), ValueError, r"two particles or more to merge, not \[1\]"),
        (lambda: split(ONE, 1, [(0, 0)]), ValueError, r"line of the shape \(points, 2\) with 2 or more, not \(1, 2\)"),
        (lambda: split(ONE, 1, [(0, np.nan), (1, 1)]), ValueError, "finite"),
        (lambda: split(ONE, 1, [(0, 0), (1e12, 1)]), ValueError, r"near the frame, not 1e\+12 pixels"),
        (lambda: split(np.array([[1, 1, 1, 2]]), 1, [(-1, 1), (1, 1)], new_number=2), ValueError, "a particle 2"),
        (lambda: paint(ONE, [(0, 0), (1, 1)]), ValueError, "points of an outline .* with 3 or more"),
        (lambda: paint(ONE, [(5, 5)], 1), ValueError, "rows from 0 to 0 and columns from 0 to 1"),
        (lambda: paint(ONE, [(0, 0)], 0), ValueError, "radius of a brush, more than 0 pixels, not 0"),
        (lambda: paint(ONE, [(0, 0)], 1, -1), ValueError, "number to be from 0"),
        (lambda: paint(ONE, [(0, 0)], 1, 2**31), ValueError, "to 2147483647"),
    ],
)
def test_errors_say_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()
