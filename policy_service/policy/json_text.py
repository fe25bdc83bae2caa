"""JSON files read strictly, and the line of what is wrong with them.

`values.read_json` knows where the grammar is broken, and not where a member stands twice or a number is too
large: Python's decoder tells its hooks no position. So a file that is refused is gone through once more.
"""

from __future__ import annotations

import re
from typing import Any

from policy_service.policy.scope import LIMITS
from policy_service.policy.values import NotJson, read_json

_PART = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]]|-?(?:NaN|Infinity|[0-9][0-9.eE+-]*)')
_COLON = re.compile(r"\s*:")


def read_json_file(text: str) -> Any:
    """The value of a JSON file; anything that `read_json` refuses is `NotJson` with the line it stands in."""
    try:
        return read_json(text)
    except NotJson as error:
        found = None if error.placed else _find(text)
        raise found or error from None


def _find(text: str) -> NotJson | None:
    """What is wrong first with a text whose grammar is right so far."""
    open_: list[set[str] | None] = []  # the names of each object that is open, none for a list
    for match in _PART.finditer(text):
        part = match[0]
        try:
            if part in "{[":
                open_.append(set() if part == "{" else None)
                if len(open_) > LIMITS.json_nesting:
                    raise NotJson(f"nested deeper than {LIMITS.json_nesting} levels")
            elif part in "}]":
                del open_[-1:]
            elif part[0] == '"' and open_ and open_[-1] is not None and _COLON.match(text, match.end()):
                _add(open_[-1], read_json(part))
            elif part[0] != '"' or "\\u" in part:
                read_json(part)
        except NotJson as error:
            return NotJson(str(error), text.count("\n", 0, match.start()) + 1)
    return None


def _add(names: set[str], name: str) -> None:
    if name in names:
        raise NotJson(f"the member `{name}` stands twice in one object")
    names.add(name)
