from pathlib import Path

import numpy as np
import pytest
import torch
from specimens import Normed, study

from prunescope.base import tree
from prunescope.base.errors import StoreError
from prunescope.base.reference import Moment
from prunescope.base.state import TrainState, Weights
from prunescope.runs.execution import checkpointer
from prunescope.runs.execution.checkpointer import Checkpoint
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.nodes import Trace
from prunescope.runs.machine.devices import one_thread
from prunescope.runs.store import codec
from prunescope.training.interventions import Zero
from prunescope.training.probes import AroundEvents
from prunescope.training.progress import Progress
from prunescope.training.run import train


def weights(density: float = 0.5, shape: tuple[int, ...] = (7, 13)) -> Weights:
    generator = torch.Generator().manual_seed(0)
    params = {
        "b.weight": torch.randn(shape, generator=generator),
        "a.bias": torch.randn(3, generator=generator),
    }
    masks = {"b.weight": torch.rand(shape, generator=generator) < density}
    buffers = {
        "n.num_batches_tracked": torch.tensor(12345678901),
        "n.running_mean": torch.randn(5, generator=generator),
    }
    return Weights(tree.masked(params, masks), buffers, masks)


def stored(value: Weights, path: Path) -> Weights:
    nested, facts = codec.weights_to_nested(value)
    path.write_bytes(codec.to_bytes(nested, facts))
    return codec.weights_from_nested(*codec.from_bytes(path.read_bytes(), str(path)))


def assert_equal(left: Weights, right: Weights) -> None:
    for part in ("params", "buffers", "masks"):
        ours, theirs = getattr(left, part), getattr(right, part)
        assert list(ours) == list(theirs)
        assert tree.equal(ours, theirs)
        assert [leaf.shape for leaf in ours.values()] == [leaf.shape for leaf in theirs.values()]


@pytest.mark.parametrize("density", [1.0, 0.5, 0.01, 0.0])
@pytest.mark.parametrize("shape", [(7, 13), (1,), (3, 2, 3, 3), (16, 8)])
def test_weights_come_back_bit_for_bit(density, shape, tmp_path):
    before = weights(density, shape)
    assert_equal(stored(before, tmp_path / "state"), before)


def test_special_numbers_and_0d_tensors_come_back(tmp_path):
    odd = torch.tensor([float("nan"), float("inf"), -0.0, 1e-45])
    before = Weights({"w": odd, "scale": torch.tensor(0.1)}, {"count": torch.tensor(3)}, {})
    after = stored(before, tmp_path / "state")
    assert after.params["w"].view(torch.int32).tolist() == odd.view(torch.int32).tolist()
    assert after.params["scale"].shape == ()
    assert after.buffers["count"].dtype == torch.int64


def test_a_pruned_state_is_small():
    def size(density: float) -> int:
        return len(codec.to_bytes(*codec.weights_to_nested(weights(density, (400, 500)))))

    dense, pruned = size(1.0), size(0.02)
    assert dense > 4 * 400 * 500
    assert pruned < 400 * 500 / 8 + 4 * 0.025 * 400 * 500 + 2000  # a bit a weight, and the kept values


def test_bytes_are_the_same_at_every_save():
    made = {codec.to_bytes(*codec.weights_to_nested(weights())) for _ in range(20)}
    assert len(made) == 1


def test_21_states_of_12_chains_of_a_vgg16_fit_in_5_gb():
    """Sizes follow from 14.7 million parameters: kept values of 4 bytes, a bit a weight, and a header."""
    scale = 1000
    count = 14_728_266 // scale
    total = 0
    for level in range(21):
        total += len(codec.to_bytes(*codec.weights_to_nested(weights(0.8**level, (count,)))))
    per_state = 2000  # the header, which does not scale
    pruned_chains = 6 * scale * (total - 21 * per_state)
    width_chains = 6 * scale * 4 * sum(count * 0.8 ** (2 * level) for level in range(21))
    assert pruned_chains + width_chains < 5e9
    naive = 12 * 21 * 4 * 14_728_266
    assert naive > 14e9


@pytest.mark.parametrize("harm", ["cut", "empty", "text"])
def test_a_damaged_file_is_named(harm, tmp_path):
    path = tmp_path / "state.safetensors"
    content = codec.to_bytes(*codec.weights_to_nested(weights()))
    path.write_bytes({"cut": content[:-20], "empty": b"", "text": b"no tensors here"}[harm])
    with pytest.raises(StoreError, match=r"state\.safetensors is damaged .* delete it"):
        codec.from_bytes(path.read_bytes(), str(path))


def test_every_flipped_bit_is_noticed_when_the_file_is_read(tmp_path):
    path = tmp_path / "state.safetensors"
    content = codec.to_bytes(*codec.weights_to_nested(weights()), "run/moment")
    whole = codec.from_bytes(path.read_bytes(), str(path)) if path.write_bytes(content) else None
    unnoticed = []
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            read = codec.from_bytes(path.read_bytes(), str(path), "run/moment")
        except codec.Damaged:
            continue
        unnoticed += [] if same(read, whole) else [place]
    assert unnoticed == []


def same(one, two):
    flat, facts = codec._flatten(one[0]), one[1]
    other = codec._flatten(two[0])
    return facts == two[1] and list(flat) == list(other) and all(torch.equal(flat[name], other[name]) for name in flat)


def test_a_file_says_whose_it_is(tmp_path):
    path = tmp_path / "state.safetensors"
    path.write_bytes(codec.to_bytes(*codec.weights_to_nested(weights()), "one/final"))
    with pytest.raises(codec.Damaged, match="it is the file of one/final"):
        codec.from_bytes(path.read_bytes(), str(path), "another/final")


def test_a_foreign_file_is_no_checkpoint(tmp_path):
    path = tmp_path / "partial.safetensors"
    path.write_bytes(codec.to_bytes({"params": {"w": torch.ones(2)}}, {"step": 3}))
    with pytest.raises(StoreError, match="no checkpoint"):
        checkpointer.checkpoint_from_bytes(path.read_bytes(), "it")


def progress() -> Progress:
    value = weights()
    held = value.masks["b.weight"]
    state = TrainState(
        step=70,
        schedule_step=30,
        weights=value,
        opt={"momentum": tree.clone(value.params), "count": {"": torch.tensor(70)}},
        memory={
            "0:Zero": {"0/held/b.weight": held, "0/saved/b.weight": torch.ones(7, 13)},
            "1:At": {},
        },
        held={"b.weight": held},
    )
    rows = [{"step": 1, "loss": 0.1 + 0.2, "phase": "step"}, {"step": 2, "loss": 1e-300, "phase": "after"}]
    kept = {"f" * 32: value, "0" * 32: Weights({"w": torch.ones(2)}, {}, {})}
    return Progress(40, state, torch.tensor(0.3), kept=kept, traces={"a" * 32: rows}, finished=True)


def test_a_checkpoint_comes_back_bit_for_bit_and_in_order(tmp_path):
    """Held masks and kept states share tensors with the present state, which a file cannot."""
    before = Checkpoint(progress(), frozenset({"a" * 32, "f" * 32}), 12.5)
    path = tmp_path / "partial.safetensors"
    path.write_bytes(checkpointer.checkpoint_to_bytes(before))
    after = checkpointer.checkpoint_from_bytes(path.read_bytes(), "it")
    assert (after.watched, after.seconds) == (before.watched, 12.5)
    ours, theirs = after.progress, before.progress
    assert (ours.start, ours.local, ours.finished) == (40, 30, True)
    assert ours.traces == theirs.traces
    assert ours.state.schedule_step == 30
    assert torch.equal(ours.running, theirs.running)
    assert_equal(ours.state.weights, theirs.state.weights)
    for name in theirs.state.opt:
        assert list(ours.state.opt[name]) == list(theirs.state.opt[name])
        assert tree.equal(ours.state.opt[name], theirs.state.opt[name])
    assert ours.state.memory.keys() == theirs.state.memory.keys()
    for name, memory in theirs.state.memory.items():
        assert tree.equal(ours.state.memory[name], memory)
    assert tree.equal(ours.state.held, theirs.state.held)
    for moment, value in theirs.kept.items():
        assert_equal(ours.kept[moment], value)


def test_training_goes_on_bitwise_from_any_checkpoint(store, tmp_path):
    """Stopped between any two chunks, through a file, with held weights, memories, kept states and traces."""
    run = next(node.run for node in study() if isinstance(node, Trace) and isinstance(node.probe, AroundEvents))
    assert any(isinstance(value, Zero) for value in run.interventions)
    bench = Workbench(store)
    program, keep = bench.program(run), (Moment(when="after", at="7it"),)
    probes = (AroundEvents(),)
    path, lives = tmp_path / "partial.safetensors", 0
    with one_thread():
        whole = train(program, bench.start(run, program), probes=probes, keep=keep)
        now = bench.start(run, program)
        while not now.finished:
            now = train(program, now, probes=probes, keep=keep, beat=lambda progress: False)
            path.write_bytes(checkpointer.checkpoint_to_bytes(Checkpoint(now, frozenset(), 0.0)))
            now = checkpointer.checkpoint_from_bytes(path.read_bytes(), "it").progress
            lives += 1
    assert lives > 8
    assert_equal(now.state.weights, whole.state.weights)
    assert_equal(now.kept[keep[0].id], whole.kept[keep[0].id])
    assert now.traces == whole.traces
    assert tree.equal(now.state.opt["momentum"], whole.state.opt["momentum"])


def test_buffers_of_a_real_network_come_back(tmp_path):
    module = Normed()
    for _ in range(3):
        module(torch.randn(8, 16))
    buffers = tree.clone(dict(module.named_buffers()))
    before = Weights(tree.clone(dict(module.named_parameters())), buffers, {})
    after = stored(before, tmp_path / "state")
    assert_equal(after, before)
    assert int(after.buffers["2.num_batches_tracked"]) == 3
    assert np.isfinite(after.buffers["2.running_var"].numpy()).all()
