"""Cedar text cut into tokens and single policies, and refused before cedarpy sees what could kill it.

cedarpy overflows the stack, and with it kills the process, on deeply nested text and on long chains of
operators. So what is parsed is bounded here, on tokens, by `LIMITS`. The tokens are Cedar's own
(`cedar-policy-core`, `parser/grammar.lalrpop`): whatever they do not cover is refused, so that this reading
and Cedar's can't differ about where a string, a comment or a policy ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from policy_service.model import Finding
from policy_service.policy.scope import LIMITS

_TOKEN = re.compile(
    r"(?P<blank>\s++|//[^\n\r]*+)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*+)"
    r'|(?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+")'
    r"|(?P<mark>&&|\|\||==|!=|<=|>=|::|[@.,;:(){}\[\]<>+\-*/%!=?])"
    r"|(?P<number>[0-9]++)"
)
_QUOTED = re.compile(r"`([^`]+)`|'([^'\s]+)'|: (\w+)$")
_DECLARES = frozenset({"entity", "action", "type", "namespace"})
_ESCAPE = re.compile(r"\\(?:u\{([0-9A-Fa-f_]*[0-9A-Fa-f][0-9A-Fa-f_]*)\}|x([0-9A-Fa-f]{2})|(.))")
_LONE_RETURN = re.compile(r"\r(?!\n)")
_CLOSES = {")": "(", "]": "[", "}": "{", ">": "<"}

# whatever makes Cedar's tree deeper without a bracket around it; `[` and `(` because accesses and calls chain too
_OPERATORS = frozenset({"&&", "||", "+", "-", "*", "<", "<=", ">", ">=", "==", "!=", "!", ".", "::", "[", "("})
_WORDS = frozenset({"if", "in", "has", "like", "is"})
_CLAUSES = frozenset({"when", "unless"})

# how far a policy may go past its limit before the rest of its file is given up
_HOPELESS = 8
# characters of an error of Cedar that a finding repeats
SAID = 300


class Token(NamedTuple):
    """One token: its kind (`word`, `string`, `mark`, `number`), its text, and where it starts."""

    kind: str
    text: str
    start: int


class Piece(NamedTuple):
    """One policy's own text, from its first annotation or effect to its `;`, and its first line."""

    text: str
    line: int


class NotCedar(ValueError):
    """The text can't be Cedar; the message is a sentence, `line` says where."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def scan(text: str) -> Iterator[Token]:
    """The tokens of a policy or schema text; raises `NotCedar` where there is none."""
    match_at = _TOKEN.match
    position, end = 0, len(text)
    while position < end:
        found = match_at(text, position)
        if found is None:
            raise NotCedar(_refuse_character(text, position), line_of(text, position))
        if found.lastgroup != "blank":
            yield Token(found.lastgroup or "", found[0], position)
        position = found.end()


def _refuse_character(text: str, position: int) -> str:
    character = text[position]
    if character == '"':
        return "the string that starts here is never closed"
    if character == "\ufeff":
        return "a byte order mark stands here, save the file as UTF-8 without one"
    shown = character if character.isprintable() else f"U+{ord(character):04X}"
    return f"`{shown}` is no part of Cedar"


def line_of(text: str, position: int) -> int:
    """The line of a position, from 1."""
    return text.count("\n", 0, position) + 1


def check_lines(text: str) -> None:
    """Refuse a lone carriage return: Cedar ends a comment there and editors don't, so rules could hide."""
    lone = _LONE_RETURN.search(text)
    if lone:
        raise NotCedar("a lone carriage return stands here, end lines by a line feed", line_of(text, lone.start()))


def read_policies(path: str, text: str) -> tuple[list[Piece], list[Finding]]:
    """The policies of a file, each within the limits, and findings for those that are not."""
    pieces: list[Piece] = []
    findings: list[Finding] = []
    try:
        check_lines(text)
        for piece, sentence in _cut(text):
            if sentence:
                findings.append(Finding(path, piece.line, sentence))
            else:
                pieces.append(piece)
            if len(pieces) > LIMITS.policies:
                raise NotCedar(f"more than {LIMITS.policies} policies in one file, split it", piece.line)
    except NotCedar as error:
        findings.append(Finding(path, error.line, str(error)))
    return pieces, findings


def _cut(text: str) -> Iterator[tuple[Piece, str]]:
    """Each policy with the sentence that refuses it, or an empty one."""
    nesting = Nesting(text, "([{")
    start = deepest = operators = clauses = 0
    line, counted = 1, 0
    fresh = True
    for _, part, position in scan(text):
        if fresh:
            line, counted = line + text.count("\n", counted, position), position
            start, fresh = position, False
            deepest = operators = clauses = 0
        if position - start > _HOPELESS * LIMITS.policy_bytes:
            raise NotCedar(f"the policy that starts here is larger than {LIMITS.policy_bytes} bytes, split it", line)
        depth = nesting.enter(part, position)
        deepest = max(deepest, depth)
        if part in _OPERATORS or part in _WORDS:
            operators += 1
        elif part in _CLAUSES:
            clauses += 1
        elif part == ";" and not depth:
            piece = Piece(text[start : position + 1], line)
            yield piece, _exceed(piece.text, deepest, operators, clauses)
            fresh = True
    nesting.close()
    if not fresh:
        raise NotCedar("the policy that starts here has no `;` at its end", line)


def _exceed(text: str, nesting: int, operators: int, clauses: int) -> str:
    """Which limit a policy breaks, as a sentence, or nothing."""
    if len(text.encode(errors="replace")) > LIMITS.policy_bytes:
        return f"the policy is larger than {LIMITS.policy_bytes} bytes, split it"
    if nesting > LIMITS.policy_nesting:
        return f"the policy nests brackets deeper than {LIMITS.policy_nesting} levels, split it"
    if operators > LIMITS.policy_operators:
        return f"the policy has more than {LIMITS.policy_operators} operators, split it"
    if clauses > LIMITS.policy_nesting:
        return f"the policy has more than {LIMITS.policy_nesting} conditions, split it"
    return ""


def find_scope_end(text: str) -> int:
    """Where the scope of a policy's own text ends, behind its `)`; 0 where there is none."""
    before, depth = "", 0
    for _, part, position in scan(text):
        if depth:
            depth += (part in "([") - (part in ")]")
            if not depth:
                return position + 1
        elif part == "(" and before in ("permit", "forbid"):
            depth = 1
        # the name of an annotation may be one of these words too
        before = "" if before == "@" else part
    return 0


class Nesting:
    """The brackets that are open while tokens go by."""

    def __init__(self, text: str, opening: str) -> None:
        self._text = text
        self._opening = frozenset(opening)
        self._closing = {close: open_ for close, open_ in _CLOSES.items() if open_ in self._opening}
        self._open: list[tuple[str, int]] = []

    def enter(self, token: str, position: int) -> int:
        """How many brackets are open after this token; raises `NotCedar` where one closes nothing."""
        if token in self._opening:
            self._open.append((token, position))
        elif token in self._closing and (not self._open or self._open.pop()[0] != self._closing[token]):
            raise NotCedar(f"`{token}` closes nothing that is open", line_of(self._text, position))
        return len(self._open)

    def close(self) -> None:
        """Raises `NotCedar` where a bracket is still open."""
        if self._open:
            token, position = self._open[-1]
            raise NotCedar(f"`{token}` is never closed", line_of(self._text, position))


def shorten(message: str) -> str:
    """What Cedar says as one line of a bearable length: it quotes tokens whole, however long."""
    line = " ".join(message.split())
    return line if len(line) <= SAID else f"{line[:SAID]}…"


def find_line(text: str, message: str, parse_text: Callable[[str], object]) -> int:
    """The line of `text`, from 1, that an error of Cedar is about; 1 where it can't be told.

    cedarpy gives no positions. An unexpected token is the first one with which a prefix of the text fails
    for another reason than that it ends; any other error is placed by the one token it quotes.
    """
    tokens = list(scan(text))
    if message.removeprefix("error parsing schema: ").startswith("unexpected token"):
        low, high = 0, len(tokens) - 1
        while low < high:
            middle = (low + high) // 2
            end = tokens[middle].start + len(tokens[middle].text)
            low, high = (middle + 1, high) if _only_ends(text[:end], parse_text) else (low, middle)
        return line_of(text, tokens[low].start)
    quoted = {"".join(names) for names in _QUOTED.findall(message)}
    if "declared twice" in message:
        names = quoted | {name.rpartition("::")[2] for name in quoted}
        lines = [
            line_of(text, name.start)
            for word, name in pairwise(tokens)
            if word.text in _DECLARES and name.text in names
        ]
        return lines[-1] if lines else 1
    # a token as it is quoted, or else the text that holds what is quoted
    found = [token for token in tokens if token.text in quoted]
    found = found or [token for token in tokens if any(name in token.text for name in quoted)]
    lines = list({line_of(text, token.start) for token in found})
    return lines[0] if len(lines) == 1 else 1


def _only_ends(text: str, parse_text: Callable[[str], object]) -> bool:
    try:
        parse_text(text)
    except ValueError as error:
        return "unexpected end of input" in str(error)
    return True


def unquote(token: str) -> str:
    """The text of a string token; any other token as it is."""
    return _ESCAPE.sub(_unescape, token[1:-1]) if token.startswith('"') else token


def _unescape(match: re.Match[str]) -> str:
    code, letter = match[1] or match[2], match[3]
    if code:
        point = int(code.replace("_", ""), 16)
        return chr(point) if point < 0x110000 else "\ufffd"
    return {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}.get(letter, letter)
