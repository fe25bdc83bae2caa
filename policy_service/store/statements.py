"""Statements that were compiled, kept for the next time: as many as there is room for, by how long they are."""

from __future__ import annotations

from typing import Any

from sqlalchemy.util import LRUCache

# statements, and characters of all of them: what is kept of one takes a hundred times as much as its text
KEPT, CHARACTERS = 1_000, 1_500_000


class Statements(LRUCache[Any, Any]):
    """What an engine compiled. Searches are as long and as many as people send: a number of them is no bound."""

    def __init__(self) -> None:
        super().__init__(KEPT)
        self._held = 0

    def __setitem__(self, key: Any, compiled: Any) -> None:
        length = len(compiled.string or "")
        if length > CHARACTERS // 4:
            return
        if self._held + length > CHARACTERS:
            # another thread may do the same
            self._held = 0
            self._data.clear()
        self._held += length
        super().__setitem__(key, compiled)
