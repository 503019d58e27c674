"""The moving average of the weights, against torch's own, under pruning, in every engine and where it is used."""

import pytest
import torch
from practice_lab import assert_equal_params, begun, by_loop, by_torch, check_every_engine
from torch.optim.swa_utils import get_ema_multi_avg_fn

from prunescope.base.errors import UsageError
from prunescope.tasks.evaluation import evaluate
from prunescope.training.engines.engine import Loop
from prunescope.training.interventions import At, Prune, UseAverage
from prunescope.training.optim import SGD, AdamW
from prunescope.training.optimizers.wrapper import Averaged, Clipped
from prunescope.training.probes import AverageCurve
from prunescope.training.run import train
from prunescope.training.schedules import Constant

RULE = Averaged(optimizer=SGD(momentum=0.9), decay=0.8)
RULES = [RULE, Averaged(optimizer=AdamW(), decay=0.9), Averaged(optimizer=Clipped(optimizer=SGD(), norm=0.1))]


def program_for(lab, *interventions, rule=RULE, which="undrawn"):
    problem = getattr(lab, which)
    return lab.program(*interventions, problem=problem, optimizer=rule, schedule=Constant(lr=0.05))


def test_the_average_equals_torchs_and_training_is_as_without(lab):
    program, weights = begun(lab, program_for(lab))
    update, average = get_ema_multi_avg_fn(0.8), {}

    def training(module, losses):
        optimizer = torch.optim.SGD(module.parameters(), lr=0.05, momentum=0.9)
        for loss in losses:
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
            now = {n.replace("_orig", ""): p.detach().clone() for n, p in module.named_parameters()}
            now = {n: p * weights.masks[n] if n in weights.masks else p for n, p in now.items()}
            if average:
                update(list(average.values()), list(now.values()), None)
            else:
                average.update(now)

    expected, end = by_torch(program, weights, training), by_loop(program, weights).state
    assert_equal_params(end.weights.params, expected)
    assert_equal_params(end.opt["average"], {name: average[name] for name in end.opt["average"]})


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule.optimizer).__name__)
@pytest.mark.parametrize("which", ["lenet", "undrawn"])
def test_every_engine_keeps_and_uses_it(lab, rule, which):
    end = check_every_engine(lab, program_for(lab, Prune(when=At(at="7it")), UseAverage(), rule=rule, which=which))
    for name, leaf in end.weights.params.items():
        assert torch.equal(leaf, end.opt["average"][name])
    for name, mask in end.weights.masks.items():
        assert bool((end.opt["average"][name][~mask] == 0).all()), "what pruning removes is removed from it"


def test_the_probe_evaluates_the_average_and_not_the_weights(lab):
    program, probe = program_for(lab), AverageCurve()
    start = lab.begin(program, sparsity=0.4)
    end = train(program, start, engine=Loop(), probes=(probe,))
    row, averaged = end.traces[probe.id][-1], end.state.weights.replace(params=end.state.opt["average"])
    expected, other = (evaluate(program.problem, w, program.problem.test).risk for w in (averaged, end.state.weights))
    assert row["loss"] == pytest.approx(expected) and abs(expected - other) > 1e-6
    before, weights = probe.observe(program.problem, start.state, 0.0), start.state.weights
    assert before["loss"] == pytest.approx(evaluate(program.problem, weights, program.problem.test).risk)


def test_a_run_without_an_average_is_refused(lab):
    program = program_for(lab, UseAverage(), rule=SGD())
    with pytest.raises(UsageError, match=r"keeps no average.*Averaged\(optimizer=SGD\(\)"):
        train(program, lab.begin(program), engine=Loop())
