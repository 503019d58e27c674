"""Every kind of target against plain numpy (`by_numpy`), and what each refuses."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from by_numpy import FEATURES, LR, NAMES, N, case, numbers, recipe_of, run_start, sigmoid, trained
from torch import nn

from prunescope.base.errors import UsageError
from prunescope.base.reference import FINAL
from prunescope.measures import (
    EL2N,
    ClassRisk,
    Examples,
    GradientTrace,
    GraNd,
    Halves,
    HessianTraceEstimate,
    Labels,
    OutOfSample,
    Risk,
    Sample,
    SeenUnseen,
)
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Reading
from prunescope.runs.machine.inspections import inspect
from prunescope.tasks.targets import Binary, Classes, MultiLabel, Regression, Sequence
from prunescope.tasks.task import Task
from prunescope.training.schedules import Constant


@pytest.mark.parametrize("engine", ["loop", None])
@pytest.mark.parametrize("name", NAMES)
def test_a_target_is_trained_and_judged_as_plain_numpy_does(name, engine, store):
    made = case(name)
    run = recipe_of(made)
    risk, half, each = (
        Reading(measure=measure, state=final(run)) for measure in (Risk(split="train"), Halves(), Examples())
    )
    results = ensure(risk, half, each, store=store, workers=1, engine=engine)
    start = [leaf.detach().numpy() for leaf in run_start(made)]
    weight, bias = trained(made, *start)
    end = list(store.weights(run.id, FINAL.id).params.values())
    np.testing.assert_allclose(end[0].numpy().T, weight, rtol=1e-3, atol=1e-4)
    assert np.abs(weight - start[0].T).max() > 0.1, "training moves the weights"
    weight, bias = end[0].double().numpy().T, end[1].double().numpy()
    loss, error, _ = made.reference(made.x.double().numpy() @ weight + bias, made.y.numpy())
    assert float(results[risk]["loss"]) == pytest.approx(loss.mean(), rel=1e-5)
    assert float(results[risk]["error"]) == pytest.approx(error.mean(), abs=1e-6)
    assert float(results[half]["odd_error"]) == pytest.approx(error[1:20:2].mean(), abs=1e-6)
    np.testing.assert_allclose(results[each]["loss"], loss, rtol=1e-4, atol=1e-6)
    judged = 1.0 - results[each]["correct"] if "correct" in results[each] else results[each]["error"]
    np.testing.assert_allclose(judged, error, atol=1e-6)


@pytest.mark.parametrize("engine", ["loop", None])
@pytest.mark.parametrize("name", ["classes", "bit", "number", "tokens"])
def test_weights_of_examples_count_while_training_and_in_no_error(name, engine, store):
    made = case(name)
    importance = np.linspace(0, 3, N)
    task = Task.from_module(
        made.net,
        train=(made.x, made.y),
        test=(made.x[:20], made.y[:20]),
        target=made.target,
        weights=importance,
    )
    run = recipe_of(made, task=task)
    nodes = [Reading(measure=measure, state=final(run)) for measure in (Risk(split="train"), Examples(), Labels())]
    risk, each, labels = (ensure(nodes, store=store, workers=1, engine=engine)[node] for node in nodes)
    start = [leaf.detach().numpy() for leaf in run_start(made)]
    weight, bias = trained(made, *start, importance=importance)
    end = list(store.weights(run.id, FINAL.id).params.values())
    np.testing.assert_allclose(end[0].numpy().T, weight, rtol=1e-3, atol=1e-4)
    assert np.abs(trained(made, *start)[0] - weight).max() > 0.01, "the weights of the examples matter"
    weight, bias = end[0].double().numpy().T, end[1].double().numpy()
    loss, error, _ = made.reference(made.x.double().numpy() @ weight + bias, made.y.numpy())
    assert float(risk["error"]) == pytest.approx(error.mean(), abs=1e-6)
    np.testing.assert_allclose(each["loss"], loss, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(labels["label"], made.y.numpy())


def test_weighted_examples_have_classes_and_label_noise_and_refuse_what_their_target_does(store):
    made = case("classes")
    task = Task.from_module(made.net, train=(made.x, made.y), test=(made.x, made.y), weights=np.arange(N))
    noisy = recipe_of(made, task=task.replace(data=task.data.replace(label_noise=0.25)))
    nodes = [Reading(measure=m, state=final(noisy)) for m in (ClassRisk(split="train"), EL2N(), Labels())]
    classes, el2n, labels = (ensure(nodes, store=store, workers=1)[node] for node in nodes)
    assert (labels["label"] != labels["clean"]).sum() == 15 and labels["clean"].tolist() == made.y.tolist()
    assert classes["examples"].tolist() == np.bincount(labels["label"], minlength=3).tolist()
    assert el2n["el2n"].shape == (N,)
    made = case("numbers")
    both = {"train": (made.x, made.y), "test": (made.x, made.y), "target": Regression()}
    with pytest.raises(UsageError, match="EL2N needs one class an example"):
        Reading(
            measure=EL2N(),
            state=final(recipe_of(made, task=Task.from_module(made.net, **both, weights=[1.0] * N))),
        )
    for weights, words in (
        ([-1.0] * N, "not negative"),
        ([0.0] * N, "not all 0"),
        ([1.0] * 3, "3 of weights"),
    ):
        with pytest.raises(UsageError, match=words):
            Task.from_module(made.net, **both, weights=weights)


@pytest.mark.parametrize("name", ["bits", "tokens"])
def test_runs_that_train_in_one_program_are_the_same(name, store):
    made = case(name)
    runs = [recipe_of(made), recipe_of(made, schedule=Constant(lr=LR / 2))]
    ensure(runs, store=store, workers=1, engine="lean", stack=2)
    first = [leaf.detach().numpy() for leaf in run_start(made)]
    weight, _ = trained(made, *first)
    np.testing.assert_allclose(
        store.weights(runs[0].id, FINAL.id).params["weight"].numpy().T, weight, rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("name", NAMES)
def test_gradients_and_curvature_of_a_target_equal_autograd_in_float64(name, store):
    made = case(name)
    run = recipe_of(made, length="3it")
    sample = Sample(split="train", examples=6, precision="float64")
    nodes = [
        Reading(measure=measure, state=final(run))
        for measure in (
            GraNd(),
            GradientTrace(sample=sample),
            HessianTraceEstimate(sample=sample, probes=100),
        )
    ]
    grand, c, h = (ensure(node, store=store, workers=1)[node] for node in nodes)
    weight, bias = (leaf.double().numpy() for leaf in store.weights(run.id, FINAL.id).params.values())
    x, y = made.x.double().numpy(), made.y.numpy()

    def gradients(weight, bias):
        slope = made.reference(x @ weight.T + bias, y)[2].reshape(N, -1, len(bias))
        return np.concatenate(
            [np.einsum("nto,nti->noi", slope, x.reshape(N, -1, FEATURES)).reshape(N, -1), slope.sum(1)],
            axis=1,
        )

    squares = (gradients(weight, bias) ** 2).sum(1)
    np.testing.assert_allclose(grand["grand"], np.sqrt(squares), rtol=1e-4, atol=1e-6)
    assert float(c["trace"]) == pytest.approx(squares[:6].mean(), rel=1e-4)
    flat, step, trace = np.concatenate([weight.ravel(), bias]), 1e-5, 0.0
    for place in range(len(flat)):
        for sign in (1, -1):
            moved = flat.copy()
            moved[place] += sign * step
            there = gradients(moved[: weight.size].reshape(weight.shape), moved[weight.size :])
            trace += sign * there[:6, place].mean() / (2 * step)
    assert abs(float(h["trace"]) - trace) < 3 * float(h["error"]) < 0.6 * trace


@pytest.mark.parametrize("name", ["bits", "numbers", "tokens"])
def test_what_a_target_cannot_have_is_refused_by_name_before_anything_runs(name):
    made = case(name)
    run, kind = recipe_of(made), type(made.target).__name__
    for measure, words in (
        (EL2N(), "EL2N needs"),
        (ClassRisk(), "every class needs"),
        (OutOfSample(), "of the label needs"),
        (SeenUnseen(), "gets right needs"),
    ):
        with pytest.raises(UsageError, match=f"{words}.* the target of the task is {kind}"):
            Reading(measure=measure, state=final(run))
    if kind == "Regression":
        with pytest.raises(
            UsageError, match=r"the study .* needs an error that is a fraction, not one in the unit of y"
        ):
            run.task.target.require_shares("the study of mine")
    else:
        run.task.target.require_shares("the study of mine")
    with pytest.raises(UsageError, match=f"label noise needs one class an example, .* is {kind}"):
        run.task.replace(data=run.task.data.replace(label_noise=0.1))


def test_one_logit_has_classes_el2n_and_label_noise(store):
    made = case("bit")
    run = recipe_of(made)
    noisy = run.replace(task=run.task.replace(data=run.task.data.replace(label_noise=0.25)))
    nodes = [Reading(measure=measure, state=final(run)) for measure in (EL2N(), ClassRisk(split="train"))]
    nodes.append(Reading(measure=Risk(split="train"), state=final(noisy)))
    el2n, classes, risk = (ensure(nodes, store=store, workers=1)[node] for node in nodes)
    weight, bias = (leaf.double().numpy() for leaf in store.weights(run.id, FINAL.id).params.values())
    z, y = (made.x.double().numpy() @ weight.T + bias)[:, 0], made.y.numpy()[:, 0]
    np.testing.assert_allclose(el2n["el2n"], np.sqrt(2) * np.abs(sigmoid(z) - y), rtol=1e-4, atol=1e-6)
    for label in (0, 1):
        assert float(classes["examples"][label]) == (y == label).sum()
        assert float(classes["error"][label]) == pytest.approx(((z > 0) != y)[y == label].mean())
    assert float(risk["noisy_true_error"]) + float(risk["noisy_error"]) == pytest.approx(1.0), (
        "a flipped bit is the other"
    )


OUTPUTS = {
    "one logit for two classes": (Classes(), 1, torch.arange(40) % 2, r"give target=Binary\(\)"),
    "too few classes": (
        Classes(),
        3,
        torch.arange(40) % 4,
        "3 outputs for labels up to 3; the network needs 4",
    ),
    "two logits for a bit": (Binary(), 2, torch.arange(40) % 2, "one logit"),
    "a bit too few": (MultiLabel(), 2, (numbers(40, 3) > 0).long(), "each of the 3 labels"),
    "a number too many": (Regression(), 2, numbers(40, 1), "needs 1 outputs an example"),
    "as many tokens as classes": (
        Sequence(),
        (3, 3),
        torch.arange(120).view(40, 3) % 3,
        r"both fit; say which, Sequence\(classes_at=\.\.\.\)",
    ),
    "classes for tokens": (Sequence(), 3, torch.arange(80).view(40, 2) % 3, r"needs \('N', 2, 'C'\)"),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_that_do_not_fit_are_refused_before_training(name, store, trained):
    target, size, y, words = OUTPUTS[name]
    shape = size if isinstance(size, tuple) else (size,)

    def net():
        return nn.Sequential(nn.Linear(FEATURES, math.prod(shape)), nn.Unflatten(1, shape))

    made = SimpleNamespace(x=numbers(40, FEATURES), y=y, net=net, target=target)
    if "both" in words:
        inspect(recipe_of(SimpleNamespace(**vars(made) | {"target": Sequence(classes_at="last")})))
    with pytest.raises(UsageError, match=words):
        ensure(recipe_of(made), store=store, workers=1)
    assert not trained


def test_the_default_target_and_its_loss_are_in_no_id():
    plain = recipe_of(case("classes")).task
    assert '"target":' not in plain.canonical and plain.replace(target=Binary(), loss=Binary.loss).id != plain.id
    named = Task(network=plain.network, data=plain.data, target=Regression())
    assert named.loss == Regression.loss, "a target brings its loss along"
