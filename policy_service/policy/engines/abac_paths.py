"""Paths of py-abac policies, and what they find in the facts.

The library runs a path as an ObjectPath program: `'a'*3000000000` takes 3 GB, `$.user-level` is a
subtraction, and a scalar stands in for a missing child. Here a path is `$` and plain steps, `$.a.b['c-d']`,
split once when its file is loaded; it is never handed to ObjectPath, and it finds a value or it does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from policy_service.model import Value
from policy_service.policy.values import plain, read_set

if TYPE_CHECKING:
    from policy_service.policy.facts import Facts

MISSING: Final = object()

_STEP = re.compile(r"""\.([A-Za-z_][A-Za-z0-9_]*)|\['([^'"\\\x00-\x1f]+)'\]|\["([^'"\\\x00-\x1f]+)"\]""")


class Path(NamedTuple):
    """Where a value is: the element of the request, the steps, and the path as it was written."""

    ace: str
    steps: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"`{self.text}` of the {self.ace}"


def read_path(ace: str, text: str) -> Path:
    """The path that `text` names in an element; a `ValueError` with a sentence where it is no plain path."""
    if not text.startswith("$"):
        raise ValueError(f"the path `{text}` must start with `$`, write `$.{text}`")
    steps: list[str] = []
    position = 1
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            break
        steps.append(next(name for name in step.groups() if name is not None))
        position = step.end()
    if position < len(text) or not steps:
        raise ValueError(f"the path `{text}` must be plain steps, write them like `$.owner['first-name']`")
    return Path(ace, tuple(steps), text)


class Data:
    """The facts of one decision as py-abac policies see them; never shared between decisions.

    subject   attributes with `tenant`, and `type`, `id` (as sent) and `groups` (names, without a prefix)
    resource  attributes with `tenant`, and `type` and `id`
    action    attributes, and `name`
    context   its members

    `type`, `id`, `groups` and `name` win over an attribute of that name. Values are made plain at first use.
    """

    __slots__ = ("_facts", "_found")

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._found: dict[tuple[str, str], Any] = {}

    def find(self, path: Path) -> Any:
        """The plain value at a path, or `MISSING`: every step but the last must lead to a record."""
        ace, steps, _ = path
        top = (ace, steps[0])
        if top in self._found:
            value = self._found[top]
        else:
            value = self._found[top] = self._read(ace, steps[0])
        for step in steps[1:]:
            if type(value) is not dict:
                return MISSING
            value = value.get(step, MISSING)
        return value

    def _read(self, ace: str, name: str) -> Any:
        facts = self._facts
        question = facts.question
        attributes: Mapping[str, Value]
        if ace == "subject":
            if name == "id":
                return question.principal.id
            if name == "type":
                return question.subject_type
            if name == "groups":
                return read_set(list(facts.groups))
            attributes = facts.principal.attributes
        elif ace == "resource":
            if name == "id":
                return question.resource.id
            if name == "type":
                return question.resource_type
            attributes = facts.resource.attributes
        elif ace == "action":
            if name == "name":
                return question.action_name
            attributes = question.action_attributes
        else:
            attributes = facts.context
        return plain(attributes[name]) if name in attributes else MISSING
