"""Ids: what enters them, what must not, and that they chain."""

import copy
import hashlib
import importlib
import inspect
import json
import os
import pickle
import pydoc
import subprocess
import sys
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from prunescope import SGD, Compared, Moment, Noise, Prune, Reading, Risk
from prunescope.base.errors import CodeChanged, UsageError
from prunescope.base.value import Value, array_digest, canonical, kind, text_digest
from prunescope.measures import Barrier


class Leaf(Value):
    rate: float = 0.1
    count: int = 3


class Renamed(Value):
    rate: float = 0.1
    count: int = 3


class NewMeaning(Leaf):
    version: ClassVar[int] = 2


class Node(Value):
    by_id: ClassVar[bool] = True
    leaf: Leaf = Leaf()
    parent: Any = None
    args: dict[str, Any] = {}
    several: tuple[Any, ...] = ()


def test_an_id_is_a_hash_of_canonical_json_with_every_field():
    value = Leaf(count=4)
    assert json.loads(value.canonical) == {"kind": kind(Leaf), "rate": 0.1, "count": 4}
    assert kind(Leaf).startswith(f"{__name__}:Leaf ")
    assert value.id == hashlib.blake2b(value.canonical.encode(), digest_size=16).hexdigest()
    assert list(json.loads(value.canonical)) == sorted(json.loads(value.canonical))


def test_defaults_enter_so_that_a_changed_default_changes_the_id():
    class Changed(Value):
        rate: float = 0.2
        count: int = 3

    class Before(Value):
        rate: float = 0.1
        count: int = 3

    for cls in (Changed, Before):  # as two versions of a class of this package
        cls.__module__, cls.__qualname__ = "prunescope.base.leaf", "Leaf"
    assert Changed().id != Before().id
    assert Changed(rate=0.1).id == Before().id == Before(rate=0.1, count=3).id


def test_kind_and_version_enter():
    assert len({Leaf().id, Renamed().id, NewMeaning().id}) == 3
    NewMeaning.__qualname__ = "Leaf"
    assert NewMeaning().id != Leaf().id
    assert Leaf() != Renamed()


def test_numbers_take_the_type_of_their_field():
    assert Leaf(rate=1).id == Leaf(rate=1.0).id
    assert Leaf(count=2.0).id == Leaf(count=2).id
    with pytest.raises(UsageError):
        Leaf(count=2.5)
    assert canonical(1) != canonical(1.0) and canonical(True) != canonical(1)


def test_the_order_of_arguments_is_irrelevant_and_that_of_sequences_is_not():
    assert Node(args={"a": 1, "b": 2}).id == Node(args={"b": 2, "a": 1}).id
    assert Node(several=(1, 2)).id != Node(several=(2, 1)).id
    assert canonical({"x", "y", "z"}) == canonical({"z", "y", "x"})


def test_ids_chain_through_references():
    def chain(first: Leaf, length: int) -> Node:
        node = Node(leaf=first)
        for _ in range(length):
            node = Node(parent=node)
        return node

    one, other = chain(Leaf(), 3), chain(Leaf(count=4), 3)
    assert one.id != other.id and one.id == chain(Leaf(), 3).id
    assert json.loads(one.canonical)["parent"] == one.parent.id
    assert len(chain(Leaf(), 400).canonical) == len(one.canonical)


def test_references_are_found_wherever_they_are_and_no_deeper():
    first, second, third = Node(leaf=Leaf(count=1)), Node(leaf=Leaf(count=2)), Node(leaf=Leaf(count=3))
    whole = Node(parent=Node(parent=first), several=(second, [third]), args={"x": first})
    assert [value.id for value in whole.references] == [whole.parent.id, first.id, second.id, third.id]
    assert Leaf().references == ()


@pytest.mark.parametrize(
    "copied",
    [lambda v, c: v.replace(**c), lambda v, c: v.model_copy(update=c)],
    ids=["replace", "model_copy"],
)
def test_a_changed_copy_never_carries_a_stale_id(copied):
    value = Node(parent=Node())
    before = (value.id, value.canonical, value.references)
    changed = copied(value, {"leaf": Leaf(count=9), "parent": None})
    assert changed.id == Node(leaf=Leaf(count=9)).id != value.id
    assert changed.references == ()
    assert (value.id, value.canonical, value.references) == before
    with pytest.raises(UsageError):
        copied(value, {"leaf": "no leaf"})
    with pytest.raises(UsageError, match="unknown"):
        copied(value, {"unknown": 1})


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
def test_plain_copies_are_equal(copied):
    value = Node(parent=Node(leaf=Leaf(count=7)))
    twin = copied(value)
    assert twin == value and hash(twin) == hash(value) and twin.parent.leaf.count == 7


@pytest.mark.parametrize("wrong", [{"rate": float("nan")}, {"rate": float("inf")}, {"more": 1}])
def test_unknown_fields_and_numbers_without_a_value_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Leaf(**wrong)
    with pytest.raises(UsageError, match=r"Leaf.rate cannot be set, as values are frozen; .*Leaf\(rate=\.\.\.\)"):
        Leaf().rate = 1.0


def test_values_without_names_are_refused_with_the_names():
    with pytest.raises(UsageError, match=r"Leaf takes its fields by name: Leaf\(rate=\.\.\."):
        Leaf(0.5)
    assert "values" not in inspect.signature(Leaf).parameters


def test_live_objects_have_no_id():
    with pytest.raises(TypeError, match="import path"):
        canonical(lambda: None)
    with pytest.raises(TypeError, match="Tensor"):
        canonical(torch.zeros(1))


def test_a_digest_of_arrays_sees_values_types_shapes_and_order():
    x = np.arange(6, dtype=np.float32)
    different = [
        (x,),
        (x.reshape(2, 3),),
        (x.astype(np.float64),),
        (x, x[:0]),
        (x[:3], x[3:]),
        (x[3:], x[:3]),
        (np.where(x == 5, -5, x).astype(np.float32),),
    ]
    assert len({array_digest(*arrays) for arrays in different}) == len(different)
    assert array_digest(x) == array_digest(torch.from_numpy(x)) == array_digest(x.astype(">f4"))
    assert array_digest(x[::2]) == array_digest(x[::2].copy())
    assert len(text_digest("")) == 32


def test_a_field_that_would_be_in_no_id_is_refused():
    with pytest.raises(TypeError, match="Shape has a field 'kind'"):

        class Shape(Value):
            kind: str = "round"


def test_help_shows_what_is_of_this_package_only():
    text = pydoc.render_doc(Node, renderer=pydoc.plaintext)
    assert len(text.splitlines()) <= 60
    assert "Node(*, leaf: Leaf = Leaf(), parent: Any = None" in text
    assert "replace(self" in text and "model_dump" not in text


def test_a_text_form_has_what_differs_from_the_defaults_and_references_by_id():
    assert repr(Leaf()) == "Leaf()" and repr(Leaf(count=4)) == "Leaf(count=4)"
    parent = Node(several=(1, "a"))
    assert repr(parent) == "Node(several=(1, 'a'))"
    assert repr(Node(parent=parent)) == f"Node(parent=<Node {parent.id[:8]}>)"
    assert len({repr(Node(leaf=Leaf(count=count))) for count in range(9)}) == 9


class Grown(Value):
    """A `Leaf` that has got a field since."""

    added: ClassVar[frozenset[str]] = frozenset({"clip"})
    rate: float = 0.1
    count: int = 3
    clip: float | None = None


class GrownAgain(Grown):
    added: ClassVar[frozenset[str]] = frozenset({"groups"})
    groups: tuple[str, ...] = ()


def test_an_added_field_enters_the_id_only_where_it_differs_from_its_default():
    assert Grown().canonical == Leaf().canonical.replace(kind(Leaf), kind(Grown))
    assert Grown(clip=None).id == Grown().id != Grown(clip=1.0).id
    assert json.loads(Grown(clip=1.0).canonical)["clip"] == 1.0


def test_added_fields_of_a_parent_class_stay_added():
    assert GrownAgain.added == {"clip", "groups"} and Grown.added == {"clip"}
    assert set(json.loads(GrownAgain().canonical)) == {"kind", "rate", "count"}
    assert set(json.loads(GrownAgain(groups=("norm",)).canonical)) == {"kind", "rate", "count", "groups"}


def test_an_added_field_needs_a_default():
    with pytest.raises(TypeError, match="added names 'clip', which is no field with a default"):

        class Required(Value):
            added: ClassVar[frozenset[str]] = frozenset({"clip"})
            clip: float

    with pytest.raises(TypeError, match="added names 'clip'"):

        class Misspelt(Value):
            added: ClassVar[frozenset[str]] = frozenset({"clip"})
            klip: float = 1.0


CELL = """
from prunescope.base.value import Value
RATE = {rate}
class Mine(Value):
    share: float = 0.5
    def value(self): return {body} * RATE
"""


def defined(body="self.share", rate=1.0):
    """A class as a notebook cell defines it."""
    namespace = {"__name__": "__main__"}
    exec(CELL.format(body=body, rate=rate), namespace)
    return namespace["Mine"]


def test_the_code_of_a_users_class_is_a_part_of_the_id():
    assert defined()().id == defined()().id
    assert len({defined(*case)().id for case in (("1.0",), ("2.0",), ("1.0", 2.0))}) == 3
    assert kind(Value) == "Value"


def test_the_id_of_a_users_class_is_the_same_in_another_process(tmp_path, monkeypatch):
    (tmp_path / "users_values.py").write_text(CELL.format(body="len({'a', 'b'})", rate="{'x', 'y', 'z'}"))
    command = [sys.executable, "-c", "import users_values; print(users_values.Mine().id)"]
    other = os.environ | {"PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"}
    there = subprocess.run(command, cwd=tmp_path, env=other, capture_output=True, check=True, text=True).stdout
    monkeypatch.syspath_prepend(tmp_path)
    assert there.strip() == importlib.import_module("users_values").Mine().id


def test_code_that_changes_between_two_processes_is_noticed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    text = "from prunescope.base.value import Value\n"
    text += "class Other(Value):\n    by_id = True\n    def f(self): return {n}\n"
    (tmp_path / "users_edited.py").write_text(text.format(n=1))
    module = importlib.import_module("users_edited")
    sent = pickle.dumps(module.Other())
    assert pickle.loads(sent) == module.Other()
    monkeypatch.setattr(module.Other, "f", lambda self: 2)
    with pytest.raises(CodeChanged, match="Other changed on its way"):
        pickle.loads(sent)


WRONG = {
    "another class": (lambda: Node(leaf="mine"), r"^Node\.leaf='mine': it must be a value of the class Leaf"),
    "a name": (
        lambda: Prune(score="magnitude"),
        r"^Prune\.score='magnitude': it must be .* Score: .*Magnitude\(\.\.\.\)",
    ),
    "a state": (lambda: Reading(measure=Risk(split="test"), state=Moment()), r"Reading\.state=.*: .* ps\.final\(run\)"),
    "a module": (
        lambda: Compared(comparison=Barrier(split="test"), first=torch.nn.Linear(2, 2), second=torch.nn.Linear(2, 2)),
        r"Compared\.first=.*: .* ps\.given\(module, task\) of a network",
    ),
    "a rate": (lambda: SGD(lr=0.1), r"'lr' is no field of SGD; the learning rate belongs to the schedule"),
    "a slip": (lambda: SGD(momentun=0.1), r"'momentun' is no field of SGD; did you mean 'momentum'\?"),
    "nothing": (lambda: Noise(), r"^Noise\.std is required; give it$"),
    "two": (lambda: SGD(momentum="x", nesterov=7), r"^SGD\.momentum='x': .*\nSGD\.nesterov=7: "),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_field_is_told_without_pydantics_words(case):
    make, message = WRONG[case]
    with pytest.raises(UsageError, match=message) as problem:
        make()
    assert "pydantic" not in str(problem.value) and "[type=" not in str(problem.value)
    assert type(problem.value)(str(problem.value)).exit_code == 2, "workers send an error as its class and text"
