"""Any module on any data under any loss: a step with a finite loss, or a UsageError; never an error of ours."""

import functools
import random
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_modules import MODULES
from torch.nn import functional as F

from prunescope import (
    SGD,
    Adam,
    Binary,
    Classes,
    Constant,
    MultiLabel,
    Prune,
    Recipe,
    Regression,
    Sequence,
    Task,
    ensure,
)
from prunescope.base.errors import Diverged, PrunescopeError, UsageError
from prunescope.measures import Risk
from prunescope.runs.execution.ensure import FailedRuns
from prunescope.runs.graph.families import at_init, final
from prunescope.runs.graph.nodes import Reading
from prunescope.runs.store.results import Failed

pytestmark = pytest.mark.filterwarnings("ignore")


class Examples(torch.utils.data.Dataset):
    def __init__(self, x, y, fail=None):
        self.x, self.y, self.fail = x, y, fail

    def __len__(self):
        return len(self.x)

    def __getitem__(self, row):
        if row == self.fail:
            raise OSError("no such picture")
        return self.x[row], self.y[row]


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


INPUTS = {
    "vectors": lambda n: draw(n, 8),
    "images": lambda n: draw(n, 1, 8, 8),
    "sequences": lambda n: draw(n, 4, 8),
    "tokens": lambda n: torch.arange(n * 6).reshape(n, 6) % 20,
    "large tokens": lambda n: torch.arange(n * 6).reshape(n, 6) * 10**9,
    "negative tokens": lambda n: torch.arange(n * 6).reshape(n, 6) - 5,
    "numpy": lambda n: draw(n, 8).numpy(),
    "float64": lambda n: draw(n, 8).double().numpy(),
    "list": lambda n: draw(n, 8).tolist(),
    "ragged": lambda n: [[0.0] * (1 + row % 3) for row in range(n)],
    "flat": lambda n: draw(n),
    "bytes": lambda n: torch.zeros(n, 8, dtype=torch.uint8),
    "bits": lambda n: draw(n, 8) > 0,
    "texts": lambda n: ["text"] * n,
    "nothing": lambda n: None,
    "not a number": lambda n: draw(n, 8).log(),
    "infinite": lambda n: draw(n, 8) / 0,
    "too large": lambda n: draw(n, 8).double() * 1e300,
    "large": lambda n: draw(n, 8) * 1e30,
    "zeros": lambda n: torch.zeros(n, 8),
    "no width": lambda n: torch.zeros(n, 0),
    "none": lambda n: torch.zeros(0, 8),
    "one fewer": lambda n: draw(n - 1, 8),
    "sparse": lambda n: draw(n, 8).to_sparse(),
    "complex": lambda n: draw(n, 8).to(torch.complex64),
    "with a graph": lambda n: draw(n, 8).requires_grad_(),
    "dictionary": lambda n: {"a": draw(n, 8), "b": torch.arange(n)},
    "masked tokens": lambda n: {"x": torch.arange(n * 6).reshape(n, 6) % 20, "mask": torch.zeros(n, 6).bool()},
    "two": lambda n: (draw(n, 8), draw(n, 8)),
}
LABELS = {
    "classes": lambda n: torch.arange(n) % 3,
    "two classes": lambda n: torch.arange(n) % 2,
    "numpy": lambda n: np.arange(n, dtype=np.int32) % 3,
    "texts": lambda n: [("ape", "bee", "cod")[row % 3] for row in range(n)],
    "from 1": lambda n: torch.arange(n) % 3 + 1,
    "negative": lambda n: torch.arange(n) % 3 - 1,
    "gaps": lambda n: torch.arange(n) % 3 * 5,
    "many": lambda n: torch.arange(n),
    "one class": lambda n: torch.zeros(n, dtype=torch.int64),
    "bits": lambda n: torch.arange(n) % 2 == 0,
    "column": lambda n: (torch.arange(n) % 3)[:, None],
    "one-hot": lambda n: F.one_hot(torch.arange(n) % 3),
    "floats": lambda n: draw(n),
    "pairs": lambda n: draw(n, 3),
    "not a number": lambda n: draw(n).log(),
    "for tokens": lambda n: torch.arange(n * 6).reshape(n, 6) % 3,
    "all ignored": lambda n: torch.full((n, 6), -100),
    "fewer": lambda n: torch.arange(max(0, n - 2)) % 3,
    "nothing": lambda n: None,
    "mixed": lambda n: [None, *range(n - 1)],
}
TARGETS = [Classes(), Binary(), MultiLabel(), Regression(), Sequence(), Sequence(classes_at="second")]


def mean(outputs, y):
    return F.cross_entropy(outputs, y)


def none(outputs, y):
    return None


def wrong(outputs, y):
    raise ValueError("mine")


def zero(outputs, y):
    return outputs.sum() * 0 + torch.zeros(len(y))


def bad(outputs, y):
    return outputs.flatten(1).sum(1) * float("nan")


def three(outputs, y, more):
    return outputs.flatten(1).sum(1)


def huge(outputs, y):
    return outputs.flatten(1).square().sum(1) * 1e30


LOSSES = [None] * 6 + [f"{__name__}:{f.__name__}" for f in (mean, none, wrong, zero, bad, three, huge)]
LOSSES += ["nowhere:loss", "no path", "prunescope.tasks.losses:squared_error"]
OPTIONS = {
    "output": [None] * 8 + [0, 1, 9, "logits", "b"],
    "prunable": [None] * 6 + ["*", "nothing", [], ["*weight"], lambda name, leaf: True, lambda name, leaf: False, 3],
    "classes": [None] * 6 + [0, 2, 3, 50, -1],
    "class_names": [None] * 6 + [["a", "b", "c"], ["a", "a"], {0: "a", 1: "b", 2: "c"}, [], {"ape": "x"}],
    "groups": [None] * 6
    + [{"site": (None, ["a"] * 8)}, {"site": ["a"] * 3}, {"site": None}, {}, {"site": ([0.5] * 20, None)}],
    "weights": [None] * 6 + [torch.ones(20), [1.0] * 3, -torch.ones(20), torch.zeros(20), ["a"] * 20],
    "validation": [0] * 6 + [5, 19, 20, -1],
}
HOLDERS = {
    "pair": lambda x, y: (x, y),
    "set": Examples,
    "failing set": lambda x, y: Examples(x, y, fail=3),
    "loader": lambda x, y: torch.utils.data.DataLoader(Examples(x, y), batch_size=3),
    "rows": lambda x, y: list(zip(x, y, strict=False)),
    "dictionary": lambda x, y: {"x": x, "y": y},
    "three": lambda x, y: (x, y, y),
    "x alone": lambda x, y: x,
}


def a(options):
    return st.sampled_from(sorted(options) if isinstance(options, dict) else range(len(options)))


PLAIN = {"module": "linear", "train": "vectors", "test": None, "y": "classes", "target": 0, "loss": 0}
PLAIN |= {"holder": "pair", "count": 20, "batch": 4, "drop_last": False, "pruned": True, "adam": False}
PLAIN |= dict.fromkeys(OPTIONS, 0)
FITTING = [
    *(
        PLAIN | {"module": name}
        for name in ("linear", "batch norm", "weight norm", "pruned", "instance", "own matrices")
    ),
    *(PLAIN | {"module": f"ends: {name}"} for name in ("object", "drawn in training", "looks at data")),
    PLAIN | {"module": "ends: tuple", "output": OPTIONS["output"].index(1)},
    PLAIN | {"module": "attention", "train": "tokens"},
    PLAIN | {"module": "attention", "train": "masked tokens"},
    PLAIN | {"module": "sequences", "train": "tokens", "y": "for tokens", "target": 4},
    PLAIN | {"module": "gru", "train": "tokens", "y": "for tokens", "target": 4},
    PLAIN | {"module": "convolutions", "train": "images"},
    PLAIN | {"module": "1 outputs", "y": "floats", "target": 3},
    PLAIN | {"module": "1 outputs", "y": "two classes", "target": 1},
    PLAIN | {"module": "ends: tensor", "y": "pairs", "target": 3},
    PLAIN | {"module": "ends: tensor", "y": "one-hot", "target": 2},
    PLAIN | {"module": "two inputs", "train": "two"},
]
CHANGES = {"module": a(MODULES), "train": a(INPUTS), "test": a(INPUTS), "y": a(LABELS), "target": a(TARGETS)}
CHANGES |= {"loss": a(LOSSES), "holder": a(HOLDERS), "count": st.sampled_from([17, 1, 2])}
CHANGES |= {"batch": st.sampled_from([16, 1, 100]), "drop_last": st.just(True), "pruned": st.just(False)}
CHANGES |= {"adam": st.just(True)} | {name: a(values) for name, values in OPTIONS.items()}
CHANGE = st.sampled_from(sorted(CHANGES)).flatmap(lambda name: st.tuples(st.just(name), CHANGES[name]))
CASE = st.builds(lambda case, changes: case | dict(changes), st.sampled_from(FITTING), st.lists(CHANGE, max_size=3))
"""What trains, with up to three things changed."""


def outcome(case, folder):
    """What becomes of a case: "trains", or the UsageError; anything else is raised."""
    torch.manual_seed(0), random.seed(0), np.random.seed(0)  # noqa: NPY002
    count = case["count"]
    hold = HOLDERS[case["holder"]]
    try:
        try:
            train, test = INPUTS[case["train"]](count), INPUTS[case["test"] or case["train"]](8)
            held = hold(train, LABELS[case["y"]](count)), hold(test, LABELS[case["y"]](8))
        except TypeError:  # what cannot even be held that way
            return "no case"
        task = Task.from_module(
            MODULES[case["module"]],
            train=held[0],
            test=held[1],
            target=TARGETS[case["target"]],
            loss=LOSSES[case["loss"]],
            **{name: values[case[name]] for name, values in OPTIONS.items()},
        )
        recipe = Recipe(
            task=task,
            optimizer=Adam() if case["adam"] else SGD(momentum=0.9),
            schedule=Constant(lr=0.01),
            batch=case["batch"],
            length="3it",
            drop_last=case["drop_last"],
        )
        run = at_init(recipe, Prune()) if case["pruned"] else recipe
        reading = Reading(measure=Risk(split="train"), state=final(run))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FailedRuns)
            values = ensure(reading, store=folder, workers=1)[reading]
        assert np.isfinite(values["loss"]), "a step with a loss that is no number was called done"
    except UsageError as problem:
        assert str(problem).strip() and "Traceback" not in str(problem)
        return "refused"
    except (Failed, Diverged) as problem:
        assert "the training loss is" in str(problem), problem
        return "diverged"
    return "trains"


def check(case):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_DATA", str(Path(folder) / "data"))
        try:
            return outcome(case, Path(folder) / "store")
        except PrunescopeError as problem:
            raise AssertionError(f"an error of ours: {type(problem).__name__}: {problem}") from problem


common = functools.partial(settings, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


@common(max_examples=60, derandomize=True)
@given(CASE)
def test_a_step_or_a_usage_error(case):
    check(case)


@pytest.mark.slow
@common(max_examples=1000)
@given(CASE)
def test_a_thousand_steps_or_usage_errors(case):
    check(case)


@pytest.mark.parametrize("case", FITTING, ids=lambda case: f"{case['module']}, {case['train']}, {case['y']}")
def test_what_fits_trains(case):
    assert check(case) == "trains"
