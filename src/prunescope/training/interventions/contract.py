"""What an intervention must keep to: events inside the run, no change in place, a whole state.

The package's own are held to it by tests; one that a user wrote is looked at whenever it acts.
"""

from collections.abc import Iterator
from numbers import Integral

from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.installed import is_shipped
from prunescope.base.overrides import unchanged
from prunescope.base.state import TrainState, Weights
from prunescope.base.steps import Clock
from prunescope.base.streams import seeded
from prunescope.training.interventions.intervention import Context, Intervention


def events_of(intervention: Intervention, clock: Clock) -> tuple[int, ...]:
    """Its events, increasing. Raises UsageError for what are no steps of the run."""
    given = intervention.events(clock)
    name = f"{type(intervention).__name__}.events(clock)"
    if not isinstance(given, list | tuple | range | set | frozenset) or not all(
        isinstance(step, Integral) and not isinstance(step, bool) for step in given
    ):
        raise UsageError(f"{name} returned {given!r}; it must return whole steps, such as (0, clock.total // 2)")
    if outside := sorted(step for step in given if not 0 <= step <= clock.total):
        raise UsageError(
            f"{name} names step {outside[0]}, and the run has steps 0 to {clock.total}, so nothing would happen there; "
            f"return steps up to clock.total (clock.steps('2ep') is {clock.steps('2ep')})"
        )
    return tuple(sorted({int(step) for step in given}))


def applied(intervention: Intervention, state: TrainState, context: Context) -> TrainState:
    """The state after an event. Raises UsageError where an intervention of a user's own does not keep the contract."""
    if is_shipped(intervention):
        with seeded(context.stream("default").initial_seed()):  # a score of the user's may draw from anywhere
            return intervention.apply(state, context)
    before = {name: (leaf, leaf.clone()) for name, leaf in _leaves(state)}
    with seeded(context.stream("default").initial_seed()), unchanged(intervention):
        after = intervention.apply(state, context)
    name, now = f"{type(intervention).__name__}.apply", dict(_leaves(state))
    if changed := [
        key
        for key in before | now
        if key not in before or now.get(key) is not before[key][0] or not _same(*before[key])
    ]:
        raise UsageError(
            f"{name} changes {changed[0]} in place, and what was kept of the run before would change with it; make new "
            "tensors: state.replace(weights=state.weights.replace(params={**state.weights.params, name: changed}))"
        )
    if not isinstance(after, TrainState):
        raise UsageError(
            f"{name} returned {type(after).__name__}; it must return the state after the event, "
            "state.replace(weights=state.weights.replace(params=...))"
        )
    if problem := _problem(state, after):
        raise UsageError(f"{name} returned {problem}")
    return after


def _problem(before: TrainState, after: TrainState) -> str:
    """What is wrong with the state after an event; empty if nothing is."""
    if not isinstance(after.weights, Weights):
        return f"a {type(after.weights).__name__} for the weights; give state.weights.replace(params=...)"
    if after.step != before.step:
        return f"a state of step {after.step} at step {before.step}; training counts the steps"
    old, new = dict(_leaves(before)), dict(_leaves(after))
    fixed = ("params", "buffers", "masks", "opt")
    if odd := sorted(key for key in old.keys() ^ new.keys() if key.startswith(fixed)):
        return f"a state {'without' if odd[0] in old else 'with another,'} {odd[0]}; change tensors, not their names"
    for key, leaf in new.items():
        like = old.get(key, leaf)
        if not isinstance(leaf, Tensor) or (leaf.shape, leaf.dtype) != (like.shape, like.dtype):
            shown = f"{leaf.dtype} {list(leaf.shape)}" if isinstance(leaf, Tensor) else type(leaf).__name__
            return f"{shown} for {key}, which is {like.dtype} {list(like.shape)}; keep shape and type"
        if leaf.requires_grad:
            return f"{key} with a graph; detach() it"
    for name, free in after.movable.items():
        if name in after.weights.params and bool((after.weights.params[name][~free] != 0).any()):
            return (
                f"removed or held weights of {name} that are not 0, though their mask is False; set them to 0 as well: "
                "params[name] * mask"
            )
    return ""


def _leaves(state: TrainState) -> Iterator[tuple[str, Tensor]]:
    weights = state.weights
    trees = {"params": weights.params, "buffers": weights.buffers, "masks": weights.masks, "held": state.held}
    trees |= {f"opt[{name!r}]": tree for name, tree in state.opt.items()}
    trees |= {f"memory[{name!r}]": tree for name, tree in state.memory.items()}
    for name, tree in trees.items():
        yield from ((f"{name}[{key!r}]", leaf) for key, leaf in tree.items())


def _same(leaf: Tensor, copy: Tensor) -> bool:
    """Whether both have the same numbers, or none where the other has none."""
    return bool(((leaf == copy) | ((leaf != leaf) & (copy != copy))).all())
