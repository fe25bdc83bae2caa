"""Cedar's `like`: a text against a pattern of texts and wildcards."""

from __future__ import annotations


def is_like(text: str, pattern: tuple[str | None, ...]) -> bool:
    """Whether the text is made of these parts; `None` stands for any text.

    The time is that of one search for each part: a regular expression would take for ever on `*a*a*a*a*b`.
    """
    if None not in pattern:
        return text == "".join(map(str, pattern))
    first = pattern.index(None)
    last = len(pattern) - 1 - pattern[::-1].index(None)
    start, end = ("".join(map(str, part)) for part in (pattern[:first], pattern[last + 1 :]))
    if len(text) < len(start) + len(end) or not text.startswith(start) or not text.endswith(end):
        return False
    position, limit = len(start), len(text) - len(end)
    # the leftmost place of each part leaves the most for the others
    for part in pattern[first:last]:
        if part is not None:
            position = text.find(part, position, limit)
            if position < 0:
                return False
            position += len(part)
    return True
