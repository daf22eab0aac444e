"""What of an answer stays when an image is changed in ways that do not matter."""

import numpy as np
import pytest

from benchmarks.measured import CHANGES, agreement

LABELS = np.zeros((40, 50), int)
LABELS[10:20, 12:22], LABELS[22:34, 30:42] = 1, 2
NAMED = {1: "monocrystalline", 2: "undefined"}


@pytest.mark.parametrize("name", CHANGES)
def test_labels_come_back_from_every_change(name):
    change, back = CHANGES[name]
    seen = change(LABELS.astype(np.float32))
    if "gain" in name:
        seen = (seen - seen.min()) / 37
    np.testing.assert_array_equal(back(np.rint(seen).astype(int)), LABELS)


@pytest.mark.parametrize(
    "changed, renamed, expected",
    [
        (LABELS, NAMED, (2, 2, 1, 1)),
        (LABELS, {1: "polycrystalline", 2: "undefined"}, (2, 2, 1, 0)),
        (LABELS, {1: "monocrystalline", 2: "amorphous"}, (2, 2, 2, 1)),
        (np.where(LABELS == 1, 1, 0), {1: "monocrystalline"}, (2, 1, 1, 1)),
        (np.roll(LABELS, 8, axis=0), NAMED, (2, 0, 0, 0)),
    ],
)
def test_agreement(changed, renamed, expected):
    assert agreement(LABELS, NAMED, changed, renamed) == expected
