import numpy as np
import pytest
from specimens import risk

from prunescope.base.errors import UsageError
from prunescope.base.value import array_digest
from prunescope.measures import Examples
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.families import final, replicates
from prunescope.runs.graph.nodes import Chosen, Combined, Reading
from prunescope.runs.graph.recipe import Subset


def test_a_combination_a_choice_and_a_subset_end_to_end(store, recipe):
    runs = replicates(recipe, 3)
    tests = tuple(risk(run) for run in runs)
    best = Chosen(among=tuple(runs), inputs=tests, rule="specimens:best")
    examples = Reading(measure=Examples(), state=final(best))
    part = Subset(source=examples, rule="specimens:hardest", args={"count": 40})
    again = recipe.replace(examples=part, start=final(best), length="2ep")
    gap = Combined(function="specimens:gap", inputs=(risk(best), risk(again)))
    results = ensure(gap, risk(best), store=store, workers=1)

    errors = [float(results[node]["error"]) for node in tests]
    chosen = runs[int(np.argmin(errors))]
    assert int(results[best]["index"]) == int(np.argmin(errors))
    assert float(results[risk(best)]["error"]) == min(errors)
    assert float(results[gap]["gap"]) == pytest.approx(
        float(results[risk(best)]["loss"] - results[risk(again)]["loss"])
    )
    rows = results.rows(part)
    assert set(rows) == set(np.argsort(-results[examples]["loss"], kind="stable")[:40])
    manifest = store.manifest(again.id)
    assert manifest["train_examples"] == 40
    assert manifest["epoch_steps"] == 2
    assert manifest["parents"] == [chosen.id]
    assert manifest["resolved"] == {
        "chosen": {best.id: chosen.id},
        "examples": {"count": 40, "digest": array_digest(rows)},
    }


def test_rows_of_a_subset_are_not_taken_for_rows_of_the_whole_split(store, recipe):
    seen = Reading(measure=Examples(), state=final(recipe))
    half = recipe.replace(examples=Subset(source=seen, rule="specimens:hardest", args={"count": 48}))
    inside = Reading(measure=Examples(), state=final(half))
    twice = recipe.replace(examples=Subset(source=inside, rule="specimens:hardest", args={"count": 24}))
    with pytest.raises(UsageError, match=r"trained on a Subset itself.*measure a run on all training examples"):
        ensure(twice, store=store, workers=1)

    other = recipe.replace(
        examples=Subset(
            source=seen, rule="prunescope.studies.subsets:without_fold", args={"name": "index", "fold": 0, "folds": 2}
        )
    )
    both = (inside, Reading(measure=Examples(), state=final(other)))
    results = ensure(*both, store=store, workers=1)
    for name in ("difference", "not_given_up", "forgetting", "mean"):
        with pytest.raises(UsageError, match=r"different training examples \(48, 48\)"):
            results[Combined(function=f"prunescope.measures.combine:{name}", inputs=both)]


def test_a_subset_beyond_the_data_is_a_clear_error(store, recipe):
    part = Subset(source=Reading(measure=Examples(), state=final(recipe)), rule="specimens:beyond")
    with pytest.raises(UsageError, match=r"picks rows 0 to 1000000 of a training split of 96"):
        ensure(recipe.replace(examples=part), store=store, workers=1)
