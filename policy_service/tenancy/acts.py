"""Acts of whoever runs the service: what is written in the trails about them, and who it was."""

from __future__ import annotations

import contextlib
import os
import pwd
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from sqlalchemy.orm import Session

from policy_service.audit.sealer import seal
from policy_service.audit.trail import Change, Origin, note
from policy_service.errors import PolicyServiceError, Refused
from policy_service.model import is_tenant_name
from policy_service.store.door import Store

Report: TypeAlias = Callable[[int, int], None]  # how many are done, of how many


def require_name(tenant: str) -> None:
    """See that a text can name a tenant; else `Refused`."""
    if not is_tenant_name(tenant):
        raise Refused(f"`{tenant[:80]}` is no tenant's name, write a-z, 0-9 and `-`, at most 63, the first no `-`")


def record(session: Session, action: str, tenant: str, **detail: Any) -> None:
    """Write an act on a tenant to the trail of the session's account, in its transaction, with who did it."""
    change = Change(action, "tenant", tenant, None, None, Origin(), detail={**detail, "user": name_operator()})
    note(session, [change], time.time())


def name_operator() -> str:
    """The user of the operating system who runs this, by name where there is one."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def seal_trails(store: Store, *accounts: str) -> None:
    """Link and sign what was written to these trails. What can't be now is sealed by the next who does."""
    for account in accounts:
        with contextlib.suppress(PolicyServiceError):
            seal(store, account)
