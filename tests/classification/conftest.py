"""A model with random weights, and a frame of many particles."""

import numpy as np
import pytest

from particlespy_ml.models.load import load_model


@pytest.fixture(scope="session")
def model(model_folder):
    return load_model(model_folder)


@pytest.fixture
def many(make_frame):
    """A frame of 30 particles of different sizes."""
    rng = np.random.default_rng(3)
    centres = [(40 + 64 * i + rng.uniform(-4, 4), 40 + 64 * j + rng.uniform(-4, 4)) for i in range(5) for j in range(6)]
    return make_frame(centres, rng.uniform(13, 22, 30), shape=(336, 400))
