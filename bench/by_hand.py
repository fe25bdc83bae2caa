"""The policies of shapes that real ones have, and for each the best SQL that could be written by hand.

The statements are about the tables that the service has, in both databases, and give the same columns of the same
rows. Where one database wants other words than the other they are told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from bench.million import Estate
from policy_service.assets.elements import write_element
from policy_service.model import Uid

Dialect = Literal["sqlite", "postgresql"]
# the person who asks
ASKER = 7
PAGE = 100
# as many values of a facet
VALUES = 10
_COLUMNS = ", ".join(
    f"e.{name}"
    for name in (
        *("id", "key", "type", "display_name", "source", "scope", "properties", "tags", "sealed", "version"),
        *("created_on", "begin_on", "end_on", "deleted", "classes"),
    )
)


class Hand(NamedTuple):
    """Three statements of one shape: a page after `:after`, the count, and the values of a facet that most have."""

    page: str
    count: str
    facet: str
    parameters: dict[str, Any]


class Shape(NamedTuple):
    """Policies, what they are called in the table, and the facet that is counted below them."""

    name: str
    policies: str
    facet: str
    write: Callable[[Dialect], Hand]


class _Arm(NamedTuple):
    """Rows of elements of a name, with a value; without a name the entity of an id."""

    name: str
    value: Any

    @property
    def bound(self) -> str:
        """The value as rows have it."""
        return write_element(self.value) if self.name else self.value


def make_shapes(estate: Estate) -> list[Shape]:
    """Those of the table."""
    owner, folder, top = estate.owner(ASKER), estate.folder(2, 7), estate.folder(0, 7)
    others = [estate.team(number) for number in (50, 100, 150)]
    in_teams = [_Arm("@1.team", uid) for uid in (owner, *estate.teams_of(ASKER))]
    in_folder, in_top = ([_Arm("@1", uid), _Arm("", uid.id)] for uid in (folder, top))
    member = "permit(principal, action, resource) when { resource has team && principal in resource.team };"
    owned = "permit(principal, action, resource) when { resource has owner && resource.owner.contains(principal) };"
    hidden = "forbid(principal, action, resource) when { resource has secret && resource.secret };"
    named = ", ".join(map(_name, others))
    return [
        _by_elements("class", _when('resource.class.contains("Class7")'), "zone", [_Arm("class", "Class7")]),
        _by_column("environment == prod", _when('resource.environment == "prod"'), "type"),
        _by_elements("zone", _when('resource.zone == "zone 7"'), "type", [_Arm(".zone", "zone 7")]),
        _by_elements("owner contains the asker", owned, "zone", [_Arm("@1.owner", owner)]),
        _by_elements("asker in team", member, "zone", in_teams),
        _by_elements("asker in team, not secret", f"{member}\n{hidden}", "type", in_teams, _not_secret),
        _by_walk("all but secret", f"permit(principal, action, resource);\n{hidden}", "type", _not_secret),
        _by_elements("owner or folder", f"{owned}\n{_within(folder)}", "zone", [_Arm("@1.owner", owner), *in_folder]),
        _by_elements("folder, 10 %", _within(top), "zone", in_top, is_walk=True),
        _by_elements("folder, 0.1 %", _within(folder), "type", in_folder),
        _by_elements(
            "three teams",
            _when(f"resource has team && resource.team.containsAny([{named}])"),
            "type",
            [_Arm("@1.team", uid) for uid in others],
        ),
        _by_elements("label", _when('resource.labels.contains("label 7")'), "zone", [_Arm(".labels[]", "label 7")]),
    ]


def _name(uid: Uid) -> str:
    return f'{uid.type}::"{uid.id}"'


def _within(folder: Uid) -> str:
    return f"permit(principal, action, resource in {_name(folder)});"


def _when(condition: str) -> str:
    return f"permit(principal, action, resource) when {{ {condition} }};"


def _not_secret(dialect: Dialect) -> str:
    if dialect == "sqlite":
        return "(e.properties ->> '$.secret') IS NOT 1"
    return "(e.properties -> 'secret') IS DISTINCT FROM 'true'::jsonb"


def _by_column(name: str, policies: str, facet: str) -> Shape:
    """Rows that an index of a column has; what is deleted has no properties."""

    def write(dialect: Dialect) -> Hand:
        index = "INDEXED BY ix_entity_account_id_p_environment_id" if dialect == "sqlite" else ""
        return _write_plain(f"entity e {index}", "e.p_environment = 'prod'", facet)

    return Shape(name, policies, facet, write)


def _by_walk(name: str, policies: str, facet: str, condition: Callable[[Dialect], str]) -> Shape:
    """All rows, one after the other."""

    def write(dialect: Dialect) -> Hand:
        # else SQLite would walk through an index, and fetch each row by itself
        all_ = "entity e NOT INDEXED" if dialect == "sqlite" else "entity e"
        return _write_plain(all_, f"NOT e.deleted AND {condition(dialect)}", facet)

    return Shape(name, policies, facet, write)


def _write_plain(source: str, condition: str, facet: str) -> Hand:
    mine = f"e.account_id = :account AND {condition}"
    return Hand(
        f"SELECT {_COLUMNS} FROM entity e WHERE {mine} AND e.id > :after ORDER BY e.id LIMIT {PAGE}",
        f"SELECT count(*) FROM {source} WHERE {mine}",
        f"SELECT e.{facet}, count(*) FROM {source} WHERE {mine} {_most(f'e.{facet}')}",
        {},
    )


def _most(value: str) -> str:
    return f"GROUP BY {value} ORDER BY count(*) DESC, {value} LIMIT {VALUES}"


def _by_elements(
    name: str,
    policies: str,
    facet: str,
    arms: Sequence[_Arm],
    condition: Callable[[Dialect], str] | None = None,
    is_walk: bool = False,
) -> Shape:
    """Rows of elements that lead to entities; what is deleted has none. With `is_walk` they are so many that a file is
    walked through for the facet."""

    def write(dialect: Dialect) -> Hand:
        join = "CROSS JOIN" if dialect == "sqlite" else "JOIN"
        rest = f" AND {condition(dialect)}" if condition else ""
        source = (
            f"element x {join} entity e ON e.account_id = x.account_id AND e.id = x.id" if condition else "element x"
        )
        each = [f"SELECT x.id FROM {_match(source, arm, number)}{rest}" for number, arm in enumerate(arms)]
        # a folder is not in itself, and need not be told from what is
        is_apart = [arm.name for arm in arms] == ["@1", ""]
        counted = [arm.replace("x.id", "count(*) number", 1) for arm in each]
        count = f"SELECT sum(number) FROM ({' UNION ALL '.join(counted)}) y"
        return Hand(
            _write_page(each),
            count if is_apart or len(arms) == 1 else f"SELECT count(*) FROM ({' UNION '.join(each)}) y",
            _write_facet(dialect, (" UNION ALL " if is_apart else " UNION ").join(each), facet, is_walk),
            {f"value{number}": arm.bound for number, arm in enumerate(arms)},
        )

    return Shape(name, policies, facet, write)


def _match(source: str, arm: _Arm, number: int) -> str:
    if not arm.name:
        return f"entity x WHERE x.account_id = :account AND x.id = :value{number}"
    return f"{source} WHERE x.account_id = :account AND x.name = '{arm.name}' AND x.value = :value{number}"


def _write_page(arms: Sequence[str]) -> str:
    """The first ids of each arm, then those of all."""
    first = [f"SELECT id FROM ({arm} AND x.id > :after ORDER BY x.id LIMIT {PAGE}) y{i}" for i, arm in enumerate(arms)]
    return (
        f"SELECT {_COLUMNS} FROM entity e WHERE e.account_id = :account AND NOT e.deleted "
        f"AND e.id IN ({' UNION '.join(first)}) ORDER BY e.id LIMIT {PAGE}"
    )


def _write_facet(dialect: Dialect, ids: str, facet: str, is_walk: bool) -> str:
    join, index = "JOIN", ""
    if dialect == "sqlite":
        join, index = "CROSS JOIN", "INDEXED BY ix_element_account_id_id_name"
    if facet == "type":
        return (
            f"SELECT e.type, count(*) FROM ({ids}) y {join} entity e "
            f"ON e.account_id = :account AND e.id = y.id {_most('e.type')}"
        )
    mine = f"z.account_id = :account AND z.name = '.{facet}'"
    if is_walk and dialect == "sqlite":
        return f"SELECT z.value, count(*) FROM element z WHERE {mine} AND +z.id IN ({ids}) {_most('z.value')}"
    return (
        f"SELECT z.value, count(*) FROM ({ids}) y {join} element z {index} ON {mine} AND z.id = y.id {_most('z.value')}"
    )
