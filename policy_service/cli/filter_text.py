"""What lists come to, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from policy_service.authoring.filters import Answer

# so many subjects are named, with so much of their ids, and then how many there are
NAMED, LENGTH = 5, 40
_OF_ALL = frozenset({"every row", "no row"})


class _Same(NamedTuple):
    """What is said of an action for some subjects, whichever action it is."""

    subjects: tuple[str, ...]
    lead: str
    opaque: tuple[str, ...]
    rows: str


def summarize(tenant: str, answers: Sequence[Answer]) -> Iterator[str]:
    """A line for each action of the asset API that lists are made by, one for those of which the same is said."""
    told: dict[str, list[str]] = {}
    for action in dict.fromkeys(answer.action for answer in answers):
        mine = [answer for answer in answers if answer.action == action and answer.kind != "relationship"]
        told.setdefault(_sum_up(mine), []).append(action.rpartition("::")[2])
    for verdict, actions in told.items():
        yield f"tenants/{tenant}: {', '.join(actions)}: {verdict}"


def _sum_up(answers: Sequence[Answer]) -> str:
    count = sum(len(answer.subjects) for answer in answers)
    exact = sum(len(answer.subjects) for answer in answers if not answer.opaque)
    scans = sum(len(answer.subjects) for answer in answers if answer.scans)
    if exact == count:
        told = f"exact for {_count(count)}"
    else:
        told = f"exact for {exact} of {_count(count)}, for {count - exact} rows are decided one by one"
    return f"{told}; no index serves {scans}" if scans else told


def _count(number: int) -> str:
    return f"{number} {'subject' if number == 1 else 'subjects'}"


def detail(tenant: str, answers: Sequence[Answer]) -> Iterator[str]:
    """All that is said: by action and kind, for whom it is exact, what lists start from, and of which rows they are."""
    parts: dict[tuple[str, str], list[_Same]] = {}
    for answer in answers:
        parts.setdefault((answer.action, answer.kind), []).append(_Same(*answer[2:]))
    same: dict[tuple[str, tuple[_Same, ...]], list[str]] = {}
    for (action, kind), found in parts.items():
        same.setdefault((kind, tuple(found)), []).append(action)
    for (kind, told), actions in same.items():
        things = {"entity": ", entities", "relationship": ", relationships"}.get(kind, "")
        yield f"tenants/{tenant}: {' and '.join(actions)}{things}"
        for one in told:
            yield from _detail(one)


def _detail(told: _Same) -> Iterator[str]:
    names = [name if len(name) <= LENGTH else f"{name[: LENGTH - 1]}…" for name in told.subjects[:NAMED]]
    if len(told.subjects) > NAMED:
        names.append(f"{len(told.subjects) - NAMED} more")
    doubt = "rows are decided one by one" if told.opaque else "exact"
    yield f"  {', '.join(names)}: {doubt}, {told.lead}"
    yield from (f"    {sentence}" for sentence in told.opaque)
    if told.rows not in _OF_ALL:
        yield f"    {names[0]}: {told.rows}"
