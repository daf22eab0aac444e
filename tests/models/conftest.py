import pytest


@pytest.fixture
def folder(make_model):
    """Folder of a model with random weights."""
    return make_model()
