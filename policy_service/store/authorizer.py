"""What a statement in an open file may do: read and change rows. SQLite asks when a statement is prepared.

In PostgreSQL the run-time role owns nothing; here this is in its place. A statement that got in by injection can't
drop the triggers that keep the trail, attach a file of its own, which would not be encrypted, change the key, or
write where it may only read.
"""

from __future__ import annotations

# SQLite's action codes, which are part of its interface; the driver names only some of them
DELETE, FUNCTION, INSERT, READ, SELECT, TRANSACTION, UPDATE, SAVEPOINT, RECURSIVE = 9, 31, 18, 20, 21, 22, 23, 32, 33
_OK, _DENY = 0, 1
_ACTIONS = frozenset({DELETE, FUNCTION, INSERT, READ, SELECT, TRANSACTION, UPDATE, SAVEPOINT, RECURSIVE})
_CHANGES = frozenset({DELETE, INSERT, UPDATE})


def authorize(action: int, first: str | None, *_: object) -> int:
    """Whether SQLite may prepare a statement that does this: its answer for yes or no.

    `first` is the name of a table, as far as the action has one.
    """
    if action not in _ACTIONS:
        return _DENY
    if action in _CHANGES and first is not None and first.startswith(("sqlite_", "alembic_version")):
        return _DENY
    return _OK
