"""Cedar schemas: read, bounded, joined, and what policies are validated against when files are loaded.

A tenant's schema is checked together with the platform's: the joined text declares `Group` once and holds
the platform's namespace `PolicyService`, and the platform's actions accept the tenant's entity types.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from math import prod
from typing import NamedTuple

from policy_service.model import Finding, Uid
from policy_service.policy.engines.cedar import CedarPolicy, read_schema, validate_text
from policy_service.policy.engines.cedar_declarations import (
    Declaration,
    applies_at,
    applies_of,
    check_sizes,
    edit,
    end_of,
    parents_of,
    read_declarations,
    types_of,
)
from policy_service.policy.engines.cedar_shadows import Aliases, find_shadowed, qualify
from policy_service.policy.engines.cedar_text import NotCedar, find_line, line_of, scan, shorten, unquote
from policy_service.policy.engines.large_stack import on_large_stack
from policy_service.policy.names import ESCAPE, GROUP, SERVICE

# principal types × resource types × actions, summed over the policies of a layer; a million take about ten seconds
CHECKED = 1_000_000
# sentences about one policy; the rest is most often the same for other types
TOLD = 5


class Schema(NamedTuple):
    """One schema file that could be read: its entity types, and its actions with all their ancestors."""

    path: str
    text: str
    types: tuple[str, ...]
    actions: Mapping[Uid, frozenset[Uid]]


def parse_schema(path: str, text: str, *, platform: bool = False) -> tuple[Schema | None, list[Finding]]:
    """One schema file. The platform's must be whole; a tenant's is checked by Cedar when it is joined."""
    try:
        declarations = _guard(text)
    except NotCedar as error:
        return None, [Finding(path, error.line, str(error))]
    findings = _refuse(path, text, Aliases("")) if platform else _reserved(path, text, declarations)
    if findings:
        return None, findings
    return Schema(path, text, types_of(declarations), parents_of(declarations)), []


def join_schemas(platform: str, tenant: str, path: str) -> tuple[str, list[Finding]]:
    """The text of both schemas as one, and what is wrong with the tenant's, which is the file `path`.

    The tenant's entity types are added to whom the platform's actions apply to: without that Cedar finds no
    action for a policy about them. Where a name at the top is also the platform's, Cedar would refuse the
    text as it is: what is checked here, and by `validate`, has other names for the platform's.
    """
    _, findings = parse_schema(path, tenant)
    if findings:
        return "", findings
    try:
        declarations = read_declarations(tenant)
        every = [*read_declarations(platform), *declarations]
        check_sizes(tenant, every)
        head = _apply_to(qualify(platform, find_shadowed(every)), types_of(declarations)) + "\n"
        aliases = Aliases(head + tenant)
    except NotCedar as error:
        return "", [Finding(path, 1, f"{error}, together with the platform's")]
    return head + tenant, _refuse(path, tenant, aliases, head)


def action_parents(schema: str) -> Mapping[Uid, frozenset[Uid]]:
    """Every action that a schema's text declares, with all its ancestors. The text must have been checked."""
    return parents_of(read_declarations(schema))


def action_names(schema: str) -> frozenset[Uid]:
    """Every action that a schema's text declares. The text must have been checked."""
    return frozenset(action_parents(schema))


def validate(policies: Sequence[CedarPolicy], schema: str) -> list[Finding]:
    """What Cedar's validator says of policies against a schema's text that has been checked."""
    if not policies:
        return []
    first = policies[0].policy
    try:
        thinned = _thin(schema, policies)
        combinations = sum(_combinations(action) for action in _actions(thinned))
        aliases = Aliases(thinned, [policy.text for policy in policies])
    except NotCedar as error:
        return [Finding(first.file, first.line, f"the schema can't be used: {error}")]
    if combinations * len(policies) > CHECKED:
        sentence = (
            f"{len(policies)} policies are too many to check against {combinations} combinations of principal, "
            "action and resource types, declare fewer types or leave the schema out"
        )
        return [Finding(first.file, first.line, sentence)]
    try:
        compiled = on_large_stack(partial(read_schema, aliases.write_schema(thinned)))
    except ValueError as error:
        return [Finding(first.file, first.line, f"the schema can't be used: {aliases.restore(str(error))}")]
    findings = []
    for policy in policies:
        told = on_large_stack(partial(validate_text, aliases.write_policy(policy.text), compiled))
        said = [aliases.restore(sentence.removeprefix("for policy `policy0`, ")) for _, sentence in told]
        sentences = sorted(set(map(shorten, said)))
        findings += [Finding(policy.policy.file, policy.policy.line, sentence) for sentence in sentences[:TOLD]]
    return findings


def _guard(text: str) -> list[Declaration]:
    declarations = read_declarations(text)
    check_sizes(text, declarations)
    return declarations


def _refuse(path: str, text: str, aliases: Aliases, head: str = "") -> list[Finding]:
    """What Cedar says of a schema that comes after `head`."""
    before = aliases.write_schema(head)
    parse: Callable[[str], object] = lambda part: read_schema(before + part)  # noqa: E731
    return on_large_stack(partial(_try, path, aliases.write_schema(text), parse, aliases))


def _try(path: str, text: str, parse: Callable[[str], object], aliases: Aliases) -> list[Finding]:
    try:
        parse(text)
    except BaseException as error:
        said = str(error)
        sentence = f"invalid schema: {shorten(aliases.restore(said.removeprefix('error parsing schema: ')))}"
        return [Finding(path, find_line(text, said, parse), sentence)]
    return []


def _reserved(path: str, text: str, declarations: Sequence[Declaration]) -> list[Finding]:
    """What a tenant's schema may not declare, because only the service makes such entities."""
    findings: list[Finding] = []
    parents = parents_of(declarations)
    for declaration in declarations:
        if declaration.kind == "action":
            findings += _own_groups(path, text, declaration, parents)
        named = [(declaration.full(name), name) for name in declaration.names]
        if declaration.kind == "namespace":
            named = [(declaration.namespace, name) for name in declaration.rest]
        for full, name in named:
            reserved = _reserved_part(declaration.kind, full)
            if reserved:
                line = line_of(text, name.start)
                findings.append(Finding(path, line, f"`{full}` can't be declared here, {reserved}"))
    return findings


def _own_groups(path: str, text: str, action: Declaration, parents: Mapping[Uid, frozenset[Uid]]) -> Iterator[Finding]:
    """A tenant's actions in groups of the service: the platform's permits would reach them, its forbids spare them."""
    for name in action.names:
        for group in sorted(parents[action.uid(name)]):
            if group.type.split("::")[0] == SERVICE:
                why = f"the groups of `{SERVICE}` hold the service's own actions"
                yield Finding(path, line_of(text, name.start), f"`{action.full(name)}` can't be in `{group.id}`, {why}")


def _reserved_part(kind: str, name: str) -> str:
    parts = name.split("::")
    if parts[0] == SERVICE:
        return f"`{SERVICE}` is the service's own namespace" if kind == "namespace" else ""
    if kind == "action":
        return ""
    if name == GROUP:
        return f"`{GROUP}` is declared by the platform's schema"
    if parts[-1] == "Action":
        return "`Action` is the type of actions"
    return f"names that start with `{ESCAPE}` are the service's own" if parts[0].startswith(ESCAPE) else ""


def _actions(schema: str) -> list[Declaration]:
    return [declaration for declaration in read_declarations(schema) if declaration.kind == "action"]


def _combinations(action: Declaration) -> int:
    return prod(len(applies.types) for applies in applies_of(action))


def _apply_to(platform: str, types: Sequence[str]) -> str:
    """The platform's schema with its actions applying to these types as well."""
    edits = []
    for action in _actions(platform):
        for applies in applies_of(action):
            told = ", ".join(dict.fromkeys((*applies.types, *types)))
            edits.append((applies.tokens[0].start, end_of(applies.tokens), f"[{told}]"))
    return edit(platform, edits)


class _Reach(NamedTuple):
    """What an action means to policies that do not name it: two with equal `alike` differ in types only."""

    action: Declaration
    unnamed: tuple[str, ...]
    alike: tuple[object, ...]
    types: tuple[frozenset[str], ...]

    def covers(self, other: _Reach) -> bool:
        """Whether what is checked for this action is checked for the other as well; of two equal ones the first."""
        if self.alike != other.alike:
            return False
        if self.types == other.types:
            return self.action.names[0].start < other.action.names[0].start
        return all(mine >= theirs for mine, theirs in zip(self.types, other.types, strict=True))


def _thin(schema: str, policies: Sequence[CedarPolicy]) -> str:
    """The schema without whom actions apply to that no policy names, where another such action stands for them.

    Cedar checks a policy for every combination of an action with a principal's and a resource's type. What
    it says of one action it says of another with the same context for the same types, unless a policy names
    one of them or a group of one of them.
    """
    named = {unquote(token.text) for policy in policies for token in scan(policy.text) if token.kind == "string"}
    declarations = read_declarations(schema)
    parents = parents_of(declarations)
    reaches = [
        _reach(action, parents, named)
        for action in declarations
        if action.kind == "action" and applies_at(action) < len(action.rest)
    ]
    standing = [reach for reach in reaches if reach.unnamed]
    edits = []
    for reach in standing:
        action, body = reach.action, reach.action.rest[applies_at(reach.action) :]
        covered = any(other.covers(reach) for other in standing)
        others = reach.unnamed if covered else reach.unnamed[1:]
        kept = [name.text for name in action.names if name.text not in others]
        if others:
            groups = schema[action.rest[0].start : body[0].start]
            whole = f"{', '.join(kept)} {schema[action.rest[0].start : end_of(body)]}; action " if kept else ""
            edits.append((action.names[0].start, end_of(body), f"{whole}{', '.join(others)} {groups}"))
    return edit(schema, edits)


def _reach(action: Declaration, parents: Mapping[Uid, frozenset[Uid]], named: Collection[str]) -> _Reach:
    unnamed = tuple(name.text for name in action.names if unquote(name.text) not in named)
    groups = frozenset(group for group in parents[action.uid(action.names[0])] if group.id in named)
    applies = applies_of(action)
    lists = {token.start for each in applies for token in each.tokens}
    body = [token.text for token in action.rest[applies_at(action) :] if token.start not in lists]
    return _Reach(action, unnamed, (action.namespace, groups, *body), tuple(frozenset(each.types) for each in applies))
