"""Models that are none of the isomers."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from particlespy_ml.simulation.atoms.neighbours import identify_isomer
from particlespy_ml.simulation.atoms.out_of_range import OUT_OF_RANGE, draw_out_of_range
from particlespy_ml.simulation.atoms.structures import neighbour_cutoff


@pytest.mark.parametrize("kind", OUT_OF_RANGE)
def test_models_are_seeded_centred_and_have_no_atoms_in_one_place(kind):
    for seed in range(4):
        atoms = draw_out_of_range(kind, 150, np.random.default_rng(seed))
        again = draw_out_of_range(kind, 150, np.random.default_rng(seed))
        np.testing.assert_array_equal(atoms.positions, again.positions)
        np.testing.assert_allclose(atoms.positions.mean(0), 0, atol=1e-9)
        assert len(atoms) == 1 or pdist(atoms.positions).min() > 0.9


def test_rods_are_long_and_lie_flat():
    for seed in range(5):
        extent = np.ptp(draw_out_of_range("rod", 400, np.random.default_rng(seed)).positions, axis=0)
        assert extent[0] > 1.7 * extent[2]


def test_another_crystal_is_no_isomer():
    cutoff = neighbour_cutoff("Au")
    for seed in range(6):
        atoms = draw_out_of_range("other_crystal", 300, np.random.default_rng(seed))
        assert identify_isomer(atoms.positions, cutoff) in ("amorphous", "other")


def test_unknown_kind():
    with pytest.raises(ValueError, match="Unknown kind 'banana'"):
        draw_out_of_range("banana", 100, np.random.default_rng(0))
