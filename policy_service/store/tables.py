"""The tables of a tenant, in both databases: `account_id` leads every key and every index.

An embedded store holds one tenant's rows only and has the column all the same: same models, same tests, and a
tenant moves to PostgreSQL by export and import. What is `COLLATE "C"` sorts as Python sorts it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# the account of the service itself: its trail, and the context in which it may look at every tenant's state and keys
SERVICE = "@service"

Name = Text().with_variant(Text(collation="C"), "postgresql")
Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

NAMING = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}


class Base(DeclarativeBase):
    """What every table has: the account whose row it is, first in its key."""

    metadata = MetaData(naming_convention=NAMING)

    account_id: Mapped[str] = mapped_column(Name, primary_key=True, sort_order=-1)


class Asset:
    """What entities and relationships share. Times are in milliseconds; `sealed` holds restricted properties.

    A deleted row is kept without its properties, so that a thing that comes back goes on with its versions.
    """

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    type: Mapped[str] = mapped_column(Name)
    key: Mapped[str] = mapped_column(Name)
    source: Mapped[str] = mapped_column(Name)
    scope: Mapped[str] = mapped_column(Name)
    display_name: Mapped[str | None] = mapped_column(Name)
    properties: Mapped[dict[str, Any]] = mapped_column(Document)
    tags: Mapped[dict[str, Any]] = mapped_column(Document)
    sealed: Mapped[dict[str, str] | None] = mapped_column(Document)
    version: Mapped[int] = mapped_column(BigInteger)
    created_on: Mapped[int] = mapped_column(BigInteger)
    begin_on: Mapped[int] = mapped_column(BigInteger)
    end_on: Mapped[int | None] = mapped_column(BigInteger)
    deleted: Mapped[bool]


class EntityRow(Asset, Base):
    """An entity. `classes` is sorted and unique."""

    __tablename__ = "entity"
    __table_args__ = (UniqueConstraint("account_id", "source", "scope", "key"), Index(None, "account_id", "type", "id"))

    classes: Mapped[list[str]] = mapped_column(Document)


class ElementRow(Base):
    """One element of a set-valued property of an entity: what a list by that element starts from."""

    __tablename__ = "element"
    __table_args__ = (
        ForeignKeyConstraint(["account_id", "id"], ["entity.account_id", "entity.id"], ondelete="CASCADE"),
        Index(None, "account_id", "id"),
    )

    name: Mapped[str] = mapped_column(Name, primary_key=True)
    value: Mapped[str] = mapped_column(Name, primary_key=True)
    id: Mapped[str] = mapped_column(Name, primary_key=True)


class RelationshipRow(Asset, Base):
    """A relationship. Its ends are Cedar's types and ids: entities of this store or of `entities.json`."""

    __tablename__ = "relationship"
    __table_args__ = (
        UniqueConstraint("account_id", "source", "scope", "key"),
        Index(None, "account_id", "type", "id"),
        Index(None, "account_id", "from_id", "type"),
        Index(None, "account_id", "to_id", "type"),
    )

    class_: Mapped[str] = mapped_column("class", Name)
    from_type: Mapped[str] = mapped_column(Name)
    from_id: Mapped[str] = mapped_column(Name)
    to_type: Mapped[str] = mapped_column(Name)
    to_id: Mapped[str] = mapped_column(Name)


class BlindRow(Base):
    """A keyed digest of a restricted property, for equality; only on PostgreSQL are there any."""

    __tablename__ = "blind"
    __table_args__ = (
        ForeignKeyConstraint(["account_id", "id"], ["entity.account_id", "entity.id"], ondelete="CASCADE"),
        Index(None, "account_id", "name", "digest"),
    )

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    name: Mapped[str] = mapped_column(Name, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)


class TrailEntryRow(Base):
    """One change, written with it: `id` sorts by time, `body` is canonical JSON. Never changed, never deleted."""

    __tablename__ = "trail_entry"

    id: Mapped[str] = mapped_column(Name, primary_key=True)
    body: Mapped[str] = mapped_column(Text)


class TrailLinkRow(Base):
    """An entry's place in the chain: `hash` covers the entry and the link before. Never changed, never deleted."""

    __tablename__ = "trail_link"
    __table_args__ = (
        ForeignKeyConstraint(["account_id", "entry_id"], ["trail_entry.account_id", "trail_entry.id"]),
        UniqueConstraint("account_id", "entry_id"),
    )

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entry_id: Mapped[str] = mapped_column(Name)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class TrailHeadRow(Base):
    """A signed end of the chain, one for each sealed batch. Never changed, never deleted."""

    __tablename__ = "trail_head"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[int] = mapped_column(BigInteger)
    signature: Mapped[bytes] = mapped_column(LargeBinary)


TRAIL = (TrailEntryRow.__table__, TrailLinkRow.__table__, TrailHeadRow.__table__)
