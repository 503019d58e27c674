"""What happens when, from the first state of a run to its last."""

from typing import ClassVar

import pytest
import torch

from prunescope.base import tree
from prunescope.base.errors import Diverged, UsageError
from prunescope.base.reference import Moment
from prunescope.base.steps import Clock
from prunescope.training import run as running
from prunescope.training.engines.engine import Loop, Replica
from prunescope.training.interventions import At, Every, Intervention, Prune
from prunescope.training.loop import Stepper, gradients
from prunescope.training.optim import SGD
from prunescope.training.probes import AroundEvents, Curve, Probe
from prunescope.training.run import train
from prunescope.training.schedules import Constant, Milestones
from prunescope.training.stopping import LossBelow

LOG: list[str] = []


class Add(Intervention):
    """Adds a number to a bias, and says so."""

    name: str = "add"
    amount: float = 1.0
    at: tuple[int, ...] = (0, 5, 20)

    def events(self, clock):
        return self.at

    def apply(self, state, context):
        LOG.append(f"{self.name} {context.local} {context.event}/{context.events}")
        bias = state.weights.params["fc.bias"] + self.amount
        return state.replace(weights=state.weights.replace(params={**state.weights.params, "fc.bias": bias}))


class Log(Probe):
    around_events: ClassVar[bool] = True
    at: tuple[int, ...] = (0, 5, 20)

    def steps(self, clock):
        return self.at

    def observe(self, problem, state, running_loss):
        LOG.append(f"probe {float(state.weights.params['fc.bias'][0]):.4f}")
        return {"bias": float(state.weights.params["fc.bias"][0])}


@pytest.fixture(autouse=True)
def _empty_log():
    LOG.clear()


def frozen(lab, *interventions, **changes):
    """A program whose steps change next to nothing, so that what interventions add can be read off."""
    return lab.program(*interventions, optimizer=SGD(), schedule=Constant(lr=1e-12), **changes)


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_the_order_at_a_position_is_the_documented_one(lab, monkeypatch, seconds):
    monkeypatch.setattr(running, "CHUNK_SECONDS", seconds)
    program = frozen(lab, Add(name="first", amount=1.0), Add(name="second", amount=10.0, at=(5,)))
    moments = [Moment(when=when, at="5it") for when in ("step", "before", "after")]
    probe = Log()
    weights = lab.weights(program)
    weights = weights.replace(params={**weights.params, "fc.bias": torch.zeros(3)})
    ended = train(program, running.begin(program, weights, 0), probes=(probe,), keep=tuple(moments))
    assert [
        *("probe 0.0000", "probe 0.0000", "first 0 0/3", "probe 1.0000"),
        *("probe 1.0000", "probe 1.0000", "first 5 1/3", "second 5 0/1", "probe 12.0000"),
        *("probe 12.0000", "probe 12.0000", "first 20 2/3", "probe 13.0000"),
    ] == LOG
    phases = [(row["local"], row["phase"]) for row in ended.traces[probe.id]]
    assert phases == [(k, phase) for k in (0, 5, 20) for phase in ("step", "before", "after")]
    biases = [float(ended.kept[m.id].params["fc.bias"][0]) for m in moments]
    assert biases == pytest.approx([1, 1, 12], abs=1e-6)


def test_rows_say_where_they_were_taken(lab):
    program = lab.program(steps=14)
    curve = Curve(every="7it")
    rows = train(program, lab.begin(program, step=100), probes=(curve,)).traces[curve.id]
    assert [(row["step"], row["local"], row["epoch"]) for row in rows] == [(107, 7, 1.0), (114, 14, 2.0)]


def test_a_run_goes_on_from_the_cumulative_step_and_the_schedule_from_its_beginning(lab):
    """A level that rewinds: other batches than the level before, the same learning rates."""
    schedule = Milestones(lr=0.1, drops=("10it",))
    program = lab.program(schedule=schedule, begin=4, steps=20, optimizer=SGD())
    assert program.steps == 16
    progress = lab.begin(program, step=50)
    seen = [progress.state]
    ended = train(program, progress, beat=lambda now: seen.append(now.state) or True)
    assert (ended.state.step, ended.state.schedule_step, ended.local) == (66, 20, 16)
    state, stepper = progress.state, Stepper(program)
    for k in range(16):
        x, y = stepper.batches.at(50 + k)
        _, grads, _, _ = gradients(program, state.weights, x, y)
        rate = 0.1 if 4 + k < 10 else 0.01
        params = {n: p - rate * grads[n] for n, p in state.weights.params.items()}
        state = state.replace(weights=state.weights.replace(params=params))
    for name, leaf in ended.state.weights.params.items():
        torch.testing.assert_close(leaf, state.weights.params[name], rtol=1e-5, atol=1e-6)


def test_the_rate_changes_exactly_at_the_milestone(lab):
    """From one state, with one batch, the step is as long as the rate says."""
    schedule = Milestones(lr=0.1, drops=("1ep", "60%"), factor=0.5)
    program = lab.program(schedule=schedule, batch=50, optimizer=SGD(), clock=Clock(3, 10))
    state, stepper = lab.begin(program).state, Stepper(program)
    _, grads, _, _ = gradients(program, state.weights, *stepper.batch(0))
    for k in range(10):
        after, _, _ = stepper.step(state.replace(schedule_step=k))
        rate = 0.1 * 0.5 ** ((k >= 3) + (k >= 6))
        expected = state.weights.params["fc.weight"] - rate * grads["fc.weight"]
        torch.testing.assert_close(after.weights.params["fc.weight"], expected)


# -- the end


def losses(lab, program):
    state, stepper, found = lab.begin(program).state, Stepper(program), []
    for _ in range(program.steps):
        state, loss, _ = stepper.step(state)
        found.append(loss.item())
    return found


@pytest.mark.parametrize("seconds", [0.0, 0.5])
@pytest.mark.parametrize("events", [(), "here", (3,)])
def test_a_loss_below_the_target_ends_the_run_before_the_step(lab, monkeypatch, seconds, events):
    monkeypatch.setattr(running, "CHUNK_SECONDS", seconds)
    full = lab.program(batch=50, clock=Clock(1, 20))
    seen = losses(lab, full)
    target = seen[12]
    assert all(loss > target for loss in seen[:12])
    at = (12,) if events == "here" else events
    add = (Add(at=at, amount=0.0),) if at else ()
    program = lab.program(*add, batch=50, clock=Clock(1, 20), stop=LossBelow(loss=target))
    curve, ends = Curve(every="5it"), []
    for stop in (None, 1, 12):  # uninterrupted, interrupted early, interrupted at the very end
        LOG.clear()
        progress = lab.begin(program)
        if stop is not None:
            progress = train(program, progress, probes=(curve,), beat=lambda now, k=stop: now.local < k)
        ended = train(program, progress, probes=(curve,))
        assert ended.finished and ended.local == 12 and ended.state.step == 12
        assert [row["local"] for row in ended.traces[curve.id]] == [5, 10, 12]
        assert [f"add {k} 0/1" for k in at] == LOG  # and never twice
        assert train(program, ended, probes=(curve,)) is ended
        ends.append(ended.state.weights.params)
    assert tree.equal(ends[0], ends[1]) and tree.equal(ends[0], ends[2])


def test_a_target_that_is_met_at_once_ends_the_run_where_it_began(lab):
    program = lab.program(Add(at=(0,)), stop=LossBelow(loss=100.0))
    curve = Curve()
    ended = train(program, lab.begin(program), probes=(curve,))
    assert ended.local == 0 and LOG == ["add 0 0/1"]
    assert [(row["local"], row["running_loss"]) for row in ended.traces[curve.id]] == [(0, 0.0)]


def test_a_run_that_never_meets_its_target_ends_with_its_schedule(lab):
    program = lab.program(stop=LossBelow(loss=1e-9))
    curve = Curve()
    ended = train(program, lab.begin(program), probes=(curve,))
    assert ended.local == 20 and [row["local"] for row in ended.traces[curve.id]] == [7, 14, 20]


def test_a_run_of_no_steps_still_has_its_events(lab):
    program = lab.program(Prune(), begin=20)
    ended = train(program, lab.begin(program))
    assert ended.finished and ended.local == 0 and ended.state.weights.sparsity == pytest.approx(0.2, abs=0.01)


def test_a_loss_that_is_no_number_is_an_error_with_the_step(lab):
    program = lab.program(Add(at=(13,), amount=1e38), Add(at=(13,), amount=3e38), steps=20)
    with pytest.raises(Diverged, match=r"is (nan|inf) at step 13 of the run"):
        train(program, lab.begin(program))


def test_states_can_only_be_kept_where_there_are_some(lab):
    program = lab.program(Prune(when=At(at="5it")))
    for moment, match in [
        (Moment(when="step", at="21it"), "20 steps"),
        (Moment(when="before", at="6it"), "events: 5"),
    ]:
        with pytest.raises(UsageError, match=match):
            train(program, lab.begin(program), keep=(moment,))


# -- chunks and the running loss


def test_chunking_never_changes_bits_or_rows(lab, monkeypatch):
    program = lab.program(Prune(when=Every(start="2it", end="17it", period="5it")), problem=lab.batchnorm)
    probes, ends = (Curve(every="3it"), AroundEvents()), []
    for seconds in (0.0, 1e-3, 100.0):
        monkeypatch.setattr(running, "CHUNK_SECONDS", seconds)
        ends.append(train(program, lab.begin(program), probes=probes))
    for other in ends[1:]:
        assert tree.equal(other.state.weights.params, ends[0].state.weights.params)
        assert other.traces == ends[0].traces


def test_chunks_grow_until_the_next_boundary_and_beats_come_between_them(lab, monkeypatch):
    monkeypatch.setattr(running, "CHUNK_SECONDS", 100.0)
    program, seen = lab.program(steps=28), []
    looks = (Curve(every="14it"),)
    train(program, lab.begin(program), probes=looks, beat=lambda now: seen.append(now.local) or True)
    assert seen == [1, 3, 7, 14, 28]


def test_the_running_loss_is_the_mean_over_the_epoch_so_far(lab):
    program = lab.program()
    curve = Curve(every="3it")
    rows = train(program, lab.begin(program), probes=(curve,)).traces[curve.id]
    seen = losses(lab, program)
    for row in rows:
        k = row["local"]
        since = (k - 1) // 7 * 7
        assert row["running_loss"] == pytest.approx(sum(seen[since:k]) / (k - since), rel=1e-5)


def test_the_engine_advances_as_the_steps_do(lab):
    program = lab.program()
    progress, stepper = lab.begin(program), Stepper(program)
    [replica] = Loop().advance([Replica(stepper, progress.state, progress.running, 0)], 6)
    total = replica.running
    by_hand, sum_by_hand = progress.state, torch.zeros(())
    for _ in range(6):
        by_hand, loss, _ = stepper.step(by_hand)
        sum_by_hand = sum_by_hand + loss
    assert tree.equal(replica.state.weights.params, by_hand.weights.params) and not replica.ended and replica.local == 6
    assert float(total) == float(sum_by_hand) and float(progress.running) == 0
