"""A policy as a tree: the form in which Cedar, py-abac and casbin policies are read by all but their engines.

An expression has a value or fails, and means what Cedar means by it (Lean spec, `Cedar.Spec.Evaluator`): `and`, `or`
and `if` evaluate from left to right and no further than they must. Operators have the names of Cedar's syntax tree.
`Path OfKind Groups Call` and the operators of `likeness` are there for py-abac and casbin, which see values as Python
does; what they say that can't be said here is `Opaque`: nobody but its engine can tell its value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from policy_service.model import Value
from policy_service.policy.request import is_same
from policy_service.policy.residual.filter import Kind
from policy_service.policy.scope import Scope

Name: TypeAlias = Literal["principal", "action", "resource", "context"]


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """A value that the policy's author wrote: a boolean, a Long, a text, or the identity of an entity."""

    value: Value

    def __eq__(self, other: object) -> bool:
        # to Python `true` is 1, and two expressions that are equal may stand for each other
        return isinstance(other, Constant) and is_same(self.value, other.value)

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))


@dataclass(frozen=True, slots=True)
class Variable:
    """An entity of the question, or its context as a record."""

    name: Name


@dataclass(frozen=True, slots=True)
class IdOf:
    """The id of the principal or the resource, the name of the action, as a request writes it; never fails."""

    of: Name


@dataclass(frozen=True, slots=True)
class TypeOf:
    """The type of the principal or the resource as a request names it; never fails."""

    of: Name


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of an entity or a member of a record; fails where it is not there."""

    base: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Path:
    """What py-abac and casbin find when they go from the question into records; fails where there is nothing.

    They follow no reference: it is a record of `type` and `id`. A value of an extension type is its text, a decimal
    without a fraction a Long. Rows hold none of these, but for drawn sets: of a row it is an `Attribute` of an
    `Attribute`.
    """

    of: Name
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Groups:
    """The names of all groups that the principal is in, as a set; never fails."""


@dataclass(frozen=True, slots=True)
class Has:
    """Whether the base has the attribute, that the next, and so on."""

    base: Expression
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """`not neg is_empty`, and the functions of one argument: `ip decimal datetime duration is_ipv4 to_date …`."""

    op: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """`and or eq not_eq less less_eq greater greater_eq in add sub mul contains contains_all contains_any has_tag
    get_tag`, and the functions of two arguments: `is_in_range decimal_less_than offset …`.

    What Python means, where `true` is 1 (`likeness`): `alike contains_alike contains_any_alike contains_all_alike
    before`.
    """

    op: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class If:
    """`then` where the condition is true, `otherwise` where it is false; the other is not evaluated."""

    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class Like:
    """Whether a text is made of these parts; `None` stands for any text, an empty one included."""

    operand: Expression
    pattern: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Is:
    """Whether an entity is of a Cedar type and, with `within`, in that entity or one of that set."""

    operand: Expression
    type: str
    within: Expression | None = None


@dataclass(frozen=True, slots=True)
class OfKind:
    """Whether a value, as `Path` finds it, is of one of these kinds; fails only where there is none."""

    operand: Expression
    kinds: tuple[Kind, ...]


@dataclass(frozen=True, slots=True)
class SetOf:
    """A set of these."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class RecordOf:
    """A record of these, in their order."""

    fields: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """What a function of another language makes of known values, or a failure (`ValueError`, `TypeError`).

    Of what is unknown it is opaque, with this `why` and `source`.
    """

    function: Callable[..., Any]
    operands: tuple[Expression, ...]
    why: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Opaque:
    """What can't be said in this language, and why, as a clause of a sentence; `source` is its own text."""

    why: str
    source: str = ""


Expression: TypeAlias = (
    Constant
    | Variable
    | IdOf
    | TypeOf
    | Attribute
    | Path
    | Groups
    | Has
    | Unary
    | Binary
    | If
    | Like
    | Is
    | OfKind
    | SetOf
    | RecordOf
    | Call
    | Opaque
)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a policy says: it is satisfied where its scope matches and each condition is true, asked in order.

    `scope` is a superset for py-abac and casbin, whose conditions then say all of it; for Cedar it is exact, and an
    `is T in x` is a condition too. A condition that is no boolean fails, as one that fails does.
    """

    scope: Scope
    conditions: tuple[Expression, ...]
    annotations: Mapping[str, str]
