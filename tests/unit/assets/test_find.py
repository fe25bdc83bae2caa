"""Lists by filters on both databases: what is found is what the filter is true of, row by row."""

from __future__ import annotations

from decimal import Decimal

from policy_service.assets import entities, relationships
from policy_service.assets.asset import Kind
from policy_service.assets.find import Order, Place, count, facets, find, say
from policy_service.assets.pages import BY_ID
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
from tests.unit.assets.inventories import entity, make_bundle, opened, relationship
from tests.unit.assets.selections import page_through, see, select

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
    """Hold lists, counts and facets by filters against the same read row by row."""
    rows = see(inventory, kind)
    for filter_ in filters:
        wanted = select(rows, filter_)
        found = find(inventory, kind, filter_, limit=1_000)
        assert [each.asset.id for each in found] == wanted, filter_
        assert all(each.certain for each in found)
        assert count(inventory, kind, filter_) == len(wanted), filter_
        types = facets(inventory, kind, filter_, "type", 100)
        assert sum(number for _, number in types) == len(wanted), filter_


def test_a_value_is_what_it_is_and_nothing_else(store) -> None:
    with opened(store) as inventory:
        for number, value in enumerate(VALUES):
            entity(inventory, f"v{number}", env=value, name=value, tag__t=value, labels=[value])
        entity(inventory, "none")
        entities.remove(inventory, entity(inventory, "gone", env="prod", labels=["prod"]), 1)
        filters: list[Filter] = []
        for value in VALUES:
            held = constant(read_value(value))
            for place in (
                field("env", kind=held.kind),
                field("name", kind=held.kind),
                field("tag", "t", kind=held.kind),
            ):
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
                filters += [Is(op, place, held) for op in ("lt", "ge", "starts", "holds")]
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
                filters += [Is(test, sum_, held) for sum_ in sums for test in ("eq", "lt", "ge")]
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
        relationships.remove(inventory, relationship(inventory, "uses", hosts[2], hosts[0]), 3)
        assert count(inventory, "relationship", EVERY) == 3


def test_pages_joined_are_the_whole_list_in_any_order(store) -> None:
    with opened(store) as inventory:
        for number in range(9):
            name = None if number % 4 == 0 else "n" * (150 + 50 * (number % 3)) + str(number % 2)
            entity(
                inventory, f"k{number}", number % 3, _type=f"t{number % 2}", displayName=name, owner=f"o{number % 3}"
            )
        owned = Is("in", field("owner", kind="text"), (constant("o1"), constant("o2")))
        arms = any_of(owned, Is("eq", field("type"), constant("t0")))
        for filter_ in (EVERY, owned, arms, none_of(owned)):
            wanted = {row.asset.id: row.asset for row in find(inventory, "entity", filter_, limit=100)}
            assert sorted(wanted) == select(see(inventory, "entity"), filter_)
            for by, read in _ORDERS.items():
                for descending in (False, True):
                    pages = page_through(inventory, "entity", filter_, order=Order(by, descending))
                    held = [asset for asset in wanted.values() if read(asset) is not None]
                    held.sort(key=lambda asset: (read(asset), asset.id), reverse=descending)
                    rest = sorted(wanted.keys() - {asset.id for asset in held}, reverse=descending)
                    assert [row.asset.id for row in pages] == [asset.id for asset in held] + rest, (by, descending)


_ORDERS = {
    "_id": lambda asset: asset.id,
    "displayName": lambda asset: asset.display_name and asset.display_name[:200],
    "_createdOn": lambda asset: asset.created_on,
    "_beginOn": lambda asset: asset.begin_on,
    "_key": lambda asset: asset.key,
    "_type": lambda asset: asset.type,
}


def test_of_what_is_opaque_lists_have_all_and_counts_what_is_certain(store) -> None:
    with opened(store) as inventory:
        for number in range(6):
            entity(inventory, f"k{number}", env="prod" if number % 2 else "dev", size=number)
        prod, large = Is("eq", field("env"), constant("prod")), Is("gt", field("size", kind="long"), constant(3))
        unknown = Opaque("nobody knows")
        for filter_, certain, perhaps in (
            (any_of(prod, unknown), 3, 6),
            (all_of(prod, unknown), 0, 3),
            (all_of(prod, any_of(large, none_of(unknown))), 1, 3),
            (unknown, 0, 6),
        ):
            found = page_through(inventory, "entity", filter_)
            assert (sum(row.certain for row in found), len(found)) == (certain, perhaps)
            assert count(inventory, "entity", filter_) == certain
            assert sum(number for _, number in facets(inventory, "entity", filter_, "class", 10)) == certain


def test_facets_tell_values_of_what_is_in_the_list(store) -> None:
    bundle = make_bundle(indexed="zone, tag.k")
    long_ = "z" * 2_000
    with opened(store, bundle) as inventory:
        for number in range(4):
            entity(inventory, f"k{number}", zone=["a", "b"][number % 2], tag__k=number, _class=["Host", "A"])
        entity(inventory, "set", zone=["a", "c"], _class="B", _type="x")
        entity(inventory, "long", zone=long_, env="hidden")
        shown = none_of(Is("eq", field("env"), constant("hidden")))
        assert facets(inventory, "entity", EVERY, "zone", 9) == [("a", 3), ("b", 2), ("c", 1), (long_, 1)]
        assert facets(inventory, "entity", shown, "zone", 9) == [("a", 3), ("b", 2), ("c", 1)]
        assert facets(inventory, "entity", shown, "zone", 1) == [("a", 3)]
        assert facets(inventory, "entity", EVERY, "tag.k", 9) == [(0, 1), (1, 1), (2, 1), (3, 1)]
        assert facets(inventory, "entity", shown, "class", 9) == [("A", 4), ("Host", 4), ("B", 1)]
        assert facets(inventory, "entity", NONE, "zone", 9) == facets(inventory, "entity", EVERY, "unknown", 9) == []
        zone = Is("in", field("zone"), (constant("a"), constant(long_)))
        check(
            inventory,
            "entity",
            [zone, Is("eq", field("tag", "k"), constant(2)), Is("eq", field("zone"), constant(long_))],
        )


def test_restricted_properties_are_equal_by_their_digests_alone(store) -> None:
    with opened(store, make_bundle()) as inventory:
        plain = entity(inventory, "plain", ssn="1", salary=5)
    with opened(store, make_bundle(restricted="ssn, salary")) as inventory:
        sealed = entity(inventory, "sealed", ssn="1", salary=7)
        entity(inventory, "other", ssn="2", pins=["1"])
        used = relationship(inventory, "uses", plain, sealed, ssn="1")
        ssn, held = field("ssn"), constant("1")
        both = sorted([plain.id, sealed.id])
        for filter_, wanted in (
            (Is("eq", ssn, held), both),
            (Is("in", ssn, (held, constant(9))), both),
            (all_of(Is("has", ssn), none_of(Is("eq", ssn, held))), None),
            (all_of(Is("has", field("salary")), Is("eq", ssn, held)), both),
        ):
            found = find(inventory, "entity", filter_, limit=10)
            assert all(row.certain for row in found)
            assert [row.asset.id for row in found] == (
                wanted or [row.asset.id for row in found if row.asset.key == "other"]
            )
        large = Is("gt", field("salary", kind="long"), constant(6))
        doubtful = [
            Is("eq", ssn, constant(["1"])),
            Is("has", field("ssn", kind="text")),
            Is("like", ssn, ("1", None)),
            large,
        ]
        doubtful += [Each("any", field("ssn", kind="set"), (held,)), Is("eq", ssn, field("salary"))]
        for filter_ in doubtful:
            assert isinstance(say(inventory, "entity", filter_), Opaque) is (store.backend == "postgresql")
        found = find(inventory, "relationship", Is("eq", ssn, held), limit=10)
        assert [(row.asset.id, row.certain) for row in found] == [(used.id, store.backend == "sqlite")]


def test_what_no_asset_has_is_not_looked_for(store) -> None:
    with opened(store) as inventory:
        entity(inventory, "k", env="prod", labels=["a"])
        for filter_ in (
            Is("eq", field("unheard"), constant("x")),
            Is("lt", field("env", kind="long"), constant(5)),
            Each("any", field("env", kind="set"), (constant("prod"),)),
            Each("has", field("labels", kind="set"), field("env", "lo")),
            Is("eq", field("env", kind="text"), constant(1)),
            Is("eq", Sum("add", field("env", kind="long"), constant(1)), constant(1)),
            End("from", EVERY),
        ):
            assert say(inventory, "entity", filter_) == NONE, filter_
        assert say(inventory, "entity", Is("has", field("key"))) == EVERY
        assert say(inventory, "relationship", End("to", Is("has", field("unheard")))) == NONE


def test_deep_and_long_filters_are_answered_or_opaque(store) -> None:
    with opened(store) as inventory:
        first = entity(inventory, "k", env="e7", owner="o7")
        parts = [
            all_of(Is("eq", field("env"), constant(f"e{n}")), Is("eq", field("owner"), constant(f"o{n}")))
            for n in range(1_500)
        ]
        assert [row.asset for row in find(inventory, "entity", any_of(*parts), limit=5)] == [first]
        assert count(inventory, "entity", any_of(*parts, none_of(Is("has", field("env"))))) == 1
        listed = Is("in", field("env"), tuple(constant(f"e{n}") for n in range(40_000)))
        assert count(inventory, "entity", listed) == 1
        deep: Filter = Is("eq", field("env"), constant("e7"))
        for number in range(300):
            other = Is("eq", field("owner"), constant(f"o{number}"))
            deep = all_of(other, deep) if number % 2 else any_of(none_of(other), deep)
            if number == 35:
                assert not isinstance(say(inventory, "entity", deep), Opaque)
                assert len(find(inventory, "entity", deep, limit=5)) in (0, 1)
        assert [row.certain for row in find(inventory, "entity", any_of(deep, Is("has", field("env"))), limit=5)] == [
            True
        ]
        assert isinstance(
            say(inventory, "entity", any_of(*(Is("lt", field("env"), constant(f"x{n}")) for n in range(4_001)))), Opaque
        )


def test_rows_of_others_are_not_found(store) -> None:
    with opened(store) as inventory:
        entity(inventory, "k", env="prod", labels=["a"])
    filters = [
        EVERY,
        Is("eq", field("env"), constant("prod")),
        Each("any", field("labels", kind="set"), (constant("a"),)),
    ]
    with opened(store, make_bundle("globex")) as inventory:
        entity(inventory, "other", env="dev", labels=["b"])
        for filter_ in filters[1:]:
            assert find(inventory, "entity", filter_, limit=5) == []
            assert count(inventory, "entity", filter_) == 0
        assert facets(inventory, "entity", EVERY, "type", 5) == [("host", 1)]


def test_a_page_after_a_place_that_is_gone_goes_on_there(store) -> None:
    with opened(store) as inventory:
        ids = sorted(entity(inventory, f"k{number}").id for number in range(4))
        entities.remove(inventory, entities.find(inventory, [ids[1]])[ids[1]], 5)
        assert [row.asset.id for row in find(inventory, "entity", EVERY, after=Place(None, ids[1]), limit=5)] == ids[2:]
        assert find(inventory, "entity", EVERY, order=BY_ID, limit=0) == []
