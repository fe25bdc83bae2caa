"""Many assets written by one request: each created or replaced by its key, or refused, on its own."""

from __future__ import annotations

from collections.abc import Sequence

from policy_service.access.authorize import Service
from policy_service.access.enforce import Asker
from policy_service.access.writing import SOURCE, Changes, Written, changing_assets, propose, write
from policy_service.assets import entities
from policy_service.assets.asset import Kind, derive_id
from policy_service.assets.drafts import Draft
from policy_service.assets.hierarchy import lock_hierarchy
from policy_service.errors import Conflict, Forbidden, PolicyServiceError, RequestError
from policy_service.store.snapshots import renew

# what is wrong with one item; whatever else fails, fails for all
_OF_ONE = (RequestError, Forbidden, Conflict)
# items after which a transaction is given another minute: policies of any number may take a while on each
_RENEWED = 100
# characters of decisions that are kept until all of them are recorded: each holds what it knows of an entity
_RECORDED = 64 * 1024 * 1024
_FULL = "what was decided in this batch is as much as one record holds, send this item in another"


def write_batch(
    service: Service, asker: Asker, kind: Kind, items: Sequence[Draft | RequestError]
) -> tuple[str, list[Written | PolicyServiceError]]:
    """The version of the files that decided, and what became of each item, in order.

    A key that is new needs `create`, one that is there `read` and `update`, before and after. An item sees what the
    items before it wrote; one that is refused leaves nothing, and so does each after so many that what was decided of
    them fills the record. All that is written is committed at once, before this answers.
    """
    with changing_assets(service, asker) as changes:
        _lock(changes, kind, [item for item in items if isinstance(item, Draft)])
        answers = []
        for place, item in enumerate(items):
            if place % _RENEWED == 0:
                renew(service.store, changes.judge.inventory.session)
            answers.append(_write(changes, kind, item))
        return changes.judge.bundle.version_text, answers


def _lock(changes: Changes, kind: Kind, drafts: Sequence[Draft]) -> None:
    """Lock all that is there of them: other batches have the same keys, perhaps in another order."""
    inventory = changes.judge.inventory
    if kind == "relationship":
        lock_hierarchy(inventory)
    entities.lock(
        inventory, [derive_id(kind, inventory.account, SOURCE, draft.scope or "", draft.key) for draft in drafts]
    )


def _write(changes: Changes, kind: Kind, item: Draft | RequestError) -> Written | PolicyServiceError:
    if isinstance(item, RequestError):
        return item
    if changes.judge.recorded > _RECORDED:
        return RequestError(_FULL)
    told = len(changes.made)
    try:
        # of the connection, which takes half as long as one of the session: there are no objects to expire
        with changes.judge.inventory.session.connection().begin_nested():
            return write(changes, propose(changes, kind, item), item.names)
    except _OF_ONE as error:
        del changes.made[told:]
        return error
