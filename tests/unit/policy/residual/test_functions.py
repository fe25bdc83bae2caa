"""What is opaque of rows, and is told of what is known."""

from __future__ import annotations

import pytest

from policy_service.policy.evaluate import World
from policy_service.policy.residual import functions
from policy_service.policy.residual.filter import find_opaque
from policy_service.policy.residual.ground import Ground
from policy_service.policy.residual.sets import Verdict
from policy_service.policy.residual.symbols import ID, Case, Fixed, Listed, Long, Lost, Place, Recorded, Text
from policy_service.policy.residual.truth import FAILING, Truth, always
from policy_service.policy.residual.words import explain
from policy_service.policy.tree import Call, Constant
from tests.unit.policy.residual.questions import find, permit

GROUND = Ground("resource", World({}, {}), {"tenant": "acme"}, frozenset({"owner"}))
HELD = Place(("attribute", "a"))


def say(verdict: Verdict) -> str:
    assert isinstance(verdict, Truth)
    return explain(verdict.yes)


def test_a_pattern_that_is_too_long_is_opaque() -> None:
    like = functions.like(GROUND, ("é" * 501, None))
    assert isinstance(like(HELD), Lost)
    assert like(Fixed("é" * 502)) == always(True)
    assert say(functions.like(GROUND, ("é" * 500, None))(HELD)).startswith("a is like")


def test_a_call_is_made_where_all_is_known() -> None:
    called = Call(lambda text: text.startswith("a"), (Constant(""),), "why", "source")
    call = functions.foreign(GROUND, called)
    assert call(Fixed("abc"))[0].symbol == Fixed(True)
    assert call(HELD)[0].symbol == Lost("why", "source")
    assert explain(call(HELD)[0].when) == "a is there"


def test_kinds() -> None:
    texts = functions.is_of_kind(GROUND, ("text", "long"))
    assert say(texts(HELD)) == "(a is a text or a is a long)"
    assert say(texts(Text(ID))) == say(texts(Fixed(1))) == "every row"
    assert say(texts(Fixed(True))) == say(texts(Recorded(()))) == say(texts(Listed(()))) == "no row"


def test_functions_of_extension_values_fail_on_what_rows_hold() -> None:
    for op in ("is_in_range", "decimal_less_than"):
        assert functions.test(op, GROUND)(Text(ID), HELD) == FAILING
    operate = functions.operation("offset", GROUND)
    assert operate is not None
    assert operate(HELD, HELD) == ()
    assert functions.call("to_date", GROUND)(HELD) == ()


def test_sums_are_told_where_both_are_known() -> None:
    add = functions.operation("add", GROUND)
    assert add is not None
    assert add(Fixed(1), Fixed(2)) == [Case(always(True).yes, Fixed(3))]
    assert add(Fixed(2**63 - 1), Fixed(1)) == ()
    assert isinstance(add(HELD, Fixed(1))[0].symbol, Long)


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("ip(resource.a).isIpv4()", "`ip` of a text that the row has"),
        ("resource.getTag(resource.a) == 1", "a tag whose name is computed"),
        ("(resource.a == 1) == (resource.b == 1)", ""),
        (f"[{', '.join(f'(resource.a{n} == 1)' for n in range(30))}].contains(true)", "more than 64 possible values"),
        (" + ".join(["(if resource.x == 1 then 1 else resource.b)"] * 8) + " == 20", "more than 64 possible values"),
    ],
)
def test_what_can_not_be_said_tells_why_and_where(condition: str, why: str) -> None:
    found = list(find_opaque(find(permit(condition))))
    assert bool(found) is bool(why)
    for opaque in found:
        assert why in opaque.why
        assert opaque.policy == "p"
        assert 0 < len(opaque.source) <= 200


def test_what_grows_threefold_with_each_level_is_cut_in_time() -> None:
    nested = "resource.a0"
    for number in range(1, 20):
        nested = f"(if {nested} then resource.b{number} else resource.c{number})"
    assert "more than 4,000 tests" in {opaque.why.split("to ")[-1] for opaque in find_opaque(find(permit(nested)))}
