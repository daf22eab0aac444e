"""Heights of gold columns told from focal series."""

from __future__ import annotations

from benchmarks.columns_hrtem import images
from benchmarks.columns_hrtem.ceria import resolvable
from benchmarks.columns_hrtem.ideal_observer import ideal_observer, observer_of_any_lens
from benchmarks.columns_hrtem.moving_atoms import observer_of_moving_atoms
from benchmarks.columns_hrtem.scores import by_network, interval, outcomes
from particlespy_ml.models.column_mapper import ColumnMapper
from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.training.columns.evaluate import score_columns

DOSES = (3e2, 1e3, 3e3, 1e4, 1e5)
OPTICS = [  # of the ideal observer
    Optics(defocus=defocus, spherical_aberration=-1.5e5, fifth_order=2.5e7, focal_spread=30.0, deflection=0.18)
    for defocus in (40.0, -90.0, -220.0)
]
MOTION = 0.08  # Å: thermal motion of 0.05 to 0.10 and static disorder of up to 0.08, as in the structures


def print_heights(folder, count: int, model: ColumnMapper) -> None:
    """Heights told right by dose, tilt and film."""
    folder = images.fields(folder, "long gold", images.LONG_GOLD, count)
    print(f"Au <110>, {count} structures of 1.6 to 3 nm, three images; doses of all images together")
    highest = max(number for _, number in model.kinds)
    bounds = ideal_observer(images.LONG_GOLD, "Au", highest, {"series": OPTICS}, DOSES, min(count, 8), 2)
    print("  an ideal observer, who knows the lens and all other atoms, is right in")
    print("    " + ", ".join(f"{bounds['series', dose]:.3f} at {dose:g}" for dose in DOSES))
    lens = {"series": OPTICS}
    moving = observer_of_moving_atoms(images.LONG_GOLD, "Au", highest, lens, DOSES, MOTION, min(count, 8), 2)
    print(f"  one who does not know where the atoms of the column are (rms {MOTION} Å) in")
    print("    " + ", ".join(f"{moving['series', dose]:.3f} at {dose:g}" for dose in DOSES))
    any_lens = observer_of_any_lens(images.LONG_GOLD, "Au", OPTICS, DOSES, min(count, 8))
    print("  one who does not know the lens tells structures from those of one atom more or less in all columns in")
    print("    " + ", ".join(f"{any_lens[dose]:.3f} at {dose:g}" for dose in DOSES))
    print(f"  {'e/Å²':>7}  {'':22} {'exact':24} {'within 1':>8} {'calibration':>11} {'resolvable, right':>18}")
    for dose in DOSES:
        seen = images.recordings(folder, count, dose, images.SERIES)
        groups = {
            "tilt to 1, vacuum": [pair for pair in seen if pair[1]["tilt"] <= 1 and not pair[1]["film"]],
            "tilt 1 to 2, vacuum": [pair for pair in seen if pair[1]["tilt"] > 1 and not pair[1]["film"]],
            "film": [pair for pair in seen if pair[1]["film"]],
        }
        for name, group in groups.items():
            found = outcomes(group, by_network(model))
            scores = score_columns(found)
            share, right = resolvable(found)
            print(
                f"  {dose:7g}  {name:22} {interval(scores['exact']):24} {scores['within_one']['value']:8.3f} "
                f"{scores['calibration_error']:11.3f} {share:9.3f}, {right:.3f}"
            )
