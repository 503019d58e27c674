"""What is claimed, and what becomes of it, on made-up errors and losses: nothing is trained here."""

from dataclasses import replace

import numpy as np
import pytest
from made_up import NOISES, SMOKE, Made, bench_of, gains, named, outcome

from prunescope.base.errors import UsageError
from prunescope.papers.jin2022 import (
    across,
    app_e,
    claims,
    classes,
    controls,
    fig1,
    fig2,
    fig3,
    fig4,
    fig5,
    fig6,
    fig7,
    leave_out,
    settings,
)
from prunescope.papers.jin2022.subgroups import subgroups
from prunescope.runs.graph.families import extended
from prunescope.studies.judging import judge
from prunescope.training.schedules import Milestones, Stretched


def all_of(bench, noise):
    """The claims over errors and losses at a noise level."""
    return [
        *(claim for fig in (fig3, fig6, fig7) for claim in fig.numbers(bench)),
        *(*fig3.helps(bench), *fig3.grows(bench), *fig4.gives_up(bench, noise)),
        *(*fig6.beside_pruning(bench), *fig7.beside_pruning(bench)),
    ]


@pytest.mark.parametrize(
    ("claim", "name", "noise", "basis"),
    [
        ("pruning-helps-60", "vgg16", 0.6, "paper"),
        ("pruning-helps-5", "lenet", 0.05, "proposed"),
        ("pruning-helps-15", "lenet", 0.15, "proposed"),
        ("pruning-helps-15", "digits", 0.15, "proposed"),
        ("dense-is-best", "lenet", 0.05, "paper"),
        ("extended-is-worse-60", "resnet20", 0.6, "paper"),
        ("extended-is-worse-15", "resnet50", 0.15, "proposed"),
        ("width-is-worse-15", "lenet", 0.15, "proposed"),
        ("width-helps-5", "lenet", 0.05, "paper"),
        ("width-helps-15", "lenet", 0.15, "proposed"),
        ("width-helps-15", "digits", 0.15, "proposed"),
        ("noisy-loss-rises-5", "lenet", 0.05, "proposed"),
        ("noisy-loss-rises-15", "lenet", 0.15, "proposed"),
        ("noisy-loss-rises-15", "vgg16", 0.15, "paper"),
    ],
)
def test_a_claim_is_the_paper_s_only_where_the_paper_makes_it(claim, name, noise, basis):
    made = named(all_of(bench_of(name, noises=(0.0, noise)), noise), claim)
    assert made.basis == basis and made.place.startswith("Jin" if basis == "paper" else "after Jin")


def test_group_claims_are_the_paper_s_only_for_el2n_and_not_for_its_exceptions():
    bench = bench_of("resnet20")
    by_el2n = subgroups(bench, SMOKE)
    by_grand = replace(by_el2n, score="grand")
    worsen = [named(fig5.worsen(by_el2n), f"influential-worsen-{100 * noise:g}") for noise in NOISES[1:]]
    assert [claim.basis for claim in worsen] == ["paper", "paper", "proposed"]
    other = named(fig5.worsen(by_grand), "influential-worsen-15")
    assert other.basis == "proposed" and "GraNd" in other.says
    assert {by_grand.scores(0.0, 0).id}.isdisjoint({by_el2n.scores(0.0, 0).id})
    assert by_grand.members(0.0, 0) == by_el2n.members(0.0, 0)
    assert {claim.basis for claim in classes.harm(bench)} == {"proposed"}


def test_every_exception_names_a_benchmark_of_the_paper():
    cells = [*claims.OF_THESE.values(), *claims.NOT_OF_THESE.values()]
    assert {name for group in cells for name, _ in group} <= set(claims.BENCHMARKS)


def test_the_gain_is_compared_from_each_noise_level_to_the_next():
    bench = bench_of("vgg16")
    claim = named(fig3.grows(bench), "gain-grows-at-each")
    grows, peaks = (
        Made(bench, error=gains(dict(zip(NOISES, found, strict=True))))
        for found in ((0.3, 5.2, 16.1, 34.6), (0.3, 5.2, 36.1, 34.6))
    )
    assert claim.basis == "paper" and "(0, 15, 30, 60 %)" in claim.says
    assert (outcome(claim, grows), outcome(claim, peaks)) == ("reproduced", "contradicted")
    assert [claim.name for claim in fig3.grows(bench_of("lenet", noises=(0.0, 0.15)))] == ["gain-grows"]
    assert not list(fig3.grows(bench_of("lenet", noises=(0.0,))))


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
        for number, node in enumerate(sub.differences("pruned", other, "optimal")):
            change = (top if other == noise else 1.0) + 0.01 * number
            results.values[node.id] = {"difference": np.linspace(0.0, change, sub.groups)}
    chosen = [claim for claim in fig5.exceptions(sub) if name != "resnet50" or claim.name.endswith(f"-{100 * noise:g}")]
    assert {outcome(claim, results) for claim in chosen} == found


def test_matching_at_every_level_can_be_reproduced_and_contradicted():
    bench = bench_of("vgg16", levels=6)
    claim = fig1.matches_everywhere(bench)
    same, one_differs = (
        Made(
            bench,
            error=lambda arm, noise, level, far=far: 12.0 if (arm, level) == ("extended", far) else 10.0,
        )
        for far in (None, 5)
    )
    assert (outcome(claim, same), outcome(claim, one_differs)) == ("reproduced", "contradicted")
    by_paper = [claim.region.by_paper(claim.quantity(made)) for made in (same, one_differs)]
    assert by_paper == ["reproduced", "reproduced"]  # one of six levels may differ by chance
    assert claim.region.by_paper(np.full((3, 6), 11.0)) == "contradicted"


def test_the_highest_improving_level_is_found_and_needs_levels_beyond_it():
    bench = bench_of("resnet20", levels=11, noises=(0.0,))
    (claim,) = fig2.highest_improving_level(bench)

    def improving(last):
        return lambda arm, noise, level: 10.0 if level == 0 else (9.0 if level <= last else 11.0)

    assert "83.22 % (level 8)" in claim.says and claim.basis == "paper"
    assert outcome(claim, Made(bench, error=improving(8))) == "reproduced"
    assert outcome(claim, Made(bench, error=improving(3))) == "contradicted"
    short = bench_of("resnet20", levels=8, noises=(0.0,))
    (claim,) = fig2.highest_improving_level(short)
    assert outcome(claim, Made(short)) == "not judgeable at this scale"
    assert not list(fig2.highest_improving_level(bench_of("lenet")))


def test_noisy_loss_turns_at_a_tenth_of_the_weights():
    bench = bench_of("resnet20", levels=14, noises=(0.0, 0.3))
    above, below = fig4.around_a_tenth(bench, 0.3)

    def loss(turn):
        return lambda arm, noise, level: 1.0 if level == 0 else (0.5 if level < turn else 2.0)

    at_11, at_4 = (Made(bench, noisy_loss=loss(turn)) for turn in (11, 4))
    assert (outcome(above, at_11), outcome(below, at_11)) == ("reproduced", "reproduced")
    assert (outcome(above, at_4), outcome(below, at_4)) == ("contradicted", "reproduced")
    short = bench_of("resnet20", levels=6, noises=(0.0, 0.3))
    assert {outcome(claim, Made(short)) for claim in fig4.around_a_tenth(short, 0.3)} == {"not judgeable at this scale"}


def test_the_paper_s_counts_over_benchmarks_can_be_reproduced_and_contradicted():
    first, second = bench_of("vgg16"), bench_of("resnet20", replicates=3, fits=0.0, rewind="1ep")
    study = across.counted([first, second], settings=SMOKE, scale="two benchmarks")
    helps, no_worse, *_ = study.claims
    assert [claim.name for claim in study.claims] == [
        "pruning-helps-count",
        "sparse-is-never-worse-count",
        "extended-is-worse-count",
        "width-is-worse-count",
    ]

    def made(of_first, of_second):
        both = Made(first, error=of_first)
        both.values |= Made(second, error=of_second).values
        return both

    def equal(arm, noise, level):
        return 10.0

    better = gains(dict.fromkeys(NOISES, 4.0))
    gained, same = made(better, better), made(equal, equal)
    harmed = made(lambda arm, noise, level: 10.0 + 5 * (arm == "pruned" and level > 0), equal)
    assert (outcome(helps, gained), outcome(helps, same)) == ("reproduced", "inconclusive")
    assert (judge(no_worse, gained, study.rule).paper, outcome(no_worse, gained)) == ("reproduced", "reproduced")
    assert (judge(no_worse, same, study.rule).paper, outcome(no_worse, harmed)) == ("reproduced", "contradicted")
    assert {claim.basis for claim in study.claims} == {"proposed"}
    behind = {row["series"] for row in study.figures[0].table(gained) if round(row["behind"]) == 4}
    assert behind == {"dense", "extended dense", "width-scaled"}
    with pytest.raises(UsageError, match="names one twice"):
        across.build(across.Settings(benchmarks=("digits", "digits")), "smoke")


def test_counts_are_judged_over_the_benchmarks_that_can_be_judged():
    fitting, other = bench_of("vgg16"), bench_of("resnet20", fits=101.0, rewind="1ep")
    study = across.counted([fitting, other], settings=SMOKE, scale="two benchmarks")
    made, more = (
        Made(fitting, error=gains(dict.fromkeys(NOISES, 4.0))),
        Made(other, error=gains(dict.fromkeys(NOISES, 4.0))),
    )
    made.values |= more.values
    width = named(study.claims, "width-is-worse-count")
    verdict = judge(width, made)
    assert (verdict.n, verdict.interval_rule) == (1, "reproduced")
    assert "each of the benchmarks could be judged: needs at least 2, measured 1" in verdict.why
    helps = judge(named(study.claims, "pruning-helps-count"), made)
    assert (helps.n, helps.interval_rule) == (6, "reproduced")  # what a clean set asks for is not asked of noisy ones
    made.failed |= {p.test.id for p in other.row("dense", 0.6, 0)}
    assert judge(named(study.claims, "pruning-helps-count"), made).n == 4  # both have this dense network


def test_whether_noise_is_memorized_is_a_caution_but_where_the_sentence_presupposes_it():
    bench = bench_of("resnet20")
    made = Made(bench, error=gains(dict.fromkeys(NOISES, 4.0)))
    for p in bench.points:
        made.values[p.train.id]["noisy_error"] = 0.9
    helps = judge(named(fig3.helps(bench), "pruning-helps-60"), made)
    assert helps.interval_rule == "reproduced" and "caution: at 60 % label noise" in helps.why
    falls = judge(named(fig4.gives_up(bench, 0.6), "noisy-loss-falls-first-60"), made)
    assert falls.interval_rule == "not judgeable at this scale" and "memorized" in falls.why


def test_a_network_is_not_compared_with_itself():
    """Where every arm is best as the dense network, differences are exactly 0 and say nothing."""
    bench = bench_of("lenet", noises=(0.0, 0.15))
    dense_best = Made(bench, error=lambda arm, noise, level: 10.0 + level)
    every = [*fig6.beside_pruning(bench), *fig6.numbers(bench), *fig7.beside_pruning(bench), *fig7.numbers(bench)]
    compared = [claim for claim in every if claim.name != "width-helps-15"]
    assert {outcome(claim, dense_best) for claim in compared} == {"not judgeable at this scale"}
    extended_best = Made(bench, error=lambda arm, noise, level: 10.0 - level * (arm == "extended"))
    matches = named(every, "extended-matches")
    assert outcome(matches, extended_best) == "reproduced"  # it matches or exceeds


def test_what_pruning_costs_on_original_examples_is_judged():
    bench = bench_of("vgg16")
    claim = named(fig4.gives_up(bench, 0.3), "original-loss-kept-30")
    made = Made(bench, error=gains(dict.fromkeys(NOISES, 4.0)))
    assert claim.basis == "paper" and claim.region.by_paper(claim.quantity(made)) == "reproduced"
    for p in bench.row("pruned", 0.3, 2):
        made.values[p.train.id]["original_loss"] = 0.3 + 0.01 * p.replicate
    assert outcome(claim, made) == "contradicted"


def test_a_stretched_schedule_is_run_only_where_it_differs_from_replays():
    constant = bench_of("lenet")
    assert "stretched" not in controls.controls(constant, 0.0)
    assert any("constant" in note for note in controls._notes(constant))
    drops = Milestones(lr=0.1, drops=("1ep",))
    varied = replace(constant, base=constant.base.replace(schedule=drops), rewind="0ep")
    made = controls.controls(varied, 0.0)["stretched"].levels
    assert all(isinstance(run.schedule, Stretched) for (run, *_) in made.values())
    clock, longest = made[3][0].clock(), varied.base.clock().total * 4
    rates = {made[3][0].schedule.at(step, clock) for step in (0, longest // 2 - 1)}
    assert clock.total == longest and rates == {0.1}
    assert made[3][0].schedule.at(longest // 2, clock) == pytest.approx(0.01)
    replays = extended(varied.base, levels=3, rewind="0ep")
    assert replays[1].schedule.at(clock.total // 8, replays[1].clock()) == pytest.approx(0.01)


def test_notes_name_what_is_proposed():
    assert any("5 % only" in note for note in settings.notes(SMOKE.replace(benchmark="lenet")))
    assert "never tried" in settings.words(SMOKE.replace(benchmark="resnet50"), "laptop")
    assert "never tried" not in settings.words(SMOKE.replace(benchmark="lenet"), "laptop")


@pytest.mark.parametrize(("wrong", "said"), [([1, 2, 5], "reproduced"), ([0, 2, 5], "not judgeable at this scale")])
def test_where_no_example_is_left_out_nothing_is_said_of_retraining(wrong, said):
    bench = bench_of("lenet", noises=(0.0, 0.15))
    made = Made(bench, error=gains({0.0: 0.0, 0.15: 2.0}))
    case = leave_out.cases(bench, [0.15], (app_e.WRONG, app_e.NOISY, app_e.RANDOM))[0]
    for replicate, count in enumerate(wrong):
        right = np.arange(20) >= count
        made.values[case.sparse_examples[replicate].id] = {"correct": right}
        retrained = case.error(app_e.WRONG).nodes[replicate]
        made.values[retrained.id] = {"error": 0.35 + 0.001 * replicate}
    helps = named(app_e._claims(case), "removal-helps-15")
    assert outcome(helps, made) == said
