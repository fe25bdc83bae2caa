"""Patterns of py-abac policies, matched by RE2 in time linear in the text.

The library matches targets with `fnmatch` and `RegexMatch` with Python's `re`, which backtracks: `^(a+)+$`
takes seconds on 28 characters. So a regular expression here means what RE2 says: `$` is the end of the text
and never before a last newline, `\\d`, `\\w` and `\\s` are ASCII, and there are no look-arounds and no
back-references (a finding). Targets keep the meaning of `fnmatch`; what never matches there is a finding.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import re2

from policy_service.policy.like import is_like
from policy_service.policy.scope import LIMITS

# program size of RE2 x text bytes that one match may cost: about 0.2 s at worst
BUDGET: Final = 4_000_000
PROGRAM: Final = 5_000
STARS: Final = 16

_WILD = re.compile(r"[*?\[]")
_OTHER_WILD = re.compile(r"[?\[]")
_STAR = re.compile(r"(\*)\**")


class Pattern:
    """A compiled regular expression; immutable, shared by all threads."""

    __slots__ = ("_match", "_text_bytes")

    def __init__(self, expression: str, *, whole: bool = False) -> None:
        options = re2.Options()
        options.log_errors = False
        options.never_capture = True
        options.max_mem = 1 << 20
        # bytes in, bytes out: no offsets are turned back into characters, which is most of the cost
        compiled = re2.compile(expression.encode(), options)  # type: ignore[no-untyped-call]
        if compiled.programsize > PROGRAM:
            raise ValueError("it has too many states, use fewer wildcards and smaller repetitions")
        self._match: Any = compiled.fullmatch if whole else compiled.search
        self._text_bytes = BUDGET // compiled.programsize

    def matches(self, text: str) -> bool:
        """Whether it matches; a `ValueError` where the text is too long to try."""
        encoded = text.encode()
        if len(encoded) > self._text_bytes:
            raise ValueError(f"the text is longer than the {self._text_bytes} bytes that this pattern can take")
        return self._match(encoded) is not None


def compile_regex(expression: str) -> Pattern:
    """What `RegexMatch` searches for; a `ValueError` with a sentence where RE2 can't run it."""
    if len(expression.encode()) > LIMITS.pattern_bytes:
        raise ValueError(f"the regular expression is longer than {LIMITS.pattern_bytes} bytes, shorten it")
    try:
        return Pattern(expression)
    except re2.error as error:
        why = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
    except ValueError as error:
        why = str(error)
    raise ValueError(f"the regular expression `{_shorten(expression)}` can't be run by RE2: {_shorten(why)}")


class Target:
    """The ids one element of a policy is meant for; immutable.

    `likes` are the patterns with no wildcard but `*`, as `is_like` takes them, `patterns` the others by their text.
    """

    __slots__ = ("exact", "likes", "pattern_bytes", "patterns", "_prefixes", "_suffixes", "_rest")

    def __init__(self, globs: Sequence[str]) -> None:
        self.exact = frozenset(glob for glob in globs if not _WILD.search(glob))
        self.pattern_bytes = 0
        self.patterns: dict[str, Pattern] = {}
        likes: list[tuple[str | None, ...]] = []
        for glob in globs:
            if glob in self.exact:
                continue
            if _OTHER_WILD.search(glob):
                self.pattern_bytes += len(glob)
                self.patterns[glob] = _compile_glob(glob)
            else:
                likes.append(tuple(part if part != "*" else None for part in _STAR.split(glob) if part))
        self.likes = tuple(likes)
        # most patterns are a prefix or a suffix, and those are many times faster together
        self._prefixes = tuple([str(like[0]) for like in likes if len(like) == 2 and like[1] is None])
        self._suffixes = tuple([str(like[1]) for like in likes if len(like) == 2 and like[0] is None])
        self._rest = tuple([like for like in likes if len(like) != 2])

    @property
    def is_exact(self) -> bool:
        """Whether it names ids and has no pattern."""
        return not (self.likes or self.patterns)

    def matches(self, text: str) -> bool:
        """Whether the id is one of these, as `fnmatch` says; a `ValueError` where it is too long to try."""
        return (
            text in self.exact
            or text.startswith(self._prefixes)
            or text.endswith(self._suffixes)
            or any(is_like(text, like) for like in self._rest)
            or any(pattern.matches(text) for pattern in self.patterns.values())
        )


def read_target(raw: str | Sequence[str]) -> Target | None:
    """The target of one element, `None` where it is anyone; a `ValueError` with a sentence."""
    globs = [raw] if isinstance(raw, str) else raw
    for glob in globs:
        if len(glob.encode()) > LIMITS.pattern_bytes and _WILD.search(glob):
            raise ValueError(f"a target pattern is longer than {LIMITS.pattern_bytes} bytes, shorten it")
    target = Target(globs)
    return None if any(not glob.strip("*") for glob in globs) else target


def _compile_glob(glob: str) -> Pattern:
    """An `fnmatch` pattern for RE2: `*`, `?`, `[abc]`, `[a-z]`, `[!abc]`."""
    parts: list[str] = []
    stars = position = 0
    while position < len(glob):
        character = glob[position]
        position += 1
        if character == "*":
            if parts[-1:] != [".*"]:
                parts.append(".*")
                stars += 1
        elif character == "?":
            parts.append(".")
        elif character == "[":
            # a `]` right after `[` or `[!` is one of the characters
            end = glob.find("]", position + (2 if glob.startswith("!", position) else 1))
            if end < 0:
                raise ValueError(
                    f"the target `{_shorten(glob)}` has a `[` without a `]`, write `[[]` for the character"
                )
            parts.append(_translate_class(glob, glob[position:end]))
            position = end + 1
        else:
            parts.append(re.escape(character))
    if stars > STARS:
        raise ValueError(f"the target `{_shorten(glob)}` has more than {STARS} `*`, write several targets")
    try:
        return Pattern(f"(?s:{''.join(parts)})", whole=True)
    except ValueError as error:
        raise ValueError(f"the target `{_shorten(glob)}` can't be matched: {error}") from None


def _translate_class(glob: str, inside: str) -> str:
    negated = inside.startswith("!")
    members, position = inside[negated:], 0
    ranges: list[str] = []
    while position < len(members):
        first = last = members[position]
        if members[position + 1 : position + 2] == "-" and position + 2 < len(members):
            last = members[position + 2]
            position += 2
        position += 1
        if first > last:
            raise ValueError(f"the target `{_shorten(glob)}` never matches: `{first}-{last}` is an empty range")
        ranges.append(f"\\x{{{ord(first):x}}}-\\x{{{ord(last):x}}}")
    return f"[{'^' if negated else ''}{''.join(ranges)}]"


def _shorten(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"
