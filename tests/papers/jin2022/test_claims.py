"""What is claimed, and what becomes of it, on made-up errors and losses: nothing is trained here."""

from dataclasses import replace

import numpy as np
import pytest
from made_up import NOISES, SMOKE, Made, bench_of, gains, outcome

from prunescope.base.errors import StoreError, UsageError
from prunescope.papers.jin2022 import (
    across,
    app_c,
    classes,
    controls,
    expected,
    fitting,
    sizes,
    sparsities,
    statements,
    subgroup_statements,
)
from prunescope.papers.jin2022.subgroups import subgroups
from prunescope.papers.jin2022.variants import Variant, by_level
from prunescope.runs.graph.families import extended
from prunescope.studies.claim import judge, unmet
from prunescope.training.schedules import Milestones, Stretched


@pytest.mark.parametrize(
    ("make", "name", "noise", "basis"),
    [
        (statements.pruning_helps, "vgg16", 0.6, "paper"),
        (statements.pruning_helps, "lenet", 0.05, "proposed"),
        (statements.pruning_helps, "lenet", 0.15, "proposed"),
        (statements.pruning_helps, "digits", 0.15, "proposed"),
        (statements.dense_is_best, "lenet", 0.05, "paper"),
        (statements.extended_is_worse, "resnet20", 0.6, "paper"),
        (statements.extended_is_worse, "resnet50", 0.15, "proposed"),
        (statements.width_is_worse, "lenet", 0.15, "proposed"),
        (statements.width_helps, "lenet", 0.05, "paper"),
        (statements.width_helps, "lenet", 0.15, "proposed"),
        (statements.width_helps, "digits", 0.15, "proposed"),
        (fitting.noisy_loss_rises, "lenet", 0.05, "proposed"),
        (fitting.noisy_loss_rises, "lenet", 0.15, "proposed"),
        (fitting.noisy_loss_rises, "vgg16", 0.15, "paper"),
    ],
)
def test_a_claim_is_the_paper_s_only_where_the_paper_makes_it(make, name, noise, basis):
    claim = make(bench_of(name, noises=(0.0, noise)), noise)
    assert claim.basis == basis and claim.place.startswith("Jin" if basis == "paper" else "after Jin")


def test_group_claims_are_the_paper_s_only_for_el2n_and_not_for_its_exceptions():
    bench = bench_of("resnet20")
    by_el2n = subgroups(bench, SMOKE)
    by_grand = replace(by_el2n, score="grand")
    found = [subgroup_statements.influential_worsen(by_el2n, noise).basis for noise in NOISES[1:]]
    assert found == ["paper", "paper", "proposed"]
    assert subgroup_statements.influential_worsen(by_grand, 0.15).basis == "proposed"
    assert "GraNd" in subgroup_statements.influential_worsen(by_grand, 0.15).says
    assert {by_grand.scores(0.0, 0).id}.isdisjoint({by_el2n.scores(0.0, 0).id})
    assert by_grand.members(0.0, 0) == by_el2n.members(0.0, 0)
    assert classes.more_classes_are_harmed_late(bench).basis == "proposed"


def test_every_exception_names_a_benchmark_of_the_paper():
    cells = [*expected.OF_THESE.values(), *expected.NOT_OF_THESE.values()]
    assert {name for group in cells for name, _ in group} <= set(expected.BENCHMARKS)


def test_the_gain_is_compared_from_each_noise_level_to_the_next():
    bench = bench_of("vgg16")
    (claim,) = statements.gain_grows_at_each(bench)
    grows, peaks = (
        Made(bench, error=gains(dict(zip(NOISES, found, strict=True))))
        for found in ((0.3, 5.2, 16.1, 34.6), (0.3, 5.2, 36.1, 34.6))
    )
    assert claim.basis == "paper" and "(0, 15, 30, 60 %)" in claim.says
    assert (outcome(claim, grows), outcome(claim, peaks)) == ("reproduced", "contradicted")
    assert not statements.gain_grows_at_each(bench_of("lenet", noises=(0.0, 0.15)))


@pytest.mark.parametrize(
    ("name", "noise", "top", "found"),
    [
        ("resnet20", 0.6, 0.1, {"reproduced"}),
        ("resnet20", 0.6, -2.0, {"contradicted"}),
        ("resnet50", 0.15, -0.1, {"reproduced"}),
        ("resnet50", 0.15, 0.1, {"contradicted"}),
        ("vgg16", 0.6, 0.1, set()),
    ],
)
def test_the_exceptions_of_figure_5_are_claims_where_they_are_the_paper_s(name, noise, top, found):
    """The top groups change by 1 nat at every noise level but one."""
    bench = bench_of(name)
    sub = subgroups(bench, SMOKE)
    results = Made(bench, error=gains(dict.fromkeys(NOISES, 5.0)))
    for other in NOISES[1:]:
        for number, node in enumerate(sub.at_choice("pruned", other, "optimal")):
            change = (top if other == noise else 1.0) + 0.01 * number
            results.values[node.id] = {"difference": np.linspace(0.0, change, sub.groups)}
    claims = subgroup_statements.exceptions(sub)
    chosen = [claim for claim in claims if name != "resnet50" or claim.name.endswith(f"-{100 * noise:g}")]
    assert {outcome(claim, results) for claim in chosen} == found


def test_matching_at_every_level_can_be_reproduced_and_contradicted():
    bench = bench_of("vgg16", levels=6)
    claim = statements.extended_matches_everywhere(bench, margin=0.5)
    same, one_differs = (
        Made(
            bench,
            error=lambda arm, noise, level, far=far: 12.0 if (arm, level) == ("extended", far) else 10.0,
        )
        for far in (None, 5)
    )
    assert (outcome(claim, same), outcome(claim, one_differs)) == ("reproduced", "contradicted")


def test_the_highest_improving_level_is_found_and_needs_levels_beyond_it():
    bench = bench_of("resnet20", levels=11, noises=(0.0,))
    (claim,) = sparsities.highest_improving(bench)

    def improving(last):
        return lambda arm, noise, level: 10.0 if level == 0 else (9.0 if level <= last else 11.0)

    assert "83.22 % (level 8)" in claim.says and claim.basis == "paper"
    assert outcome(claim, Made(bench, error=improving(8))) == "reproduced"
    assert outcome(claim, Made(bench, error=improving(3))) == "contradicted"
    short = bench_of("resnet20", levels=8, noises=(0.0,))
    assert outcome(sparsities.highest_improving(short)[0], Made(short)) == "not judgeable at this scale"
    assert not sparsities.highest_improving(bench_of("lenet"))


def test_noisy_loss_turns_at_a_tenth_of_the_weights():
    bench = bench_of("resnet20", levels=14, noises=(0.0, 0.3))
    above, below = sparsities.noisy_loss_around_a_tenth(bench, 0.3)

    def loss(turn):
        return lambda arm, noise, level: 1.0 if level == 0 else (0.5 if level < turn else 2.0)

    at_11, at_4 = (Made(bench, noisy_loss=loss(turn)) for turn in (11, 4))
    assert (outcome(above, at_11), outcome(below, at_11)) == ("reproduced", "reproduced")
    assert (outcome(above, at_4), outcome(below, at_4)) == ("contradicted", "reproduced")
    short = bench_of("resnet20", levels=6, noises=(0.0, 0.3))
    assert {outcome(claim, Made(short)) for claim in sparsities.noisy_loss_around_a_tenth(short, 0.3)} == {
        "not judgeable at this scale"
    }


def test_the_paper_s_counts_over_benchmarks_can_be_reproduced_and_contradicted():
    first, second = bench_of("vgg16"), bench_of("resnet20", replicates=3, fits=0.0, rewind="1ep")
    cells = [(bench, noise) for bench in (first, second) for noise in NOISES[1:]]
    claim = across._count("helps", across.HELPS, "Fig. 3", across._helps, cells, across.BETTER, 11)
    no_worse = across._count("no", across.MATCHES, "Fig. 3", across._sparse_helps, cells, across.NO_WORSE, 13)

    def made(gain):
        both = [Made(bench, error=gains(dict.fromkeys(NOISES, gain))) for bench in (first, second)]
        both[0].values |= both[1].values
        return both[0]

    assert outcome(claim, made(4.0)) == "reproduced"
    worse = Made(first, error=lambda arm, noise, level: 10.0)
    worse.values |= Made(second, error=lambda arm, noise, level: 10.0).values
    assert outcome(claim, worse) == "inconclusive"
    harmed = Made(first, error=lambda arm, noise, level: 10.0 + 5 * (arm == "pruned" and level > 0))
    harmed.values |= Made(second, error=lambda arm, noise, level: 10.0).values
    assert (judge(no_worse, made(4.0)).paper, outcome(no_worse, made(4.0))) == ("reproduced", "reproduced")
    assert (judge(no_worse, worse).paper, outcome(no_worse, harmed)) == ("reproduced", "contradicted")
    assert {claim.basis, no_worse.basis} == {"proposed"}
    study = across.build(across.SCALES["smoke"], "smoke")
    digits = sizes.arms(sizes.Settings(benchmark="digits", replicates=2).size("smoke"))
    rows = study.figures[0].table(Made(digits, error=gains(dict.fromkeys(digits.noises, 3.0))))
    assert {(row["series"], round(row["behind"])) for row in rows} == {
        ("dense", 3),
        ("extended dense", 3),
        ("width-scaled", 3),
    }
    assert [c.name for c in study.claims] == [
        "pruning-helps-count",
        "sparse-is-never-worse-count",
        "extended-is-worse-count",
        "width-is-worse-count",
    ]
    with pytest.raises(UsageError, match="names one twice"):
        across.build(across.Settings(benchmarks=("digits", "digits")), "smoke")


def test_a_gap_in_fit_whose_peak_is_the_last_level_is_not_judged():
    bench = bench_of("vgg16")
    claim = fitting.gap_shrinks_at_last(bench, 0.3)
    passes, rises = (
        Made(bench, noisy_loss=lambda arm, noise, level, at=at: {0: 0.1, at: 3.0}.get(level, 1.0))
        for at in (2, 3)
    )
    assert (outcome(claim, passes), outcome(claim, rises)) == ("reproduced", "not judgeable at this scale")


def test_an_optimum_at_the_end_of_its_chain_is_named():
    bench = bench_of("lenet")
    cautions = statements.optima_inside(bench, "pruned", "width", noises=(0.15,))
    inside = Made(bench, error=gains(dict.fromkeys(NOISES, 5.0)))
    at_end = Made(bench, error=lambda arm, noise, level: 40.0 - level if arm == "pruned" else 40.0)
    assert unmet(cautions, inside) == ()
    (said,) = unmet(cautions, at_end)
    assert "15 % label noise" in said and "'pruned'" in said and "needs at most 2, measured 3" in said


def test_a_level_that_collapsed_is_passed_over():
    bench = bench_of("lenet", noises=(0.0,))
    variant = Variant(
        bench, "extended", 0.0, lambda base: by_level(extended(base, levels=3, rewind=bench.rewind))
    )
    results = Made(bench, error=lambda arm, noise, level: 10.0 - level)
    assert variant.at_best(results).mean() == pytest.approx(7.0, abs=0.1)
    last = bench.row("extended", 0.0, 3)[1]
    del results.values[last.test.id]
    assert variant.at_best(results).mean() == pytest.approx(8.0, abs=0.1) and variant.best_level(results) == 2
    assert variant.at_best(results, levels=(1,)).mean() == pytest.approx(9.0, abs=0.1)
    with pytest.raises(StoreError, match="no level of 'extended'"):
        variant.at_best(results, levels=(3,))


def test_held_out_examples_choose_levels_and_epochs_everywhere():
    held_out = sizes.arms(sizes.SCALES["smoke"].replace(validation=100).size("smoke"))
    dense = held_out.row("dense", 0.0, 0)[0]
    assert dense.selecting_curve.probe.split == "validation" and dense.curve.probe.split == "test"
    assert dense.selecting_curve in held_out.nodes_of()
    variant = app_c.algorithms(held_out)["weight rewinding"]
    assert {node.measure.split for node in variant.nodes} == {"test", "validation"}
    curves = {p.curve.id: {"error": np.array([0.1, 0.2, 0.3])} for p in held_out.row("dense", 0.0, 0)} | {
        p.selecting_curve.id: {"error": np.array([0.5, 0.2, 0.4])} for p in held_out.row("dense", 0.0, 0)
    }

    class Curves:
        def __getitem__(self, node):
            return curves[node.id]

    assert held_out.at_best_epoch(Curves(), 0.0).tolist() == [20.0, 20.0]
    assert held_out.at_best_epoch(Curves(), 0.0, among=1).tolist() == [30.0, 30.0]


def test_a_stretched_schedule_is_run_only_where_it_differs_from_replays():
    constant = bench_of("lenet")
    assert "stretched" not in controls.controls(constant, 0.0)
    assert any("constant" in note for note in controls._notes(constant))
    drops = Milestones(lr=0.1, drops=("1ep",))
    varied = replace(constant, base=constant.base.replace(schedule=drops), rewind="0ep")
    made = controls.controls(varied, 0.0)["stretched"].chains[0]
    assert all(isinstance(run.schedule, Stretched) for run in made.values())
    clock, longest = made[3].clock(), varied.base.clock().total * 4
    rates = {made[3].schedule.at(step, clock) for step in (0, longest // 2 - 1)}
    assert clock.total == longest and rates == {0.1}
    assert made[3].schedule.at(longest // 2, clock) == pytest.approx(0.01)
    replays = extended(varied.base, levels=3, rewind="0ep")
    assert replays[1].schedule.at(clock.total // 8, replays[1].clock()) == pytest.approx(0.01)


def test_notes_name_what_is_proposed():
    assert any("5 % only" in note for note in sizes.notes(SMOKE.replace(benchmark="lenet")))
    assert "never tried" in sizes.words(SMOKE.replace(benchmark="resnet50"), "laptop")
    assert "never tried" not in sizes.words(SMOKE.replace(benchmark="lenet"), "laptop")
