"""The tables of the service itself: which tenants have a store, and their wrapped data keys."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import BigInteger, LargeBinary, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from policy_service.store.tables import NAMING, Name


class State(StrEnum):
    """Where a tenant is in its life. One that was never created has none, and decides without a store."""

    CREATING = "creating"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ERASING = "erasing"
    ERASED = "erased"


class KeyState(StrEnum):
    """What a data key is for: `ACTIVE` seals and opens, `OLD` opens, `PENDING` is to become active by a rekey."""

    PENDING = "pending"
    ACTIVE = "active"
    OLD = "old"


class KeyRow(NamedTuple):
    """A data key as it is stored: wrapped by the key encryption key `kek`. `created_on` is in milliseconds."""

    account: str
    version: int
    wrapped: bytes
    kek: str
    state: KeyState
    created_on: int


class ControlBase(DeclarativeBase):
    """Tables beside those of tenants."""

    metadata = MetaData(naming_convention=NAMING)


class TenantRow(ControlBase):
    """A tenant that was created."""

    __tablename__ = "tenant"

    account_id: Mapped[str] = mapped_column(Name, primary_key=True)
    state: Mapped[str] = mapped_column(Name)
    created_on: Mapped[int] = mapped_column(BigInteger)
    changed_on: Mapped[int] = mapped_column(BigInteger)


class DataKeyRow(ControlBase):
    """A version of a tenant's data key, wrapped."""

    __tablename__ = "data_key"

    account_id: Mapped[str] = mapped_column(Name, primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    kek: Mapped[str] = mapped_column(Name)
    state: Mapped[str] = mapped_column(Name)
    created_on: Mapped[int] = mapped_column(BigInteger)
