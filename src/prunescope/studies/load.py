"""From the name of a study to the study, with its settings.

Belongs here: finding the module, choosing the scale, changing settings. Does not belong here: reading YAML (`cli`),
the catalogue (`papers/catalogue.py`).

A module that defines a study has three names: `Settings`, a Value; `SCALES`, settings by the name of the scale;
and `build(settings, scale)`, which returns the `Study`. A user's own study needs no registration.
"""

import difflib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from prunescope.base import value
from prunescope.base.blame import blaming, explain
from prunescope.base.errors import UsageError
from prunescope.base.invalid import InvalidValue, invalid, unknown_field
from prunescope.base.kinds import KIND, has_kind, interface_of, kind_of
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies import looks
from prunescope.studies.extent import Cut, Extent, extent
from prunescope.studies.precision import in_precision, with_precision, without_precision
from prunescope.studies.study import Study

DEFAULT_SCALE = "laptop"
MOST = {"replicates": looks.MOST, "levels": 1_000}
"""The largest counts that settings of these names may have, 1,000,000 for the others: a plan of more never ends."""


@dataclass(frozen=True)
class Template:
    """A study that lacks nothing but its settings.

    name: as it was asked for. scales: settings by the name of the scale.
    """

    name: str
    scales: Mapping[str, value.Value]
    maker: Callable[[Any, str], Study]

    @property
    def default_scale(self) -> str:
        """The scale where none is asked for: "laptop", or the first there is."""
        return DEFAULT_SCALE if DEFAULT_SCALE in self.scales else next(iter(self.scales))

    def settings(
        self, scale: str | None = None, changes: Mapping[str, object] | None = None
    ) -> tuple[str, value.Value]:
        """The scale (by default "laptop", or the first there is) and its settings with nested `changes`.

        Whatever the study, `precision` may be changed, too; see `studies/precision.py`.

        Raises UsageError for a scale or a field that is not there, and for a value that is not permitted.
        """
        chosen = self.default_scale if scale is None else scale
        if chosen not in self.scales:
            raise UsageError(f"{self.name} has no scale {chosen!r}; it has {', '.join(self.scales)}")
        settings = changed(with_precision(self.scales[chosen]), changes or {})
        own, precision = without_precision(settings)
        return chosen, own if precision == "float32" else settings

    def build(self, scale: str | None = None, changes: Mapping[str, object] | None = None) -> Study:
        """The study at a scale with changed settings. Raises UsageError as `settings`, and what `build` raises."""
        chosen, settings = self.settings(scale, changes)
        settings, precision = without_precision(settings)
        with blaming(f"{self.name}: build failed"):
            study = self.maker(settings, chosen)
        if not isinstance(study, Study):
            raise UsageError(f"{self.name}: build returned {type(study).__name__}; it must return a Study")
        cut = {} if precision == "float32" else {"precision": (precision, "float32")}
        return in_precision(replace(study, extent=self._extent(study, chosen, settings, cut)), precision)

    def again(self, scale: str, described: Mapping[str, Any]) -> Study:
        """The study under settings as its report and its bundle describe them. Raises as `build`."""
        return self.build(scale, _changes(described, self.settings(scale)[1]))

    def _extent(self, study: Study, scale: str, settings: value.Value, cut: Cut) -> Extent | None:
        """How a study of a paper stands to the paper's own settings; None where no claim is a paper's.

        cut: what else is not the paper's.
        """
        paper = self.scales.get("paper")
        if paper is None or all(claim.basis == "proposed" for claim in study.claims):
            return None
        return extent(scale, sized(settings, scale), sized(paper, "paper"), recalled=study.recalled, also=cut)


def sized(settings: Any, scale: str) -> value.Value:
    """The settings with what they leave to the scale; they say what by a method `size`."""
    return settings.size(scale) if hasattr(settings, "size") else settings  # type: ignore[no-any-return]


def find(name: str, modules: Mapping[str, str]) -> Template:
    """The study called `name`: a name in the catalogue, a `file.py`, a `package.module`, or `module:NAME`.

    modules: import paths by name in the catalogue. NAME is a function (settings, scale) -> Study beside the
    module's SCALES, or an object that has both SCALES and build.

    Raises UsageError when there is no such study, or it does not have what a study needs.
    """
    if name in modules:
        return _template(name, _module(modules[name]))
    if name.endswith(".py"):
        return _template(name, module_of(name))
    if ":" in name:
        module_name, _, attribute = name.partition(":")
        module = _module(module_name)
        if not hasattr(module, attribute):
            raise UsageError(f"module {module_name} has no {attribute!r}; write module:NAME")
        target = getattr(module, attribute)
        return _template(name, target) if hasattr(target, "build") else _template(name, module, target)
    if "." in name:
        return _template(name, _module(name))
    close = difflib.get_close_matches(name, modules, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    raise UsageError(f"there is no study {name!r}; {hint}`prunescope list` has all; or give a file.py, or module:NAME")


def _changes(described: Mapping[str, Any], now: value.Value) -> dict[str, object]:
    """Described settings in the words in which they can be changed: a kind only where it differs."""
    changes = {}
    for name, given in described.items():
        inner = getattr(now, name, None)
        if isinstance(given, Mapping) and isinstance(inner, value.Value) and given.get(KIND) == type(inner).__name__:
            given = _changes({key: part for key, part in given.items() if key != KIND}, inner)
        changes[name] = given
    return changes


def changed(settings: value.Value, changes: Mapping[str, object], *, path: str = "") -> value.Value:
    """The settings with other values, checked; a mapping changes the fields of a nested value.

    A mapping with a `kind` takes the place of the nested value, unless that is of this kind already.

    path: the dotted name of `settings` itself, for messages. Raises UsageError that names the field, the value
    and what is permitted.
    """
    cls = type(settings)
    new: dict[str, object] = {}
    for name, given in changes.items():
        if name not in cls.model_fields:
            raise _unknown(path + name, cls)
        now = getattr(settings, name)
        if (
            isinstance(given, str)
            and isinstance(now, value.Value)
            and inspect.isabstract(cls.model_fields[name].annotation)
        ):
            given = {KIND: given}
        if isinstance(given, int) and abs(given) > (most := MOST.get(name, 1_000_000)):
            raise UsageError(f"{path}{name}={given}: at most {most:,}")
        if has_kind(given):
            new[name] = _of_kind(cls.model_fields[name].annotation, given, now, path + name)
        elif isinstance(given, Mapping) and isinstance(now, value.Value):
            new[name] = changed(now, given, path=f"{path}{name}.")
        elif isinstance(given, Mapping) and not isinstance(now, Mapping):
            inner = next(iter(given), "")
            raise UsageError(f"{path}{name}.{inner}: {path}{name} is {now!r} and has no fields of its own")
        else:
            new[name] = given
    try:
        return settings.replace(**new)
    except InvalidValue as problem:
        raise _relabelled(problem, cls, path) from problem


def _of_kind(annotation: Any, given: Any, now: object, path: str) -> object:
    """A value, or several, of the kinds that plain data names. now: what the field holds, if it is one value."""
    interface = interface_of(annotation)
    if interface is None:
        raise UsageError(f"{path} holds no value that has kinds; leave kind out")
    if not isinstance(given, Mapping):
        return tuple(_of_kind(interface, item, None, f"{path}.{k}") for k, item in enumerate(given))
    cls = kind_of(given[KIND], interface, path)
    fields = {name: item for name, item in given.items() if name != KIND}
    if type(now) is cls:
        assert isinstance(now, value.Value)
        return changed(now, fields, path=f"{path}.")
    for name, item in fields.items():
        if name not in cls.model_fields:
            raise _unknown(f"{path}.{name}", cls)
        annotation = cls.model_fields[name].annotation
        if has_kind(item):
            fields[name] = _of_kind(annotation, item, None, f"{path}.{name}")
        elif isinstance(item, Mapping) and inspect.isabstract(interface_of(annotation)):
            raise UsageError(f"{path}.{name} may be of several kinds; set {path}.{name}.kind, too")
    try:
        return cls(**fields)
    except InvalidValue as problem:
        raise _relabelled(problem, cls, f"{path}.") from problem


def _unknown(path: str, cls: type[value.Value]) -> UsageError:
    return UsageError(unknown_field(path, cls, kind="setting", owner=cls.__name__ if "." in path else "this study"))


def _relabelled(problem: InvalidValue, cls: type[value.Value], path: str) -> UsageError:
    """The same with the dotted names of the settings."""
    return UsageError(str(problem)) if problem.problem is None else invalid(problem.problem, cls, path)


def _template(name: str, owner: Any, maker: Any = None) -> Template:
    """The study of a module, or of any object with SCALES and build."""
    scales, build = getattr(owner, "SCALES", None), maker or getattr(owner, "build", None)
    complete = isinstance(scales, Mapping) and scales and all(isinstance(s, value.Value) for s in scales.values())
    if not complete or not callable(build):
        raise UsageError(
            f"{name} is no study; it needs SCALES, a dictionary of settings (Values) by the name of the scale, "
            "and build(settings, scale), which returns a Study"
        )
    assert isinstance(scales, Mapping)
    return Template(name, dict(scales), build)


def _module(name: str) -> ModuleType:
    if name and importlib.util.find_spec(name.split(".")[0]) is None:
        raise UsageError(f"there is no module {name!r}; check the name and PYTHONPATH, or give a file.py")
    try:
        with blaming(f"{name} cannot be imported"):
            return importlib.import_module(name)
    except ModuleNotFoundError as problem:
        raise UsageError(f"{name} cannot be imported: {explain(problem)}") from problem


def recipe_of(file: str) -> Recipe:
    """What a file.py calls `recipe`. Raises UsageError where there is none."""
    recipe = getattr(module_of(file), "recipe", None)
    if not isinstance(recipe, Recipe):
        raise UsageError(f"{file} has no Recipe called `recipe`; write recipe = ps.Recipe(...)")
    return recipe


def module_of(file: str) -> ModuleType:
    """A file.py as the module that worker processes import by the same name, from the same folder.

    Raises UsageError if there is no such file, or another module has its name.
    """
    path = Path(file)
    if path.suffix != ".py" or not path.is_file():
        problem = f"{path} is no file of Python" if path.is_file() else f"there is no file {path}"
        raise UsageError(f"{problem}; give a file.py")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # as Python does for a script; spawned workers inherit it
    with blaming(f"{path} cannot be imported"):
        module = importlib.import_module(path.stem)
    if module.__file__ is None or not path.samefile(module.__file__):
        raise UsageError(f"{path}: another module is called {path.stem!r} ({module.__file__}); rename the file")
    return module
