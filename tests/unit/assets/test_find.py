"""Lists, counts and facets by filters on both databases, by whichever way indexes lead."""

from __future__ import annotations

from policy_service.assets import entities
from policy_service.assets.find import BY_ID, Order, Place, count, facets, find, find_places, say
from policy_service.assets.sql.pages import is_after
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
from policy_service.policy.residual.filter import Test as Is
from tests.unit.assets.inventories import entity, make_bundle, opened, relationship
from tests.unit.assets.selections import page_through, see, select


def field(*path: str, kind: str = "any") -> Field:
    """A field of a row."""
    return Field(path if path[0] in ("id", "type", "tag") else ("attribute", *path), kind)  # type: ignore[arg-type]


def is_(name: str, *values) -> Filter:
    """A property or the type is one of the values."""
    held = tuple(map(constant, values))
    place = field(name, kind=held[0].kind)
    return Is("eq", place, held[0]) if len(held) == 1 else Is("in", place, held)


def some(name: str, *values) -> Filter:
    """A set has one of the values."""
    return Each("any", field(name, kind="set"), tuple(map(constant, values)))


def check(inventory, kind, rows, filter_: Filter) -> None:
    """Hold a list in pages, a count and facets against the filter read row by row."""
    wanted = select(rows, filter_)
    assert [found.asset.id for found in page_through(inventory, kind, filter_, limit=5)] == wanted, filter_
    assert count(inventory, kind, filter_) == len(wanted), filter_
    assert sum(number for _, number in facets(inventory, kind, filter_, "type", 9)) == len(wanted), filter_


def test_arms_are_the_whole_list(store) -> None:
    bundle = make_bundle(indexed="zone, tag.k", groups="g, Team:red, group:reds, acme")
    with opened(store, bundle) as inventory:
        for number in range(12):
            entity(
                inventory,
                f"k{number}",
                _type=f"t{number % 3}",
                _class=["Host", f"C{number % 2}"],
                displayName="n" * 250 + str(number % 2) if number % 4 else None,
                owner=f"o{number % 5}",
                active=number % 2 == 0,
                zone=["a", "b", "z" * 2_000][number % 3],
                labels=["x", f"l{number % 4}"],
                tag__k=number % 3,
            )
        entities.remove(inventory, entity(inventory, "gone", _type="t1", owner="o1", zone="a"), 9)
        hosts = [row.asset for row in find(inventory, "entity", EVERY, limit=20)]
        for number, host in enumerate(hosts[:6]):
            relationship(inventory, "team_owns_host", ("Team", "red"), host, _key=f"r{number}", zone="a")
        red, reds = Uid("Team", "red"), Uid("Group", "reds")
        rows = see(inventory, "entity")
        labels = field("labels", kind="set")
        owned, named = is_("owner", "o1", "o2"), is_("displayName", "n" * 250 + "1")
        for filter_ in (
            any_of(owned, is_("type", "t1"), Below((reds, hosts[9].uid))),
            all_of(any_of(owned, some("labels", "l1", "l2")), none_of(is_("active", True)), is_("type", "t0", "t1")),
            all_of(some("class", "C0", "C1"), Each("all", labels, (constant("x"), constant("l1")))),
            any_of(named, is_("zone", "z" * 2_000, "b"), Is("eq", field("tag", "k"), constant(2))),
            all_of(some("team", red), some("class", "Host"), is_("zone", "a", "b")),
            any_of(*(all_of(is_("owner", f"o{number}"), is_("zone", "a")) for number in range(40))),
            any_of(owned, none_of(is_("active", True))),
            Is("in", field("id", kind="text"), tuple(constant(host.id) for host in hosts[::2])),
            is_("key", "k3", "k4"),
        ):
            check(inventory, "entity", rows, filter_)
        rows = see(inventory, "relationship")
        ends = End("to", any_of(owned, is_("zone", "a")))
        for filter_ in (
            ends,
            all_of(ends, End("from", EVERY)),
            all_of(is_("type", "team_owns_host"), ends),
            Is("eq", field("zone"), constant("a")),
            Is("in", Field(("from",), "entity"), (constant(red), constant(hosts[0].uid))),
            Is("eq", Field(("to", "id"), "text"), constant(hosts[0].id)),
        ):
            check(inventory, "relationship", rows, filter_)


def test_an_entity_is_counted_with_what_is_below_it_once(store) -> None:
    with opened(store) as inventory:
        top, zone, *hosts = (entity(inventory, f"k{number}", owner=f"o{number}") for number in range(6))
        for below, above in ((zone, top), (hosts[0], zone), (hosts[1], zone), (hosts[1], top)):
            relationship(inventory, "host_in_zone", below, above, _key=f"{below.key} in {above.key}")
        rows = see(inventory, "entity")
        for filter_, number in (
            (Below((top.uid,)), 4),
            (Below((hosts[2].uid,)), 1),
            # one of the ids is below another
            (Below((top.uid, zone.uid, hosts[1].uid)), 4),
            (any_of(Below((zone.uid,)), Is("eq", field("id", kind="text"), constant(hosts[0].id))), 3),
            (all_of(Below((zone.uid,)), is_("owner", "o1", "o2")), 2),
            (Below((Uid("ghost", top.id),)), 0),
        ):
            assert count(inventory, "entity", filter_) == number, filter_
            check(inventory, "entity", rows, filter_)


def test_pages_joined_are_the_whole_list_in_any_order(store) -> None:
    with opened(store) as inventory:
        for number in range(9):
            name = None if number % 4 == 0 else "n" * (150 + 50 * (number % 3)) + str(number % 2)
            entity(
                inventory, f"k{number}", number % 3, _type=f"t{number % 2}", displayName=name, owner=f"o{number % 3}"
            )
        owned = Is("in", field("owner", kind="text"), (constant("o1"), constant("o2")))
        arms = any_of(owned, Is("eq", field("type"), constant("t0")))
        for filter_ in (EVERY, arms):
            wanted = {row.asset.id: row.asset for row in find(inventory, "entity", filter_, limit=100)}
            assert sorted(wanted) == select(see(inventory, "entity"), filter_)
            for by, read in _ORDERS.items():
                for descending in (False, True) if by in ("_id", "displayName") else (False,):
                    pages = page_through(inventory, "entity", filter_, order=Order(by, descending), limit=4)
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


def test_places_are_those_of_the_rows_in_any_order(store) -> None:
    with opened(store, make_bundle(restricted="ssn")) as inventory:
        for number, name in enumerate(
            ("b", "B", "é", "e\u0301", "\U0001f600", "\uffee", None, None, "n" * 300, "n" * 299)
        ):
            entity(inventory, f"k{number}", displayName=name, text="x" * 100 * number, tag__t="y", ssn="z" * 50)
        for by in ("_id", "displayName", "_createdOn", "_key", "_type"):
            for order in (Order(by), Order(by, descending=True)):
                rows = find(inventory, "entity", EVERY, order=order, limit=20)
                told = find_places(inventory, "entity", EVERY, order=order, limit=20)
                assert [place for place, _ in told] == [row.place for row in rows]
                assert all(size > 100 * int(row.asset.key[1:]) + 50 for row, (_, size) in zip(rows, told, strict=True))
                for position, (place, _) in enumerate(told):
                    assert [is_after(order, other, place) for other, _ in told] == [
                        each > position for each in range(len(told))
                    ]
                assert find_places(inventory, "entity", EVERY, order=order, after=told[3][0], limit=2) == told[4:6]


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
        # whichever side it is on
        doubtful += [Is(op, field(name, kind="text"), ssn) for op in ("eq", "lt") for name in ("id", "type", "key")]
        doubtful += [Each("has", field("class", kind="set"), ssn)]
        for filter_ in doubtful:
            said = say(inventory, "entity", filter_)
            assert isinstance(said, Opaque) is (store.backend == "postgresql"), filter_
            assert not isinstance(said, Opaque) or "`ssn`" in said.why or filter_ == large
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
        pairs = any_of(*(all_of(is_("env", f"e{number}"), is_("owner", f"o{number}")) for number in range(220)))
        assert [row.asset for row in find(inventory, "entity", pairs, limit=5)] == [first]
        listed = Is("in", field("env"), tuple(constant(f"e{number}") for number in range(40_000)))
        assert count(inventory, "entity", listed) == 1
        deep = is_("env", "e7")
        for number in range(19):
            other = is_("owner", f"o{number}")
            deep = any_of(none_of(all_of(other, deep)), other)
        assert not isinstance(say(inventory, "entity", deep), Opaque)
        assert find(inventory, "entity", deep, limit=5)[0].certain
        for _ in range(100):
            deep = none_of(all_of(none_of(any_of(is_("owner", "o7"), deep)), is_("env", "e7")))
        assert [row.certain for row in find(inventory, "entity", any_of(deep, pairs), limit=5)] == [True]
        long_ = any_of(*(Is("lt", field("env"), constant(f"x{number}")) for number in range(3_001)))
        assert isinstance(say(inventory, "entity", long_), Opaque)


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
