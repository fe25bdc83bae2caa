"""Rows for tests of lists: stored assets, and each as filters read it one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select as sql_select

from policy_service.assets.asset import Asset, Kind
from policy_service.assets.facts import fetch_entities
from policy_service.assets.find import BY_ID, Found, Order, Place, find, look_at
from policy_service.assets.inventory import Inventory
from policy_service.assets.rows import read_rows, select_assets
from policy_service.model import Act, Entity, Extension, Request, Thing
from policy_service.policy.gathering import Gatherer
from policy_service.policy.request import ask
from policy_service.policy.residual.filter import Filter
from policy_service.policy.residual.rows import Row, matches

NOW = Extension("datetime", "2026-01-01T00:00:00Z")


def see(inventory: Inventory, kind: Kind) -> dict[str, Row]:
    """Every asset of a kind as a row, by its id."""
    bundle = inventory.bundle

    def fetch(uids):
        filed = {uid: bundle.entities[uid] for uid in uids if uid in bundle.entities}
        return filed | fetch_entities(inventory, [uid for uid in uids if uid not in filed])

    gatherer = Gatherer(bundle, fetch, lambda: NOW, {})

    def entity_of(asset: Asset) -> Entity:
        thing = Thing(asset.type, asset.id)
        return gatherer.gather(ask(Request(Thing("ghost", "g"), Act("none"), thing))).resource

    assets = read_rows(inventory, kind, select_assets(kind))
    ends = {asset.uid: entity_of(asset) for asset in read_rows(inventory, "entity", select_assets("entity"))}
    return {asset.id: Row(entity_of(asset), _fields(asset), _ends(asset, ends)) for asset in assets}


def _fields(asset: Asset):
    fields = {("system", "_version"): asset.version, ("system", "_createdOn"): asset.created_on}
    fields |= {("system", "_beginOn"): asset.begin_on}
    if asset.from_ and asset.to:
        fields |= {("from",): asset.from_, ("to",): asset.to}
        fields |= {("from", "id"): asset.from_.id, ("to", "id"): asset.to.id}
    return fields


def _ends(asset: Asset, entities: Mapping) -> dict[str, Entity]:
    ends = (("from", asset.from_), ("to", asset.to))
    return {side: entities[uid] for side, uid in ends if uid in entities}


def select(rows: Mapping[str, Row], filter_: Filter) -> list[str]:
    """The ids of the rows that a filter is true of, sorted."""
    return sorted(id_ for id_, row in rows.items() if matches(filter_, row))


def page_through(
    inventory: Inventory, kind: Kind, filter_: Filter, *, order: Order = BY_ID, limit: int = 2
) -> list[Found]:
    """All pages of a list, joined."""
    found: list[Found] = []
    after: Place | None = None
    while page := find(inventory, kind, filter_, order=order, after=after, limit=limit):
        assert len(page) <= limit
        found += page
        after = page[-1].place
    return found


def ask_sql(inventory: Inventory, kind: Kind, filters: Sequence[Filter]) -> list[list[str]]:
    """The ids of the rows that each of the filters is true of, sorted, by one statement."""
    looks = [look_at(inventory, kind, filter_) for filter_ in filters]
    table = looks[0][0].table
    columns = [look.where(said).label(f"is_{number}") for number, (look, said) in enumerate(looks)]
    rows = inventory.session.execute(
        sql_select(table.id, *columns).where(*looks[0][0].there()).order_by(table.id)
    ).all()
    return [[row[0] for row in rows if row[1 + number]] for number in range(len(filters))]
