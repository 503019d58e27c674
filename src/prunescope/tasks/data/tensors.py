"""The user's own examples as a data source: from whatever holds them to a value that any process can load.

Belongs here: the source, and what is checked across training and test set. Does not belong here: reading a `Dataset`
(`reading.py`), types and values (`conversion.py`), files (`library.py`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.tasks.data import conversion, library
from prunescope.tasks.data.columns import Pair
from prunescope.tasks.data.groups import groupings
from prunescope.tasks.data.layout import Layout, packed
from prunescope.tasks.data.reading import pair
from prunescope.tasks.data.source import Arrays, Content, Source
from prunescope.tasks.targets import Classes, Target, Weighted, require_target

Names = Sequence[str] | Mapping[Any, str]
"""Names of classes 0, 1, ..., or of the labels that stand for them."""


class Tensors(Source):
    """Tensors in the data folder; see `library.py`.

    classes: number of classes; of other targets the number of labels or of columns of y.
    """

    classes: int = Field(ge=1)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names that were given last."""
        return tuple(library.known(self.digest).get("class_names", ()))

    def load(self) -> Arrays:
        """The examples, float32, and labels as they were given. Raises DataError if a file is missing or damaged."""
        return library.content(self.digest).arrays(self.classes)


class Own(NamedTuple):
    """The user's own data.

    source: the examples.
    layout: how the network gets them, where they are not one floating tensor.
    target: what y is, with weights where there are some.
    """

    source: Tensors
    layout: Layout | None
    target: Target


def tensors(train: Any, test: Any, *, classes: int | None = None, target: Target | None = None) -> Tensors:
    """A source of the user's arrays; see `own`. Raises UsageError, too, for examples that need a layout."""
    source, layout, _ = own(train, test, classes=classes, target=target)
    if layout is not None:
        raise UsageError(
            "examples of whole numbers or of several parts need Task.from_module(), which tells the network of them; "
            "give floating examples [N, *shape] here, normalized"
        )
    return source


def own(
    train: Any,
    test: Any,
    *,
    target: Target | None = None,
    classes: int | None = None,
    class_names: Names | None = None,
    groups: Mapping[str, Any] | None = None,
    weights: Any = None,
    columns: Sequence[str] = (),
) -> Own:
    """A source of the user's examples, which are written once to the data folder.

    A recipe that names them can then be run in any process. Equal content gives an equal source on any device.

    Args:
        train: what `reading.pair` takes, e.g. (x, y); x floating [N, *shape], not normalized here, or whole numbers
            (tokens), or a dictionary or a tuple of such; y as the target says. None where nothing is trained: the test
            examples stand in their place, and labels need not all occur, since a network that is there has outputs.
        test: the same for the test set, with the same shapes.
        target: what y is; None stands for classes.
        classes: number of classes; None is one more than the largest label, and none may be absent then.
        class_names: names of the classes; a mapping also maps the labels that it has, in its order, to 0, 1, ...
        groups: see `groupings`.
        weights: of the training examples, [N], not negative; see `Weighted`.
        columns: what the columns of x are called; by default as its table calls them.

    Raises: UsageError if anything does not fit; nothing is written then.
    """
    target = Classes() if target is None else target
    require_target(target)
    given = {"train": train, "test": test} if train is not None else {"test": test}
    pairs = {name: pair(data, name=name) for name, data in given.items()}
    pairs["test"] = _aligned(pairs["test"], next(iter(pairs.values())).x)
    columns = list(columns) or _columns(pairs["test"].x)
    for name, held in pairs.items():
        conversion.same_rows(held.y, [held.x], name=f"{name} y")
    _check_order(pairs, class_names)
    names = class_names or next((p.class_names for p in pairs.values() if p.class_names), ()) or _texts(pairs)
    labels = {name: _labels(held.y, names, name) for name, held in pairs.items()}
    examples = {name: _examples(held, labels[name], name) for name, held in pairs.items()}
    count = _classes(target, labels, classes, names)
    labels.setdefault("train", labels["test"])
    examples.setdefault("train", examples["test"])
    (train_x, layout), (test_x, other) = examples["train"], examples["test"]
    require_alike(layout, other, "training", "test")
    if train_x.shape[1:] != test_x.shape[1:]:
        raise UsageError(
            f"training examples have shape {tuple(train_x.shape[1:])} and test examples "
            f"{tuple(test_x.shape[1:])}; they must have one shape"
        )
    named = groupings(groups or {}, len(train_x), len(test_x), pairs)
    if weights is not None:
        conversion.same_rows(weights, pairs.get("train", ())[:2], name="weights")
        target, labels = _weighted(target, labels, weights)
    content = Content(train_x, labels["train"], test_x, labels["test"])
    facts = {"groups": named, "class_names": _list(names), "columns": columns}
    summary = library.keep(content, {key: value for key, value in facts.items() if value})
    return Own(Tensors(classes=count, **summary), layout, target)


def require_alike(layout: Layout | None, other: Layout | None, first: str, second: str) -> None:
    """Raises UsageError if examples have other parts than others, or in another order."""
    if layout != other:
        kinds = ["one floating tensor" if part is None else part.described for part in (layout, other)]
        raise UsageError(
            f"{first} examples are {kinds[0]} and {second} examples {kinds[1]}; they must be alike, in one order"
        )


def require_columns(columns: Sequence[str], others: Sequence[str], first: str, second: str) -> None:
    """Raises UsageError if the columns of two tables are not the same ones in one order: networks see no names."""
    if columns and others and list(columns) != list(others):
        sizes = len(columns), len(others)
        odd = next((pair for pair in zip(columns, others, strict=False) if pair[0] != pair[1]), sizes)
        raise UsageError(
            f"{first} x and {second} x have other columns, or in another order ({odd[0]} and {odd[1]}); give "
            f"{second}[{first}.columns]"
        )


def columns_of(source: Source) -> list[str]:
    """What the columns of a source of the user's own are called; empty where they have no names."""
    return list(library.known(source.digest).get("columns", ()))


def _columns(x: Any) -> list[str]:
    found = getattr(x, "column_names", None) or getattr(x, "columns", ())
    return list(map(str, found if isinstance(found, Iterable) else ()))


def _aligned(held: Pair, like: Any) -> Pair:
    """The pair with its parts in the order of others. Raises UsageError for columns in another order."""
    require_columns(_columns(like), _columns(held.x), "train", "test")
    same = isinstance(like, Mapping) and isinstance(held.x, Mapping) and like.keys() == held.x.keys()
    return held._replace(x={key: held.x[key] for key in like}) if same else held


def _check_order(pairs: Mapping[str, Pair], class_names: Names | None) -> None:
    """Raises UsageError where a label stands for one class in train, or in class_names, and for another in test."""
    orders = {
        name: held.order for name, held in pairs.items() if held.order and conversion.texts(held.y, name=name) is None
    }
    for label, names in enumerate(zip(*orders.values(), strict=False)):
        if len(set(names)) > 1:
            said = " and ".join(f"{called!r} in {name}" for name, called in zip(orders, names, strict=True))
            raise UsageError(
                f"label {label} is {said}; give both the same classes in the same order (Hugging Face: "
                "align_labels_with_mapping), or labels as texts"
            )
    given = [] if isinstance(class_names, Mapping) else list(class_names or ())
    for name, order in orders.items():
        if odd := [called for label, called in enumerate(order) if called in given and given.index(called) != label]:
            raise UsageError(
                f"{odd[0]!r} is label {order.index(odd[0])} in {name} and {given.index(odd[0])} in class_names; give "
                "class_names in the order of the labels, or labels as texts"
            )


def _texts(pairs: Mapping[str, Pair]) -> tuple[str, ...]:
    """All labels that are texts, sorted; none if labels are numbers. Refuses numbers in another order as texts."""
    found = {name: conversion.texts(held.y, name=f"{name} y") for name, held in pairs.items()}
    kinds = {name: "numbers" if texts is None else "texts" for name, texts in found.items()}
    if len(set(kinds.values())) > 1:
        raise UsageError(
            f"y is {kinds['train']} in train and {kinds['test']} in test; give both alike, or class_names, in order"
        )
    names = sorted({text for texts in found.values() if texts for text in texts})
    if all(re.fullmatch(r"-?\d+", text) for text in names) and names != (by_size := sorted(names, key=int)):
        raise UsageError(
            f"labels are numbers written as texts, in another order as texts ({', '.join(names[:4])}, ...) than as "
            f"numbers ({', '.join(by_size[:4])}, ...); give y as integers, or class_names in the order of outputs"
        )
    return tuple(names)


def _list(names: Names) -> list[str]:
    return [str(name) for name in (names.values() if isinstance(names, Mapping) else names)]


def _labels(y: Any, names: Names, name: str) -> Tensor:
    """Labels as numbers, where names say so mapped to 0, 1, ..."""
    if len(set(_list(names))) != len(names):
        raise UsageError(f"class_names {_list(names)} has a name twice; give each class a name of its own")
    texts = conversion.texts(y, name=f"{name} y")
    if not isinstance(names, Mapping) and texts is None:
        return conversion.labels(y, name=f"{name} y")
    given = texts or conversion.labels(y, name=f"{name} y").tolist()
    places = {label: place for place, label in enumerate(names)}
    try:
        return torch.tensor([places[label] for label in given], dtype=torch.int64)
    except (KeyError, TypeError):
        odd = next((label for label in given if isinstance(label, list) or label not in places), None)
        raise UsageError(
            f"{name} y holds {odd!r}, which class_names does not have; it has {list(names)[:12]}, and all labels must "
            "be among them, one an example"
        ) from None


def _examples(held: Pair, y: Tensor, name: str) -> tuple[Tensor, Layout | None]:
    """The inputs in float32, and their layout if they are not one floating tensor."""
    if isinstance(held.x, Mapping) or (isinstance(held.x, tuple) and any(hasattr(part, "shape") for part in held.x)):
        parts = held.x if isinstance(held.x, Mapping) else {str(place): part for place, part in enumerate(held.x)}
        if not parts:
            raise UsageError(f"{name} x has no parts; give arrays by the names of the network's arguments")
        ready = {str(key): conversion.part(part, name=f"{name} x[{key!r}]") for key, part in parts.items()}
        conversion.same_length({f"x[{key!r}]": part for key, part in ready.items()} | {"y": y}, name=name)
        return packed(ready)
    x = conversion.inputs(held.x, name=f"{name} x")
    conversion.same_length({"x": x, "y": y}, name=name)
    return (x, None) if x.is_floating_point() else packed({"0": x})


def _weighted(target: Target, labels: Mapping[str, Tensor], weights: Any) -> tuple[Target, dict[str, Tensor]]:
    """The target with weights, and y with those of the training examples; 1 in the test set."""
    train = conversion.floats(conversion.tensor(weights, name="weights"), name="weights")
    size = conversion.same_length({"y": labels["train"], "weights": train}, name="train")
    if train.shape != (size,) or float(train.min()) < 0 or float(train.max()) == 0:
        raise UsageError(
            f"weights have shape {tuple(train.shape)} and reach from {float(train.min()):g} to {float(train.max()):g}; "
            f"give ({size},), not negative and not all 0"
        )
    y = labels["train"]
    made = Weighted(inner=target, shape=tuple(y.shape[1:]), whole=not y.is_floating_point())
    ones = torch.ones(len(labels["test"]))
    return made, {"train": made.pack(y, train), "test": made.pack(labels["test"], ones)}


def _classes(target: Target, labels: Mapping[str, Tensor], classes: int | None, names: Names) -> int:
    """The number of classes. Raises UsageError for labels that do not fit, to train also where a class is alone."""
    if classes is not None and (type(classes) is not int or classes < 1):
        raise UsageError(f"classes={classes!r} is no number of classes; give a whole number from 2")
    for name, y in labels.items():
        target.check(y, name=name)
    least = target.count(*labels.values())
    wanted = classes or len(names) or None
    if wanted is None and "train" in labels:
        target.require_every_class(*labels.values())
    few = 0 < len(names) < least
    if wanted is not None and (wanted < least or few or (wanted != least and target.fixed)):
        said = f"class_names has {len(names)} names" if few or not classes else f"classes={classes}"
        raise UsageError(f"{said} and the labels need {least}; give {'' if target.fixed else 'at least '}{least}")
    train = labels.get("train")
    if train is not None and target.classifies and bool((train == train[0]).all()):
        raise UsageError(
            f"all {len(train)} training examples have the label {train.flatten()[0].item():g}; there is nothing to "
            "learn: give examples of at least two classes"
        )
    return wanted or least
