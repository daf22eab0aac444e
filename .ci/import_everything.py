"""What an installed package must do on every system: import, offer its names, read its models and segment an image."""

from importlib.metadata import version
from pathlib import Path

import hyperspy.api as hs

import particlespy_ml as pml

hs.print_known_signal_types()
checkout = Path(__file__).resolve().parents[1]
assert not Path(pml.__file__).resolve().is_relative_to(checkout), f"{pml.__file__} is the checkout, not the package"
assert pml.__version__ == version("particlespy-ml")
assert all(getattr(pml, name).__doc__ for name in pml.__all__)
assert "isomer-haadf" in pml.list_models()
assert pml.data.gold_on_carbon().classify_particles().n_particles == 6
