"""Counts of assets: as many as a list would show, and no word of any other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from policy_service.access.authorize import Service
from policy_service.access.enforce import Asker, Judge, judging
from policy_service.access.matching import read_property
from policy_service.access.plan import Plan
from policy_service.access.query import Search, require_facets
from policy_service.access.windows import Asked, cut, find_end
from policy_service.assets.asset import Asset
from policy_service.assets.building import find_gaps
from policy_service.assets.find import count, facets, find, say
from policy_service.assets.sql.pages import BY_ID, Place
from policy_service.model import Value
from policy_service.policy.residual.filter import NONE, Filter, all_of, bound, is_opaque, none_of
from policy_service.policy.stored_values import decode, encode, write_json

_AT_ONCE = 100
# values of a property that are counted before those of rows that were decided come to them
_VALUES = 10_000
_NAMES = {"type": "_type", "class": "_class"}


class Counted(NamedTuple):
    """How many there are, or with `at_least` as many at least; and the version of the files that decided."""

    number: int
    at_least: bool
    version: str


class Facets(NamedTuple):
    """Of each name the values that most have, and how many have each; with `at_least` as many at least."""

    facets: Mapping[str, Sequence[tuple[Value, int]]]
    at_least: bool
    version: str


class _Found(NamedTuple):
    """What can be counted in SQL, how many assets count by a decision, how many of these have each value of a facet,
    as canonical text, and whether there were too many to decide."""

    certain: Filter
    decided: int
    values: Counter[str]
    at_least: bool


def count_assets(service: Service, asker: Asker, search: Search, told: Mapping[str, Any]) -> Counted:
    """How many of the assets that `search` is about the subject may see; `told` is for the decision log."""
    with judging(service, asker) as judge:
        plan = Plan(judge, search.kind)
        wanted = plan.filter(search)
        found = _find(judge, plan, Asked(search, say(judge.inventory, plan.kind, wanted)))
        counted = count(judge.inventory, search.kind, found.certain) + found.decided
        plan.record(told, [], wanted, counted)
        return Counted(counted, found.at_least, judge.bundle.version_text)


def count_facets(
    service: Service, asker: Asker, search: Search, told: Mapping[str, Any], names: Sequence[str], limit: int
) -> Facets:
    """How many of the assets that `search` is about have each value of `names`, where the subject may see it: of each
    the `limit` values that most have. `RequestError` for what is no facet."""
    with judging(service, asker) as judge:
        plan = Plan(judge, search.kind)
        indexed = set(plan.names.indexed if search.kind == "entity" else ())
        require_facets(names, indexed - find_gaps(judge.inventory.session, indexed & set(names)))
        wanted = plan.filter(search)
        tallies: dict[str, Sequence[tuple[Value, int]]] = {}
        at_least = False
        for name in names:
            shown = _NAMES.get(name, name)
            said = say(judge.inventory, plan.kind, all_of(wanted, plan.visible(shown)))
            found = _find(judge, plan, Asked(search, said, [shown]), name)
            tallies[name], is_whole = _tally(judge, plan, found, name, limit)
            at_least |= found.at_least or not is_whole
        counted = sum(number for values in tallies.values() for _, number in values)
        plan.record(told, [], wanted, counted)
        return Facets(tallies, at_least, judge.bundle.version_text)


def _tally(judge: Judge, plan: Plan, found: _Found, name: str, limit: int) -> tuple[Sequence[tuple[Value, int]], bool]:
    """The values, and whether there are no more of any."""
    values = facets(judge.inventory, plan.kind, found.certain, name, _VALUES if found.decided else limit)
    if not found.decided:
        return values, True
    # by their canonical text: Python takes `True` for 1
    tally = Counter({write_json(encode(value)): number for value, number in values})
    tally.update(found.values)
    most = sorted(tally.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
    # of what was decided some may be among the values that were not read
    return [(decode(orjson.loads(text)), number) for text, number in most], len(values) < _VALUES


def _read_values(asset: Asset, name: str) -> Iterator[str]:
    """The values that an asset has of a facet, as canonical text."""
    value = list(asset.classes) if name == "class" else read_property(asset, _NAMES.get(name, name))
    for part in value if isinstance(value, list) else () if value is None else (value,):
        yield write_json(encode(part))


def _find(judge: Judge, plan: Plan, asked: Asked, facet: str = "") -> _Found:
    """Of what is wanted, what SQL can say, and the rest of it decided one by one."""
    certain, doubtful = _part(asked.said, judge, plan)
    decided, values = 0, Counter[str]()
    end = find_end(judge, plan, asked) if doubtful != NONE else None
    after: Place | None = None
    while doubtful != NONE:
        rows = find(judge.inventory, plan.kind, doubtful, order=BY_ID, after=after, limit=_AT_ONCE)
        near = cut(rows, BY_ID, end)
        told = plan.show(asked.search, [row._replace(certain=False) for row in near])
        shown = [asset for asset in told if asset is not None]
        decided += len(shown)
        if facet:
            values.update(text for asset in shown for text in _read_values(asset, facet))
        if len(near) < _AT_ONCE:
            break
        after = rows[-1].place
    return _Found(certain, decided, values, at_least=end is not None)


def _part(said: Filter, judge: Judge, plan: Plan) -> tuple[Filter, Filter]:
    """What is certainly wanted, and the rest of what may be, in two parts that SQL can tell from each other."""
    upper, certain = bound(said, upper=True), bound(said, upper=False)
    if upper == certain:
        return certain, NONE
    doubtful = all_of(upper, none_of(certain))
    # both together may be more than is said in one statement: what is certain would be counted twice
    apart = not is_opaque(say(judge.inventory, plan.kind, doubtful))
    return (certain, doubtful) if apart else (NONE, upper)
