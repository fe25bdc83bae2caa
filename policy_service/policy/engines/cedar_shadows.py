"""Names that stand both at the top of a tenant's schema and in the service's namespace.

Cedar refuses such a schema: `action read` beside `PolicyService::Action::"read"` shadows it. Every tenant would
trip over it, so what Cedar is shown, and only that, has other names for the service's own: a marker that no text
contains stands before them. Where Cedar speaks, the marker is taken out again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from policy_service.policy.engines.cedar_declarations import Declaration, applies_at, edit, read_declarations
from policy_service.policy.engines.cedar_text import Token, scan, unquote
from policy_service.policy.names import SERVICE


class Names(NamedTuple):
    """Names of the service that stand at the top as well; entity types and common types share theirs."""

    types: frozenset[str]
    actions: frozenset[str]


def find_shadowed(declarations: Collection[Declaration]) -> Names:
    """Which of the service's names the same schemas declare at the top too."""

    def both(*kinds: str) -> frozenset[str]:
        own, top = ({*_declared(declarations, namespace, kinds)} for namespace in (SERVICE, ""))
        return frozenset(own & top)

    return Names(both("entity", "type"), both("action"))


def _declared(declarations: Iterable[Declaration], namespace: str, kinds: Collection[str]) -> Iterator[str]:
    for declaration in declarations:
        if declaration.namespace == namespace and declaration.kind in kinds:
            yield from (unquote(name.text) for name in declaration.names)


def qualify(platform: str, names: Names) -> str:
    """The platform's schema, saying `PolicyService::` wherever it means one of these names of its own.

    What is left without it, such as a tenant's type added to `appliesTo`, is then the one at the top.
    """
    edits = []
    for declaration in read_declarations(platform) if any(names) else ():
        if declaration.namespace == SERVICE:
            for path, reference in _references(declaration):
                texts = [unquote(token.text) for token in path]
                if reference == "action" and texts[-1] in names.actions and texts[:-1] in ([], ["Action"]):
                    edits.append((path[0].start, path[0].start, f"{SERVICE}::" + ("" if texts[:-1] else "Action::")))
                    if path[-1].kind == "word":
                        edits.append((path[-1].start, path[-1].start + len(texts[-1]), f'"{texts[-1]}"'))
                elif reference == "type" and len(path) == 1 and texts[0] in names.types:
                    edits.append((path[0].start, path[0].start, f"{SERVICE}::"))
    return edit(platform, edits)


def _references(declaration: Declaration) -> Iterator[tuple[tuple[Token, ...], str]]:
    """What a statement refers to, each with whether it is an action or a type."""
    rest = declaration.rest
    groups = applies_at(declaration) if declaration.kind == "action" else 0
    # the first token is `in`
    for path in read_paths(rest[1:groups]):
        yield path, "action"
    around = {here.start: (before, after) for before, here, after in zip(rest, rest[1:], rest[2:], strict=False)}
    for path in read_paths(rest[groups:]):
        before, after = (around[path[-1].start][side].text if path[-1].start in around else "" for side in (0, 1))
        # not the names of attributes and annotations
        if path[-1].kind == "word" and before != "@" and after not in (":", "?"):
            yield path, "type"


def read_paths(tokens: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    """The names that are joined by `::`, and those that stand alone, without the marks between them."""
    path: list[Token] = []
    joined = False
    for token in tokens:
        if token.text == "::" and token.kind == "mark":
            joined = True
            continue
        if path and not joined:
            yield tuple(path)
            path = []
        joined = False
        if token.kind in ("word", "string"):
            path.append(token)
    if path:
        yield tuple(path)


class Aliases:
    """Other names for what a joined schema declares twice, and the way back; nothing where nothing is."""

    def __init__(self, schema: str, policies: Iterable[str] = ()) -> None:
        self._names = find_shadowed(read_declarations(schema))
        self._marker = _find_marker([schema, *policies]) if any(self._names) else ""

    def write_schema(self, text: str) -> str:
        """A schema, or one of its two parts, with the other names."""
        edits = []
        for declaration in read_declarations(text) if self._marker else ():
            if declaration.namespace == SERVICE:
                names = self._names.actions if declaration.kind == "action" else self._names.types
                edits += [self._mark(name) for name in declaration.names if unquote(name.text) in names]
        return edit(text, [*edits, *self._mark_paths(text)])

    def write_policy(self, text: str) -> str:
        """A policy that was parsed, with the other names."""
        return edit(text, self._mark_paths(text))

    def restore(self, sentence: str) -> str:
        """What Cedar says, with the true names."""
        return sentence.replace(self._marker, "") if self._marker else sentence

    def _mark_paths(self, text: str) -> list[tuple[int, int, str]]:
        if not self._marker or SERVICE not in text:
            return []
        return [self._mark(name) for path in read_paths(list(scan(text))) if (name := self._find(path))]

    def _find(self, path: Sequence[Token]) -> Token | None:
        """The token of a path that is to be marked: an action's id, or a type, with or without the id of an entity."""
        if len(path) < 2 or path[0].text != SERVICE:
            return None
        if len(path) == 3 and path[1].text == "Action":
            return path[2] if unquote(path[2].text) in self._names.actions else None
        is_type = len(path) == 2 or path[2].kind == "string"
        return path[1] if is_type and path[1].text in self._names.types else None

    def _mark(self, name: Token) -> tuple[int, int, str]:
        start = name.start + (name.kind == "string")
        return start, start, self._marker


def _find_marker(texts: Iterable[str]) -> str:
    """A beginning of names that is in no name and no string of these texts."""
    said = "\n".join({unquote(token.text) for text in texts for token in scan(text)})
    number = 0
    while (marker := f"Own{number}_") in said:
        number += 1
    return marker
