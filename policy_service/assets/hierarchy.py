"""What relationships draw, kept as rows of elements when they are made and deleted, in the same transaction.

One writer of a tenant does that at a time: of two that each see half of what the other does, the one would leave what
the other took away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b

from sqlalchemy import bindparam, func, select

from policy_service.assets.ancestors import add_rows, find_below, join_below, remove_rows, work_out
from policy_service.assets.asset import Asset
from policy_service.assets.edges import Edge, find_edges, read_edges
from policy_service.assets.elements import Element, drawn_name, make_element, parent_name
from policy_service.assets.inventory import Inventory
from policy_service.assets.layout import Drawn
from policy_service.assets.rows import ACCOUNT, chunks
from policy_service.model import Uid
from policy_service.policy.names import cedar_type
from policy_service.store.sessions import prepare
from policy_service.store.tables import EntityRow


def lock_hierarchy(inventory: Inventory) -> None:
    """Have what is drawn to oneself until the session ends; before any row is locked, so that nobody waits in a circle.

    Nothing is locked where nothing is drawn, nor in files, which have one writer.
    """
    session, memory = inventory.session, inventory.memory
    if memory.is_ordered or not inventory.layout.draws or session.get_bind().dialect.name != "postgresql":
        return
    name = f"parents/{inventory.account}".encode()
    number = int.from_bytes(blake2b(name, digest_size=8).digest(), "big", signed=True)
    session.execute(select(func.pg_advisory_xact_lock(number)))
    # what is locked in a part of the transaction is let go where that is undone
    memory.is_ordered = not session.connection().in_nested_transaction()


def draw(inventory: Inventory, relationship: Asset) -> None:
    """Keep what a new relationship draws."""
    for drawn in inventory.layout.generations:
        edges = list(read_edges(drawn.drawings, relationship))
        if drawn.building:
            edges = keep_stored(inventory, edges)
        if not edges:
            continue
        lock_hierarchy(inventory)
        add_rows(inventory, {(edge.own.id, write_edge(drawn.generation, edge)) for edge in edges})
        parents = [edge for edge in edges if edge.attribute is None]
        if drawn.building and drawn.whole:
            _work_out_below(inventory, drawn, {edge.own for edge in parents})
        elif not drawn.building:
            for edge in parents:
                join_below(inventory, drawn.generation, edge.own, edge.other)


def undraw(inventory: Inventory, relationships: Sequence[Asset]) -> None:
    """Take away what relationships drew that are deleted now, as far as no other draws it."""
    for drawn in inventory.layout.generations:
        gone = {edge for relationship in relationships for edge in read_edges(drawn.drawings, relationship)}
        if not gone:
            continue
        lock_hierarchy(inventory)
        gone -= find_edges(inventory, drawn.drawings, sorted({edge.own.id for edge in gone}))
        gone = set(keep_stored(inventory, gone))
        remove_rows(inventory, {(edge.own.id, write_edge(drawn.generation, edge)) for edge in gone})
        if drawn.whole:
            _work_out_below(inventory, drawn, {edge.own for edge in gone if edge.attribute is None})


def write_edge(generation: int, edge: Edge) -> Element:
    """The row of an edge."""
    name = parent_name(generation) if edge.attribute is None else drawn_name(generation, edge.attribute)
    return make_element(name, edge.other)


def keep_stored(inventory: Inventory, edges: Iterable[Edge]) -> list[Edge]:
    """The edges onto entities of the store: what is drawn onto one of a file by what was there before counts not."""
    told = list(edges)
    stored: set[Uid] = set()
    for chunk in chunks(sorted({edge.own.id for edge in told})):
        rows = inventory.session.execute(_STORED, {"account": inventory.account, "ids": chunk})
        stored.update(Uid(cedar_type(row.type), row.id) for row in rows)
    return [edge for edge in told if edge.own in stored]


_STORED = prepare(
    select(EntityRow.type, EntityRow.id).where(
        EntityRow.account_id == ACCOUNT,
        EntityRow.id.in_(bindparam("ids", expanding=True)),
        EntityRow.deleted.is_(False),
    )
)


def _work_out_below(inventory: Inventory, drawn: Drawn, uids: Collection[Uid]) -> None:
    if uids:
        below = find_below(inventory, drawn.generation, uids)
        work_out(inventory, drawn.generation, below | {uid.id for uid in uids})
