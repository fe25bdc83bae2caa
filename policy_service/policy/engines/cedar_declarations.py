"""The declarations of a Cedar schema, read from its tokens, and bounded before cedarpy sees them.

cedarpy overflows the stack on nested types, and needs time and memory exponential in chains of common types
that name each other twice, and quadratic in chains of actions (*tried*). It is no second parser: whatever
is not a declaration is left to Cedar, which refuses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from policy_service.model import Uid
from policy_service.policy.engines.cedar_text import Nesting, NotCedar, Token, check_lines, line_of, scan, unquote
from policy_service.policy.scope import LIMITS

SCHEMA_BYTES = 256 * 1024
# entity types, actions and common types together
DECLARED = 500
# names in all types once every common type is written out
WRITTEN_OUT = 50_000

_OPENING, _CLOSING = frozenset("([{<"), frozenset(")]}>")


class Declaration(NamedTuple):
    """A namespace, or what one statement declares: its names with their positions, and the tokens after them."""

    kind: str
    namespace: str
    names: tuple[Token, ...]
    rest: tuple[Token, ...]

    def full(self, name: Token) -> str:
        """A declared name with its namespace."""
        text = unquote(name.text)
        return f"{self.namespace}::{text}" if self.namespace else text

    def uid(self, name: Token) -> Uid:
        """The identity of a declared action."""
        return Uid(_action_type(self.namespace), unquote(name.text))


def read_declarations(text: str) -> list[Declaration]:
    """What a schema declares, in its order; raises `NotCedar` for a text that is too large or too deep."""
    if len(text.encode(errors="replace")) > SCHEMA_BYTES:
        raise NotCedar(f"the schema is larger than {SCHEMA_BYTES} bytes", 1)
    check_lines(text)
    tokens = list(scan(text))
    nesting = Nesting(text, "([{<")
    for token in tokens:
        if nesting.enter(token.text, token.start) > LIMITS.policy_nesting:
            line = line_of(text, token.start)
            raise NotCedar(f"the schema nests brackets deeper than {LIMITS.policy_nesting} levels", line)
    nesting.close()
    return list(_declare(tokens))


def _declare(tokens: Sequence[Token]) -> Iterator[Declaration]:
    namespace, index = "", 0
    while (index := _skip_annotations(tokens, index)) < len(tokens):
        if tokens[index].text == "}":
            namespace, index = "", index + 1
            continue
        end = _end(tokens, index)
        statement = tokens[index:end]
        if statement and statement[0].text == "namespace":
            namespace = "".join(token.text for token in statement[1:])
            yield Declaration("namespace", namespace, (), tuple(statement[1:2]))
        elif statement:
            names = _names(statement)
            yield Declaration(statement[0].text, namespace, names, tuple(statement[max(2 * len(names), 1) :]))
        index = end if end < len(tokens) and tokens[end].text == "}" else end + 1


def _skip_annotations(tokens: Sequence[Token], index: int) -> int:
    while index < len(tokens) and tokens[index].text == "@":
        index += 2
        if index < len(tokens) and tokens[index].text == "(":
            index += 3
    return index


def _end(tokens: Sequence[Token], index: int) -> int:
    """Where a statement ends: at its `;`, at the `{` of a namespace, or at the `}` that closes one."""
    opens, depth = tokens[index].text == "namespace", 0
    for position in range(index, len(tokens)):
        text = tokens[position].text
        if not depth and (text in (";", "}") or (opens and text == "{")):
            return position
        depth += (text in _OPENING) - (text in _CLOSING)
    return len(tokens)


def _names(statement: Sequence[Token]) -> tuple[Token, ...]:
    names = [*statement[1:2]]
    while len(statement) > 2 * len(names) + 1 and names and statement[2 * len(names)].text == ",":
        names.append(statement[2 * len(names) + 1])
    return tuple(names)


def check_sizes(text: str, declarations: Sequence[Declaration]) -> None:
    """Raises `NotCedar` where there are too many declarations, or types that grow when they are written out."""
    named = [name for declaration in declarations for name in declaration.names]
    if len(named) > DECLARED:
        raise NotCedar(f"the schema declares more than {DECLARED} names", line_of(text, named[DECLARED].start))
    # names of different namespaces are counted as one: never less than what Cedar writes out
    bodies: dict[str, list[str]] = {}
    for declaration in declarations:
        if declaration.kind == "type":
            for name in declaration.names:
                bodies.setdefault(name.text, []).extend(_types_named(declaration))
    sizes: dict[str, tuple[int, int]] = {}
    total = 0
    for declaration in declarations:
        for name in declaration.names:
            size, height = _measure(_types_named(declaration), bodies, sizes, 0)
            total += size
            if height > LIMITS.policy_nesting or total > WRITTEN_OUT:
                raise NotCedar("the types of the schema become too large when written out", line_of(text, name.start))


def _types_named(declaration: Declaration) -> list[str]:
    return [token.text for token in declaration.rest if token.kind == "word"]


def _measure(
    names: Iterable[str], bodies: Mapping[str, list[str]], sizes: dict[str, tuple[int, int]], depth: int
) -> tuple[int, int]:
    """How many names there are once common types are written out, and how deep; types in a cycle are too deep."""
    if depth > LIMITS.policy_nesting:
        return 0, depth
    size = height = 0
    for name in names:
        if name in bodies and name not in sizes:
            sizes[name] = _measure(bodies[name], bodies, sizes, depth + 1)
        below, deep = sizes.get(name, (0, -1))
        size, height = size + 1 + below, max(height, deep + 1)
    return size, height


def types_of(declarations: Iterable[Declaration]) -> tuple[str, ...]:
    """The entity types that are declared, in order."""
    entities = [declaration for declaration in declarations if declaration.kind == "entity"]
    return tuple(declaration.full(name) for declaration in entities for name in declaration.names)


class Applies(NamedTuple):
    """Whom an action applies to in one role: the tokens of the list, or of the one type, and the types."""

    tokens: tuple[Token, ...]
    types: tuple[str, ...]


def applies_at(action: Declaration) -> int:
    """Where `appliesTo` stands among the tokens after an action's names; their number where it doesn't."""
    depth = 0
    for index, token in enumerate(action.rest):
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if not depth and token.text == "appliesTo":
            return index
    return len(action.rest)


def applies_of(action: Declaration) -> list[Applies]:
    """The principals and the resources an action applies to; empty for one that only groups others."""
    found = []
    depth = 0
    for index in range(applies_at(action) + 1, len(action.rest)):
        text = action.rest[index].text
        depth += (text in _OPENING) - (text in _CLOSING)
        # the names inside `appliesTo { … }`, but not those deeper in its context
        if depth == 1 and text in ("principal", "resource") and (tokens := _value(action.rest[index + 2 :])):
            names = "".join(token.text for token in tokens if token.text not in ("[", "]")).split(",")
            found.append(Applies(tokens, tuple(filter(None, names))))
        if not depth:
            break
    return found


def _value(tokens: Sequence[Token]) -> tuple[Token, ...]:
    ends = ("]",) if tokens and tokens[0].text == "[" else (",", "}")
    for index, token in enumerate(tokens):
        if token.text in ends:
            return tuple(tokens[: index + (token.text == "]")])
    return tuple(tokens)


def parents_of(declarations: Iterable[Declaration]) -> dict[Uid, frozenset[Uid]]:
    """The actions that are declared, each with all its ancestors."""
    actions = [declaration for declaration in declarations if declaration.kind == "action"]
    declared = {action.uid(name) for action in actions for name in action.names}
    direct = {action.uid(name): _above(action, declared) for action in actions for name in action.names}
    return {uid: _closure(uid, direct) for uid in direct}


def _above(action: Declaration, declared: set[Uid]) -> set[Uid]:
    if not action.rest or action.rest[0].text != "in":
        return set()
    found, path = set(), list[str]()
    inside = len(action.rest) > 1 and action.rest[1].text == "["
    for token in action.rest[2 if inside else 1 :]:
        if token.text in (",", "]") or (path and path[-1] != "::" and token.text != "::"):
            if path:
                found.add(_resolve(path, action.namespace, declared))
            path = []
            if token.text != ",":
                break
        else:
            path.append(token.text)
    return found | ({_resolve(path, action.namespace, declared)} if path else set())


def _resolve(path: Sequence[str], namespace: str, declared: set[Uid]) -> Uid:
    """The action a reference names: without a namespace the own one first, then none."""
    name, kind = unquote(path[-1]), "".join(path[:-2]) or "Action"
    own = Uid(_action_type(namespace), name)
    return own if kind == "Action" and own in declared else Uid(kind, name)


def _closure(uid: Uid, direct: Mapping[Uid, set[Uid]]) -> frozenset[Uid]:
    found: set[Uid] = set()
    open_ = list(direct[uid])
    while open_:
        parent = open_.pop()
        if parent not in found:
            found.add(parent)
            open_.extend(direct.get(parent, ()))
    return frozenset(found)


def _action_type(namespace: str) -> str:
    return f"{namespace}::Action" if namespace else "Action"


def end_of(tokens: Sequence[Token]) -> int:
    """Where the text of these tokens ends."""
    return tokens[-1].start + len(tokens[-1].text)


def edit(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    """The text with the parts between these positions replaced; no part reaches into another."""
    parts, position = list[str](), 0
    for start, end, told in sorted(edits):
        parts += text[position:start], told
        position = end
    return "".join([*parts, text[position:]])
