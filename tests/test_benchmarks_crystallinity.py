"""What benchmarks of classifiers of crystallinity write onto cards."""

import json

from benchmarks.crystallinity.other_make import write_evaluation


def test_simulations_of_another_make_come_first_on_a_card(tmp_path):
    card = {"name": "made", "evaluation_harsh": {}, "evaluation": {"1000": 1}, "sha256": "0"}
    (tmp_path / "card.json").write_text(json.dumps(card))
    for number in (1, 2):
        write_evaluation(tmp_path, {"1000": number}, f"{number} particles")
    written = json.loads((tmp_path / "card.json").read_text())
    names = list(written)
    assert names.index("evaluation_other_make") < names.index("evaluation")
    assert written.pop("evaluation_other_make") == {"1000": 2}
    assert written.pop("evaluation_other_make_conditions") == "2 particles"
    assert written == card
