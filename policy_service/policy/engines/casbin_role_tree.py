"""The roles of a casbin folder as trees: who has one, and which ids are the name of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Final

from policy_service.model import Uid
from policy_service.policy.engines.casbin_roles import GROUP_PREFIX, Roles, read_typed
from policy_service.policy.names import GROUP
from policy_service.policy.phrases import FALSE, TRUE, is_among, join, literal
from policy_service.policy.tree import Binary, Call, Expression, Groups, IdOf, If, Is, Like, Name, Opaque, Variable

# names of one role that are written down; where they are more, a row can't be asked
MEMBERS: Final = 250

_AMBIGUOUS: Final = Opaque("the id reads as another entity")
_MANY: Final = f"more than {MEMBERS} names lead to a role"


@dataclass(slots=True)
class RoleTrees:
    """Makes the trees of one folder's roles; keeps what lines share."""

    roles: Roles
    _kept: dict[tuple[str, Name, str], Expression] = field(default_factory=dict)

    def has_role(self, function: str, of: Name, role: str) -> Expression:
        """Whether the subject, the resource or the action has a role."""
        key = (function, of, role)
        if key not in self._kept:
            names = self.roles.descend(function, role, MEMBERS)
            self._kept[key] = self._ask(*key) if names is None else self._write(of, names)
        return self._kept[key]

    def is_role(self, of: Name, text: str, *, whole: bool) -> Expression | None:
        """Whether an id is the name of a role that is a text, or begins with it; none where no role is."""
        id_ = IdOf(of)
        if whole:
            return is_among(id_, [text]) if self.roles.is_role(text) else None
        if len(self.roles.roles) > MEMBERS:
            return Call(partial(_is_role, self.roles, text), (id_,), _MANY)
        ways = []
        names = sorted(name for name in self.roles.roles if name.startswith(text))
        if names:
            ways.append(is_among(id_, names))
        if GROUP_PREFIX.startswith(text) or text.startswith(GROUP_PREFIX):
            ways.append(Like(id_, (max(text, GROUP_PREFIX, key=len), None)))
        return join("or", ways) if ways else None

    def _ask(self, function: str, of: Name, role: str) -> Expression:
        """A role that too many have: the roles of whoever asks are few."""
        if of != "principal":
            return Opaque(_MANY, role)
        operands = (Variable(of), Groups())
        has = Call(partial(_has_role, self.roles, function, role), operands, _MANY, role)
        doubt = Call(partial(_may_have_role, self.roles, function, role), operands, _MANY, role)
        return join("or", [has, If(doubt, _AMBIGUOUS, FALSE)])

    def _write(self, of: Name, names: frozenset[str]) -> Expression:
        groups: list[Uid] = []
        uids: list[Uid] = []
        ids: list[str] = []
        typed: dict[str, list[str]] = {}
        for name in sorted(names):
            if name.startswith(GROUP_PREFIX):
                groups.append(Uid(GROUP, name[len(GROUP_PREFIX) :]))
            elif name not in self.roles.roles:
                uid = read_typed(name) if of != "action" else None
                if uid is None:
                    ids.append(name)
                else:
                    uids.append(uid)
                    typed.setdefault(uid.type, []).append(name)
        entity, id_ = Variable(of), IdOf(of)
        ways: list[Expression] = []
        if groups and of != "action":
            ways.append(Binary("in", entity, literal(groups)))
        if uids:
            ways.append(Binary("contains", literal(uids), entity))
        if ids:
            ways.append(is_among(id_, ids))
        ways += [
            # an id that is spelt as an entity of its own type is that name
            If(is_among(id_, spelt), If(Is(entity, type_), TRUE, _AMBIGUOUS), FALSE)
            for type_, spelt in typed.items()
        ]
        return join("or", ways)


def _is_role(roles: Roles, start: str, id_: str) -> bool:
    return roles.is_role(id_) and id_.startswith(start)


def _has_role(roles: Roles, function: str, role: str, uid: Uid, groups: list[str]) -> bool:
    return role in roles.climb(function, roles.start(uid, groups)[0])


def _may_have_role(roles: Roles, function: str, role: str, uid: Uid, groups: list[str]) -> bool:
    return role in roles.climb(function, roles.start(uid, groups)[1])
