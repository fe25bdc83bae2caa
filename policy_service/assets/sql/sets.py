"""What sets of a row have in them, as conditions of SQL: by rows of elements where there are some, else by its JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, not_, select

from policy_service.assets.elements import drawn_name, write_element
from policy_service.assets.sql.cells import ELEMENTS, OTHERS, Cells
from policy_service.assets.sql.columns import Drawn
from policy_service.assets.sql.databases import Condition, Words
from policy_service.policy.residual.filter import Constant, Field


@dataclass(frozen=True, slots=True)
class Elements:
    """The elements of a set of a row: what has them as rows, the column that they are in, and whose they are.

    Those that are `stored` are rows of elements, where the value of a long one is its digest.
    """

    table: Any
    rows: Any
    value: Words
    conditions: tuple[Condition, ...] = ()
    stored: bool = False

    def some(self, *conditions: Condition, outside: Sequence[Any] = ()) -> Condition:
        """Some element is so."""
        chosen = select(1).select_from(self.rows).where(*self.conditions, *conditions)
        return chosen.correlate(self.table, *outside).exists()

    def count(self, condition: Condition) -> Words:
        """How many elements are so."""
        chosen = select(func.count()).select_from(self.rows).where(*self.conditions, condition)
        return chosen.correlate(self.table).scalar_subquery()


def any_element(cells: Cells, field: Field, values: Sequence[Constant]) -> Condition:
    """Some element of the set is one of these."""
    elements = _find(cells, field)
    return elements.some(_among(cells, elements, values))


def all_elements(cells: Cells, field: Field, values: Sequence[Constant]) -> Condition:
    """Every one of these is an element of the set."""
    wanted = list(dict.fromkeys(values))
    if len(wanted) == 1:
        return any_element(cells, field, wanted)
    elements = _find(cells, field)
    # a set has each of its elements once
    return elements.count(_among(cells, elements, wanted)) == len(wanted)


def only_elements(cells: Cells, field: Field, values: Sequence[Constant]) -> Condition:
    """The field is a set, and every element is one of these."""
    elements = _find(cells, field)
    others = elements.some(not_(_among(cells, elements, values))) if values else elements.some()
    return and_(cells.has(field), not_(others))


def has_element(cells: Cells, field: Field, other: Field) -> Condition:
    """The value of the other field is an element of the set."""
    elements = _split(cells, field)
    return elements.some(elements.value == cells.read_canonical(other))


def shares_element(cells: Cells, field: Field, other: Field) -> Condition:
    """Both are sets, and some element of the one is one of the other."""
    elements, others = _split(cells, field), _split(cells, other, OTHERS)
    return elements.some(others.some(others.value == elements.value, outside=[elements.rows]))


def has_elements(cells: Cells, field: Field, other: Field) -> Condition:
    """Both are sets, and every element of the other is one of the set."""
    elements, others = _split(cells, field), _split(cells, other, OTHERS)
    missing = not_(elements.some(elements.value == others.value, outside=[others.rows]))
    return and_(cells.has(field), cells.has(other), not_(others.some(missing)))


def _among(cells: Cells, elements: Elements, values: Sequence[Constant]) -> Condition:
    texts = [write_element(value.value) if elements.stored else value.text for value in values]
    return cells.database.among(elements.value, texts)


def _find(cells: Cells, field: Field) -> Elements:
    """The elements of a field: rows of elements where the store keeps some."""
    name = cells.shape.name_elements(field.path)
    if name is None:
        return _split(cells, field)
    return _read_rows(cells, name)


def _split(cells: Cells, field: Field, rows: Any = ELEMENTS) -> Elements:
    """The elements of a field as they are in its JSON, which has long ones whole; of what is drawn there is none."""
    place = cells.locate(field)
    if isinstance(place, Drawn):
        return _read_rows(cells, drawn_name(cells.shape.generation, place.name), rows)
    each, value = cells.database.split(cells.read_canonical(field))
    return Elements(cells.table, each, value)


def _read_rows(cells: Cells, name: str, rows: Any = ELEMENTS) -> Elements:
    return Elements(cells.table, rows, rows.value, cells.match_elements(rows, name), stored=True)
