"""The tables of a tenant, in both databases: `account_id` leads every key and every index.

An embedded store holds one tenant's rows only and has the column all the same: same models, same tests, and a
tenant moves to PostgreSQL by export and import. What is `COLLATE "C"` sorts as Python sorts it.
"""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import (
    JSON,
    BigInteger,
    FetchedValue,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# the account of the service itself: its trail, and the context in which it may look at every tenant's state and keys
SERVICE = "@service"

Name = Text().with_variant(Text(collation="C"), "postgresql")
Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

# properties of entities that many policies ask for: each is a column too, made by the database of `properties`, with
# an index. It is NULL where the property is absent, sealed, of another kind, or a text of more than these many bytes
PROMOTED: dict[str, Literal["text", "long", "bool"]] = {
    "active": "bool",
    "classification": "text",
    "criticality": "long",
    "environment": "text",
    "name": "text",
    "owner": "text",
    "public": "bool",
    "status": "text",
}
PROMOTED_BYTES = 1_000
# lists are sorted by as many characters of the name: an index has no room for all of a long one
NAME_START = 200
SORTED = ("name_start", "key", "created_on", "begin_on")

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
    # the first `NAME_START` characters of `display_name`, made by the database
    name_start: Mapped[str | None] = mapped_column(Name, FetchedValue())


def _sorted() -> tuple[Index, ...]:
    """The indexes of the columns that lists are sorted by."""
    return tuple(Index(None, "account_id", column, "id") for column in ("type", *SORTED))


def _promoted(name: str) -> Index:
    """The index of a promoted property, of those rows that have it."""
    there = text(f"p_{name} IS NOT NULL")
    return Index(None, "account_id", f"p_{name}", "id", postgresql_where=there, sqlite_where=there)


class EntityRow(Asset, Base):
    """An entity. `classes` is sorted and unique. What begins with `p_` is a promoted property."""

    __tablename__ = "entity"
    __table_args__ = (
        UniqueConstraint("account_id", "source", "scope", "key"),
        *_sorted(),
        *(_promoted(name) for name in PROMOTED),
    )

    classes: Mapped[list[str]] = mapped_column(Document)
    p_active: Mapped[bool | None] = mapped_column(FetchedValue())
    p_classification: Mapped[str | None] = mapped_column(Name, FetchedValue())
    p_criticality: Mapped[int | None] = mapped_column(BigInteger, FetchedValue())
    p_environment: Mapped[str | None] = mapped_column(Name, FetchedValue())
    p_name: Mapped[str | None] = mapped_column(Name, FetchedValue())
    p_owner: Mapped[str | None] = mapped_column(Name, FetchedValue())
    p_public: Mapped[bool | None] = mapped_column(FetchedValue())
    p_status: Mapped[str | None] = mapped_column(Name, FetchedValue())


class ElementRow(Base):
    """What a list of entities starts from, one row for each element of a set: see `assets.elements`."""

    __tablename__ = "element"
    __table_args__ = (
        ForeignKeyConstraint(["account_id", "id"], ["entity.account_id", "entity.id"], ondelete="CASCADE"),
        Index(None, "account_id", "id", "name"),
    )

    name: Mapped[str] = mapped_column(Name, primary_key=True)
    value: Mapped[str] = mapped_column(Name, primary_key=True)
    id: Mapped[str] = mapped_column(Name, primary_key=True)
    whole: Mapped[str | None] = mapped_column(Text)


class RelationshipRow(Asset, Base):
    """A relationship. Its ends are Cedar's types and ids: entities of this store or of `entities.json`."""

    __tablename__ = "relationship"
    __table_args__ = (
        UniqueConstraint("account_id", "source", "scope", "key"),
        *_sorted(),
        Index(None, "account_id", "from_id", "type"),
        Index(None, "account_id", "to_id", "type"),
    )

    class_: Mapped[str] = mapped_column("class", Name)
    from_type: Mapped[str] = mapped_column(Name)
    from_id: Mapped[str] = mapped_column(Name)
    to_type: Mapped[str] = mapped_column(Name)
    to_id: Mapped[str] = mapped_column(Name)


class KindRow(Base):
    """The kinds of value that a property or a tag of entities or of relationships ever had, as bits; they only grow."""

    __tablename__ = "kinds"

    kind: Mapped[str] = mapped_column(Name, primary_key=True)
    root: Mapped[str] = mapped_column(Name, primary_key=True)
    name: Mapped[str] = mapped_column(Name, primary_key=True)
    bits: Mapped[int] = mapped_column(BigInteger)


class LayoutRow(Base):
    """What element rows are made for, as canonical JSON: one row, see `assets.layout`."""

    __tablename__ = "layout"

    body: Mapped[str] = mapped_column(Text)


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
