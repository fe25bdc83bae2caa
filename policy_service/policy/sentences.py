"""What a finding says, whatever the file that it is about holds."""

from __future__ import annotations

LONGEST = 500


def write_line(sentence: str) -> str:
    """One printable line of a bearable length: what a file holds must not write lines of its own into a report."""
    shown = sentence if len(sentence) <= LONGEST else f"{sentence[: LONGEST - 1]}…"
    return "".join(part if part.isprintable() else ascii(part)[1:-1] for part in shown)
