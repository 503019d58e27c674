"""The contract of every probe, and what the rows say."""

import pytest
import torch

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.steps import Clock
from prunescope.measures import Risk
from prunescope.runs.graph.nodes import Watch
from prunescope.tasks.evaluation import evaluate
from prunescope.training.interventions import At, Noise
from prunescope.training.optim import SGD
from prunescope.training.optimizers.wrapper import Averaged
from prunescope.training.probes import AroundEvents, AverageCurve, Curve, EpochAccuracy, Probe, RecalibratedAccuracy
from prunescope.training.run import train

SETTINGS: dict[type[Probe], Probe] = {
    Curve: Curve(split="test"),
    AverageCurve: AverageCurve(split="train"),
    AroundEvents: AroundEvents(split="train"),
    EpochAccuracy: EpochAccuracy(split="test", limit=15),
    RecalibratedAccuracy: RecalibratedAccuracy(split="train", limit=30, batches=3, batch=8),
    Watch: Watch(measure=Risk(split="test")),
}
RULE = Averaged(optimizer=SGD(momentum=0.9))  # some probes look at its average
every = pytest.mark.parametrize("probe", SETTINGS.values(), ids=lambda value: type(value).__name__)


def test_every_probe_of_the_package_has_a_setting_here(leaves):
    assert leaves(Probe) == set(SETTINGS)


@every
def test_a_probe_cannot_change_a_run(lab, probe):
    program = lab.program(Noise(std=0.1, when=At(at="9it")), problem=lab.batchnorm, optimizer=RULE)
    plain = train(program, lab.begin(program))
    seen = train(program, lab.begin(program), probes=(probe,))
    assert tree.equal(seen.state.weights.params, plain.state.weights.params)
    assert tree.equal(seen.state.weights.buffers, plain.state.weights.buffers)
    assert seen.traces[probe.id] and plain.traces == {}


@every
def test_rows_are_plain_numbers_from_a_state_that_is_left_alone(lab, probe):
    program = lab.program(problem=lab.batchnorm, optimizer=RULE)
    state = lab.begin(program, sparsity=0.3).state
    weights, random = state.weights, torch.get_rng_state()
    copies = [tree.clone(part) for part in (weights.params, weights.buffers, weights.masks)]
    row = probe.observe(program.problem, state, 0.25)
    assert row == probe.observe(program.problem, state, 0.25)
    assert row and all(type(value) is float for value in row.values())
    parts = (weights.params, weights.buffers, weights.masks)
    assert all(tree.equal(part, copy) for part, copy in zip(parts, copies, strict=True))
    assert torch.equal(random, torch.get_rng_state())


@pytest.mark.parametrize(
    ("every_", "steps"),
    [
        ("1ep", (7, 14, 20)),
        ("10it", (10, 20)),
        ("50%", (10, 20)),
        ("9ep", (20,)),
        ("0it", tuple(range(1, 21))),
    ],
)
def test_a_curve_looks_after_each_period_and_at_the_end(every_, steps):
    assert Curve(every=every_).steps(Clock(7, 20)) == steps


def test_a_curve_says_what_evaluation_says(lab):
    program = lab.program()
    curve = Curve(split="train")
    ended = train(program, lab.begin(program, sparsity=0.3), probes=(curve,))
    last, weights = ended.traces[curve.id][-1], ended.state.weights
    seen = evaluate(program.problem, weights, program.problem.train)
    assert (last["loss"], last["error"], last["sparsity"]) == (seen.risk, seen.error, weights.sparsity)
    assert 0.2 < last["sparsity"] < 0.4


def test_both_sides_of_an_event_are_seen(lab):
    program = lab.program(Noise(std=5.0, when=At(at="9it")))
    probe = AroundEvents()
    rows = train(program, lab.begin(program), probes=(probe,)).traces[probe.id]
    assert [(row["local"], row["phase"]) for row in rows] == [(9, "before"), (9, "after")]
    assert rows[1]["loss"] > rows[0]["loss"]


def test_a_split_that_holds_nothing_is_refused(lab):
    program = lab.program()
    with pytest.raises(UsageError, match="validation=N"):
        train(program, lab.begin(program), probes=(Curve(split="validation"),))


def test_epochs_are_seen_and_both_sides_of_every_onset_but_not_noise_that_goes_on(lab):
    longer = Noise(std=0.1, length="6it", when=At(at="9it"))
    program = lab.program(Noise(std=5.0, when=At(at="7it")), longer)
    probe = EpochAccuracy()
    rows = train(program, lab.begin(program), probes=(probe,)).traces[probe.id]
    seen = [(row["local"], row["phase"]) for row in rows]
    inside = [(9, "before"), (9, "after")]
    assert seen == [(7, "step"), (7, "after"), *inside, (14, "step"), (20, "step")]
    assert rows[1]["loss"] > rows[0]["loss"]


def test_a_limit_looks_at_the_first_examples(lab):
    program = lab.program()
    state = lab.begin(program).state
    few = EpochAccuracy(limit=7).observe(program.problem, state, 0.0)
    split = program.problem.test.at(torch.arange(7))
    assert few["loss"] == evaluate(program.problem, state.weights, split).risk
    whole = EpochAccuracy(limit="all").observe(program.problem, state, 0.0)
    assert whole == EpochAccuracy(limit=1000).observe(program.problem, state, 0.0) != few


def test_statistics_estimated_anew_are_seen_where_the_running_ones_are_stale(lab):
    program = lab.program(Noise(std=0.5, when=At(at="14it")), problem=lab.batchnorm)
    stale, fresh = EpochAccuracy(split="train"), RecalibratedAccuracy(split="train", batches=6, batch=8)
    traces = train(program, lab.begin(program), probes=(stale, fresh)).traces
    assert [row["phase"] for row in traces[fresh.id]] == ["before", "after"]
    after = next(row for row in traces[stale.id] if row["phase"] == "after")
    assert abs(traces[fresh.id][1]["loss"] - after["loss"]) > 1e-3


def test_a_look_costs_what_its_limit_says():
    assert Curve().examples(train=50, test=20) == 20
    assert Curve(split="train").examples(train=50, test=20) == 50
    assert EpochAccuracy(split="train", limit=30).examples(train=50, test=20) == 30
    assert EpochAccuracy(split="train", limit="all").examples(train=50, test=20) == 50
    assert EpochAccuracy(limit=30).examples(train=50, test=20) == 20
