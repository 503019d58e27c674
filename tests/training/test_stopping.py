import pytest

from prunescope.training.stopping import AtEnd, LossBelow


def test_the_target_is_met_at_it_and_below_it_and_never_by_what_is_no_number():
    rule = LossBelow(loss=0.5)
    assert rule.watches and [rule.reached(loss) for loss in (0.6, 0.5, 0.1)] == [False, True, True]
    assert not rule.reached(float("nan"))


@pytest.mark.parametrize("loss", [0.0, -1.0])
def test_the_schedule_ends_a_run_without_looking_at_losses(loss):
    assert not AtEnd().watches and not AtEnd().reached(loss)
