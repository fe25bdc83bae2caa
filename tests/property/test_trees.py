"""The trees of py-abac policies and casbin lines say what their engines say, of what is known and of rows."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.expression_runs import FAILED, NOT, SATISFIED
from tests.property.filter_draws import by_hypothesis, by_seed
from tests.property.tree_runs import OPAQUE, Report, run

SEEDS = 40


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_they_say_what_the_engines_say(data):
    report = Report()
    run(by_hypothesis(data.draw), report, policies=2, scenes=1)
    assert not report.wrong, report.wrong[0]


def test_they_say_so_of_many_and_little_is_opaque():
    report = Report()
    for seed in range(SEEDS):
        run(by_seed(seed), report, policies=5, scenes=4)
    assert not report.wrong, report.wrong[0]
    for language in ("py-abac", "casbin"):
        assert min(report.compared[language, verdict] for verdict in (SATISFIED, NOT, FAILED)) > SEEDS
        told = {what: count for (of, _, what), count in report.rows.items() if of == language}
        assert told["untold"] < sum(told.values()) / 4
        assert min(told[what] for what in ("yes", "no", "neither")) > SEEDS
    # an id that is read in two ways, which is none that anybody has
    assert 50 * sum(count for (_, verdict), count in report.compared.items() if verdict == OPAQUE) < report.verdicts
    every = {
        "alike",
        "contains_alike",
        "contains_any_alike",
        "contains_all_alike",
        "before",
        "Path",
        "Groups",
        "OfKind",
    }
    assert every | {"Call", "Opaque", "If", "Is", "in", "Has", "Like", "is_empty"} <= set(report.operators)
