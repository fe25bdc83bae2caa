"""Which kinds of value properties and tags ever had: what lists can leave out because no asset is like that.

Written in the transaction that writes the asset, and only grows: lists are only as true as this. A kind is said of
what SQL can read; of a value that is sealed there is only that it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Insert, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from policy_service.assets.asset import Kind as AssetKind
from policy_service.assets.elements import VALUE_BYTES, Root
from policy_service.assets.inventory import Inventory
from policy_service.assets.rows import ACCOUNT, chunks
from policy_service.policy.residual.filter import Kind
from policy_service.policy.stored_values import decode_name
from policy_service.store.sessions import prepare
from policy_service.store.tables import PROMOTED_BYTES, KindRow

BITS: Mapping[Kind, int] = {"text": 1, "long": 2, "bool": 4, "decimal": 8, "number": 16, "set": 32, "record": 64}
# a text with more bytes than a promoted column has room for, and a value that is sealed
LONG_TEXT, SEALED = 128, 256

Names: TypeAlias = Mapping[tuple[Root, str], int]

assert PROMOTED_BYTES == VALUE_BYTES  # noqa: S101

_HELD = prepare(
    select(KindRow.root, KindRow.name, KindRow.bits).where(
        KindRow.account_id == ACCOUNT,
        KindRow.kind == bindparam("kind"),
        KindRow.name.in_(bindparam("names", expanding=True)),
    )
)


def find_kinds(inventory: Inventory, kind: AssetKind, names: Collection[str]) -> dict[tuple[Root, str], int]:
    """The bits of those properties and tags of these names that any asset of the kind ever had."""
    found: dict[tuple[Root, str], int] = {}
    for chunk in chunks(sorted(set(names))):
        given = {"account": inventory.account, "kind": kind, "names": chunk}
        found |= {(row.root, row.name): row.bits for row in inventory.session.execute(_HELD, given)}
    return found


def note_kinds(inventory: Inventory, kind: AssetKind, rows: Iterable[Mapping[str, Any]]) -> None:
    """Store the kinds that the values of rows have, as far as they are not."""
    memory = inventory.memory
    known = memory.kinds.setdefault(kind, {})
    new = {place: bits for place, bits in _collect(rows).items() if bits & ~known.get(place, 0)}
    if not new:
        return
    held = find_kinds(inventory, kind, {name for _, name in new})
    # what was written in a part of the transaction may be undone with it, and is not remembered
    part = inventory.session.connection().get_nested_transaction()
    if part is None or part is not memory.grown_in:
        known.update(held)
    lacking = {place: bits for place, bits in sorted(new.items()) if bits & ~held.get(place, 0)}
    if lacking:
        memory.grown_in = part
        _grow(inventory, kind, lacking)


def _grow(inventory: Inventory, kind: AssetKind, told: Names) -> None:
    statement = _make_growth(inventory.session.get_bind().dialect.name)
    account = inventory.account
    rows: Sequence[Mapping[str, Any]] = [
        {"account_id": account, "kind": kind, "root": root, "name": name, "bits": bits}
        for (root, name), bits in told.items()
    ]
    inventory.session.execute(statement, rows)


def _make_growth(dialect: str) -> Insert:
    table: Any = KindRow.__table__
    made: Any = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    key = [column.name for column in table.primary_key]
    grown = table.c.bits.bitwise_or(made.excluded.bits)
    return made.on_conflict_do_update(index_elements=key, set_={"bits": grown})  # type: ignore[no-any-return]


def _collect(rows: Iterable[Mapping[str, Any]]) -> Names:
    found: dict[tuple[Root, str], int] = defaultdict(int)
    for row in rows:
        for name, value in row["properties"].items():
            found["attribute", decode_name(name)] |= _bits_of(value)
        for name, value in row["tags"].items():
            found["tag", decode_name(name)] |= _bits_of(value)
        for name in row["sealed"] or ():
            found["attribute", decode_name(name)] |= SEALED
    return found


def _bits_of(stored: Any) -> int:
    """The bits of a value in its stored form."""
    kind = type(stored)
    if kind is str:
        long = len(stored) * 4 > PROMOTED_BYTES and len(stored.encode()) > PROMOTED_BYTES
        return BITS["text"] | (LONG_TEXT if long else 0)
    if kind is dict:
        name = next(iter(stored)) if len(stored) == 1 else ""
        return BITS["decimal"] if name == "@dec" else BITS["number"] if name == "@num" else BITS["record"]
    return BITS["bool"] if kind is bool else BITS["long"] if kind is int else BITS["set"]
