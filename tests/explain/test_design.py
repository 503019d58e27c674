"""The networks of the design are what their names say, and so is what the report says of them."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent))  # for `explained`

from explained import LEVELS, SHAKEN, MadeUp, design, made_up, recipe

import prunescope as ps
from prunescope.explain.claims import claims
from prunescope.explain.design import DENSE
from prunescope.explain.factors import FACTORS
from prunescope.explain.figures import sentence
from prunescope.explain.study import explain
from prunescope.studies.curves import sort_curves
from prunescope.studies.judging import judge, judge_all
from prunescope.studies.plots import COLOURS, look
from prunescope.studies.selection import HALVES, choose_on_half, stopped_early
from prunescope.studies.statistics import t_interval

TIME, SIZE, DISTURBANCE, CHOICE = "time", "size", "disturbance", "choice"


def cell(*names):
    return frozenset(names)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The design, the store's results, and the layer sparsities of every cell of replicate 0."""
    made = design()
    runs = {c: made.recipes(c)[0] for c in made.cells}
    layers = {c: ps.Reading(measure=ps.LayerSparsity(), state=ps.final(run)) for c, run in runs.items()}
    masks = {c: ps.Reading(measure=ps.Examples(split="test"), state=ps.final(run)) for c, run in runs.items()}
    results = ps.ensure(
        [*runs.values(), *layers.values(), *masks.values()], store=tmp_path_factory.mktemp("store"), workers=1
    )
    return made, results, runs, layers, masks


def test_the_whole_treatment_is_pruning_itself_and_none_of_it_the_dense_network():
    made = design()
    dense = made.dense[1]
    assert made.recipes(DENSE)[1] == dense
    assert made.recipes(made.pruned)[1] == ps.imp(dense, levels=LEVELS, prune=made.prune, rewind="1ep")[-1]
    assert made.recipes(cell(TIME))[1] == ps.extended(dense, levels=LEVELS, rewind="1ep")[-1]


def test_time_means_as_many_steps_as_pruning_and_no_time_those_of_the_dense_network(trained):
    made, results, runs, _, _ = trained
    steps = {c: int(results[run]["step"]) for c, run in runs.items()}
    assert {steps[c] for c in made.cells if TIME in c} == {3 * 3 + LEVELS * 2 * 3}
    assert {steps[c] for c in made.cells if TIME not in c} == {3 * 3}


def test_size_means_as_many_weights_in_every_layer_and_no_size_all_of_them(trained):
    made, results, _, layers, _ = trained
    for c in made.cells:
        expected = results[layers[made.pruned if SIZE in c else DENSE]]
        for name, value in results[layers[c]].items():
            np.testing.assert_array_equal(value, expected[name], err_msg=made.name(c))


def test_all_networks_differ(trained):
    made, results, _, _, masks = trained
    losses = [results[masks[c]]["loss"].tobytes() for c in made.cells]
    assert len(set(losses)) == len(made.cells)


def test_choice_takes_the_masks_of_the_pruned_network_and_chance_only_their_counts():
    made = design()
    kinds = {c: [type(part).__name__ for part in made.recipes(c)[0].interventions] for c in made.cells}
    assert kinds[cell(SIZE, CHOICE)] == ["TakeMasks"]
    assert kinds[cell(SIZE)] == ["KeepAsMany"]
    assert kinds[cell(DISTURBANCE)] == ["KeepAsMany", "Release"] * LEVELS
    assert kinds[cell(TIME, DISTURBANCE, CHOICE)] == ["TakeMasks", "Release"]
    assert kinds[cell(SIZE, DISTURBANCE, CHOICE)] == ["TakeMasks"] * LEVELS


def test_a_narrower_network_has_at_most_as_many_weights_as_the_pruned_one():
    study = explain(recipe(), levels=3, replicates=2, size="narrower")
    runs = [node.state.run for node in study.nodes if hasattr(node, "state")]
    (scale,) = {run.task.network.args["scale"] for run in runs if hasattr(run, "task")} - {1.0}
    first, second = (max(1, round(width * scale)) for width in (16, 8))
    full, narrow = 16 * 16 + 16 * 8 + 8 * 4, 16 * first + first * second + second * 4
    assert 0.85 * 0.8**3 * full < narrow <= 0.8**3 * full


def test_another_factor_is_one_value():
    made = design(factors=(*FACTORS, SHAKEN))
    assert len(made.orders[0]) == 5
    last = made.recipes(cell(TIME, "noise"))[0]
    assert [type(part).__name__ for part in last.interventions] == ["Noise"]


# -- results that are made up


def verdicts_on(made, results):
    error = made.outcomes[0]
    return judge_all(claims(error.label, made.effect(error), made.parts(error)), results)


def test_the_first_sentence_says_effect_shares_cause_and_what_seeds_differ_by():
    made = design(replicates=3)
    errors = {c: 20.0 - np.array([1.9, 2.0, 2.1]) * (TIME in c) for c in made.cells}
    results = made_up(made, errors)
    assert sentence(made, results, verdicts_on(made, results)) == (
        "Pruning to 20 % of the weights lowered test error by 2 percentage points [1.8, 2.2]: 2 of it time, "
        "0 of it size, 0 of it disturbance, 0 of it choice; told from chance: time; seeds alone differ by 1.3."
    )


def test_replicates_that_are_all_alike_say_nothing_of_chance():
    """Two of them often differ by the same number of test examples."""
    made = design(replicates=2)
    results = made_up(made, {c: 20.0 - 2.0 * (TIME in c) for c in made.cells})
    verdicts = verdicts_on(made, results)
    assert sentence(made, results, verdicts) == (
        "Pruning to 20 % of the weights changed test error by −2 percentage points [−2, −2], the same in every "
        "replicate, which says nothing of chance: time −2, size 0, disturbance 0, choice 0; no part of it is told from "
        "chance; seeds alone differ by 1."
    )
    assert (verdicts[0].said, verdicts[0].p) == ("inconclusive", 1.0) and "of no width" in verdicts[0].why


def test_where_a_network_failed_the_rest_stands():
    made = design(replicates=3)
    errors = {c: 20.0 - 2.0 * (TIME in c) for c in made.cells}
    results = made_up(made, errors, failed={cell(TIME, SIZE)})
    parts = made.parts(made.outcomes[0])
    np.testing.assert_allclose(parts[TIME](results), -2.0)
    pruned = made_up(made, errors, failed={made.pruned})
    assert sentence(made, pruned, verdicts_on(made, pruned)).startswith(
        "What pruning did is not known: run 1234 failed"
    )


def test_where_every_network_failed_the_report_still_has_all_its_tables():
    study = explain(recipe(), levels=LEVELS, prune=design().prune, size="masks", replicates=3)
    for figure in study.figures:
        assert not any(isinstance(row.get("change"), float) and row["change"] == 0 for row in figure.table(MadeUp()))
    assert study.head(MadeUp(), judge_all(study.claims, MadeUp())).startswith("What pruning did is not known")


def test_a_share_that_is_not_known_is_not_judged():
    made = design(replicates=3, orders="two")
    failed = {frozenset(order[:2]) for order in made.orders}
    study = explain(recipe(), prune=made.prune, levels=LEVELS, rewind="1ep", size="masks", orders="two", replicates=3)
    results = made_up(made, {}, failed=failed)
    outcomes = {claim.name.split("-")[0]: judge(claim, results).interval_rule for claim in study.claims}
    assert "not run" in outcomes.values()
    assert outcomes["pruning"] == "inconclusive"


def test_the_best_of_twenty_levels_of_chance_is_no_effect():
    """Chosen and judged on the same errors, the best of 20 is 1.9 standard deviations below the rest."""
    random = np.random.default_rng(0)
    naive, fitted = [], []
    for _ in range(200):
        wrong = random.random((20, 4, 400)) < 0.3
        values = [{"correct": ~wrong[level, network]} for level in range(20) for network in (0, 1)]
        best = choose_on_half(values, levels=20, half="even")
        naive.append(wrong[best, :2, ::2].mean())
        fitted.append(wrong[best, 2:, 1::2].mean())
    assert np.mean(naive) < 0.27
    assert abs(np.mean(fitted) - 0.3) < 4 * np.std(fitted) / np.sqrt(200)


def test_levels_that_tie_exactly_give_the_first():
    """Shares of three networks, .1 + .1 + .1 and .3 + 0 + 0, are no equal sums; counts are."""
    wrong = np.zeros((2, 3, 20), dtype=bool)
    wrong[0, :, 0] = wrong[1, 0, :6:2] = True
    values = [{"correct": ~network} for level in wrong for network in level]
    assert choose_on_half(values, levels=2, half="even") == 0


def test_early_stopping_is_chosen_by_other_networks_that_are_all_there():
    errors = np.array([[3.0, 1.0, 2.0], [3.0, 2.0, 1.0], [2.0, 2.0, 0.5]])
    assert stopped_early(errors).tolist() == [2.0, 1.0, 2.0]
    assert stopped_early(errors[:1]).tolist() == [1.0]
    assert np.isnan(stopped_early(np.vstack([errors, np.full(3, np.nan)]))).all()


def best_of_nothing(random, levels=7, replicates=4, examples=200):
    """Effects [replicates] of the best level where nothing differs but a network's luck: as `Design.value` chooses,
    and by the networks that are judged, on the other half of the examples."""
    halves, rate = list(HALVES.values()), 0.2 + random.normal(0, 0.03, (levels + 1, replicates, 1))
    right = random.random((levels + 1, replicates, examples)) > rate
    errors = [1.0 - right[:, :, half].mean(axis=2) for half in halves]
    fitted, optimistic = np.zeros(replicates), np.zeros(replicates)
    for half, other in ((0, 1), (1, 0)):
        name = list(HALVES)[half]
        for number in range(replicates):
            others = [
                {"correct": right[level, k]}
                for level in range(levels + 1)
                for k in range(1 - number % 2, replicates, 2)
            ]
            best = choose_on_half(others, levels=levels + 1, half=name)
            own = errors[half].mean(axis=1).argmin()
            for effects, level in ((fitted, best), (optimistic, own)):
                effects[number] += 50 * (errors[other][level] - errors[other][0])[number]
    return fitted, optimistic


def test_the_best_level_is_no_effect_only_if_other_networks_choose_it_too():
    random = np.random.default_rng(1)
    fitted, optimistic = np.array([best_of_nothing(random) for _ in range(400)]).swapaxes(0, 1)
    assert abs(fitted.mean()) < 4 * fitted.mean(axis=1).std() / 20
    assert optimistic.mean() < -8 * optimistic.mean(axis=1).std() / 20
    decided = [not part.low <= 0.0 <= part.high for part in map(t_interval, fitted)]
    assert np.mean(decided) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_the_best_level_is_chosen_by_other_networks_and_other_test_examples():
    made = design(replicates=4, level="best")
    value = made.value(made.pruned, made.outcomes[0])
    chosen = {node.state.run for node in value.nodes}
    assert len(chosen) == 8
    for choice in chosen:
        own = {run.seeds.init for run in choice.among}
        assert own.isdisjoint(reading.state.run.seeds.init for reading in choice.inputs)


def test_the_report_says_which_answers_pruning_loses_beside_another_seed():
    study = explain(recipe(), levels=LEVELS, rewind="1ep", prune=design().prune, size="masks", replicates=3)
    (figure,) = (figure for figure in study.figures if figure.name == "answers")
    made = design(replicates=3)
    rows = figure.table(made_up(made, {made.pruned: 30.0, DENSE: 20.0}))
    (lost,) = (row for row in rows if row["examples"] == "all" and row["change"] == "lost")
    assert lost["pruning"] == pytest.approx(10.0) and lost["another seed"] == pytest.approx(2 / 3)
    assert figure.table(made_up(made, {}, failed={made.pruned})) == []


def test_what_is_drawn_is_one_factor_away_in_colours_of_its_own():
    (figure,) = (figure for figure in explain(recipe(), levels=2, replicates=2).figures if figure.name == "curves")
    arms = {}
    for part in figure.rows:
        arms.setdefault(part.labels["panel"], {})[part.labels["arm"]] = None
    assert list(arms["one factor alone"]) == ["dense", "time", "size", "disturbance", "pruned"]
    but_one = list(arms["all factors but one"])
    assert (but_one[0], but_one[-1]) == ("dense", "pruned") and [arm.count("+") for arm in but_one[1:-1]] == [2] * 4
    table = [{"epochs": 1.0, "error": 1.0, **part.labels} for part in figure.rows]
    for panel, curves in sort_curves(figure.plot, table).items():
        colours = {look(curve.style)[0] for curve in curves}
        assert len(colours) == len(arms[panel]) <= len(COLOURS)
