"""The evaluator says of each policy what Cedar says: that it is satisfied, that it is not, or that it fails."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from policy_service.policy.engines.cedar import is_literal
from policy_service.policy.extensions import READ
from policy_service.policy.operators import BINARY, UNARY
from tests.property.expression_draws import draw_mutation
from tests.property.expression_runs import FAILED, Report, run
from tests.property.filter_draws import by_hypothesis, by_seed

SEEDS, TEXTS = 120, 4_000


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_it_says_what_cedar_says(data):
    report = Report()
    run(by_hypothesis(data.draw), report, policies=2, scenes=1)
    assert not report.wrong, report.wrong[0]


def test_it_says_so_of_many_and_each_operator_has_values_and_fails():
    report = Report()
    for seed in range(SEEDS):
        run(by_seed(seed), report)
    assert not report.wrong, report.wrong[0]
    assert min(report.compared.values()) > SEEDS
    assert not report.refused
    seen = {name for name, how in report.operators if how == "value"}
    failing = {name for name, how in report.operators if how == FAILED}
    every = {*UNARY, *BINARY, "and", "or", "in", "has_tag", "get_tag", "If", "Is", "Like", "Has", "Attribute"}
    assert every <= seen
    # these take anything
    assert every - {"eq", "not_eq"} <= failing


def test_texts_of_extension_values_are_read_as_cedar_reads_them():
    draws = by_seed(0)
    read = 0
    for _ in range(TEXTS):
        kind = draws.pick(tuple(READ))
        text = draw_mutation(draws, kind)
        try:
            READ[kind](text)
            ours = True
        except ValueError:
            ours = False
        assert ours is is_literal(kind, text), (kind, text)
        read += ours
    assert read > TEXTS / 10
