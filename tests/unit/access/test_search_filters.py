"""A condition for other tables is true of rows that an evaluation certainly allows, whatever is known of them here."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import create_engine, text

from policy_service.access import search_filters
from policy_service.access.authorize import Batch, authorize
from policy_service.access.search_filters import Wanted, find_filter
from policy_service.model import Act, Caller, Decision, Request, Thing
from tests.unit.access.desks import Desk

CALLER = Caller("acme", "key-app", frozenset({"decide"}))
EDIT = 'permit(principal, action == Action::"edit", resource);\n'
ROWS: list[dict[str, Any]] = [
    {"id": str(number), "owner": owner, "secret": secret, "level": 5}
    for number, (owner, secret) in enumerate([(None, None), ("mallory", None), ("ann", False), ("5", True)])
]


def ask(desk: Desk, type_: str = "doc", form: Any = "sql") -> Any:
    request = Request(Thing("user", "bob"), Act("edit"), Thing(type_, ""))
    return find_filter(desk.service, CALLER, Wanted(request, form, "r", dialect="sqlite"))[0]


def find(desk: Desk, part: str = "condition") -> set[str]:
    """The ids of `ROWS`, as an application's table has them, of which the condition is true."""
    told = ask(desk)
    if part not in told:
        return set()
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE doc (id TEXT, owner TEXT, secret BOOLEAN, level INTEGER)"))
        connection.execute(text("INSERT INTO doc VALUES (:id, :owner, :secret, :level)"), ROWS)
        chosen = text(f"SELECT id FROM doc WHERE {told[part]['sql']}")
        return set(connection.scalars(chosen, told[part]["parameters"]))


def decide(desk: Desk) -> set[str]:
    """The same ids by evaluating each."""
    items = [
        Request(
            Thing("user", "bob"),
            Act("edit"),
            Thing("doc", row["id"], {name: value for name, value in row.items() if name != "id" and value is not None}),
        )
        for row in ROWS
    ]
    _, decisions = authorize(desk.service, CALLER, Batch(items, "r"))
    return {row["id"] for row, one in zip(ROWS, decisions, strict=True) if isinstance(one, Decision) and one.allowed}


SECRET = 'forbid(principal, action == Action::"edit", resource) when { resource has secret && resource.secret };\n'


@pytest.mark.parametrize(
    ("policies", "files", "many"),
    [
        # an attribute that relationships draw in the store is a column like any other elsewhere
        (
            'forbid(principal, action == Action::"edit", resource) '
            'when { resource has owner && resource.owner == "mallory" };',
            {"relationships.yaml": "relationships:\n  owns: {attribute: {on: to, name: owner}}\n"},
            3,
        ),
        # what `entities.json` says of one counts in an evaluation, too
        (SECRET, {"entities.json": '[{"uid": {"type": "doc", "id": "0"}, "attrs": {"secret": true}}]'}, 2),
        # the members of a group are known here alone
        (
            'forbid(principal, action == Action::"edit", resource in Group::"closed");',
            {
                "groups.csv": "g, doc:2, group:vault, acme\ng, group:vault, group:closed, acme\n"
                "g, doc:3, group:open, acme\n"
            },
            3,
        ),
        # a database may take a number for a text
        (
            'forbid(principal, action == Action::"edit", resource) unless { resource.owner == resource.level };',
            {},
            0,
        ),
    ],
)
def test_a_condition_is_true_of_what_is_allowed(desk: Desk, policies: str, files: dict[str, str], many: int) -> None:
    desk.write_files({"p.cedar": EDIT + policies, **files})
    allowed = decide(desk)
    assert len(allowed) == many
    certain = find(desk)
    assert certain <= allowed
    assert certain == allowed if ask(desk)["exact"] else allowed <= find(desk, "possible")


def test_members_are_named(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = 'forbid(principal, action == Action::"edit", resource in Group::"closed");'
    desk.write_files(
        {"p.cedar": EDIT + policy, "groups.csv": "g, doc:2, group:closed, acme\ng, doc:3, group:x, acme\n"}
    )
    for form in ("ucast", "ast"):
        told = ask(desk, form=form)
        assert told["exact"] is True
        assert "closed" not in str(told["condition"])
    monkeypatch.setattr(search_filters, "NAMED", 1)
    assert ask(desk)["exact"] is False
    assert find(desk) == set()


def test_a_long_file_is_not_named_row_by_row(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_filters, "NAMED", 1)
    filed = ", ".join(f'{{"uid": {{"type": "doc", "id": "{number}"}}}}' for number in (1, 2))
    desk.write_files({"p.cedar": EDIT, "entities.json": f"[{filed}]"})
    assert find(desk) == set()
    assert find(desk, "possible") == {row["id"] for row in ROWS}


def test_what_is_stored_is_searched_for(desk: Desk) -> None:
    desk.write_files({"p.cedar": EDIT + SECRET})
    assert ask(desk)["exact"] is True
    desk.make("d", "doc", secret=True)
    told = ask(desk)
    assert (told["exact"], told["condition"]["sql"]) == (False, "(0 = 1)")
    assert "store" in told["opaque"][0]["why"]
    assert ask(desk, "other")["exact"] is True


def test_nothing_is_certain_where_a_type_is_in_file_and_store(desk: Desk) -> None:
    desk.make("bob", "user")
    desk.write_files({"p.cedar": EDIT, "entities.json": '[{"uid": {"type": "user", "id": "bob"}}]'})
    assert decide(desk) == find(desk) == set()
    assert ask(desk)["exact"] is False


def test_a_column_is_taken_for_no_other_attribute(desk: Desk) -> None:
    mine = 'permit(principal, action == Action::"edit", resource) when {{ {} }};'
    # `id` is the column of what the row is
    desk.write_files({"own.cedar": mine.format('resource has id && resource.id == "1"')})
    assert find(desk) == decide(desk) == set()
    # and SQLite finds `owner` by the name `Owner`
    both = '(resource has Owner && resource.Owner == "mallory") || (resource has owner && resource.owner == "ann")'
    desk.write_files({"own.cedar": mine.format(both)})
    assert find(desk) == set()
    assert decide(desk) == {"2"}
    assert {each["why"] for each in ask(desk)["opaque"]} == {
        "its column would be that of another attribute: they differ in case alone"
    }


def test_a_type_that_no_policy_can_name_is_asked_about(desk: Desk) -> None:
    desk.write_files({"own.cedar": EDIT + SECRET.replace("resource)", "resource is doc)")})
    told = ask(desk, "a\0b", "ast")
    assert (told["exact"], told["condition"]) == (True, {"op": "and", "parts": []})
