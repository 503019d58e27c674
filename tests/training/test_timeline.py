"""What an intervention may ask for at an event, and when it may act."""

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call

from prunescope.base.errors import UsageError
from prunescope.training.interventions import At, Every, Prune
from prunescope.training.loop import Stepper
from prunescope.training.run import train
from prunescope.training.timeline import EventContext, Timeline


def test_the_dense_gradient_is_that_of_the_mean_loss_over_the_next_batches(lab):
    program = lab.program(Prune(when=At(at="5it")))
    progress = lab.begin(program, sparsity=0.5)
    progress = progress.replace(state=progress.state.replace(step=5))
    context = EventContext(Timeline(program, (), ()), progress, 0)
    found = context.gradient(progress.state.weights, 2)
    stepper = Stepper(program)
    (x1, y1), (x2, y2) = stepper.batch(5), stepper.batch(6)  # 8 examples, and the last 2 of the epoch
    assert (len(y1), len(y2)) == (8, 2)
    leaves = {n: p.double().requires_grad_() for n, p in progress.state.weights.params.items()}
    module = program.problem.model.network.build().double()
    loss = F.cross_entropy(functional_call(module, leaves, (torch.cat([x1, x2]).double(),)), torch.cat([y1, y2]))
    expected = torch.autograd.grad(loss, list(leaves.values()))
    for (name, grad), reference in zip(found.items(), expected, strict=True):
        torch.testing.assert_close(grad.double(), reference, rtol=1e-4, atol=1e-6)
        if name in progress.state.weights.masks:
            assert bool((grad[~progress.state.weights.masks[name]] != 0).any())


@pytest.mark.parametrize(
    ("when", "match"),
    [
        (At(at="21it"), "'21it' is step 21, but the run has 20 steps"),
        (At(at="3ep"), "21"),
        (Every(start="0it", end="30it", period="5it"), "30it"),
        (Every(start="0it", end="10it", period="0it"), "at least '1it'"),
        (Every(start="9it", end="3it", period="1it"), "exchange them"),
    ],
)
def test_events_beyond_the_run_are_refused_before_the_first_step(lab, when, match):
    program = lab.program(Prune(when=when))
    with pytest.raises(UsageError, match=match):
        train(program, lab.begin(program), beat=lambda progress: pytest.fail("a step was taken"))
