"""YAML text read as plain data: maps with text keys, lists, texts, numbers, true, false and null.

Read by events, so that nothing recurses and nothing is built that was not written: no anchors, aliases, tags,
merge keys or second document. Scalars are YAML 1.2's core schema (`no`, `on` and `1:30` are texts), fractions
are `Decimal`, as in JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

import yaml

from policy_service.policy.scope import LIMITS

Path: TypeAlias = tuple[str | int, ...]

_SEPARATORS = re.compile("[\x85\u2028\u2029]")
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}", re.ASCII)
_FRACTION = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?", re.ASCII)
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")
}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class NotYaml(ValueError):
    """A text that is not the YAML we read; the message is a sentence, `line` counts from 1."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


class Document(NamedTuple):
    """The value of a YAML text, and the line of every part of it by its path."""

    value: Any
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """The line of a part, or of the nearest part around it that is known."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class _Open:
    """A map or a list that is being read."""

    __slots__ = ("items", "key", "path")

    def __init__(self, items: dict[str, Any] | list[Any], path: Path) -> None:
        self.items = items
        self.path = path
        self.key: str | None = None


def read_yaml(text: str) -> Any:
    """The value of a YAML text, `None` for an empty one; anything we don't read is `NotYaml` with a line."""
    return read_document(text).value


def read_document(text: str) -> Document:
    """As `read_yaml`, with the line of each part."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > LIMITS.file_bytes:
        raise NotYaml(f"{size} bytes of YAML, at most {LIMITS.file_bytes}")
    separator = _SEPARATORS.search(text)
    if separator:
        raise NotYaml(
            f"holds the line separator U+{ord(separator[0]):04X}, which not every reader takes for one, take it out",
            text.count("\n", 0, separator.start()) + 1,
        )
    try:
        return _build(text)
    except NotYaml:
        raise
    except yaml.MarkedYAMLError as error:
        raise NotYaml(f"invalid YAML: {error.problem or 'it ends too early'}", _error_line(text, error)) from None
    except (yaml.YAMLError, UnicodeError):
        raise NotYaml("invalid YAML: a character that YAML does not allow", _odd_line(text)) from None


def _build(text: str) -> Document:
    root: list[Any] = []
    lines: dict[Path, int] = {}
    stack = [_Open(root, ())]
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if len(lines) > LIMITS.yaml_nodes:
            raise NotYaml(f"more than {LIMITS.yaml_nodes} values in one file, split it", line)
        if isinstance(event, yaml.AliasEvent):
            raise NotYaml(f"the alias `*{event.anchor}` is not read, write the value out", line)
        if isinstance(event, yaml.DocumentStartEvent):
            if root or lines:
                raise NotYaml("a second document, write one to a file", line)
        elif isinstance(event, yaml.NodeEvent):
            _refuse_extras(event, line)
            _add(stack, event, line, lines)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            stack.pop()
    # a value that is left out may be told on a line past the last; the document is the one item of the outermost
    # list, whose index is in no path
    last = text.rstrip().count("\n") + 1
    return Document(root[0] if root else None, {path[1:]: min(line, last) for path, line in lines.items()})


def _refuse_extras(event: yaml.NodeEvent, line: int) -> None:
    if event.anchor is not None:
        raise NotYaml(f"the anchor `&{event.anchor}` is not read, write the value out where it is used", line)
    tag = getattr(event, "tag", None)
    if tag is not None:
        raise NotYaml(f"the tag `{tag}` is not read, write the value without it", line)


def _add(stack: list[_Open], event: yaml.NodeEvent, line: int, lines: dict[Path, int]) -> None:
    top = stack[-1]
    if isinstance(top.items, dict) and top.key is None:
        top.key = _read_key(event, top.items, line)
        lines[(*top.path, top.key)] = line
        return
    path = (*top.path, top.key if top.key is not None else len(top.items))
    lines.setdefault(path, line)
    value: Any
    if isinstance(event, yaml.ScalarEvent):
        value = _read_scalar(event, line)
    else:
        value = {} if isinstance(event, yaml.MappingStartEvent) else []
        if len(stack) > LIMITS.json_nesting:
            raise NotYaml(f"nested deeper than {LIMITS.json_nesting} levels", line)
        stack.append(_Open(value, path))
    if isinstance(top.items, list):
        top.items.append(value)
    elif top.key is not None:
        top.items[top.key] = value
        top.key = None


def _read_key(event: yaml.NodeEvent, taken: dict[str, Any], line: int) -> str:
    if not isinstance(event, yaml.ScalarEvent):
        raise NotYaml("a key that is no text, write one word before the colon", line)
    key: str = event.value
    if key == "<<" and event.implicit[0]:
        raise NotYaml("the merge key `<<` is not read, write the values out", line)
    if key in taken:
        raise NotYaml(f"the key `{key}` stands twice in one map", line)
    return key


def _read_scalar(event: yaml.ScalarEvent, line: int) -> Any:
    text: str = event.value
    if not event.implicit[0]:  # quoted, or a block
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if len(text) < 400 and _FRACTION.fullmatch(text):
        return Decimal(text)
    if text.lower().lstrip("+-") in {".inf", ".nan"}:
        raise NotYaml(f"`{text}` is no number that a policy can read, put it in quotes if it is a text", line)
    return text


def _error_line(text: str, error: yaml.MarkedYAMLError) -> int:
    """Where a text is wrong; what is wrong at its end began earlier, such as a quote that is never closed."""
    last = text.rstrip().count("\n") + 1
    line = error.problem_mark.line + 1 if error.problem_mark else 1
    if line > last and error.context_mark:
        line = error.context_mark.line + 1
    return min(line, last)


def _odd_line(text: str) -> int:
    """The line of the first character that YAML does not allow."""
    match = re.search("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\ufeff", text)
    return text.count("\n", 0, match.start()) + 1 if match else 1
