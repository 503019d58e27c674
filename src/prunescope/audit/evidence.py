"""Lining up what networks answer to the same examples, and refusing what does not line up."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import torch

from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.base.state import Weights
from prunescope.measures.answers import Answers
from prunescope.measures.measure import SplitName, Values
from prunescope.runs.graph.given import Given, task_of
from prunescope.studies.contrast import Evidence
from prunescope.tasks.data.source import same_inputs
from prunescope.tasks.examined import some

COPY = 1e-4
"""Two dense networks whose probabilities differ by less on average are copies of one, rounded or disturbed."""
SPARSER = 0.1
"""Share of weights by which a twin or a control may be sparser than the dense network, as units that died make it."""
AMONG = 5_000
"""Examples of the other half, at most, among which neighbours are looked for: all where the set is as CIFAR-10's."""
NAMES = 5
"""Most classes in a sentence."""
RELATED = 0.5
"""The cosine of two networks' weights from which it is asked whether they are two; of two starts it is about 0."""
ORDERED = 0.7
"""Share of answers that have to be right in another order of the classes before that order is named."""
APART, ERRORS = 0.3, 3.0
"""A twin is questioned whose error is apart from the dense network's by more than so many standard errors, and by more
than this share of the smaller error, or of the smaller accuracy; proposed."""
States = Mapping[str, StateRef]


def check_inputs(states: Mapping[str, StateRef], split: SplitName) -> None:
    """Raises UsageError unless the data sets of all states hold the same inputs, in the same order.

    states: the dense network's first. Only data sets of another id are compared.
    """
    (first, dense), *others = states.items()
    known, part = task_of(dense).data.source, "test_x" if split == "test" else "train_x"
    for name, state in others:
        source = task_of(state).data.source
        if source.id != known.id and not same_inputs(*(getattr(data.load(), part) for data in (known, source))):
            raise UsageError(
                f"{name!r} comes with other {split} inputs than {first!r}; an audit needs the same examples: give both "
                "networks the same data set"
            )


def check_twins(dense: StateRef, pruned: States, twins: States) -> None:
    """Raises UsageError for a twin that is the dense network itself, or a pruned one."""
    for name, state in twins.items():
        if state.id == dense.id:
            raise UsageError(f"{name!r} is the dense network itself; a twin is trained with another seed")
        if same := [other for other, one in pruned.items() if one.id == state.id]:
            raise UsageError(f"{name!r} is the pruned network {same[0]!r}; a twin is dense, trained with another seed")


def doubts(dense: StateRef, pruned: States, twins: States, controls: States) -> Iterator[str]:
    """A sentence for every given state of the dense one's network that may be meant as another kind."""
    for name, weights in _alike(dense, pruned):
        if weights.sparsity == 0:
            yield (
                f"{name}: no weight is 0, and it is audited as pruned; another seed of the dense one is a twin, and "
                "what a threshold in forward() makes 0 is not seen"
            )
    before = dict(_alike(dense, {"dense": dense}))
    for name, weights in _alike(dense, controls) if before else ():
        if weights.sparsity > before["dense"].sparsity + SPARSER:
            yield (
                f"{name}: {100 * weights.sparsity:.1f} % of its weights are 0, and it is given as a control, which "
                "gets everything but pruning; if it was pruned, give it beside the pruned ones"
            )
    for name, weights in _alike(dense, twins) if before else ():
        pair = (before["dense"], weights)
        one, other = (torch.cat([state.params[key].flatten() for key in weights.masks]) for state in pair)
        if (cosine := float(torch.cosine_similarity(one, other, dim=0))) > RELATED:
            yield (
                f"{name}: its weights are close to the dense network's (cosine {cosine:.2f}). If it is an earlier or "
                "later state of the same training it is no twin; if it only started from the same weights, another "
                "start may change more than is said here"
            )


def reparametrized(dense: StateRef, others: States) -> Iterator[str]:
    """A sentence for every network whose weights lie in other kinds of parameters: sums over these do not compare."""
    for name, state in others.items():
        pair = [task_of(one).network for one in (state, dense)]
        keys = [{key for key, _ in network.bare().named_parameters()} for network in pair if pair[0].id != pair[1].id]
        if len({tuple(sorted(key.rpartition(".")[2] for key in each)) for each in keys}) > 1:
            ours, theirs = (some(tuple(sorted(each - (keys[0] & keys[1])))) or "none" for each in keys)
            yield (
                f"{name} has other parameters than the dense network ({ours} for {theirs}), so Tr(H) and Tr(C) of the "
                "two do not compare, and there is no distance, barrier or layer of it. If weights are only "
                "stored otherwise, give both alike: after torch.nn.utils.parametrize.remove_parametrizations, before "
                "BatchNorm is fused"
            )


def _alike(dense: StateRef, states: States) -> Iterator[tuple[str, Weights]]:
    """The weights of given states with the dense one's network, or with weights of the same shapes, by name."""
    like = _shapes(dense.run.weights) if isinstance(dense.run, Given) else None
    for name, state in states.items():
        run = state.run
        if not (isinstance(run, Given) and run.weights):
            continue
        if run.task.network.id == task_of(dense).network.id or _shapes(run.weights) == like:
            yield name, run.weights


def _shapes(weights: Weights | None) -> dict[str, torch.Size] | None:
    return None if weights is None else {name: mask.shape for name, mask in weights.masks.items()}


def answers(name: str, outputs: Values, sparsity: float, like: Values) -> Answers:
    """One network's answers. like: the outputs of the dense network, to which they have to belong.

    Raises UsageError for another number of classes, and for other examples or another order of them.
    """
    for part in ("index", "label"):
        first, other = like[part], outputs[part]
        if len(first) != len(other) or (first != other).any():
            where = "" if len(first) != len(other) else f", first at place {int((first != other).argmax())}"
            raise UsageError(
                f"{name!r} is held against {len(other)} examples and the dense network against {len(first)}, and they "
                f"differ in {part}{where}; an audit needs the same examples in the same order"
            )
    ours, theirs = outputs["log_probability"].shape[1], like["log_probability"].shape[1]
    if ours != theirs:
        raise UsageError(f"{name!r} has {ours} outputs and the dense network {theirs}; they answer other questions")
    return Answers(outputs["log_probability"], outputs["label"], name, sparsity)


def cautions(evidence: Evidence) -> Iterator[str]:
    """A sentence for whatever the answers show that would make most of an audit mean something else."""
    dense = evidence.dense
    for one in evidence.pruned:
        if one.sparsity < dense.sparsity - SPARSER:
            yield (
                f"the dense network has {100 * _fewer(dense, one):.1f} % fewer weights than {one.name}; if the two are "
                "exchanged, every loss here is a gain"
            )
    yield from misordered(evidence.networks, evidence.classes)
    for twin in evidence.twins:
        change = twin.wrong - dense.wrong.astype(float)
        rates = [one.wrong.mean() for one in (dense, twin)]
        least = APART * min(*rates, *(1 - rate for rate in rates))
        if abs(change.mean()) > max(least, ERRORS * change.std() / len(change) ** 0.5):
            yield (
                f"{twin.name} is wrong on {100 * rates[1]:.1f} % of the examples and the dense network on "
                f"{100 * rates[0]:.1f} %, further apart than two seeds usually are; unless it was trained exactly like "
                "the dense network, what is said of another seed does not hold"
            )


def _fewer(one: Answers, other: Answers) -> float:
    """The share of the other network's weights that the one lacks."""
    return 1 - (1 - one.sparsity) / (1 - other.sparsity)


def misordered(networks: Sequence[Answers], classes: Sequence[str]) -> Iterator[str]:
    """A sentence for every network that is right where classes are exchanged: they, or labels, have another order."""
    for network in networks:
        if moved := _exchanged(network, len(classes)):
            order = np.array([moved.get(label, label) for label in range(len(classes))])
            better = float((order[network.label] == network.prediction).mean())
            if better >= ORDERED:
                pairs = ", ".join(
                    f"{classes[label]} as {classes[other]}" for label, other in sorted(moved.items())[:NAMES]
                )
                yield (
                    f"{network.name or 'dense'}: {1 - network.wrong.mean():.1%} of its answers are the label, and "
                    f"{better:.1%} if it means {pairs}{', ...' if len(moved) > NAMES else ''}. If its classes, or the "
                    "labels, are in another order, nothing that is said of it holds"
                )


def _exchanged(network: Answers, count: int) -> dict[int, int]:
    """Of classes that most of their examples say are others, the other one: those that change places, or of which each
    stands in the place of the next and the last one's has no examples, such as labels without an absent class.
    """
    table = np.zeros((count, count))
    np.add.at(table, (network.label, network.prediction), 1)
    size, other = table.sum(1), table.argmax(1)
    most = table[np.arange(count), other]
    clear = (2 * most >= size) & (most - table.diagonal() >= 3 * np.sqrt(size)) & (size > 0)
    said = {int(label): int(other[label]) for label in clear.nonzero()[0]}
    places, rows = dict(said), dict[int, int]()
    while places.keys() != set(places.values()):
        places = {label: to for label, to in places.items() if to in places and label in places.values()}
    for to in (size == 0).nonzero()[0].tolist():
        while len(before := [label for label, place in said.items() if place == to]) == 1:
            rows[before[0]], to = to, before[0]
    return places | (rows if len(rows) > 1 else {})  # one class alone may be damage


def check_seeds(seeds: Sequence[Answers]) -> None:
    """Raises UsageError if two dense networks are one and the same, or one is sparse: they say nothing of a seed."""
    for twin in seeds[1:]:
        if twin.sparsity > seeds[0].sparsity + SPARSER:
            raise UsageError(
                f"{twin.name!r} has {100 * _fewer(twin, seeds[0]):.1f} % fewer weights than the dense network has, so "
                "it is no twin of it; a twin is trained like the dense network, with another seed"
            )
    for first, other in combinations(seeds, 2):
        apart = float(np.abs(np.exp(first.log_probability) - np.exp(other.log_probability)).mean())
        if apart < COPY:
            raise UsageError(
                f"{other.name!r} gives the same outputs as {first.name!r} (probabilities differ by {apart:.1g}): it is "
                "the same network, not another seed of it; give one that was trained with another seed, or leave it out"
            )
