"""What rows have at the places of fields, as expressions of SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Text, case, exists, literal, true
from sqlalchemy.orm import aliased

from policy_service.assets.elements import drawn_name
from policy_service.assets.sql.columns import Classes, Column, Document, Drawn, Other, Place, Shape
from policy_service.assets.sql.databases import Condition, Database, Words
from policy_service.policy.residual.filter import Constant, Field
from policy_service.policy.stored_values import encode_name
from policy_service.store.tables import ElementRow, EntityRow

# rows of elements under names of their own: those that a look starts from, those of a set in a condition, and those of
# the set that it is held against; and the entities at the ends of relationships. Each is in a part of a statement of
# its own, so that all parts can have the same; made anew for each part they would take longer than the statement
LEADING: Any = aliased(ElementRow)
ELEMENTS: Any = aliased(ElementRow)
OTHERS: Any = aliased(ElementRow)
ENDS: Any = aliased(EntityRow)


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows in a statement: those of `table`, or of an alias of it, of one account, in their form.

    With `led` something else than their columns leads to them.
    """

    database: Database
    account: str
    shape: Shape
    table: Any
    led: bool = False

    def has(self, field: Field) -> Condition:
        """A row has the field."""
        place = self.locate(field)
        if isinstance(place, Drawn):
            return self.has_element(drawn_name(self.shape.generation, place.name))
        if isinstance(place, Document):
            document, path = self._open(place)
            there = self.database.has(document, path, field.kind)
            if self.shape.is_sealed(field):
                return there | self.database.has(self.table.sealed, path, "any")
            column = self.shape.find_column(field)
            return self._column(column).is_not(None) if column else there
        return self._column(place).is_not(None) if isinstance(place, Column) else true()

    def read(self, field: Field) -> Words:
        """The value of the field: native, or canonical where it is of another kind."""
        place = self.locate(field)
        if isinstance(place, Column):
            return self._column(place)
        if isinstance(place, Document):
            column = self.shape.find_column(field)
            return self._column(column) if column else self.database.read(*self._open(place), field.kind)
        if isinstance(place, Other):
            type_, id_ = self.end(place)
            # as a reference is stored
            return type_ + literal('::"', Text()) + id_ + literal('"', Text())
        return self.read_canonical(field)

    def read_canonical(self, field: Field) -> Words:
        """The value of the field, canonical whatever it is; of a drawn attribute there is none."""
        place = self.locate(field)
        if isinstance(place, Document):
            document, path = self._open(place)
            value = self.database.read(document, path, "any")
            return value if field.kind == "any" else case((self.database.has(document, path, field.kind), value))
        if isinstance(place, Classes):
            if self.shape.kind == "entity":
                return self.database.read(self.table.classes, [], "any")
            return self.database.make_set(self.table.class_)
        return self.database.quote(self.read(field))

    def read_indexed(self, field: Field, values: Sequence[Constant]) -> Words | None:
        """The column that is one of the values where the field is, none where a document has to be looked into."""
        if isinstance(self.locate(field), Document):
            column = self.shape.find_column(field, values)
            return self._column(column) if column else None
        return self.read(field)

    def end(self, other: Other) -> tuple[Words, Words]:
        """The type, as Cedar has it, and the id of the entity at an end of a relationship."""
        return getattr(self.table, f"{other.side}_type"), getattr(self.table, f"{other.side}_id")

    def has_element(self, name: str, *values: Condition) -> Condition:
        """A row has an element of a name; `values` are conditions on what `element` is."""
        return exists().where(*self.match_elements(ElementRow, name), *values).correlate(self.table)

    def match_elements(self, elements: Any, name: str) -> tuple[Condition, ...]:
        """That rows of elements are those of a row by a name."""
        return elements.account_id == self.account, elements.name == name, elements.id == self.table.id

    def locate(self, field: Field) -> Place:
        """Where rows have the field."""
        place = self.shape.locate(field.path)
        if place is None:
            raise ValueError(f"no row has `{'.'.join(field.path)}`")
        return place

    def locate_property(self, field: Field) -> str:
        """The name of the property that a field is, as the asset has it."""
        place = self.locate(field)
        assert isinstance(place, Document)  # noqa: S101
        return place.names[0]

    def _column(self, column: Column) -> Words:
        held: Words = getattr(self.table, column.name)
        return self.database.hide(held) if self.led else held

    def _open(self, place: Document) -> tuple[Words, list[str]]:
        document = self.table.properties if place.root == "attribute" else self.table.tags
        return document, list(map(encode_name, place.names))
