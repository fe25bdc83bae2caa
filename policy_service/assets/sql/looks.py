"""Statements for the rows that a filter is true of: by the arms that indexes lead to, or by one condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

from sqlalchemy import Select, and_, func, select, union
from sqlalchemy.orm import Session

from policy_service.assets.elements import ancestor_name, write_element
from policy_service.assets.rows import table_of
from policy_service.assets.sql.arms import ENDS, Arm, find_arms, is_short
from policy_service.assets.sql.cells import LEADING, Cells
from policy_service.assets.sql.columns import Column, Other, Shape, Side
from policy_service.assets.sql.conditions import Digest, Rows
from policy_service.assets.sql.databases import Condition, Database
from policy_service.model import Uid
from policy_service.policy.residual.filter import EVERY, Below, Constant, Each, End, Field, Filter, Test
from policy_service.store.tables import NAME_START

# leads are weighed to choose between them, and are not counted any further
_WEIGHED = 1_000
# arms of a union, of which SQLite takes five hundred
MOST_ARMS = 100
# rows that are gathered for a page because they are in no order of ids
GATHERED = 10_000


class Window(NamedTuple):
    """The first rows after an id, in the order of ids or the other way round."""

    limit: int
    after: str | None = None
    descending: bool = False

    def apply(self, statement: Select[Any], id_: Any) -> Select[Any]:
        """The statement, which has the column `id_`, for these rows alone."""
        if self.after is not None:
            statement = statement.where(id_ < self.after if self.descending else id_ > self.after)
        return statement.order_by(id_.desc() if self.descending else id_).limit(self.limit)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the assets of a kind of an account."""

    session: Session
    account: str
    shape: Shape
    database: Database
    digest: Digest

    @property
    def table(self) -> Any:
        """The rows that are looked at."""
        return table_of(self.shape.kind)

    def where(self, filter_: Filter, *, led: bool = False) -> Condition:
        """The condition that a filter is of the rows of the table; with `led` another one leads to them."""
        return Rows(Cells(self.database, self.account, self.shape, self.table, led), self.digest).where(filter_)

    def match(self, arm: Arm) -> Sequence[Condition]:
        """The conditions on the rows of the table that are those of an arm, to which a column leads."""
        # what is deleted has no properties, of which an index alone tells
        rest = () if self.is_covered(arm) else (self.table.deleted.is_(False), self.where(arm.rest, led=True))
        return (self.table.account_id == self.account, self._lead(arm.lead), *rest)

    def there(self) -> tuple[Condition, ...]:
        """That rows are the account's, and not deleted."""
        return self.table.account_id == self.account, self.table.deleted.is_(False)

    def find_arms(self, filter_: Filter) -> list[Arm] | None:
        """The arms of a filter; none where one walk through all rows does as well."""
        arms = find_arms(self.shape, filter_, self.weigh)
        if arms and (len(arms) > MOST_ARMS or not is_short(arms)):
            return None
        if arms and any(arm.rank == ENDS for arm in arms) and self.weigh(arms, GATHERED) >= GATHERED:
            return None
        return arms

    def weigh(self, arms: Sequence[Arm], most: int = _WEIGHED) -> int:
        """About how many rows the leads of arms have together, no more than `most`."""
        if len(arms) > MOST_ARMS:
            return most
        counts = [
            select(func.count()).select_from(self.select(arm._replace(rest=EVERY)).limit(most).subquery())
            for arm in arms
        ]
        return min(most, sum(self.session.execute(select(*(each.scalar_subquery() for each in counts))).one()))

    def gather(self, arms: Sequence[Arm], window: Window | None = None) -> Any:
        """A statement for the ids of the rows of arms, each once; of a window it has those of each arm."""
        selects = [self.select(arm, window) for arm in arms]
        if len(selects) == 1:
            return selects[0]
        # a member of a union has no order and no end of its own
        return union(*(select(each.subquery().c.id) if window else each for each in selects))

    def select(self, arm: Arm, window: Window | None = None) -> Select[Any]:
        """A statement for the ids of the rows of an arm, each once."""
        named = self.name_elements(arm.lead)
        if named is None:
            id_ = self.table.id
            chosen = select(id_).where(*self.match(arm))
        else:
            chosen, id_ = self._select_elements(*named, arm.rest)
        return window.apply(chosen, id_) if window else chosen

    def _select_elements(self, name: str, values: Sequence[str], rest: Filter) -> tuple[Select[Any], Any]:
        """The ids of rows that have elements; what is deleted has none."""
        rows = LEADING
        value = rows.value == values[0] if len(values) == 1 else self.database.among(rows.value, values)
        # SQLite would walk through all rows in the order of ids to tell them apart
        id_ = rows.id if len(values) == 1 else rows.id + ""
        chosen = select(id_.label("id")).where(rows.account_id == self.account, rows.name == name, value)
        if len(values) > 1:
            chosen = chosen.distinct()
        if rest != EVERY:
            same = self.table.account_id == self.account, self.table.id == rows.id, self.table.deleted.is_(False)
            chosen = chosen.where(select(1).where(*same, self.where(rest, led=True)).correlate(rows).exists())
        return chosen, id_

    def is_covered(self, arm: Arm) -> bool:
        """Whether an index has all that an arm asks for, the rows of elements among them."""
        if arm.rest != EVERY:
            return False
        match arm.lead:
            case Test(_, Field() as field, right):
                return self.shape.find_column(field, _values(right)) is not None and not self.shape.is_sealed(field)
        return self.name_elements(arm.lead) is not None

    def name_elements(self, lead: Filter) -> tuple[str, list[str]] | None:
        """The name and the values of the rows of elements that serve a lead; none where a column of the row does."""
        shape = self.shape
        match lead:
            case Each(_, field, tuple(values)):
                return shape.name_elements(field.path) or "", [write_element(value.value) for value in values]
            case Below(uids):
                return ancestor_name(shape.generation), list(map(write_element, uids))
            case Test(_, Field() as field, right):
                held = _values(right)
                name = None if shape.find_column(field, held) else shape.name_value(field.path)
                return (name, [write_element(value.value) for value in held]) if name else None
        return None

    def _lead(self, lead: Filter) -> Condition:
        """The condition on a column that an index has; where it is less than the lead, that is in the rest too."""
        match lead:
            case End(side, part):
                return cast(Condition, self._end(side).in_(self._gather_ends(part)))
            case Test(_, Field() as field, right):
                place = self.shape.locate(field.path)
                if isinstance(place, Other):
                    return self.database.among(
                        self._end(place.side), [cast(Uid, value.value).id for value in _values(right)]
                    )
                if place == Column("display_name", "text"):
                    starts = [cast(str, value.value)[:NAME_START] for value in _values(right)]
                    return self.database.among(self.table.name_start, starts)
                if field.kind == "bool" and self.shape.find_column(field):
                    # of `NOT active` PostgreSQL does not see that the index, which is of those that have it, serves it
                    return and_(self.where(Test("has", field)), self.where(lead))
        return self.where(lead)

    def _end(self, side: Side) -> Any:
        return getattr(self.table, f"{side}_id")

    def _gather_ends(self, part: Filter) -> Any:
        """The ids of the entities that are looked for at an end."""
        assert self.shape.ends is not None, "only relationships have ends"  # noqa: S101
        entities = replace(self, shape=self.shape.ends)
        return entities.gather(find_arms(entities.shape, part, entities.weigh) or ())


def _values(right: object) -> list[Constant]:
    return [value for value in (right if isinstance(right, tuple) else (right,)) if isinstance(value, Constant)]
