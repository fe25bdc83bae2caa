"""What a filter means of a row, by an obvious reading of its definition that shares nothing with the service's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from policy_service.assets.asset import Asset
from policy_service.model import Entity, Uid, Value
from policy_service.policy.residual.filter import (
    All,
    Below,
    Constant,
    Each,
    End,
    Field,
    Filter,
    Not,
    Opaque,
    Some,
    Sum,
    Test,
    kind_of,
)
from policy_service.policy.stored_values import encode, write_json
from policy_service.policy.values import NUMBER

_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True)
class Seen:
    """A row: the asset, as policies see it with all ancestors, and the stored entities that its ends may be."""

    asset: Asset
    entity: Entity
    others: Mapping[Uid, Seen]

    def read(self, term: Any) -> Value | None:
        """The value of a term, nothing where the row has none of its kind."""
        match term:
            case Constant():
                return term.value
            case Sum(op, left, right):
                one, other = self.read(left), self.read(right)
                if type(one) is not int or type(other) is not int:
                    return None
                total = {"add": one + other, "sub": one - other, "mul": one * other}[op]
                return total if -(2**63) <= total < 2**63 else None
            case Field(path, kind):
                value = self._find(path)
                return None if value is None or kind not in ("any", kind_of(value)) else value
        raise TypeError(term)

    def _find(self, path: tuple[str, ...]) -> Value | None:
        root, *names = path
        asset = self.asset
        if root in ("id", "type"):
            return str(getattr(asset, root))
        if root in ("from", "to"):
            end: Uid | None = asset.from_ if root == "from" else asset.to
            return end.id if end and names == ["id"] else end
        if root == "system":
            return {"_version": asset.version, "_createdOn": asset.created_on, "_beginOn": asset.begin_on}[names[0]]
        value: Any = dict(self.entity.attributes if root == "attribute" else self.entity.tags)
        for number, name in enumerate(names):
            # a number beyond Long and decimal is a record to Cedar, of its text
            if not isinstance(value, dict) or (number and value.keys() == {NUMBER}):
                return None
            value = value.get(name)
        return value  # type: ignore[no-any-return]

    @cached_property
    def above(self) -> frozenset[Uid]:
        """Itself and all its ancestors."""
        return self.entity.parents | {self.entity.uid}


def means(filter_: Filter, row: Seen, *, upper: bool) -> bool:
    """Whether it is true of a row; with `upper` whether it may be, of what is opaque."""
    match filter_:
        case All(parts):
            return all(means(part, row, upper=upper) for part in parts)
        case Some(parts):
            return any(means(part, row, upper=upper) for part in parts)
        case Not(part):
            return not means(part, row, upper=not upper)
        case Opaque():
            return upper
        case Below(uids):
            return not row.above.isdisjoint(uids)
        case End(side, part):
            uid = row.asset.from_ if side == "from" else row.asset.to
            other = row.others.get(uid) if uid else None
            return other is not None and means(part, other, upper=upper)
        case Each():
            return _each(filter_, row)
        case Test():
            return _test(filter_, row)
    raise TypeError(filter_)


def _same(value: Value) -> str:
    return f"{kind_of(value)} {write_json(encode(value))}"


def _each(each: Each, row: Seen) -> bool:
    held = row.read(Field(each.field.path, "set"))
    if not isinstance(held, list):
        return False
    own = set(map(_same, held))
    if isinstance(each.other, Field):
        other = row.read(each.other)
        if other is None or (each.op != "has" and not isinstance(other, list)):
            return False
        others = {_same(other)} if each.op == "has" or not isinstance(other, list) else set(map(_same, other))
    else:
        others = {_same(constant.value) for constant in each.other}
    return {
        "any": bool(own & others),
        "meets": bool(own & others),
        "has": others <= own,
        "all": others <= own,
        "covers": others <= own,
        "within": own <= others,
    }[each.op]


def _test(test: Test, row: Seen) -> bool:
    left = row.read(test.left)
    if left is None:
        return False
    if test.op == "has":
        return True
    if test.op == "like":
        return isinstance(left, str) and _like(left, list(test.right))  # type: ignore[arg-type]
    if test.op == "in":
        return _same(left) in {_same(constant.value) for constant in test.right}  # type: ignore[union-attr]
    right: Any = row.read(test.right)
    if right is None or kind_of(left) != kind_of(right):
        return False
    if test.op == "eq":
        return _same(left) == _same(right)
    if test.op in ("starts", "holds"):
        text, part = str(left).translate(_LOWER), str(right).translate(_LOWER)
        return isinstance(left, str) and (text.startswith(part) if test.op == "starts" else part in text)
    if kind_of(left) not in ("text", "long", "decimal"):
        return False
    one: Any = left
    return bool({"lt": one < right, "le": one <= right, "gt": one > right, "ge": one >= right}[test.op])


def _like(text: str, pattern: list[str | None]) -> bool:
    """A position in the text is reached by each part from those that the part before reached."""
    reached = {0}
    for part in pattern:
        if part is None:
            reached = set(range(min(reached), len(text) + 1)) if reached else set()
        else:
            reached = {start + len(part) for start in reached if text.startswith(part, start)}
    return len(text) in reached
