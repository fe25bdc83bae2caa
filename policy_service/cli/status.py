"""`policy-service status`: which files answer for each tenant, and what is wrong with those that don't."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import click

from policy_service.assets.layout import Wish, join_wish
from policy_service.assets.rebuilding import find_progress, is_behind
from policy_service.bundles.current import Bundles, TenantStatus
from policy_service.bundles.load import find_folder, load, load_platform, tenant_root
from policy_service.bundles.sources import read_layer
from policy_service.cli.keyring import say_overdue
from policy_service.cli.options import FILES, read_settings, require_folders, with_settings
from policy_service.cli.output import print_json, print_table
from policy_service.config import Settings
from policy_service.errors import NoKey, Refused, Unavailable, UnknownTenant
from policy_service.identity.keys import KeyRing
from policy_service.policy.endings import RELATIONSHIPS, SETTINGS
from policy_service.policy.files import parse_layer
from policy_service.policy.layer import Layer
from policy_service.store.door import Store
from policy_service.store.opening import is_made, open_store

_EPILOG = """\b
Examples:
  policy-service status
  policy-service status acme --json
"""
_COLUMNS = ("tenant", "version", "loaded at", "last error", "keys", "lists", "cases not run")


@dataclass(frozen=True, slots=True)
class Row:
    """What is shown of one tenant, or of `@platform`; what there is nothing to say about is empty."""

    tenant: str
    version: str
    loaded_at: str
    last_error: str
    keys_problem: str
    lists: str
    cases_not_run: tuple[str, ...]


@click.command(epilog=_EPILOG, short_help="Show what answers for each tenant, and what is wrong.")
@click.argument("tenants_shown", metavar="[TENANT…]", nargs=-1)
@with_settings(*FILES)
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def status(tenants_shown: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Show for each tenant its version, since when it answers, and what is wrong with its files and keys.

    Reads the folders, the store and what the workers wrote into the data folder, so it needs no running service.
    After a change of `relationships.yaml` or `indexed`, `lists` says that lists, checks and facets go by the files of
    before, and how far the rebuild is that ends that.
    """
    settings = read_settings(given)
    require_folders(settings, "policies", "tenants")
    known = {found.tenant: found for found in Bundles(settings).status()}
    for name in tenants_shown:
        if name not in known:
            raise UnknownTenant(f"there is no tenant `{name}` in {settings.tenants}, a tenant is a folder there")
    ring = KeyRing(settings.tenants, report=lambda _: None)  # its column says it
    with contextlib.ExitStack() as stack:
        store = _open(settings, stack)
        lists = _Lists(settings, store) if store else None
        rows = [_look(settings, ring, lists, known[name]) for name in tenants_shown or known]
    if problem := say_overdue(settings):
        click.echo(f"keyring: {problem}", err=True)
    if as_json:
        print_json(rows)
        return
    cells = [
        [
            *(row.tenant, row.version, row.loaded_at, row.last_error, row.keys_problem, row.lists),
            ", ".join(row.cases_not_run),
        ]
        for row in rows
    ]
    filled = [index for index in range(len(_COLUMNS)) if index < 3 or any(row[index] for row in cells)]
    print_table(
        str(settings.tenants),
        [_COLUMNS[index] for index in filled],
        [[row[index] for index in filled] for row in cells],
    )


def _open(settings: Settings, stack: contextlib.ExitStack) -> Store | None:
    """The store until the stack is closed, none where there is none to look at: what is wrong with it is told."""
    if not is_made(settings):
        return None
    try:
        store = open_store(settings)
    except (Refused, NoKey, Unavailable) as error:
        click.echo(f"store: {error}", err=True)
        return None
    stack.callback(store.close)
    return store


def _look(settings: Settings, ring: KeyRing, lists: _Lists | None, found: TenantStatus) -> Row:
    version, error = found.version, found.last_error
    if not version and not error and not found.tenant.startswith("@"):
        # no worker has used it yet: say what would answer
        version, error = _try(settings, found.tenant)
    problem = ring.problem(found.tenant) or ""
    # what the files ask for counts where they answer
    said = lists.tell(found.tenant, asks=not error) if lists else ""
    return Row(found.tenant, version, found.loaded_at, error, problem, said, found.cases_not_run)


class _Lists:
    """What lists of the tenants start from."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store

    def tell(self, tenant: str, *, asks: bool) -> str:
        """How far the rebuild of a tenant is; empty where there is none to do, or where its files are not to be
        asked."""
        try:
            if not self._store.has_store(tenant):
                return ""
            with self._store.session(tenant) as session:
                progress = find_progress(session)
                wish = self._read_wish(tenant) if asks and not progress else None
                is_waiting = wish is not None and is_behind(session, wish)
        except (NoKey, Unavailable) as error:
            return str(error)
        if progress:
            return f"being rebuilt (generation {progress.generation}, {progress.percent} %)"
        return "to be rebuilt" if is_waiting else ""

    def _read_wish(self, tenant: str) -> Wish | None:
        """What the files of a tenant ask for, none where they can't be read."""
        folder = find_folder(self._settings.tenants, tenant)
        if folder is None:
            return None
        # all of a tenant's files may take seconds to parse
        root = tenant_root(tenant)
        files = read_layer(folder, root).files
        asking = {name: files[name] for name in (SETTINGS, RELATIONSHIPS) if name in files}
        layers = self._platform, parse_layer(root, asking, tenant=tenant)
        return None if any(layer.findings for layer in layers) else join_wish(*layers)

    @cached_property
    def _platform(self) -> Layer:
        return load_platform(self._settings.policies).layer


def _try(settings: Settings, tenant: str) -> tuple[str, str]:
    try:
        bundle, findings = load(settings.policies, settings.tenants, tenant)
    except (Refused, UnknownTenant) as error:
        return "", str(error)
    return (bundle.version_text if bundle else ""), (str(findings[0]) if findings else "")
