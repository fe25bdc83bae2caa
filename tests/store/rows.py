"""Rows of two tenants that look alike: same ids, same keys; only what is told in them differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from policy_service.store.control import DataKeyRow, TenantRow
from policy_service.store.door import Store
from policy_service.store.tables import (
    Base,
    BlindRow,
    ElementRow,
    EntityRow,
    KindRow,
    LayoutRow,
    RelationshipRow,
    TrailEntryRow,
    TrailHeadRow,
    TrailLinkRow,
)

MINE, THEIRS = "acme", "globex"
# in whatever of a tenant can be read
SECRETS = {MINE: "mine-4f1c", THEIRS: "theirs-9b7e"}
TABLES = tuple(sorted(Base.metadata.tables))
MODELS = (
    EntityRow,
    ElementRow,
    RelationshipRow,
    BlindRow,
    KindRow,
    LayoutRow,
    TrailEntryRow,
    TrailLinkRow,
    TrailHeadRow,
)
CONTROL = (TenantRow, DataKeyRow)


def entity(id_: str, **given: Any) -> dict[str, Any]:
    """The columns of an entity, but for its account."""
    row: dict[str, Any] = {
        "id": id_, "type": "host", "key": id_, "source": "api", "scope": "", "display_name": None, "properties": {},
        "tags": {}, "sealed": None, "version": 1, "created_on": 1, "begin_on": 1, "end_on": None, "deleted": False,
        "classes": ["Host"],
    }  # fmt: skip
    return row | given


def relationship(id_: str, **given: Any) -> dict[str, Any]:
    """The columns of a relationship, but for its account."""
    row = entity(id_, type="owns", class_="OWNS", from_type="host", from_id="1", to_type="host", to_id="2")
    del row["classes"]
    return row | given


def fill(session: Session, secret: str, ids: tuple[str, ...] = ("1", "2")) -> None:
    """A row in every table, and for each id an entity; each tells the secret."""
    for id_ in ids:
        session.add(EntityRow(**entity(id_, display_name=secret, properties={"note": secret}, tags={"t": secret})))
    session.flush()
    session.add_all(
        [
            ElementRow(name="note", value=secret, id=ids[0]),
            KindRow(kind="entity", root="attribute", name=secret, bits=1),
            LayoutRow(body=secret),
            BlindRow(id=ids[0], name="note", digest=secret.encode()),
            RelationshipRow(**relationship("r", display_name=secret, properties={"note": secret})),
            TrailEntryRow(id="t", body=secret),
            TrailHeadRow(seq=1, hash=b"h", at=1, signature=secret.encode()),
        ]
    )
    session.flush()
    session.add(TrailLinkRow(seq=1, entry_id="t", hash=secret.encode()))


def fill_both(store: Store) -> None:
    """The same for both tenants."""
    for tenant, secret in SECRETS.items():
        with store.session(tenant, write=True) as session:
            fill(session, secret)


def see(store: Store, tenant: str) -> Mapping[str, list[tuple[Any, ...]]]:
    """Every row of a tenant, by table."""
    with store.session(tenant) as session:
        return {name: sorted(map(tuple, session.execute(text(f"SELECT * FROM {name}"))), key=repr) for name in TABLES}


@contextmanager
def unharmed(store: Store, tenant: str = THEIRS) -> Iterator[None]:
    """Nothing of a tenant changes while the block runs."""
    before = see(store, tenant)
    yield
    assert see(store, tenant) == before
