"""What the trail is told of an asset that was stored: which it is, and digests of what it was and what it became."""

from __future__ import annotations

from policy_service.assets.asset import Asset, Edit, body
from policy_service.audit.trail import Change, Origin, digest
from policy_service.store.data_keys import DataKey


def tell(edit: Edit, account: str, key: DataKey, by: Origin, version: str, reasons: tuple[str, ...]) -> Change | None:
    """The change that an edit is, made by `by` under the files of `version`; nothing where it changes nothing."""
    asset = edit.after or edit.before
    if asset is None or not edit.changes:
        return None

    def sign(state: Asset | None) -> str | None:
        return None if state is None else digest(key, body(state, account))

    verb = "create" if edit.before is None else "update" if edit.after else "delete"
    return Change(verb, asset.kind, asset.id, sign(edit.before), sign(edit.after), by, version, reasons)
