"""The lines of a casbin `policy.csv`, read so that none is lost in silence.

The library drops a line of unknown type (`P`, a BOM before `p`), keeps quotes as text, takes a comment behind
a value as part of it and raises on a line of the wrong size when a request is decided. Here each is a finding.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from policy_service.model import Finding
from policy_service.policy.scope import LIMITS

# a file of another kind: its first hundred findings say so
FINDINGS: Final = 100

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ufeff\u2028\u2029]")
_COMMENT = re.compile(r"(^|\s)#")


class Row(NamedTuple):
    """A line of a policy file: its type (`p`, `g`), its values, its number from 1."""

    kind: str
    values: tuple[str, ...]
    line: int


def read_rows(path: str, text: str, columns: Sequence[str], roles: Sequence[str]) -> tuple[list[Row], list[Finding]]:
    """The rows of a file; `columns` are those of `p`, `roles` the role functions that may have lines."""
    rows: list[Row] = []
    findings: list[Finding] = []
    sizes = {"p": len(columns), **dict.fromkeys(roles, 2)}
    policies = 0
    for number, line in _lines(text):
        try:
            values = _split(line)
            _check(values, sizes, columns)
        except ValueError as error:
            findings.append(Finding(path, number, str(error)))
            if len(findings) >= FINDINGS:
                break
            continue
        rows.append(Row(values[0], tuple(values[1:]), number))
        policies += values[0] == "p"
    if policies > LIMITS.policies:
        findings.append(Finding(path, 1, f"more than {LIMITS.policies} policy lines, use groups or a Cedar policy"))
    if len(rows) - policies > LIMITS.group_lines:
        findings.append(Finding(path, 1, f"more than {LIMITS.group_lines} group lines"))
    return rows, findings


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip(" \t\r")
        if line and not line.startswith("#"):
            yield number, line


def _split(line: str) -> list[str]:
    if len(line) > LIMITS.policy_bytes:
        raise ValueError(f"the line is longer than {LIMITS.policy_bytes} characters")
    if found := _CONTROL.search(line):
        name = "a byte order mark" if found[0] == "\ufeff" else f"the character U+{ord(found[0]):04X}"
        raise ValueError(f"the line holds {name}, take it out")
    if '"' not in line:
        return [value.strip() for value in line.split(",")]
    try:
        values = next(csv.reader([line], strict=True, skipinitialspace=True))
    except csv.Error as error:
        raise ValueError(f"the quotes don't fit together: {error}") from None
    stripped = [value.strip() for value in values]
    if stripped != values:
        raise ValueError("a quoted value has spaces at its edge, or behind its quotes, take them out")
    return stripped


def _check(values: Sequence[str], sizes: dict[str, int], columns: Sequence[str]) -> None:
    kind = values[0]
    if kind not in sizes:
        known = ", ".join(f"`{name}`" for name in sizes)
        more = ", or add it to [role_definition]" if re.fullmatch(r"g\d*", kind) else ""
        raise ValueError(f"casbin ignores a line of the type `{kind[:40]}`, write {known}{more}")
    if len(values) - 1 != sizes[kind]:
        wanted = ", ".join(columns) if kind == "p" else "member, role"
        raise ValueError(f"the line has {len(values) - 1} values, `{kind}` takes {sizes[kind]}: {wanted}")
    for value, name in zip(values[1:], columns if kind == "p" else ("member", "role"), strict=True):
        if not value:
            raise ValueError(f"`{name}` is empty, write what it stands for")
        if _COMMENT.search(value):
            raise ValueError(f"`{name}` holds a comment: casbin takes it as text, write it on a line of its own")
    if kind == "p" and "eft" in columns:
        effect = values[1 + list(columns).index("eft")]
        if effect not in ("allow", "deny"):
            raise ValueError(f"the effect `{effect[:40]}` is ignored by casbin, write `allow` or `deny`")
