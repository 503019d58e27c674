"""Training as people write it in PyTorch, in float64, to compare with."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from test_loop import in_float64, plain_batches
from test_overriding import FAST, SPARSE
from torch.nn.utils import prune

from prunescope.base.streams import derived, replicate
from prunescope.training.engines.engine import Loop
from prunescope.training.engines.inplace import InPlace
from prunescope.training.engines.stack import Stack
from prunescope.training.run import Member, begin, train, train_together

STEPS = 18


def by_torch(program, weights, train_module, *, batches=None, loss=F.cross_entropy):
    """Parameters after `train_module(module, losses)`, where losses are functions that return one batch's loss each.

    Removed weights are removed by torch's own pruning.
    """
    module = program.problem.model.network.build().train().double()
    with torch.no_grad():
        for name, leaf in module.named_parameters():
            leaf.copy_(weights.params[name])
    for name, mask in weights.masks.items():
        prune.custom_from_mask(module.get_submodule(name.removesuffix(".weight")), "weight", mask)

    def closure(step, x, y):
        def of_batch():
            with torch.random.fork_rng():
                torch.manual_seed(derived(0, "forward", step))
                return loss(module(x), y)

        return of_batch

    given = batches or plain_batches(program.problem, STEPS)
    train_module(module, [closure(step, x, y) for step, (x, y) in enumerate(given)])
    for name in weights.masks:
        prune.remove(module.get_submodule(name.removesuffix(".weight")), "weight")
    return {name: leaf.detach() for name, leaf in module.named_parameters()}


def begun(lab, program, sparsity=0.4):
    """The program in float64, and its weights."""
    program = replace(program, problem=lab.double(program.problem), clock=replace(program.clock, total=STEPS))
    program = replace(program, optimizer=program.optimizer.bound(program.problem.model.parameters))
    return program, in_float64(lab.weights(program, sparsity=sparsity))


def by_loop(program, weights):
    return train(program, begin(program, weights, 0), engine=Loop())


def assert_equal_params(ours, theirs, tolerance=1e-9):
    assert ours.keys() == theirs.keys()
    for name, leaf in ours.items():
        torch.testing.assert_close(leaf, theirs[name], rtol=tolerance, atol=tolerance, msg=name)


def check_every_engine(lab, program, sparsity=0.4, tolerance=1e-3):
    """In float32: in place the same bits, other products and a stack to rounding; removed weights are 0 in all."""
    program = replace(program, optimizer=program.optimizer.bound(program.problem.model.parameters))
    start = lab.begin(program, sparsity=sparsity)
    loop = train(program, start, engine=Loop()).state
    again = train(program, start, engine=InPlace()).state
    fast = replace(program, problem=replace(program.problem, kernels=FAST))
    sparse = replace(program, problem=replace(program.problem, kernels=SPARSE))
    members = [
        Member(p, lab.begin(p, seed=k, sparsity=sparsity))
        for k, p in enumerate((sparse, replace(sparse, seeds=replicate(1))))
    ]
    train_together(members, Stack(size=8))
    ends = {"fast": train(fast, start, engine=InPlace()).state, "stack": members[0].progress.state}
    assert_equal_params(again.weights.params, loop.weights.params, 0.0)
    for name, end in {"loop": loop, **ends}.items():
        assert_equal_params(end.weights.params, loop.weights.params, tolerance)
        assert end.opt.keys() == loop.opt.keys(), name
        for layer, mask in end.weights.masks.items():
            assert bool((end.weights.params[layer][~mask] == 0).all()), name
    return loop
