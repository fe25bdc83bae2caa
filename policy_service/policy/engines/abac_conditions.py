"""The conditions of py-abac: the one file that calls the library.

Leaves are the library's conditions. Ours are the recursion of `AllOf`, `AnyOf` and `Not`, paths, networks
and regular expressions, because of the library's own

- `*Attribute` conditions store a request's value on the policy, where other threads read it;
- a missing attribute, or one of the wrong type, is false, so that a deny is lost silently: here it is a
  failure, which denies where the policy is a deny. So is an address that is none;
- a list that holds a record or a list is an error: here these are elements like others;
- paths are programs that run when a file is loaded, in a parser that breaks under threads. So conditions are
  made by their constructors, from what `abac_schema` has checked, and never by `Policy.from_json`.

What a leaf means is the library's: `AnyNotIn` is "none is in", `AllNotIn` is "not all are in" (the reverse of
its documentation), and `Eq` 1 holds for `true`.
"""

from __future__ import annotations

import ipaddress
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple, Protocol

from policy_service.policy.engines.abac_paths import MISSING, Data, Path, read_path
from policy_service.policy.engines.abac_patterns import compile_regex
from policy_service.policy.engines.abac_schema import CONDITIONS, check_condition
from policy_service.policy.values import plain, read_value

with warnings.catch_warnings():
    # py-abac 0.4.1 gives marshmallow's fields `default` and `missing`, of which marshmallow warns at import
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"py_abac|marshmallow")
    from py_abac.policy.conditions import schema as library

_NOUNS: Final = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list"}


class Failed(ValueError):
    """A condition could not be evaluated; the message is the sentence of the failure."""


class Node(Protocol):
    """A part of a rule; nothing in it changes."""

    def holds(self, data: Data) -> bool:
        """Whether it holds; `Failed` where it can't be told."""


class _Context(NamedTuple):
    """What the library's conditions ask of their evaluation context."""

    ace: str
    attribute_path: str
    attribute_value: Any
    other: Any = None

    def get_attribute_value(self, ace: str, path: str) -> Any:  # noqa: ARG002
        """The value at the other path of an `*Attribute` condition."""
        return self.other


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every node holds, asked up to the first that does not."""

    nodes: tuple[Node, ...]

    def holds(self, data: Data) -> bool:
        for node in self.nodes:  # noqa: SIM110 (a generator costs twice as much)
            if not node.holds(data):
                return False
        return True


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Some node holds, asked up to the first that does."""

    nodes: tuple[Node, ...]

    def holds(self, data: Data) -> bool:
        for node in self.nodes:  # noqa: SIM110
            if node.holds(data):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Negation:
    node: Node

    def holds(self, data: Data) -> bool:
        return not self.node.holds(data)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A condition of the library on one attribute, which must be there and of its type."""

    name: str
    path: Path
    takes: tuple[type, ...]
    condition: Any

    def holds(self, data: Data) -> bool:
        value = _take(data, self.path, self.name, self.takes)
        if self.takes == (list,):
            value = _freeze_parts(value)
        return _ask(self.name, self.condition, _Context(self.path.ace, self.path.text, value))


@dataclass(frozen=True, slots=True)
class Presence:
    """`Exists`, `NotExists` and `Any`, which ask of a missing attribute too."""

    name: str
    path: Path
    condition: Any

    def holds(self, data: Data) -> bool:
        value = data.find(self.path)
        context = _Context(self.path.ace, self.path.text, None if value is MISSING else value)
        return _ask(self.name, self.condition, context)


@dataclass(frozen=True, slots=True)
class Pair:
    """A condition of the library on two attributes; both must be there."""

    name: str
    path: Path
    takes: tuple[type, ...]
    other: Path
    other_takes: tuple[type, ...]
    make: Callable[[str, str], Any]

    def holds(self, data: Data) -> bool:
        value = _take(data, self.path, self.name, self.takes)
        other = _take(data, self.other, self.name, self.other_takes)
        if self.takes == (list,):
            value, other = _freeze_parts(value), _freeze_parts(other)
        # a new one each time: the library keeps the other value on the condition, where a thread would find it
        condition = self.make(self.other.ace, self.other.text)
        return _ask(self.name, condition, _Context(self.path.ace, self.path.text, value, other))


@dataclass(frozen=True, slots=True)
class Text:
    """A test of ours on a string: `RegexMatch` and `CIDR`; `source` is what it was made of."""

    name: str
    path: Path
    test: Callable[[str], bool]
    source: str

    def holds(self, data: Data) -> bool:
        value = _take(data, self.path, self.name, (str,))
        try:
            return self.test(value)
        except ValueError as error:
            raise Failed(f"`{self.name}` can't read {self.path}: {error}") from None


def _take(data: Data, path: Path, name: str, takes: tuple[type, ...]) -> Any:
    value = data.find(path)
    if value is MISSING:
        raise Failed(f"{path} is not there")
    if takes and not isinstance(value, takes):
        raise Failed(f"{path} is {_noun(value)}, and `{name}` takes {_NOUNS.get(takes[0], 'a record')}")
    return value


def _ask(name: str, condition: Any, context: _Context) -> bool:
    try:
        return bool(condition.is_satisfied(context))
    except Exception as error:
        where = Path(context.ace, (), context.attribute_path)
        raise Failed(f"`{name}` can't be asked of {where}: {error}") from error


def _freeze_parts(values: list[Any]) -> list[Any]:
    """The same list, with what the library can put into a set where a record or a list is."""
    return [_freeze(part) for part in values]


def _freeze(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_freeze_parts(value))
    if isinstance(value, dict):
        return frozenset((name, _freeze(part)) for name, part in value.items())
    return value


def _noun(value: Any) -> str:
    return _NOUNS.get(type(value), "a record")


@dataclass(slots=True)
class Reader:
    """Reads the rules of one policy; collects what is wrong with them and which paths they read."""

    sentences: list[str] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    count: int = 0
    pattern_bytes: int = 0

    def read_rule(self, ace: str, raw: Any) -> Node:
        """The rule on one element: an object is "and", a list of objects "or"."""
        if isinstance(raw, list):
            return AnyOf(tuple(self.read_rule(ace, part) for part in raw))
        return AllOf(tuple(self._read_attribute(ace, text, part) for text, part in raw.items()))

    def _read_attribute(self, ace: str, text: str, raw: Any) -> Node:
        where = f"rules.{ace}.{text}"
        try:
            return self._read(raw, self._read_path(ace, text), where)
        except ValueError as error:
            self.sentences.append(f"{error} (at `{where}`)")
            return AllOf(())

    def _read_path(self, ace: str, text: str) -> Path:
        path = read_path(ace, text)
        self.paths.append(path)
        return path

    def _read(self, raw: Any, path: Path, where: str) -> Node:
        self.count += 1
        wrong = check_condition(raw, where)
        if wrong:
            self.sentences += wrong
            return AllOf(())
        name = raw["condition"]
        takes = CONDITIONS[name].takes
        match name:
            case "AllOf" | "AnyOf":
                nodes = tuple(
                    self._read(part, path, f"{where}.values.{index}") for index, part in enumerate(raw["values"])
                )
                return AllOf(nodes) if name == "AllOf" else AnyOf(nodes)
            case "Not":
                return Negation(self._read(raw["value"], path, f"{where}.value"))
            case "RegexMatch":
                self.pattern_bytes += len(raw["value"])
                return Text(name, path, compile_regex(raw["value"]).matches, raw["value"])
            case "CIDR":
                return Text(name, path, _Network(raw["value"]).contains, raw["value"])
        condition = getattr(library, name)
        if "ace" in raw:
            other_takes = () if name in ("EqualsAttribute", "NotEqualsAttribute") else (list,)
            return Pair(name, path, takes, self._read_path(raw["ace"], raw["path"]), other_takes, condition)
        made = condition(**_read_arguments(raw))
        if name in ("Exists", "NotExists", "Any"):
            return Presence(name, path, made)
        return Leaf(name, path, takes, made)


def _read_arguments(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What the constructor of a condition takes, in the plain values that requests have too."""
    arguments = {name: part for name, part in raw.items() if name != "condition"}
    value = arguments.get("value")
    if isinstance(value, Decimal):
        # a bound may be any number: `read_value` would make a record of one that no request can send as a number
        arguments["value"] = float(value)
    elif isinstance(value, dict):
        arguments["value"] = plain(read_value(value, trusted=True, where="value"))
    elif "values" in arguments:
        values = plain(read_value(arguments["values"], trusted=True, where="values"))
        if CONDITIONS[raw["condition"]].takes and any(type(part) is dict for part in values):
            raise ValueError(f"`{raw['condition']}` holds a number beyond what a request can send")
        arguments["values"] = values
    return arguments


class _Network:
    __slots__ = ("_network",)

    def __init__(self, text: str) -> None:
        try:
            self._network = ipaddress.ip_network(text)
        except ValueError as error:
            raise ValueError(f"the network `{text}` never matches: {error}") from None

    def contains(self, text: str) -> bool:
        """Whether an address is in it; a `ValueError` where the text is no address."""
        return ipaddress.ip_address(text) in self._network
