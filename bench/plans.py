"""How long it takes to make the filter of policies that concern the asker, and to say it in SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from sqlalchemy import Select, select

from bench.material import gatherer, groups, make_bundle
from bench.million import FILES
from bench.timing import Row, cpu_us
from policy_service.assets.sql.cells import Cells
from policy_service.assets.sql.conditions import Rows
from policy_service.assets.sql.leads import shape_of
from policy_service.assets.sql.sayable import simplify
from policy_service.assets.sql.sqlite import Sqlite
from policy_service.model import Act, Request, Thing
from policy_service.policy.bundle import Bundle
from policy_service.policy.request import ask
from policy_service.policy.residual.asked import ANY
from policy_service.policy.residual.filter import Filter, bound
from policy_service.policy.residual.plan import residual
from policy_service.store.tables import EntityRow

_ASKED = Request(Thing("user", "u0", {"department": "sales"}), Act("read"), ANY, {"channel": "web"})
_CONDITIONS = (
    'resource has owner && resource.owner.contains(principal) && resource.zone == "zone {0}"',
    'principal.department == "sales" && resource in folder::"folder {0}" && resource.environment != "prod"',
    'context.channel == "web" && resource.labels.contains("label {0}") && resource.level < {0}',
)
_FRESH = 5
_SQLITE = Sqlite()


def rows() -> Iterator[Row]:
    """One row a figure."""
    for count in (10, 100, 1_000):
        fresh = [make(count) for _ in range(_FRESH)]
        first = [cpu_us(lambda bundle=bundle: plan(bundle), 1) / 1000 for bundle in fresh]
        bundle = fresh[0]
        filter_ = plan(bundle)

        def anew(bundle: Bundle = bundle) -> Filter:
            bundle.plans.forget()
            return plan(bundle)

        times = 1_000 // count
        said = simplify(filter_, shape_of(bundle, "entity"))
        in_sql = "it is more than is said in SQL"
        if bound(said, upper=True) == said:
            in_sql = f"{_ms(lambda said=said, bundle=bundle: say(bundle, said), times):.1f} ms as a statement"
        yield Row(
            f"the filter of {count:,} policies that concern the asker",
            f"{median(first):.1f} ms by the first question of a version, {_ms(anew, times):.1f} ms of another asker, "
            f"{_ms(lambda bundle=bundle: plan(bundle), times):.2f} ms of the same; {in_sql}",
        )


def make(count: int) -> Bundle:
    """So many policies, each for a group that the asker is in."""
    policies = "\n".join(
        f'@id("p{number}") permit(principal in Group::"g{number}", action == Action::"read", resource)'
        f" when {{ {_CONDITIONS[number % len(_CONDITIONS)].format(number)} }};"
        for number in range(count)
    )
    tenant = FILES["tenant.yaml"].format(tenant="bench")
    return make_bundle({**FILES, "tenant.yaml": tenant, "p.cedar": policies, "groups.csv": groups(count)})


def plan(bundle: Bundle) -> Filter:
    """The filter, from the question on: with the facts of the asker and the policies that concern it."""
    return residual(bundle, gatherer(bundle).gather_open(ask(_ASKED)))


def say(bundle: Bundle, filter_: Filter) -> Select[Any]:
    """A statement with the filter as its condition."""
    rows = Rows(Cells(_SQLITE, "bench", shape_of(bundle, "entity"), EntityRow), lambda *_: ())
    return select(EntityRow.id).where(rows.where(filter_))


def _ms(function: Callable[[], object], times: int, rounds: int = 5) -> float:
    """Milliseconds of CPU for one call."""
    function()
    return median(cpu_us(function, times) for _ in range(rounds)) / 1000
