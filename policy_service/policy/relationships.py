"""What stored relationships mean to policies: `relationships.yaml`.

    relationships:
      acme_team_owns_host: {parent: from, attribute: {on: to, name: team}}

By a relationship of this type the entity it comes from is a parent of the one it goes to, and that one has the
attribute `team`, a set in which the other is. Nothing else makes a parent or an attribute that refers to entities.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from policy_service.model import Finding
from policy_service.policy.entities import RESERVED_ATTRIBUTES
from policy_service.policy.yaml_text import NotYaml, read_document

Side: TypeAlias = Literal["from", "to"]

# what an asset has beside its properties; a property of such a name reaches policies as `property.<name>`
ASSET_ATTRIBUTES = frozenset({"key", "type", "class", "displayName", "source", "scope"})
PROPERTY = "property."

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,199}", re.ASCII)
_FORM = "write `<type>: {parent: from, attribute: {on: to, name: team}}`"
_FINDINGS = 100


class Attribute(NamedTuple):
    """The attribute `name` that the entity at one end has: the set of those at the other ends."""

    on: Side
    name: str


class Drawing(NamedTuple):
    """What relationships of one type draw: which end is the parent of the other, and which attribute one has."""

    parent: Side | None = None
    attribute: Attribute | None = None
    line: int = 1


def parse_relationships(path: str, text: str) -> tuple[dict[str, Drawing], list[Finding]]:
    """What is drawn, by the type of relationship, and what is wrong with the file; with a finding nothing is drawn."""
    try:
        document = read_document(text)
    except NotYaml as error:
        return {}, [Finding(path, error.line, str(error))]
    raw = {} if document.value is None else document.value
    if not isinstance(raw, dict) or raw.keys() - {"relationships"}:
        unknown = next((name for name in raw if name != "relationships"), "") if isinstance(raw, dict) else ""
        sentence = f"`{unknown}` is nothing this file has" if unknown else "no map"
        return {}, [
            Finding(path, document.line((unknown,)), f"{sentence}, write `relationships:` and below it {_FORM}")
        ]
    types = raw.get("relationships")
    types = {} if types is None else types
    if not isinstance(types, dict):
        return {}, [Finding(path, document.line(("relationships",)), f"`relationships` is no map, {_FORM}")]
    drawings: dict[str, Drawing] = {}
    findings: list[Finding] = []
    for kind, told in types.items():
        try:
            if not kind.isprintable() or not kind:
                # no asset has it, and not every database can be asked for it
                raise ValueError("this is no type, write letters, digits and `_`")
            drawings[kind] = _read_drawing(told, document.line(("relationships", kind)))
        except ValueError as error:
            findings.append(Finding(path, document.line(("relationships", kind)), f"`{kind}`: {error}"))
    return ({}, findings[:_FINDINGS]) if findings else (drawings, [])


def _read_drawing(raw: Any, line: int) -> Drawing:
    if not isinstance(raw, dict) or not raw:
        raise ValueError(f"nothing is drawn, {_FORM}")
    _refuse_unknown(raw, {"parent", "attribute"})
    return Drawing(
        _read_side(raw["parent"], "parent") if "parent" in raw else None,
        _read_attribute(raw["attribute"]) if "attribute" in raw else None,
        line,
    )


def _read_attribute(raw: Any) -> Attribute:
    if not isinstance(raw, dict):
        raise ValueError("`attribute` is no map, write `attribute: {on: to, name: team}`")
    _refuse_unknown(raw, {"on", "name"})
    name = raw.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError("the `name` of the attribute is no name, write letters, digits and `_`, at most 200")
    if name in ASSET_ATTRIBUTES or name in RESERVED_ATTRIBUTES:
        raise ValueError(f"the attribute `{name}` is the entity's own or the service's, give it another name")
    return Attribute(_read_side(raw.get("on"), "on"), name)


def _read_side(raw: Any, member: str) -> Side:
    if raw == "from":
        return "from"
    if raw == "to":
        return "to"
    raise ValueError(f"`{member}` is neither `from` nor `to`, write which end of the relationship it is")


def _refuse_unknown(raw: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(raw.keys() - known)
    if unknown:
        raise ValueError(f"`{unknown[0]}` is nothing that is read here, {_FORM}")
