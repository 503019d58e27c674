"""Any optimizer and scheduler of torch: its own numbers under masks, in every engine, and resumed bit by bit."""

from dataclasses import replace

import pytest
import torch
from practice_lab import STEPS, assert_equal_params, begun, by_loop, by_torch, check_every_engine

from prunescope.base.errors import UsageError
from prunescope.base.steps import Clock
from prunescope.runs.execution import checkpointer
from prunescope.training.engines.inplace import InPlace
from prunescope.training.interventions import At, Prune
from prunescope.training.optim import SGD, Adam
from prunescope.training.optimizers.torch_optimizer import TorchOptimizer
from prunescope.training.run import train
from prunescope.training.schedules import Constant, TorchSchedule


class Counting(torch.optim.Optimizer):
    """Keeps numbers that are no tensors, as many packages do."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    def step(self, closure=None):
        for group in self.param_groups:
            for leaf in group["params"]:
                state = self.state[leaf]
                state["step"], state["scale"] = state.get("step", 0) + 1, state.get("scale", 1.0) * 0.9
                leaf.data.add_(leaf.grad, alpha=-group["lr"] * state["scale"] / state["step"])


class Remembering(Counting):
    """Keeps a number where no parameter is."""

    def step(self, closure=None):
        self.param_groups[0]["k"] = self.param_groups[0].get("k", 0) + 1


class Apart(Counting):
    """Keeps a number beside the states of its parameters."""

    def step(self, closure=None):
        self.state["all"]["k"] = 1


class Inside(Counting):
    """Keeps a number in itself."""

    def step(self, closure=None):
        self.k = getattr(self, "k", 0) + 1


RULES = [
    ("torch.optim:SGD", {"momentum": 0.9, "dampening": 0.5}),
    ("torch.optim:SGD", {}),
    ("torch.optim:Adam", {"betas": [0.8, 0.9], "amsgrad": True}),
    ("torch.optim:RAdam", {}),
    ("torch.optim:NAdam", {}),
    ("torch.optim:RMSprop", {"momentum": 0.5}),
    ("torch.optim:Rprop", {}),
    ("torch.optim:Adagrad", {}),
    ("torch.optim:ASGD", {}),
    (f"{__name__}:Counting", {}),
]
rules = pytest.mark.parametrize(("path", "args"), RULES, ids=lambda value: str(value)[-30:])


def program_for(lab, path, args, *interventions, which="undrawn"):
    rule = TorchOptimizer(path=path, args=args)
    return lab.program(*interventions, problem=getattr(lab, which), optimizer=rule, schedule=Constant(lr=0.02))


@rules
def test_a_rule_equals_torchs(lab, path, args):
    program, weights = begun(lab, program_for(lab, path, args))

    def training(module, losses):
        make = Counting if "Counting" in path else getattr(torch.optim, path.partition(":")[2])
        optimizer = make(module.parameters(), lr=0.02, **args)
        for loss in losses:
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()

    expected = by_torch(program, weights, training)
    assert_equal_params(by_loop(program, weights).state.weights.params, expected)


@rules
def test_every_engine_takes_it(lab, path, args):
    check_every_engine(lab, program_for(lab, path, args, Prune(when=At(at="7it")), which="lenet"), tolerance=5e-3)


@rules
def test_a_run_that_was_stopped_goes_on_with_the_same_bits(lab, path, args, tmp_path):
    program = program_for(lab, path, args, Prune(when=At(at="7it")))
    start = lab.begin(program, sparsity=0.4)
    whole = train(program, start, engine=InPlace())
    half = train(program, start, engine=InPlace(), beat=lambda progress: progress.local < 5)
    assert 5 <= half.local < program.steps
    again = train(program, roundtrip(half, tmp_path), engine=InPlace())
    for name, leaf in whole.state.weights.params.items():
        assert torch.equal(leaf, again.state.weights.params[name])


def roundtrip(progress, tmp_path):
    """Through a checkpoint's file."""
    file = tmp_path / "checkpoint"
    file.write_bytes(checkpointer.checkpoint_to_bytes(checkpointer.Checkpoint(progress, frozenset(), 0.0)))
    return checkpointer.checkpoint_from_bytes(file.read_bytes(), "it").progress


def test_states_that_pruning_clears_are_known(lab):
    assert TorchOptimizer(path="torch.optim:Adam").slots == ("exp_avg", "exp_avg_sq")
    assert TorchOptimizer(path="torch.optim:SGD").slots == ()
    prune = Prune(when=At(at="7it"))
    end = by_loop(*begun(lab, program_for(lab, "torch.optim:Adam", {}, prune))).state
    for name, mask in end.weights.masks.items():
        assert bool((end.opt["exp_avg"][name][~mask] == 0).all()) and not bool(mask.all())


@pytest.mark.parametrize(
    ("path", "args", "message"),
    [
        ("torch.optim:Adamm", {}, "cannot be imported"),
        ("os:system", {}, "is no torch.optim.Optimizer"),
        ("torch.optim:Adam", {"momentum": 0.9}, r"refuses its arguments.*momentum"),
        ("torch.optim:Adam", {"lr": 0.9}, "which the schedule gives"),
        ("torch.optim:LBFGS", {}, "needs no closure"),
        ("torch.optim:SparseAdam", {}, "from dense gradients alone"),
        *((f"{__name__}:{name}", {}, "keeps a state that is of no") for name in ("Remembering", "Apart", "Inside")),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(path, args, message):
    with pytest.raises(UsageError, match=message):
        TorchOptimizer(path=path, args=args)


SCHEDULES = [
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 21, "cycle_momentum": False}, "it"),
    ("StepLR", {"step_size": 1, "gamma": 0.5}, "ep"),
    ("CosineAnnealingWarmRestarts", {"T_0": 4}, "it"),
    ("ExponentialLR", {"gamma": 0.9}, "it"),
]


@pytest.mark.parametrize(("name", "args", "each"), SCHEDULES)
def test_a_schedule_equals_torchs(name, args, each):
    clock = Clock(7, 20)
    ours = TorchSchedule(path=f"torch.optim.lr_scheduler:{name}", args=args, lr=0.1, each=each)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **args)
    for step in range(20):
        assert ours.at(step, clock) == optimizer.param_groups[0]["lr"]
        optimizer.step()
        if each == "it" or step % 7 == 6:
            scheduler.step()


def test_a_schedule_that_is_none_is_refused():
    clock = Clock(7, 20)
    for path, args, message in [
        ("torch.optim:SGD", {}, "is no LRScheduler"),
        ("torch.optim.lr_scheduler:OneCycleLR", {"max_lr": 0.3, "total_steps": 50}, "cycle_momentum=False"),
        ("torch.optim.lr_scheduler:StepLR", {}, "step_size"),
        ("torch.optim.lr_scheduler:ReduceLROnPlateau", {}, "metrics"),
        (
            "torch.optim.lr_scheduler:OneCycleLR",
            {"max_lr": 0.3, "total_steps": 9, "cycle_momentum": False},
            "position 10 of 20",
        ),
    ]:
        with pytest.raises(UsageError, match=message):
            TorchSchedule(path=path, args=args, lr=0.1, each="it").at(0, clock)


def test_torchs_sgd_is_ours(lab):
    theirs = program_for(lab, "torch.optim:SGD", {"momentum": 0.9, "weight_decay": 1e-3})
    mine = replace(theirs, optimizer=SGD(momentum=0.9, weight_decay=1e-3))
    ends = [by_loop(*begun(lab, program)).state.weights.params for program in (theirs, mine)]
    assert_equal_params(*ends)
    assert STEPS > 0 and Adam().slots == ("first", "second")
