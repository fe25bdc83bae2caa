"""Which index a filter starts from: the fewest rows, and each alternative its own."""

from __future__ import annotations

import pytest

from policy_service.assets.sql.arms import Arm, find_arms, split
from policy_service.assets.sql.columns import Shape
from policy_service.assets.sql.leads import lead
from policy_service.assets.sql.looks import Look
from policy_service.model import Uid
from policy_service.policy.residual.filter import (
    EVERY,
    NONE,
    Below,
    Each,
    End,
    Field,
    Opaque,
    all_of,
    any_of,
    constant,
    none_of,
)
from policy_service.policy.residual.filter import Test as Is
from tests.unit.assets.inventories import make_bundle

ENTITIES = Shape("entity", frozenset({"team"}), frozenset({"zone"}), 1)
RELATIONSHIPS = Shape("relationship", frozenset({"team"}), frozenset({"zone"}), 1, ends=ENTITIES)


def is_(name, value):
    return Is("eq", Field(("attribute", name), "text"), constant(value))


def some(name, *values):
    return Each("any", Field(("attribute", name), "set"), tuple(map(constant, values)))


OWNER, ZONE, OTHER = is_("owner", "a"), is_("zone", "z"), is_("other", "x")
TYPE = Is("eq", Field(("type",), "text"), constant("host"))
ACTIVE = Is("eq", Field(("attribute", "active"), "bool"), constant(True))
TEAMS = some("team", Uid("Team", "a"), Uid("Team", "b"))


def never(arms):
    raise AssertionError("nothing was to be weighed")


def leads(filter_, weigh=never, shape=ENTITIES):
    arms = find_arms(shape, filter_, weigh)
    return None if arms is None else [arm.lead for arm in arms]


def test_the_part_with_the_fewest_rows_leads() -> None:
    assert find_arms(ENTITIES, all_of(TYPE, OTHER, OWNER), never) == [Arm(OWNER, 1, all_of(TYPE, OTHER))]
    assert leads(all_of(TYPE, any_of(OWNER, ZONE))) == [OWNER, ZONE]
    assert leads(all_of(OTHER, TYPE)) == [TYPE]
    # of two that may be as few the store knows which
    assert leads(all_of(OWNER, ZONE), lambda arms: len(str(arms[0].lead.left.path))) == [ZONE]
    assert leads(all_of(TYPE, ACTIVE), lambda arms: arms[0].lead == TYPE) == [ACTIVE]


def test_every_alternative_has_a_lead_or_none_has() -> None:
    assert leads(any_of(OWNER, TEAMS)) == [OWNER, TEAMS]
    for filter_ in (any_of(OWNER, OTHER), any_of(OWNER, none_of(ACTIVE)), none_of(OWNER), EVERY, OTHER):
        assert leads(filter_) is None
    assert leads(NONE) == []
    assert [arm.rest for arm in find_arms(ENTITIES, any_of(all_of(OWNER, OTHER), ZONE), never)] == [OTHER, EVERY]  # type: ignore[union-attr]


def test_what_is_below_is_by_ancestors_or_is_itself() -> None:
    stored, filed = Uid("host", "0" * 36), Uid("Team", "red")
    below = Below((stored, filed))
    assert leads(below) == [below, Is("in", Field(("id",), "text"), (constant("0" * 36),))]
    assert leads(Below((filed,))) == [Below((filed,))]
    assert leads(Below((stored,)), shape=RELATIONSHIPS) == [Is("in", Field(("id",), "text"), (constant("0" * 36),))]


def test_relationships_start_from_ends_that_have_a_lead() -> None:
    assert leads(End("to", OWNER), shape=RELATIONSHIPS) == [End("to", OWNER)]
    assert leads(End("to", OTHER), shape=RELATIONSHIPS) is leads(OWNER, shape=RELATIONSHIPS) is None
    assert leads(End("to", OWNER), shape=ENTITIES) is None
    # the id is looked for, and the rest of the end looked at
    assert [arm.rest for arm in find_arms(RELATIONSHIPS, End("to", OWNER), never)] == [End("to", OWNER)]  # type: ignore[union-attr]


def test_an_arm_for_each_value_unless_they_are_many() -> None:
    arms = find_arms(ENTITIES, any_of(TEAMS, Below((Uid("Team", "a"), Uid("Team", "b")))), never)
    assert [len(str(arm.lead).split("Team")) for arm in split(arms)] == [2, 2, 2, 2]  # type: ignore[arg-type]
    many = [Arm(some("team", *(Uid("Team", str(number)) for number in range(33))), 1)]
    assert split(many) == many


def test_arms_that_repeat_much_are_none() -> None:
    """Each has all that it looks at beside its lead, and people write both: a statement of both multiplied takes
    seconds to make."""
    long = any_of(*(is_("other", str(number)) for number in range(200)))
    values = Is("in", Field(("attribute", "zone"), "text"), tuple(map(constant, ("a", "b", "c"))))
    alternatives = any_of(*(all_of(is_("zone", str(number)), is_("other", str(number)), long) for number in range(3)))
    for shape, filter_ in ((ENTITIES, alternatives), (RELATIONSHIPS, End("to", alternatives))):
        assert Look(None, "acme", shape, None, None).find_arms(filter_) is None  # type: ignore[arg-type]
    (arm,) = find_arms(ENTITIES, all_of(values, long), never) or ()
    assert split([arm]) == [arm]
    assert len(split([arm._replace(rest=OTHER)])) == 3


@pytest.mark.parametrize(
    ("kind", "filter_", "told"),
    [
        ("entity", any_of(OWNER, TEAMS), "it starts from `owner` and `team`"),
        ("entity", all_of(TYPE, OTHER), "it starts from `type`"),
        ("entity", Below((Uid("Team", "red"),)), "it starts from what is below entities"),
        ("entity", OTHER, "it looks at every row, unless tenant.yaml says `indexed: [other]`"),
        ("entity", any_of(OTHER, none_of(OWNER)), "it looks at every row"),
        ("entity", any_of(OWNER, Opaque("x")), "it looks at every row"),
        ("entity", Is("has", Field(("attribute", "key", "x"), "any")), "no row is in it"),
        ("relationship", End("from", OWNER), "it starts from the entities it goes from"),
        ("relationship", OWNER, "it looks at every row"),
    ],
)
def test_a_lead_is_told_without_a_store(kind, filter_, told) -> None:
    assert lead(make_bundle(indexed="zone"), kind, filter_) == told
