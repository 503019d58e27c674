"""Which level of a chain is chosen, and what cannot be chosen or judged, on made-up errors and losses."""

import numpy as np
import pytest
from made_up import NOISES, Made, bench_of, gains, named, outcome

from prunescope.base.errors import StoreError
from prunescope.papers.jin2022 import app_c, fig3, fig4, fig6, optimum, settings
from prunescope.papers.jin2022.quantities import best_epoch, best_level, optima_inside
from prunescope.papers.jin2022.variants import Variant
from prunescope.runs.graph.families import extended
from prunescope.runs.store.results import Failed
from prunescope.studies.judging import unmet
from prunescope.tasks.model import resolve


def test_verdicts_by_depth_are_those_of_a_study_that_ends_there():
    bench, error = (
        bench_of("lenet", levels=5, noises=(0.0, 0.15)),
        lambda arm, noise, level: 30 - level * (arm == "pruned"),
    )
    rows = optimum.by_depth(bench).table(Made(bench, error=error))
    gaps = {row["level"]: row["gap"] for row in rows if row["claim"] == "extended-is-worse"}
    assert gaps == pytest.approx({level: level for level in (2, 3, 4, 5)}, abs=0.05)
    shorter = bench_of("lenet", levels=3, noises=(0.0, 0.15))
    claim = named(fig6.numbers(shorter), "extended-gap-best-15")
    (verdict,) = (row["verdict"] for row in rows if (row["level"], row["claim"]) == (3, "extended-gap-best"))
    assert verdict == outcome(claim, Made(shorter, error=error))


def test_a_gap_in_fit_whose_peak_is_the_last_level_is_not_judged():
    bench = bench_of("vgg16")
    claim = named(fig4.gives_up(bench, 0.3), "gap-shrinks-at-last-30")
    passes, rises = (
        Made(bench, noisy_loss=lambda arm, noise, level, at=at: {0: 0.1, at: 3.0}.get(level, 1.0)) for at in (2, 3)
    )
    assert (outcome(claim, passes), outcome(claim, rises)) == ("reproduced", "not judgeable at this scale")


def test_an_optimum_at_the_end_of_its_chain_is_named():
    bench = bench_of("lenet")
    cautions = optima_inside(bench, "pruned", "width", noises=(0.15,))
    inside = Made(bench, error=gains(dict.fromkeys(NOISES, 5.0)))
    at_end = Made(bench, error=lambda arm, noise, level: 40.0 - level if arm == "pruned" else 40.0)
    assert unmet(cautions, inside) == ()
    (said,) = unmet(cautions, at_end)
    assert "15 % label noise" in said and "'pruned'" in said and "needs at least 1, measured 0" in said


def test_a_dense_network_that_is_the_best_of_its_chain_is_no_gain():
    """It is compared with itself: every difference is exactly 0, which is no standard deviation."""
    bench = bench_of("lenet", noises=(0.0,))
    worse = Made(bench, error=lambda arm, noise, level: 40.0 + 5 * level)
    assert best_level(bench, "pruned", 0.0)(worse) == 0
    (said,) = unmet(optima_inside(bench, "pruned"), worse)
    assert "lowers the test error by a standard deviation" in said and "measured 0" in said


def test_a_level_that_collapsed_is_passed_over():
    bench = bench_of("lenet", noises=(0.0,))
    variant = Variant(bench, "extended", 0.0, lambda base: extended(base, levels=3, rewind=bench.rewind))
    results = Made(bench, error=lambda arm, noise, level: 10.0 - level)
    assert variant.at_best()(results).mean() == pytest.approx(7.0, abs=0.1)
    last = bench.row("extended", 0.0, 3)[1]
    results.failed.add(last.test.id)
    assert variant.at_best()(results).mean() == pytest.approx(8.0, abs=0.1) and variant.best_level()(results) == 2
    assert variant.at_best(1)(results).mean() == pytest.approx(9.0, abs=0.1)
    with pytest.raises(Failed, match="no level of 'extended'"):
        variant.at_best(3)(results)
    results.failed.clear()
    del results.values[last.test.id]  # it was not run yet, so that nobody knows which level is the best
    with pytest.raises(StoreError, match="was not computed"):
        variant.at_best()(results)


def test_a_chain_that_broke_is_judged_by_the_levels_that_all_replicates_reached():
    bench = bench_of("vgg16", levels=5, noises=(0.0, 0.3))
    results = Made(bench, error=lambda arm, noise, level: 30.0 - 4 * min(level, 2) * (arm == "pruned"))
    for level in (4, 5):
        results.failed |= {p.test.id for p in bench.row("pruned", 0.3, level)[1:]}
    claims_ = {claim.name: claim for claim in (*fig3.helps(bench), *fig3.numbers(bench), *fig4.gives_up(bench, 0.3))}
    assert outcome(claims_["pruning-helps-30"], results) == "reproduced"
    assert outcome(claims_["gap-shrinks-at-last-30"], results) not in ("not run", "not judgeable at this scale")
    (broke,) = unmet(optima_inside(bench, "pruned"), results)
    assert "30 % label noise" in broke and "needs at least 5, measured 3" in broke
    rows = fig3.error_figure(bench, arms=("pruned",)).table(results)
    assert {row["level"] for row in rows if row["chosen"] and "30 %" in row["panel"]} == {2}
    del results.values[bench.row("pruned", 0.3, 3)[0].test.id]  # what is only missing may yet be the best
    assert outcome(claims_["pruning-helps-30"], results) == "not run"


def test_levels_that_tie_are_chosen_alike_in_the_report_and_in_the_data():
    """These fractions and their percentages have means that round differently."""
    later = [[738, 773, 779], [736, 773, 786], [725, 765, 789], [734, 762, 778]]  # the last ties with the dense one
    wrong = np.array([[739, 772, 763], [733, 764, 769], [723, 760, 764], *later])
    bench = bench_of("lenet", noises=(0.0,), levels=6)
    results = Made(bench, error=lambda arm, noise, level: 50.0)
    for p in bench.points:
        if p.arm in ("dense", "pruned"):
            count = wrong[p.level, p.replicate]
            results.values[p.test.id] = {"error": count / 10_000, "examples": 10_000.0}
    for rule, level in (("optimal", 2), ("highest_improving", 2)):
        (choice, *_) = bench.chosen("pruned", 0.0, rule=rule)
        planned = resolve(choice.rule)([results[node] for node in choice.inputs], **choice.args)
        assert planned == best_level(bench, "pruned", 0.0, rule=rule)(results) == level


def test_held_out_examples_choose_levels_and_epochs_everywhere():
    held_out = settings.arms(settings.SCALES["smoke"].replace(validation=100).size("smoke"))
    dense = held_out.row("dense", 0.0, 0)[0]
    assert dense.selecting_curve.probe.split == "validation" and dense.curve.probe.split == "test"
    assert dense.selecting_curve in best_epoch(held_out, 0.0).nodes
    variant = app_c.algorithms(held_out)["weight rewinding"]
    assert {node.measure.split for node in variant.at_best().nodes} == {"test", "validation"}
    curves = {p.curve.id: {"error": np.array([0.1, 0.2, 0.3])} for p in held_out.row("dense", 0.0, 0)} | {
        p.selecting_curve.id: {"error": np.array([0.5, 0.2, 0.4])} for p in held_out.row("dense", 0.0, 0)
    }

    class Curves:
        def __getitem__(self, node):
            return curves[node.id]

    assert best_epoch(held_out, 0.0)(Curves()).tolist() == [20.0, 20.0]
    assert best_epoch(held_out, 0.0, among=1)(Curves()).tolist() == [30.0, 30.0]
