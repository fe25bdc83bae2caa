"""Element rows: what lists start from, one row for each element of a set and each value that is looked up.

A row tells of one entity. Its name is one of

    class               an element of the entity's classes
    .env[]  #env[]      an element of the set that the property, or the tag, `env` is
    .env    #env        the value of the property, or the tag, `env`, which `tenant.yaml` calls indexed
    @2.team             an entity in the attribute `team` that relationships draw, by the drawings of generation 2
    @2                  an ancestor of the entity by those drawings, as far as stored relationships go; not itself
    @2^                 one of its parents: from these the ancestors are worked out

Names of properties are as `stored_values.encode_name` writes them. The value is the canonical text of what is stored,
or a digest of it where that is long: then `whole` is the text. Where files restricted the property when the entity was
written, so that its value is sealed, `.env` is `SEALED`: until that is mended nobody counts by these rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal, NamedTuple, TypeAlias

import orjson

from policy_service.model import Uid, Value
from policy_service.policy.stored_values import decode, decode_name, encode, encode_name, write_json

Root: TypeAlias = Literal["attribute", "tag"]

CLASS = "class"
# a row of an index of PostgreSQL has room for a value and a name of these many bytes
VALUE_BYTES, NAME_BYTES = 1_000, 400
# no canonical JSON begins with either, and no encoded name with the one before a digest
_DIGEST, SEALED = "#", "*"
_ROOTS: Mapping[Root, str] = {"attribute": ".", "tag": "#"}


class Element(NamedTuple):
    """A row of one entity."""

    name: str
    value: str
    whole: str | None = None


def set_name(root: Root, name: str) -> str:
    """The name of the rows of a set-valued property or tag."""
    return f"{scalar_name(root, name)}[]"


def scalar_name(root: Root, name: str) -> str:
    """The name of the rows of an indexed property or tag."""
    return _name(root, encode_name(name))


def drawn_name(generation: int, attribute: str) -> str:
    """The name of the rows of an attribute that relationships draw."""
    return f"@{generation}.{attribute}"


def ancestor_name(generation: int) -> str:
    """The name of the rows of all ancestors."""
    return f"@{generation}"


def parent_name(generation: int) -> str:
    """The name of the rows of parents."""
    return f"@{generation}^"


def write_element(value: Value) -> str:
    """The value of a row: the canonical text of a value, or its digest."""
    return _shorten(write_json(encode(value)))


def make_element(name: str, value: Value) -> Element:
    """The row of a value under a name."""
    return _make(name, encode(value))


def is_digest(value: str) -> bool:
    """Whether the value of a row is the digest of one that is long."""
    return value.startswith(_DIGEST)


@lru_cache(8_192)
def read_uid(text: str) -> Uid:
    """The entity that a row of a drawn attribute, an ancestor or a parent tells of: of its `whole` or `value`."""
    uid = decode(orjson.loads(text))
    assert isinstance(uid, Uid)  # noqa: S101
    return uid


def list_elements(row: Mapping[str, Any], indexed: Collection[str]) -> Iterator[Element]:
    """The rows of an entity but for those that relationships draw, by the columns that anyone with the database sees.

    `indexed` are names as the API shows them: `env`, `tag.env`.
    """
    for name in row["classes"]:
        yield _make(CLASS, name)
    for root, prefix, stored in (("attribute", "", row["properties"]), ("tag", "tag.", row["tags"])):
        wanted = {encode_name(name[len(prefix) :]) for name in indexed if name.startswith("tag.") is bool(prefix)}
        for name, value in stored.items():
            if type(value) is list:
                for part in value:
                    yield _make(f"{_name(root, name)}[]", part)  # type: ignore[arg-type]
            elif name in wanted:
                yield _make(_name(root, name), value)  # type: ignore[arg-type]
    for name in row["sealed"] or ():
        if decode_name(name) in indexed:
            yield Element(_name("attribute", name), SEALED)


def _make(name: str, stored: Any) -> Element:
    text = write_json(stored)
    value = _shorten(text)
    return Element(name, value, None if value == text else text)


def _shorten(text: str) -> str:
    return text if len(text.encode()) <= VALUE_BYTES else _digest(text)


def _name(root: Root, encoded: str) -> str:
    return _ROOTS[root] + (encoded if len(encoded) <= NAME_BYTES else _digest(encoded))


def _digest(text: str) -> str:
    return _DIGEST + sha256(text.encode()).hexdigest()
