"""Conditions that are kept for the next time: the same only where rows have the same form."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy.dialects import sqlite

from policy_service.assets.kinds import BITS, LONG_TEXT, SEALED
from policy_service.assets.sql.cells import Cells
from policy_service.assets.sql.columns import Shape
from policy_service.assets.sql.conditions import Rows
from policy_service.assets.sql.sqlite import Sqlite
from policy_service.model import Uid
from policy_service.policy.residual.filter import Below, Each, Field, constant
from policy_service.policy.residual.filter import Test as Is
from policy_service.store.tables import EntityRow

DATABASE = Sqlite()
ENVIRONMENT = ("attribute", "environment")
PROD = Is("eq", Field(ENVIRONMENT, "text"), constant("prod"))
IN = Is("in", Field(ENVIRONMENT, "text"), tuple(map(constant, ("prod", "dev"))))


def rows(bits: int = BITS["text"], account: str = "acme", *, key: bytes = b"", **form) -> Rows:
    kinds = {("attribute", "environment"): bits, ("attribute", "other"): 1}
    cells = Cells(DATABASE, account, Shape("entity", kinds=kinds, **form), EntityRow)
    return Rows(cells, lambda _, text: [hashlib.blake2b(text.encode(), key=key).digest()])


def write(said) -> str:
    return str(said.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))


@pytest.mark.parametrize(
    "leaf", [PROD, IN, Is("has", Field(ENVIRONMENT, "any")), Each("any", Field(ENVIRONMENT, "set"), (constant("x"),))]
)
def test_what_is_kept_is_what_is_made(leaf) -> None:
    forms = [{"bits": BITS["text"]}, {"bits": BITS["text"] | LONG_TEXT}, {"bits": BITS["text"] | BITS["set"]}]
    forms += [{"account": "globex"}, {"indexed": frozenset({"environment"})}, {"drawn": frozenset({"environment"})}]
    for _ in range(2):
        for form in forms:
            if "drawn" in form and leaf.__class__ is Is and leaf.op != "has":
                continue
            assert write(rows(**form).where(leaf)) == write(rows(**form).make(leaf)), form


def test_the_same_is_made_once() -> None:
    assert rows().where(PROD) is rows().where(PROD)
    assert rows().where(PROD) is not rows(account="globex").where(PROD)


def test_what_is_sealed_goes_by_the_keys_of_now() -> None:
    sealed = rows(SEALED, key=b"a").where(IN)
    assert str(sealed.compile().params) != str(rows(SEALED, key=b"b").where(IN).compile().params)


def test_what_is_large_is_not_kept() -> None:
    many = Is("in", Field(ENVIRONMENT, "text"), tuple(map(constant, map(str, range(100)))))
    long = Is("eq", Field(ENVIRONMENT, "text"), constant("x" * 1_000))
    below = Below((Uid("Team", "x" * 1_000),))
    for leaf in (many, long, below):
        assert rows().where(leaf) is not rows().where(leaf)


def test_what_has_long_names_is_not_kept() -> None:
    name = "n" * 400
    long, member = Field(("attribute", name), "set"), Field(("attribute", "environment", name), "text")
    values = (constant("x" * 90),)
    for leaf in (
        Is("has", Field(("attribute", "environment", name, name), "any")),
        Is("eq", member, constant("x" * 100)),
        Is("eq", Field(ENVIRONMENT, "text"), Field(("attribute", "environment", name, name), "text")),
        Each("any", Field(("attribute", name + name), "set"), (constant("x"),)),
        Each("any", long, (*values, constant("y" * 10))),
        Each("meets", long, Field(("attribute", "n" * 100), "set")),
    ):
        assert rows().where(leaf) is not rows().where(leaf), leaf
    for leaf in (Is("eq", member, constant("x")), Each("any", long, (constant("x"),))):
        assert rows().where(leaf) is rows().where(leaf), leaf
