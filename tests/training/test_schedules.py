import math

import pytest
import torch
from torch.optim import lr_scheduler

from prunescope.base.errors import UsageError
from prunescope.base.steps import Clock
from prunescope.training.schedules import Constant, Cosine, Milestones, Schedule, Stretched, Warmup

CLOCK = Clock(epoch_steps=5, total=100)
DROPS = Milestones(lr=0.1, drops=("10ep", "75it"))


def path(schedule: Schedule, clock: Clock = CLOCK) -> list[float]:
    return [schedule.at(step, clock) for step in range(clock.total)]


def torch_path(make, *, lr: float, steps: int = CLOCK.total) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler, rates = make(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_constant_is_constant():
    assert set(path(Constant(lr=0.3))) == {0.3}


def test_milestones_agree_with_multi_step_lr_stepped_every_iteration():
    expected = torch_path(lambda o: lr_scheduler.MultiStepLR(o, [50, 75], gamma=0.1), lr=0.1)
    assert path(DROPS) == pytest.approx(expected, rel=1e-12)


def test_milestones_of_a_cifar_run_fall_at_the_known_iterations():
    clock = Clock(epoch_steps=391, total=160 * 391)
    schedule = Milestones(lr=0.1, drops=("80ep", "120ep"))
    rates = [schedule.at(step, clock) for step in (31_279, 31_280, 46_919, 46_920)]
    assert rates == pytest.approx([0.1, 0.01, 0.01, 0.001])


def test_warmup_agrees_with_linear_lr():
    warm = 20
    expected = torch_path(lambda o: lr_scheduler.LinearLR(o, start_factor=1 / warm, total_iters=warm - 1), lr=0.4)
    assert path(Warmup(steps="4ep", then=Constant(lr=0.4))) == pytest.approx(expected, rel=1e-12)


def test_warmup_does_not_shift_what_follows():
    warmed, plain = path(Warmup(steps="10it", then=DROPS)), path(DROPS)
    assert warmed[9:] == plain[9:]
    assert warmed[:10] == pytest.approx([0.01 * (step + 1) for step in range(10)])


@pytest.mark.parametrize("final", [0.0, 0.02])
def test_cosine_agrees_with_cosine_annealing_lr(final):
    expected = torch_path(lambda o: lr_scheduler.CosineAnnealingLR(o, CLOCK.total, eta_min=final), lr=0.1)
    assert path(Cosine(lr=0.1, final=final)) == pytest.approx(expected, rel=1e-9)


def test_cosine_stays_at_its_end():
    assert [Cosine(lr=0.1, final=0.01).at(step, CLOCK) for step in (100, 150)] == pytest.approx([0.01, 0.01])


def test_stretched_by_a_whole_factor_repeats_every_rate():
    twice = path(Stretched(schedule=DROPS, factor=2), Clock(epoch_steps=5, total=200))
    assert twice == [rate for rate in path(DROPS) for _ in range(2)]


def test_stretched_keeps_parts_of_the_run_where_they_are():
    half = Milestones(lr=0.1, drops=("50%",))
    assert path(Stretched(schedule=half, factor=2)) == path(half)


def test_stretched_position_is_exact_for_decimal_factors():
    # 33 / 1.1 is 29.999999999999996 in floating point.
    schedule = Stretched(schedule=Milestones(lr=1.0, drops=("30it",)), factor=1.1)
    assert [schedule.at(step, CLOCK) for step in (32, 33)] == [1.0, 0.1]


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (Milestones(lr=0.1, drops=("80ep",)), r"step 400, but the schedule has 100 steps \(20 epochs\)"),
        (Milestones(lr=0.1, drops=("100%",)), "step 100"),
        (Milestones(lr=0.1, drops=("50it", "10ep")), "do not increase"),
        (Milestones(lr=0.1, drops=("90it", "30it")), "do not increase"),
        (Warmup(steps="0ep", then=DROPS), "0 steps"),
        (Warmup(steps="21ep", then=DROPS), "105 steps"),
        (Warmup(steps="1ep", then=Milestones(lr=0.1, drops=("80ep",))), "step 400"),
        (Stretched(schedule=DROPS, factor=2), "75it"),
    ],
)
def test_what_does_not_fit_into_the_run_is_refused_at_the_first_step(schedule, message):
    with pytest.raises(UsageError, match=message):
        schedule.at(0, CLOCK)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Constant(lr=0.0),
        lambda: Constant(lr=math.inf),
        lambda: Milestones(lr=-0.1, drops=("1ep",)),
        lambda: Milestones(lr=0.1, drops=()),
        lambda: Milestones(lr=0.1, drops=("10 epochs",)),
        lambda: Milestones(lr=0.1, drops=("1ep",), factor=0.0),
        lambda: Cosine(lr=0.1, final=0.2),
        lambda: Stretched(schedule=DROPS, factor=0.0),
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError):
        wrong()
