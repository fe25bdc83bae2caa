"""A request as a casbin matcher reads it: a table of names, and nothing behind them but data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from policy_service.model import Uid
from policy_service.policy.engines.casbin_roles import Roles
from policy_service.policy.names import GROUP
from policy_service.policy.values import plain

if TYPE_CHECKING:
    from policy_service.policy.facts import Facts

# stands before an id that is not taken for a role; no file can hold it
_NOT_A_ROLE = "\0"


class Unreadable(Exception):  # a KeyError or TypeError would be swallowed by the library
    """A name that the request does not have, or that can be read in two ways."""


class Asked:
    """What the names of a matcher mean for one request and one folder; `start` it for each line.

    `doubt` is a sentence once evaluation met an id that can be read in two ways; with `trusting` it is
    taken for what it spells. `values` is shared by the folders of one request.
    """

    def __init__(self, facts: Facts, roles: Roles, guarded: frozenset[str], values: dict[str, Any]) -> None:
        self._facts = facts
        self._roles = roles
        self._guarded = guarded
        self._values = values
        self._reached: dict[tuple[str, str], tuple[frozenset[str], frozenset[str]]] = {}
        self._columns: Mapping[str, str] = {}
        self.functions: dict[str, Callable[..., Any]] = {}
        self.doubt = ""
        self.trusting = True

    def start(self, columns: Mapping[str, str]) -> None:
        """Take the columns of the next line."""
        self._columns = columns
        self.doubt = ""
        self.trusting = True

    def __getitem__(self, name: str) -> Any:
        if name in self._columns:
            return self._columns[name]
        if name in self._values:
            value = self._values[name]
        else:
            value = self._values[name] = self._read(name)
        target = name.removesuffix(".id")
        if target in self._guarded and target in ("subject", "resource") and self._roles.is_role(value):
            self.doubt = f"the id `{value}` is the name of a role, give roles other names"
            return value if self.trusting else _NOT_A_ROLE + value
        return value

    def role_function(self, function: str) -> Callable[[str, str], bool]:
        """What `g(r.sub, x)` answers for this request: the first argument says whose roles are asked for."""

        def has_role(target: str, role: str) -> bool:
            key = (function, target)
            if key not in self._reached:
                own, unsure = self._starts(target)
                self._reached[key] = self._roles.climb(function, own), self._roles.climb(function, unsure)
            sure, doubtful = self._reached[key]
            if role in sure:
                return True
            if role in doubtful:
                self.doubt = f"the {target}'s id reads as another entity, write it `<type>:<id>` in the policy file"
                return self.trusting
            return False

        return has_role

    def _starts(self, target: str) -> tuple[set[str], set[str]]:
        """The names that are the target's own: those that are sure, and its id where it reads as another entity."""
        question = self._facts.question
        if target == "action":
            name = question.action_name
            return (set() if self._roles.is_role(name) else {name}), set()
        uid = question.principal if target == "subject" else question.resource
        groups = (parent.id for parent in self._parents(target) if parent.type == GROUP)
        return self._roles.start(uid, groups)

    def _parents(self, target: str) -> frozenset[Uid]:
        return self._facts.principal.parents if target == "subject" else self._facts.resource.parents

    def _read(self, name: str) -> Any:
        """The value of a chain of attributes; `Unreadable` where one is missing."""
        target, *path = name.split(".")
        question = self._facts.question
        if target == "action":
            if not path:
                return question.action_name
            record: Mapping[str, Any] = question.action_attributes
        elif target == "context":
            record = self._facts.context
        else:
            uid, kind = (
                (question.principal, question.subject_type)
                if target == "subject"
                else (question.resource, question.resource_type)
            )
            if not path or path == ["id"]:
                return uid.id
            if path == ["type"]:
                return kind
            record = (self._facts.principal if target == "subject" else self._facts.resource).attributes
            if path[0] in ("id", "type"):
                raise Unreadable(f"`{target}.{path[0]}` is text, it has no `{path[1]}`")
        value: Any = plain(record[path[0]]) if path[0] in record else _missing(target, path[0])
        for number, part in enumerate(path[1:], 1):
            if not isinstance(value, dict) or part not in value:
                _missing(".".join((target, *path[:number])), part)
            value = value[part]
        return value


def _missing(where: str, name: str) -> Any:
    raise Unreadable(f"`{where}` has no attribute `{name}`")
