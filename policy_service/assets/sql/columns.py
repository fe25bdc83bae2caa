"""Where a field of a filter is in the store: which column, which document, which rows of elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as member
from typing import Literal, NamedTuple, TypeAlias

from policy_service.assets.asset import Kind as AssetKind
from policy_service.assets.asset import name_attribute
from policy_service.assets.elements import CLASS, Root, drawn_name, scalar_name, set_name
from policy_service.assets.kinds import BITS, LONG_TEXT, SEALED, Names
from policy_service.assets.members import TAG
from policy_service.policy.relationships import PROPERTY
from policy_service.policy.residual.filter import Constant, Field, Kind
from policy_service.store.tables import PROMOTED, PROMOTED_BYTES

STORED: frozenset[Kind] = frozenset(BITS)

Side: TypeAlias = Literal["from", "to"]


class Column(NamedTuple):
    """A column of the row that holds values of one kind and nothing else; NULL where the row has none."""

    name: str
    kind: Kind


class Document(NamedTuple):
    """A property or a tag, or a member of a record in one, in the JSON of the row; `names` as the asset has them."""

    root: Root
    names: tuple[str, ...]


class Classes(NamedTuple):
    """The classes of the asset, a set of texts that every row has."""


class Drawn(NamedTuple):
    """An attribute that stored relationships draw: a set of entities, of which there are only rows of elements."""

    name: str


class Other(NamedTuple):
    """The entity at an end of a relationship."""

    side: Side


Place: TypeAlias = Column | Document | Classes | Drawn | Other

_OWN: Mapping[str, Column] = {
    "key": Column("key", "text"),
    "type": Column("type", "text"),
    "displayName": Column("display_name", "text"),
    "source": Column("source", "text"),
    "scope": Column("scope", "text"),
}
_SYSTEM: Mapping[str, Column] = {
    "_version": Column("version", "long"),
    "_createdOn": Column("created_on", "long"),
    "_beginOn": Column("begin_on", "long"),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """In which form the store has what rows of a kind hold.

    drawn       the attributes that relationships draw
    indexed     the properties and tags with rows of elements for their values, by the names that the API has
    generation  of the rows of elements of what is drawn
    kinds       the bits of `kinds` of those properties and tags that filters are about; none where nobody knows them
    ends        the form of entities, which are at the ends of relationships
    """

    kind: AssetKind
    drawn: frozenset[str] = frozenset()
    indexed: frozenset[str] = frozenset()
    generation: int = 0
    kinds: Names | None = member(default=None, hash=False)
    ends: Shape | None = None

    def narrow(self, fields: Sequence[Field]) -> Shape:
        """The form of rows as far as these fields of the rows themselves go."""
        if self.kinds is None:
            return replace(self, ends=None)
        places = (self.locate(field.path) for field in fields)
        keys = [(place.root, place.names[0]) for place in places if isinstance(place, Document)]
        return replace(self, kinds={key: self.kinds.get(key, 0) for key in keys}, ends=None)

    def locate(self, path: tuple[str, ...]) -> Place | None:
        """Where the value at a path of a row is; none where no row has any."""
        root, *names = path
        match root, tuple(names):
            case "id" | "type", ():
                return Column(root, "text")
            case "from" | "to", rest if self.kind == "relationship":
                return self._locate_end(root, rest)
            case "system", (name,):
                return _SYSTEM.get(name)
            case "tag", (_, *_) as below:
                return Document("tag", below)
            case "attribute", (name, *rest):
                return self._locate_attribute(name, tuple(rest))
        return None

    def _locate_end(self, side: Side, rest: tuple[str, ...]) -> Place | None:
        if rest == ("id",):
            return Column(f"{side}_id", "text")
        return None if rest else Other(side)

    def _locate_attribute(self, name: str, rest: tuple[str, ...]) -> Place | None:
        if name in self.drawn or name in _OWN or name == "class":
            if rest:
                return None
            # of a relationship nothing is drawn, and its property has another name all the same
            drawn = Drawn(name) if self.kind == "entity" else None
            return drawn if name in self.drawn else _OWN.get(name, Classes())
        held = name.removeprefix(PROPERTY)
        return Document("attribute", (held, *rest)) if name_attribute(held, self.drawn) == name else None

    def name_elements(self, path: tuple[str, ...]) -> str | None:
        """The name of the rows of elements of a set; none where there are none, and its JSON alone has them."""
        if self.kind != "entity":
            return None
        match self.locate(path):
            case Classes():
                return CLASS
            case Drawn(name):
                return drawn_name(self.generation, name)
            case Document(root, (name,)):
                return set_name(root, name)
        return None

    def name_value(self, path: tuple[str, ...]) -> str | None:
        """The name of the rows of elements of a value that is no set; none where there are none."""
        place = self.locate(path)
        if self.kind != "entity" or not isinstance(place, Document) or len(place.names) > 1:
            return None
        if self._bits(place) & SEALED:
            return None
        shown = place.names[0] if place.root == "attribute" else TAG + place.names[0]
        return scalar_name(place.root, place.names[0]) if shown in self.indexed else None

    def find_column(self, field: Field, values: Sequence[Constant] = ()) -> Column | None:
        """The column that has the values of a property, if they are of the field's kind: one of texts has no long
        ones, and is no more than a place to look for short ones, which `values` are."""
        place = self.locate(field.path)
        if self.kind != "entity" or not isinstance(place, Document) or place.root == "tag" or len(place.names) > 1:
            return None
        name = place.names[0]
        if PROMOTED.get(name) != field.kind:
            return None
        is_whole = field.kind != "text" or not self._bits(place) & LONG_TEXT
        is_short = bool(values) and all(len(value.text.encode()) <= PROMOTED_BYTES for value in values)
        return Column(f"p_{name}", field.kind) if is_whole or is_short else None

    def find_kinds(self, path: tuple[str, ...]) -> frozenset[Kind]:
        """The kinds of which some row may have a value at a path, as far as SQL can read it."""
        match self.locate(path):
            case Column(_, kind):
                return frozenset({kind})
            case Classes() | Drawn():
                return frozenset({"set"})
            case Other():
                return frozenset({"entity"})
            case Document(_, (_, *members)) as place:
                kinds = frozenset(kind for kind, bit in BITS.items() if self._bits(place) & bit)
                if not members:
                    return kinds
                return STORED if "record" in kinds else frozenset()
        return frozenset()

    def is_sealed(self, field: Field) -> bool:
        """Whether some row ever had the field, or what it is a member of, where SQL can't read it."""
        place = self.locate(field.path)
        return isinstance(place, Document) and bool(self._bits(place) & SEALED)

    def _bits(self, place: Document) -> int:
        if self.kinds is None:
            return ~SEALED
        return self.kinds.get((place.root, place.names[0]), 0)
