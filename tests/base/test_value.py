"""Ids: what enters them, what must not, and that they chain."""

import copy
import hashlib
import json
import pickle
import pydoc
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from prunescope.base.value import Value, array_digest, canonical, text_digest


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
    assert json.loads(value.canonical) == {"kind": f"{__name__}:Leaf", "rate": 0.1, "count": 4}
    assert value.id == hashlib.blake2b(value.canonical.encode(), digest_size=16).hexdigest()
    assert list(json.loads(value.canonical)) == sorted(json.loads(value.canonical))


def test_defaults_enter_so_that_a_changed_default_changes_the_id():
    class Changed(Value):
        rate: float = 0.2
        count: int = 3

    Changed.__qualname__ = "Leaf"
    assert Changed().id != Leaf().id
    assert Changed(rate=0.1).id == Leaf().id == Leaf(rate=0.1, count=3).id


def test_kind_and_version_enter():
    assert len({Leaf().id, Renamed().id, NewMeaning().id}) == 3
    NewMeaning.__qualname__ = "Leaf"
    assert NewMeaning().id != Leaf().id
    assert Leaf() != Renamed()


def test_numbers_take_the_type_of_their_field():
    assert Leaf(rate=1).id == Leaf(rate=1.0).id
    assert Leaf(count=2.0).id == Leaf(count=2).id
    with pytest.raises(ValidationError):
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
    with pytest.raises(ValidationError):
        copied(value, {"leaf": "no leaf"})
    with pytest.raises(ValidationError, match="unknown"):
        copied(value, {"unknown": 1})


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
def test_plain_copies_are_equal(copied):
    value = Node(parent=Node(leaf=Leaf(count=7)))
    twin = copied(value)
    assert twin == value and hash(twin) == hash(value) and twin.parent.leaf.count == 7


@pytest.mark.parametrize("wrong", [{"rate": float("nan")}, {"rate": float("inf")}, {"more": 1}])
def test_unknown_fields_and_numbers_without_a_value_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Leaf(**wrong)
    with pytest.raises(ValidationError, match="frozen"):
        Leaf().rate = 1.0


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
