"""The condition that a resource search comes to, for an application that filters tables of its own.

What the condition is true of is certainly allowed: where something in it can't be said, that is left out of it, and
what it may be true of beside stands apart, to be asked about one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter_ns, time
from typing import Any, Literal, NamedTuple, TypeAlias

from policy_service.access.authorize import Service, describe
from policy_service.access.facts import StoredFacts, now
from policy_service.assets.plain_sql import Dialect, narrow, write
from policy_service.audit.list_records import record_list
from policy_service.model import Caller, Request
from policy_service.policy.facts import write_entities
from policy_service.policy.gathering import Gatherer
from policy_service.policy.request import ask
from policy_service.policy.residual.asked import ANY
from policy_service.policy.residual.filter import (
    EVERY,
    NONE,
    Filter,
    Leaf,
    Test,
    all_of,
    any_of,
    bound,
    constant,
    find_opaque,
    fold,
    none_of,
)
from policy_service.policy.residual.plan import residual
from policy_service.policy.residual.symbols import TYPE
from policy_service.policy.residual.ucast import to_tree, to_ucast
from policy_service.policy.residual.words import explain
from policy_service.policy.values import dumps

Form: TypeAlias = Literal["sql", "ucast", "ast"]


class Wanted(NamedTuple):
    """A resource search (its id is empty) whose condition is wanted in a form; `dialect` is that of the SQL."""

    request: Request
    form: Form
    request_id: str
    address: str = ""
    dialect: Dialect = "postgresql"


def find_filter(service: Service, caller: Caller, wanted: Wanted) -> tuple[Mapping[str, Any], str]:
    """The condition as JSON has it, and the version of the files; recorded as one line.

    `condition` is true of rows that are certainly allowed, and `exact` says that of all of these. Where it is not,
    `possible` is true of all that may be allowed, and `opaque` says why and by which policy.
    """
    started = perf_counter_ns()
    bundle = service.bundles.current(caller.tenant)
    with StoredFacts(service.store, service.owners, bundle) as stored:
        gatherer = Gatherer(bundle, stored.fetch, now, describe(caller, wanted.address))
        any_ = ANY._replace(properties=wanted.request.resource.properties)
        asked = gatherer.gather_open(ask(wanted.request._replace(resource=any_)), "resource")
    filter_ = _settle_type(residual(bundle, asked), wanted.request.resource.type)
    filter_ = narrow(filter_) if wanted.form == "sql" else filter_
    service.log.write(
        [
            record_list(
                at=time(),
                request_id=wanted.request_id,
                caller=caller,
                request=wanted.request,
                version=bundle.version_text,
                duration_us=(perf_counter_ns() - started) // 1000,
                facts=write_entities(asked.entities, asked.needs._replace(hierarchy=True)),
                context_used=dumps(asked.context),
                examined=(),
                shown=(),
                filter_=explain(filter_),
            )
        ]
    )
    return _shape(filter_, wanted), bundle.version_text


def _settle_type(filter_: Filter, type_: str) -> Filter:
    """The filter of rows of one type, which then is nothing to ask about."""

    def settle(leaf: Leaf) -> Filter:
        match leaf:
            case Test("eq", left, right) if left == TYPE:
                return EVERY if right == own else NONE
            case Test("in", left, tuple(right)) if left == TYPE:
                return EVERY if own in right else NONE
        return leaf

    try:
        own = constant(type_)
    except ValueError:  # no row has it
        return NONE
    return fold(filter_, settle, lambda parts: all_of(*parts), lambda parts: any_of(*parts), none_of)


def _shape(filter_: Filter, wanted: Wanted) -> dict[str, Any]:
    opaque = list(dict.fromkeys(find_opaque(filter_)))
    told: dict[str, Any] = {"form": wanted.form}
    if wanted.form == "sql":
        told["dialect"] = wanted.dialect
    told |= {"exact": not opaque, "condition": _render(bound(filter_, upper=False), wanted)}
    if opaque:
        told["possible"] = _render(bound(filter_, upper=True), wanted)
        told["opaque"] = [{"why": each.why, "policy": each.policy, "source": each.source} for each in opaque]
    return told


def _render(filter_: Filter, wanted: Wanted) -> dict[str, Any]:
    if wanted.form == "sql":
        text, parameters = write(filter_, wanted.dialect)
        return {"sql": text, "parameters": dict(parameters)}
    return to_ucast(filter_) if wanted.form == "ucast" else to_tree(filter_)
