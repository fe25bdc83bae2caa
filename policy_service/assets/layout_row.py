"""The layout as it is stored: read by every session that looks at what is drawn, and held still by those that write."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from sqlalchemy import bindparam, exists, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from policy_service.assets.layout import Layout, Wish, parse_layout, read_wish, write_layout
from policy_service.errors import NoStore
from policy_service.policy.bundle import Bundle
from policy_service.store.sessions import prepare
from policy_service.store.tables import EntityRow, LayoutRow, Name, RelationshipRow

_UNSYNCED = {"synchronize_session": False}
# each session that looks at what is drawn asks for it
_MINE = select(LayoutRow.body).where(LayoutRow.account_id == bindparam("account", required=True, type_=Name))
_LAYOUT, _LOCKED = prepare(_MINE), prepare(_MINE.with_for_update())


def read_layout(session: Session, bundle: Bundle) -> Layout:
    """The layout that is in force; while nothing is stored it is that of the bundle.

    A session that writes keeps it from being swapped until it ends, and makes the row where there is none. `NoStore`
    where the rows of a store of before are still being made.
    """
    if session.info["write"]:
        hold(session)
    held = find_layout(session)
    if held is None:
        if has_assets(session):
            raise NoStore(f"the store of `{bundle.tenant}` is being prepared for lists, try again in a while")
        held = Layout(1, read_wish(bundle))
        if session.info["write"]:
            held = make_row(session, held)
    if not held.is_ready:
        raise NoStore(f"the store of `{bundle.tenant}` is being prepared for lists, try again in a while")
    return held


def find_layout(session: Session, *, lock: bool = False) -> Layout | None:
    """The layout as it is stored, ready or not; none where there is no row."""
    body = session.scalar(_LOCKED if lock else _LAYOUT, {"account": session.info["account"]})
    return None if body is None else parse_layout(body)


def has_assets(session: Session) -> bool:
    """Whether anything was ever stored."""
    account = session.info["account"]
    looks = [exists().where(table.account_id == account) for table in (EntityRow, RelationshipRow)]
    return bool(session.scalar(select(or_(*looks))))


def make_row(session: Session, layout: Layout) -> Layout:
    """Store the layout where there is none; the one that is stored then."""
    made: Any = (postgresql if _is_postgresql(session) else sqlite).insert(LayoutRow.__table__)
    row = {"account_id": session.info["account"], "body": write_layout(layout)}
    session.execute(made.on_conflict_do_nothing(), row)
    held = find_layout(session)
    assert held is not None  # noqa: S101
    return held


def change_row(session: Session, layout: Layout) -> None:
    """Store another layout."""
    mine = update(LayoutRow).where(LayoutRow.account_id == session.info["account"])
    session.execute(mine.values(body=write_layout(layout)), execution_options=_UNSYNCED)


def hold(session: Session) -> None:
    """Keep the layout as it is until this transaction, which writes, ends."""
    if _is_postgresql(session):
        session.execute(select(func.pg_advisory_xact_lock_shared(_number(session))))


def hold_alone(session: Session) -> None:
    """Wait until nobody writes, and let nobody begin until this transaction ends, which changes what writers do."""
    if _is_postgresql(session):
        session.execute(select(func.pg_advisory_xact_lock(_number(session))))


def establish(session: Session, wish: Wish) -> Layout:
    """The layout of a store that is being made, with that wish in force."""
    layout = Layout(1, wish)
    session.execute(insert(LayoutRow), [{"account_id": session.info["account"], "body": write_layout(layout)}])
    return layout


def _is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def _number(session: Session) -> int:
    name = f"layout/{session.info['account']}".encode()
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big", signed=True)
