"""The rows of elements of what is stored already, made a page at a time: each page is right when it is done."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, and_, or_, select
from sqlalchemy.orm import Session

from policy_service.assets.ancestors import add_rows, remove_rows, work_out
from policy_service.assets.asset import Kind
from policy_service.assets.edges import find_edges
from policy_service.assets.elements import SEALED, Element, drawn_name, list_elements, parent_name, scalar_name
from policy_service.assets.hierarchy import write_edge
from policy_service.assets.inventory import Inventory
from policy_service.assets.kinds import note_kinds
from policy_service.assets.layout import Drawn
from policy_service.assets.members import TAG
from policy_service.assets.rows import chunks, table_of
from policy_service.model import Uid
from policy_service.policy.names import cedar_type
from policy_service.policy.stored_values import decode_name
from policy_service.store.tables import ElementRow, EntityRow


def read_page(inventory: Inventory, kind: Kind, after: str, most: int) -> Sequence[Row[Any]]:
    """The next assets of a kind in the order of their ids; nobody changes them before the transaction ends."""
    table: Any = table_of(kind)
    own = [table.classes] if kind == "entity" else []
    mine = table.account_id == inventory.account, table.deleted.is_(False), table.id > after
    page = select(table.id, table.type, table.properties, table.tags, table.sealed, *own).where(*mine)
    return inventory.session.execute(page.order_by(table.id).limit(most).with_for_update(read=True)).all()


def build_entities(inventory: Inventory, rows: Sequence[Row[Any]], drawn: Drawn | None) -> None:
    """Make the rows of these entities, and of their generation what is drawn but for ancestors; others stay."""
    told: list[Any] = [row._mapping for row in rows]
    note_kinds(inventory, "entity", told)
    wanted = {
        (row["id"], element)
        for row in told
        for element in list_elements(_unseal(inventory, row), inventory.layout.written)
    }
    if drawn is not None:
        wanted |= find_drawn(inventory, drawn, [Uid(cedar_type(row.type), row.id) for row in rows])
    held = _find_held(inventory, [row.id for row in rows], drawn)
    remove_rows(inventory, held - wanted)
    add_rows(inventory, wanted - held)


def _unseal(inventory: Inventory, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The columns of an entity, with what is sealed there but restricted no longer where anyone may see it: so does
    whoever writes it next, and counts on its rows."""
    sealed = row["sealed"] or {}
    plain = {name: text for name, text in sealed.items() if decode_name(name) not in inventory.sealing.restricted}
    if not plain:
        return row
    opened = inventory.sealing.open("entity", row["id"], plain)
    left = {name: text for name, text in sealed.items() if name not in plain}
    return {**row, "properties": {**row["properties"], **opened}, "sealed": left}


def find_drawn(inventory: Inventory, drawn: Drawn, uids: Collection[Uid]) -> set[tuple[str, Element]]:
    """The rows of parents and of drawn attributes that stored entities have, by their ids."""
    edges = find_edges(inventory, drawn.drawings, sorted(uid.id for uid in uids))
    there = set(uids)
    return {(edge.own.id, write_edge(drawn.generation, edge)) for edge in edges if edge.own in there}


def _find_held(inventory: Inventory, ids: Sequence[str], drawn: Drawn | None) -> set[tuple[str, Element]]:
    row = ElementRow
    theirs: list[Any] = [row.name < "@", row.name >= "A"]
    if drawn is not None:
        names = [parent_name(drawn.generation), *(drawn_name(drawn.generation, name) for name in drawn.attributes)]
        theirs.append(row.name.in_(names))
    held = select(row.id, row.name, row.value, row.whole).where(row.account_id == inventory.account, or_(*theirs))
    return {
        (found.id, Element(found.name, found.value, found.whole))
        for chunk in chunks(ids)
        for found in inventory.session.execute(held.where(row.id.in_(chunk)))
    }


def find_gaps(session: Session, indexed: Collection[str]) -> frozenset[str]:
    """Those indexed properties that some entity has sealed, without rows of its values: files restricted it when the
    entity was written, and do so no longer."""
    by_row = {scalar_name("attribute", name): name for name in indexed if not name.startswith(TAG)}
    row = ElementRow
    sealed = row.account_id == session.info["account"], row.name.in_(by_row), row.value == SEALED
    found = session.scalars(select(row.name).where(*sealed).distinct()) if by_row else ()
    return frozenset(by_row[name] for name in found)


def find_children(inventory: Inventory, generation: int, after: str, most: int) -> Sequence[str]:
    """The ids of the next entities that have parents."""
    row = ElementRow
    mine = row.account_id == inventory.account, row.name == parent_name(generation), row.id > after
    return inventory.session.scalars(select(row.id).where(*mine).distinct().order_by(row.id).limit(most)).all()


def build_all(inventory: Inventory, drawn: Drawn, most: int, go_on: Callable[[], None]) -> bool:
    """Draw everything in this transaction, where nothing of it is drawn yet; whether one is its own ancestor.

    `go_on` is called before each page of `most` rows.
    """
    after = ""
    table = EntityRow
    mine = select(table.id, table.type).where(table.account_id == inventory.account, table.deleted.is_(False))
    while rows := inventory.session.execute(mine.where(table.id > after).order_by(table.id).limit(most)).all():
        go_on()
        add_rows(inventory, find_drawn(inventory, drawn, [Uid(cedar_type(row.type), row.id) for row in rows]))
        after = rows[-1].id
    after, circular = "", False
    while ids := find_children(inventory, drawn.generation, after, most):
        go_on()
        circular |= work_out(inventory, drawn.generation, ids)
        after = ids[-1]
    return circular


def remove_some(inventory: Inventory, name: str, most: int) -> int:
    """Remove some of the rows of a name that nobody reads any more, of a generation all of its; how many."""
    row = ElementRow
    same = row.name == name
    if name.startswith("@"):
        # beside `@2` itself `@2^` and `@2.team`
        same = or_(same, row.name == f"{name}^", and_(row.name > f"{name}.", row.name < f"{name}/"))
    found = select(row.id, row.name, row.value, row.whole).where(row.account_id == inventory.account, same).limit(most)
    rows = {(held.id, Element(held.name, held.value, held.whole)) for held in inventory.session.execute(found)}
    remove_rows(inventory, rows)
    return len(rows)
