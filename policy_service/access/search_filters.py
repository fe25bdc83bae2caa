"""The condition that a resource search comes to, for an application that filters tables of its own.

What the condition is true of is certainly allowed: where something in it can't be said, that is left out of it, and
what it may be true of beside stands apart, to be asked about one by one. So are rows of which more is known here than
the application's columns say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter_ns, time
from typing import Any, Literal, NamedTuple, TypeAlias

from policy_service.access.authorize import Service, describe
from policy_service.access.doubts import find_doubt
from policy_service.access.facts import StoredFacts, now
from policy_service.assets.sql.plain_sql import Dialect, narrow, write
from policy_service.assets.types import find_types
from policy_service.audit.list_records import record_list
from policy_service.model import Caller, Request, Uid
from policy_service.policy.bundle import Bundle
from policy_service.policy.facts import write_entities
from policy_service.policy.gathering import Gatherer
from policy_service.policy.groups import Groups
from policy_service.policy.names import GROUP, cedar_type
from policy_service.policy.request import ask
from policy_service.policy.residual.asked import ANY
from policy_service.policy.residual.filter import (
    EVERY,
    NONE,
    Below,
    Filter,
    Leaf,
    Opaque,
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
from policy_service.policy.residual.symbols import TYPE, is_same
from policy_service.policy.residual.ucast import to_tree, to_ucast
from policy_service.policy.residual.words import explain
from policy_service.policy.values import dumps

Form: TypeAlias = Literal["sql", "ucast", "ast"]

# ids that a condition names: of more entities of a file, or members of a group, it is asked one by one
NAMED = 1_000
_STORED = "the store has what is of this type: search for that, or ask about each"
_FILED = "`entities.json` says more of it"
_MEMBERS = f"more than {NAMED:,} of the type are in groups"


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
        # of rows of other tables nothing is drawn
        asked = gatherer.gather_open(ask(wanted.request._replace(resource=any_)), "resource", drawn=())
        doubt = _find_doubt(stored, wanted.request.resource.type)
    filter_ = doubt or _settle(residual(bundle, asked), bundle, wanted.request.resource.type)
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
                given=bound(filter_, upper=True) != NONE,
            )
        ]
    )
    return _shape(filter_, wanted), bundle.version_text


def _find_doubt(stored: StoredFacts, type_: str) -> Filter | None:
    """Why nothing is certain of any row of a type."""
    inventory = stored.inventory()
    if inventory is None:
        return None
    if "\0" not in type_ and find_types(inventory.session, [type_]):
        return Opaque(_STORED)
    return find_doubt(stored, inventory)


def _settle(filter_: Filter, bundle: Bundle, type_: str) -> Filter:
    """The filter of rows of one type, which then is nothing to ask about, and neither is which groups they are in."""
    # a type that no policy can name is another than each that one names
    own = None if "\0" in type_ else constant(type_)

    def settle(leaf: Leaf) -> Filter:
        match leaf:
            case Test("eq", left, right) if left == TYPE:
                return EVERY if right == own else NONE
            case Test("in", left, tuple(right)) if left == TYPE:
                return EVERY if own in right else NONE
        return leaf

    cedar = cedar_type(type_)
    settled = _replace(_replace(filter_, lambda leaf: _name_members(leaf, bundle.groups, cedar)), settle)
    filed = [uid for uid in bundle.entities if uid.type == cedar] if cedar in bundle.file_types else []
    if not filed or settled == NONE:
        return settled
    if len(filed) > NAMED:
        return Opaque(_FILED)
    told = _replace(is_same(filed), settle)
    return any_of(all_of(none_of(told), settled), all_of(told, Opaque(_FILED)))


def _name_members(leaf: Leaf, groups: Groups, type_: str) -> Filter:
    """What is in groups by its name: who is in one nobody knows but the files."""
    wanted = {uid for uid in leaf.uids if uid.type == GROUP} if isinstance(leaf, Below) else set()
    if not isinstance(leaf, Below) or not wanted:
        return leaf
    ids = groups.ids_of(type_)
    if len(ids) > NAMED:
        return Opaque(_MEMBERS)
    named = is_same([uid for id_ in ids if not wanted.isdisjoint(groups.closure(uid := Uid(type_, id_)))])
    others = tuple(uid for uid in leaf.uids if uid.type != GROUP)
    return any_of(named, Below(others)) if others else named


def _replace(filter_: Filter, leaf: Callable[[Leaf], Filter]) -> Filter:
    return fold(filter_, leaf, lambda parts: all_of(*parts), lambda parts: any_of(*parts), none_of)


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
