import numpy as np

from particlespy_ml.simulation.isomer_library import IsomerLibraryRecipe
from particlespy_ml.simulation.structures import amorphous
from particlespy_ml.training.structures_cache import closed_shell_models


def test_closed_shells_are_those_of_the_range_with_few_atoms_missing():
    recipe = IsomerLibraryRecipe(n_atoms=(55, 320), seed=3)
    glass = amorphous(320, rng=np.random.default_rng(0), max_steps=5).positions
    drawn = [(glass, 3), (glass[:60], 0)]
    models = closed_shell_models(recipe, 6, drawn)
    assert [label for _, label in models] == [0] * 6 + [1] * 6 + [2] * 6 + [3] * 6
    for positions, _ in models:
        whole = next(n for n in (55, 147, 309) if n >= len(positions))
        assert len(positions) > 0.85 * whole
        np.testing.assert_allclose(positions.max(0) + positions.min(0), 0, atol=1e-4)
    again = closed_shell_models(recipe, 6, drawn)
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(models, again, strict=True))


def test_no_closed_shell_in_the_range_means_no_models():
    assert closed_shell_models(IsomerLibraryRecipe(n_atoms=(60, 100)), 4, []) == []
