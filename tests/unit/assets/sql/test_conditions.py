"""Filters as conditions of SQL on both databases: true of exactly the rows that they are true of one by one."""

from __future__ import annotations

from decimal import Decimal

from policy_service.assets import entities
from policy_service.assets.asset import Kind
from policy_service.assets.find import say
from policy_service.model import Uid
from policy_service.policy.residual.filter import (
    EVERY,
    NONE,
    Below,
    Each,
    End,
    Field,
    Filter,
    Opaque,
    Sum,
    all_of,
    any_of,
    constant,
    none_of,
)
from policy_service.policy.residual.filter import (
    Test as Is,
)
from policy_service.policy.values import read_value
from tests.unit.assets.inventories import ENTITIES, entity, make_bundle, opened, relationship
from tests.unit.assets.selections import ask_sql, see, select

HUGE, TINY = Decimal("1e300"), Decimal("0.00001")
LARGEST = 2**63 - 1
# what SQL's patterns, JSON, escapes and sorting make of a text that is only a text
TEXTS = ["", "prod", "PROD", "a*c", "a%c", "x_%?[]y", "[^a]", "\\", '"a"', '["a"]', "1", "true", "null", "q'\"\\"]
TEXTS += ["e\u0301", "é", "É", "İ", "\x7f", "\u2028", "\U0010ffff", '{"@":"User::\\"a\\""}', "#", "y" * 1_100, "a\nb"]
VALUES = [*TEXTS, 0, 1, -1, 5, LARGEST, -LARGEST - 1, True, False, Decimal("1.5"), Decimal("-0.0001"), HUGE, TINY]
NAMES = ["env", "name", "a.b", "é", "property.env", "type", "team", "@dec", 'we"ird']


def field(*path: str, kind: str = "any") -> Field:
    return Field(path if path[0] in ("id", "type", "from", "to", "tag", "system") else ("attribute", *path), kind)  # type: ignore[arg-type]


def check(inventory, kind: Kind, filters: list[Filter]) -> None:
    """Hold filters in SQL, many in one statement, against the same read row by row."""
    rows = see(inventory, kind)
    for start in range(0, len(filters), 40):
        chunk = filters[start : start + 40]
        for filter_, found in zip(chunk, ask_sql(inventory, kind, chunk), strict=True):
            assert found == select(rows, filter_), filter_


def test_a_value_is_what_it_is_and_nothing_else(store) -> None:
    with opened(store) as inventory:
        for number, value in enumerate(VALUES):
            entity(inventory, f"v{number}", env=value, name=value, tag__t=value, labels=[value])
        entity(inventory, "none")
        entities.remove(inventory, entity(inventory, "gone", env="prod", labels=["prod"]), 1)
        filters: list[Filter] = []
        for value in VALUES:
            held = constant(read_value(value))
            for place in (field("env", kind=held.kind), field("name", kind=held.kind)):
                same = Is("eq", place, held)
                filters += [same, all_of(Is("has", place), none_of(same))]
            filters += [Each(op, field("labels", kind="set"), (held,)) for op in ("any", "all", "within")]  # type: ignore[arg-type]
        check(inventory, "entity", filters)
        many = tuple(constant(read_value(value)) for value in VALUES)
        check(
            inventory,
            "entity",
            [
                *(Is("has", field(name, kind=kind)) for name in ("env", "name") for kind in _KINDS),
                *(Is("in", field(name), many[::3]) for name in ("env", "name")),
                *(Each(op, field("labels", kind="set"), many[::2]) for op in ("any", "all", "within")),  # type: ignore[arg-type]
                Each("within", field("labels", kind="set"), ()),
                Each("has", field("labels", kind="set"), field("env")),
                Is("eq", field("env"), field("name")),
                Is("eq", field("env"), field("tag", "t")),
                Is("eq", field("displayName", kind="text"), field("env", kind="text")),
            ],
        )


_KINDS = ("any", "text", "long", "bool", "decimal", "number", "set", "record")


def test_texts_are_compared_byte_for_byte(store) -> None:
    patterns = [(None, "*", None), (None, "%", None), ("[", None), (None, "\\"), ("a", None, "c"), ("", None), (None,)]
    patterns += [(None, "é"), ("PR", None), ("a*c",), ("\U0010ffff", None), (None, "\0", None), ("x_", None, "?", None)]
    with opened(store) as inventory:
        for number, text in enumerate(TEXTS):
            entity(inventory, f"v{number}", env=text, name=text, displayName=text)
        entity(inventory, "long", env=5, name="z")
        filters: list[Filter] = []
        for place in (field("env", kind="text"), field("name", kind="text"), field("displayName", kind="text")):
            filters += [Is("like", place, pattern) for pattern in patterns]
            for text in (*TEXTS, "Prod", "Q'", "İ", "c"):
                held = constant(text)
                filters += [Is(op, place, held) for op in ("lt", "starts", "holds")]
        check(inventory, "entity", filters)
        long_ = Is("like", field("env", kind="text"), ("y" * 1_001, None))
        assert isinstance(say(inventory, "entity", long_), Opaque)


def test_numbers_do_not_overflow_and_do_not_meet_other_kinds(store) -> None:
    longs = [0, 1, -1, 2**53, 2**53 + 1, LARGEST, -LARGEST - 1, 3_037_000_500]
    with opened(store) as inventory:
        for number, value in enumerate([*longs, True, "1", Decimal("1.5"), HUGE]):
            entity(inventory, f"v{number}", env=value, size=1, criticality=value, cost=value)
        one, size = field("env", kind="long"), field("size", kind="long")
        filters: list[Filter] = []
        for value in longs:
            held = constant(value)
            for op in ("add", "sub", "mul"):
                sums = (Sum(op, one, held), Sum(op, held, one), Sum(op, Sum("mul", one, one), Sum("sub", held, size)))  # type: ignore[arg-type]
                filters += [Is(test, sum_, held) for sum_, test in zip(sums, ("eq", "lt", "ge"), strict=True)]
            filters += [Is(op, field("criticality", kind="long"), held) for op in ("eq", "lt", "le", "gt", "ge")]
            filters += [none_of(Is("lt", held, one)), Is("le", held, Sum("add", one, size))]
        decimals = [constant(Decimal(text)) for text in ("1.5", "-0.0001", "922337203685477.5807")]
        filters += [Is(op, field("cost", kind="decimal"), held) for held in decimals for op in ("lt", "le", "gt", "eq")]
        check(inventory, "entity", filters)


def test_names_reach_what_policies_see(store) -> None:
    with opened(store) as inventory:
        whole = entity(inventory, "all", **dict.fromkeys(NAMES, "x"), tag__env="y", displayName="d")
        relationship(inventory, "uses", whole, whole, **dict.fromkeys(NAMES, "x"))
        places = [field(name) for name in (*NAMES, "property.type", "property.property.env", "property.team", "key")]
        places += [field("displayName"), field("class"), field("source"), field("type")]
        places += [field("tag", "env"), field("tag", "é"), field("env", "lo"), field("class", "x"), field("groups")]
        for kind in ("entity", "relationship"):
            filters: list[Filter] = [Is("has", place) for place in places]
            filters += [Is("eq", place, constant("x")) for place in places]
            check(inventory, kind, filters)  # type: ignore[arg-type]


def test_hierarchy_is_of_the_store_and_of_files(store) -> None:
    filed = """[{"uid": {"type": "Team", "id": "red"}, "parents": [{"type": "Org", "id": "acme"}]},
        {"uid": {"type": "Org", "id": "acme"}, "parents": [{"type": "zone", "id": "%s"}]},
        {"uid": {"type": "Org", "id": "b"}}]"""
    with opened(store) as inventory:
        top = entity(inventory, "top", _type="zone")
    bundle = make_bundle(
        filed=filed % top.id, groups=f"g, Team:red, group:reds, acme\ng, host:{top.id}, group:x, acme\n"
    )
    with opened(store, bundle) as inventory:
        hosts = [entity(inventory, f"h{number}") for number in range(4)]
        above = entity(inventory, "above", _type="zone")
        relationship(inventory, "host_in_zone", top, above)
        relationship(inventory, "host_in_zone", hosts[0], top)
        relationship(inventory, "team_owns_host", ("Team", "red"), hosts[1])
        relationship(inventory, "team_owns_host", hosts[0], hosts[2])
        uids = [asset.uid for asset in (*hosts, top, above)] + [Uid("Team", "red"), Uid("Org", "acme"), Uid("Org", "b")]
        uids += [Uid("Group", "reds"), Uid("Group", "x"), Uid("zone", hosts[0].id), Uid("Escaped_zz", top.id)]
        owners = tuple(map(constant, uids))
        team = field("team", kind="set")
        check(
            inventory,
            "entity",
            [
                *(Below((uid,)) for uid in uids),
                *(none_of(Below((uid,))) for uid in uids),
                Below((*uids, Uid("a", "\0"))),
                *(Each(op, team, owners[3:]) for op in ("any", "all", "within")),  # type: ignore[arg-type]
                *(Each("all", team, (owner,)) for owner in owners),
                Is("has", team),
                Is("eq", team, constant([Uid("Team", "red")])),
                Each("covers", team, team),
                Each("meets", team, field("class", kind="set")),
            ],
        )


def test_relationships_are_found_by_their_ends(store) -> None:
    with opened(store) as inventory:
        hosts = [
            entity(inventory, f"h{number}", env="prod" if number else "dev", _type="we ird") for number in range(3)
        ]
    twin = f'{ENTITIES[:-2]}, {{"uid": {{"type": "Team", "id": "{hosts[1].id}"}}}}]'
    with opened(store, make_bundle(filed=twin)) as inventory:
        # of the same id as an entity that is stored, and another
        relationship(inventory, "team_owns_host", ("Team", hosts[1].id), hosts[0])
        relationship(inventory, "uses", hosts[0], hosts[1], env="prod", labels=["a"])
        relationship(inventory, "uses", hosts[1], hosts[2], _class="USES")
        relationship(inventory, "team_owns_host", ("Team", "red"), hosts[0])
        prod = Is("eq", field("env", kind="text"), constant("prod"))
        red = constant(Uid("Team", "red"))
        check(
            inventory,
            "relationship",
            [
                *(End(side, part) for side in ("from", "to") for part in (prod, EVERY, NONE, none_of(prod))),  # type: ignore[arg-type]
                all_of(End("from", EVERY), End("to", prod)),
                any_of(End("from", prod), Is("in", field("from", kind="entity"), (red, constant(hosts[0].uid)))),
                none_of(any_of(End("from", EVERY), Is("eq", field("from", kind="entity"), red))),
                Is("eq", field("from", kind="entity"), constant(Uid("host", hosts[0].id))),
                Is("eq", field("to", "id", kind="text"), constant(hosts[1].id)),
                *(Each(op, field("class", kind="set"), (constant("USES"),)) for op in ("any", "all", "within")),  # type: ignore[arg-type]
                Each("all", field("class", kind="set"), (constant("USES"), constant("OWNS"))),
                Each("any", field("labels", kind="set"), (constant("a"),)),
                Below((Uid("Team", "red"),)),
                prod,
            ],
        )
