"""The pattern functions of casbin matchers, in time linear in the text.

The library turns `regexMatch` and `keyMatch2` to `keyMatch5` into Python's `re`, which backtracks: `^(a+)+$`
takes seconds on 28 characters, and so do many `*` on a long path. Here RE2 runs the same expressions. A
pattern that the two could read differently is refused when it is loaded, and a text on which they could
differ (a last newline before `$`, anything but printable ASCII under `\\d`, `\\w`, `\\s`, `\\b` or `(?i)`) fails
the line, so that neither a permit is gained nor a forbid lost. `globMatch` keeps what wcmatch means by `*`,
`**`, `?`, `[ab]` and `{a,b}`: a wildcard never matches a leading `.`, `/` may be doubled, a last one is ignored.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, Final, TypeAlias

import re2

from policy_service.policy.scope import LIMITS

Match: TypeAlias = Callable[[str], bool]

# what one match may cost: the states of RE2 times the bytes of the text, about 0.1 s at worst
STATES: Final = 1_000
TEXT_BYTES: Final = 4_096
GLOB_SEGMENTS: Final = 32
GLOB_ALTERNATIVES: Final = 64

# what Python and RE2 read alike; `{,3}` and `[[` are not
_SYNTAX = re.compile(
    r"""(?P<narrow> \\[dDwWsSbB] | \(\?i\) | \(\?i: )
      | (?P<open> \((?!\?) | \(\?: | \(\?P<[A-Za-z_]\w*> )
      | (?P<set> \[\^?\]? (?: \\[dDwWsS] | \\[!-/:-@\[-`{-~] | (?!--|&&|\|\||~~)[^\]\[\\] )* \] )
      | (?P<plain> \\[!-/:-@\[-`{-~] | \\[nrt] | \{\d+(?:,\d*)?\} | \{(?![\d,]) | [^\\\[({] | \) )""",
    re.VERBOSE,
)
_KEY4 = re.compile(r"\{([^/]+)\}")
_GLOB_SEGMENT = re.compile(r"(?P<star>\*+)|(?P<any>\?)|\[(?P<not>[!^]?)(?P<set>[\w.-]+)\]|(?P<text>[^\\\[\]{}*?])")
_BRACES = re.compile(r"\{([\w.,-]*)\}")


def check_pattern(function: str, pattern: str) -> None:
    """Refuse, as a `ValueError` with a sentence, a pattern that `function` can't run or that never matches."""
    if len(pattern.encode()) > LIMITS.pattern_bytes:
        raise ValueError(f"a pattern of `{function}` is longer than {LIMITS.pattern_bytes} bytes, shorten it")
    if function == "ipMatch":
        try:
            ipaddress.ip_network(pattern, strict=False)
        except ValueError:
            raise ValueError(f"`{pattern}` is no address and no network, `ipMatch` would never match it") from None
    elif function in PATTERNS:
        _compile(function, pattern)


def count_bytes(function: str, pattern: str) -> int:
    """How much there is to compile: a glob is compiled once for each way to choose among its braces."""
    if function not in PATTERNS:
        return 0
    ways = prod(min(found.count(","), GLOB_ALTERNATIVES) + 1 for found in _BRACES.findall(pattern)[:GLOB_ALTERNATIVES])
    return len(pattern) * (min(ways, GLOB_ALTERNATIVES) if function == "globMatch" else 1)


def text_of(value: Any, function: str) -> str:
    """`value` where it is text; anything else is a `TypeError`, which fails the line."""
    if not isinstance(value, str):
        raise TypeError(f"`{function}` needs a text")
    return value


def _apply(function: str) -> Callable[[Any, str], bool]:
    def match(value: Any, pattern: str) -> bool:
        return _compile(function, pattern)(text_of(value, function))

    return match


@lru_cache(maxsize=8192)
def _compile(function: str, pattern: str) -> Match:
    if function == "globMatch":
        return _compile_glob(pattern)
    if function == "regexMatch":
        return _compile_regex(pattern)
    path = pattern.replace("/*", "/.*")
    if function == "keyMatch2":
        path = re.sub(r":[^/]+", "[^/]+", path)
        return _compile_regex("^(.*)$" if path == "*" else f"^{path}$")
    if function == "keyMatch3":
        return _compile_regex("^" + re.sub(r"\{[^/]+?\}", "[^/]+", path) + "$")
    if function == "keyMatch4":
        return _compile_key4(path)
    whole = _compile_regex("^" + re.sub(r"\{[^/]+\}", "[^/]+", path) + "$")
    return lambda text: whole(text.partition("?")[0])


def _compile_regex(expression: str) -> Match:
    compiled, check = _compile_re2(expression)
    return lambda text: compiled.match(check(text)) is not None


def _compile_key4(path: str) -> Match:
    """As `keyMatch3`, and the same name in braces stands for the same text."""
    names = _KEY4.findall(path)
    compiled, check = _compile_re2("^" + _KEY4.sub("([^/]+)", path) + "$")
    if compiled.groups != len(names):
        raise ValueError(f"`{path}` has groups of its own, `keyMatch4` can't take them")

    def match(text: str) -> bool:
        found = compiled.match(check(text))
        if found is None:
            return False
        seen: dict[str, bytes] = {}
        return all(seen.setdefault(name, part) == part for name, part in zip(names, found.groups(), strict=True))

    return match


def _compile_re2(expression: str) -> tuple[Any, Callable[[str], bytes]]:
    """The compiled expression and what checks and encodes a text for it."""
    narrow = _read_syntax(expression)
    compiled = _compile_bytes(expression)
    ends = "$" in expression

    def check(text: str) -> bytes:
        encoded = text.encode()
        if len(encoded) > TEXT_BYTES:
            raise ValueError(f"a text longer than {TEXT_BYTES} bytes is not matched against a pattern")
        if ends and text.endswith("\n"):
            raise ValueError("a text that ends in a newline is not matched against a pattern with `$`")
        if narrow and not (text.isascii() and text.isprintable()):
            raise ValueError(r"a pattern with `\d`, `\w`, `\s`, `\b` or `(?i)` is for printable ASCII alone")
        return encoded

    return compiled, check


def _compile_bytes(expression: str) -> Any:
    """The expression as Python accepts it and RE2 runs it, on bytes."""
    try:
        re.compile(expression)
        options = re2.Options()
        options.log_errors = False
        options.max_mem = 1 << 20
        compiled = re2.compile(expression.encode(), options)  # type: ignore[no-untyped-call]
    except (re.error, re2.error, RecursionError, OverflowError) as error:
        why = error.args[0] if error.args else "it can't be compiled"
        why = why.decode() if isinstance(why, bytes) else why
        raise ValueError(f"`{expression}` is no regular expression that RE2 can run: {why}") from None
    if compiled.programsize > STATES:
        raise ValueError(f"`{expression}` has too many states, repeat less")
    return compiled


def _read_syntax(expression: str) -> bool:
    """Whether Python and RE2 agree on the expression for printable ASCII alone; a `ValueError` where on nothing."""
    position = depth = 0
    narrow = False
    while position < len(expression):
        token = _SYNTAX.match(expression, position)
        if token is None:
            rest = expression[position : position + 8]
            raise ValueError(f"`{expression}` can't be matched in linear time, or is read in two ways, at `{rest}`")
        text = token[0]
        narrow = narrow or token["narrow"] is not None or re.search(r"\\[dDwWsS]", token["set"] or "") is not None
        depth += (token["open"] is not None or text == "(?i:") - (text == ")")
        if depth > LIMITS.policy_nesting:
            raise ValueError(f"`{expression[:40]}` is nested deeper than {LIMITS.policy_nesting} levels")
        position = token.end()
    if "(?i" in expression and not expression.isascii():
        raise ValueError(f"`{expression}` has `(?i)` beside letters that are not ASCII, spell both cases")
    return narrow


def _compile_glob(pattern: str) -> Match:
    while pattern.startswith("*/"):  # the library drops it
        pattern = pattern[1:]
    if "//" in pattern or "**/**" in pattern:
        raise ValueError(f"`{pattern}` has `//` or `**/**`, write one")
    pieces = _BRACES.split(pattern)
    choices = [piece.split(",") if number % 2 else [piece] for number, piece in enumerate(pieces)]
    if any(len(options) < 2 or not all(options) for options in choices[1::2]):
        raise ValueError(f"`{pattern}` has braces without two alternatives, write `{{a,b}}`")
    count = 1
    for options in choices:
        count *= len(options)
    if count > GLOB_ALTERNATIVES:
        raise ValueError(f"`{pattern}` has more than {GLOB_ALTERNATIVES} alternatives, write several lines")
    globs = [_Glob("".join(parts)) for parts in product(*choices)]

    def match(text: str) -> bool:
        if len(text.encode()) > TEXT_BYTES or "\n" in text:
            raise ValueError(f"a text longer than {TEXT_BYTES} bytes, or with a newline, is not matched against a glob")
        return any(glob.matches(text) for glob in globs)

    return match


class _Glob:
    """One glob without braces, as segments: `None` stands for `**`."""

    def __init__(self, pattern: str) -> None:
        parts = [part for part in pattern.split("/") if part]
        if len(parts) > GLOB_SEGMENTS:
            raise ValueError(f"`{pattern}` has more than {GLOB_SEGMENTS} segments")
        self.segments = [None if part == "**" else _Segment(part) for part in parts]
        self.rooted = pattern.startswith("/")
        self.directory = pattern.endswith("/")

    def matches(self, text: str) -> bool:
        free = bool(self.segments) and self.segments[0] is None and not self.rooted
        if not free and text.startswith("/") != self.rooted:
            return False
        states = self._skip({0})
        for part in filter(None, text.split("/")):
            states = self._skip({after for state in states for after in self._step(state, part)})
            if not states:
                return False
        return len(self.segments) in states and (not self.directory or text.endswith("/"))

    def _step(self, state: int, part: str) -> tuple[int, ...]:
        if state == len(self.segments):
            return ()
        segment = self.segments[state]
        if segment is None:
            return () if part.startswith(".") else (state,)
        return (state + 1,) if segment.matches(part) else ()

    def _skip(self, states: set[int]) -> set[int]:
        """A `**` may stand for nothing."""
        for state in sorted(states):
            after = state
            while after < len(self.segments) and self.segments[after] is None:
                after += 1
                states.add(after)
        return states


class _Segment:
    """What stands between two slashes."""

    def __init__(self, part: str) -> None:
        expression, position = "", 0
        while position < len(part):
            token = _GLOB_SEGMENT.match(part, position)
            if token is None:
                raise ValueError(f"`{part}` is no glob of `*`, `?`, `[a-z]`, `{{a,b}}`, and `**` between slashes")
            expression += _glob_token(token)
            position = token.end()
        self.hides = part[0] in "*?["
        self._fullmatch: Any = _compile_bytes(f"(?s:{expression})").fullmatch

    def matches(self, part: str) -> bool:
        return not (self.hides and part.startswith(".")) and self._fullmatch(part.encode()) is not None


def _glob_token(token: re.Match[str]) -> str:
    if token["star"]:
        return ".*"
    if token["any"]:
        return "."
    if token["set"]:
        return f"[{'^' if token['not'] else ''}{token['set']}]"
    return re.escape(token["text"])


PATTERNS: Final[Mapping[str, Callable[[Any, str], bool]]] = {
    name: _apply(name) for name in ("keyMatch2", "keyMatch3", "keyMatch4", "keyMatch5", "regexMatch", "globMatch")
}
