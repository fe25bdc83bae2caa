"""Pages of assets, in the order of their ids."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, and_

from policy_service.assets.asset import Asset, Kind
from policy_service.assets.elements import CLASS, write_element
from policy_service.assets.inventory import Inventory
from policy_service.assets.rows import ACCOUNT, read_rows, select_assets, table_of
from policy_service.store.tables import ElementRow, EntityRow, RelationshipRow


def page(
    inventory: Inventory, kind: Kind, *, type_: str = "", class_: str = "", after: str = "", limit: int = 100
) -> list[Asset]:
    """At most `limit` assets whose ids come after `after`, by type and class where they are given, deleted ones not."""
    table = table_of(kind)
    statement = select_assets(kind)
    order: Any = table.id
    if type_:
        statement = statement.where(table.type == type_)
    if class_ and kind == "relationship":
        statement = statement.where(RelationshipRow.class_ == class_)
    elif class_:
        statement = _of_class(statement, class_)
        order = ElementRow.id
    if after:
        statement = statement.where(order > after)
    return read_rows(inventory, kind, statement.order_by(order).limit(limit))


def _of_class(statement: Select[Any], class_: str) -> Select[Any]:
    same = and_(ElementRow.account_id == EntityRow.account_id, ElementRow.id == EntityRow.id)
    return statement.join(ElementRow, same).where(
        ElementRow.account_id == ACCOUNT, ElementRow.name == CLASS, ElementRow.value == write_element(class_)
    )
