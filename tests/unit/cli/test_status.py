"""`policy-service status`: what it says of the lists of a tenant whose files ask for something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from policy_service.assets.rebuilding import _Rebuild
from policy_service.bundles.load import load
from policy_service.cli import main
from policy_service.config import Settings
from policy_service.policy.bundle import Bundle
from policy_service.store.door import Store
from policy_service.store.opening import open_store
from tests.stores import create_store
from tests.unit.assets.inventories import entity, opened

DRAWN = "relationships:\n  owns: {parent: from}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A service with one tenant."""
    for folder in ("policies", "tenants/acme", "data"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "policies" / "a.cedar").write_text('@id("p") permit(principal, action, resource);')
    (tmp_path / "tenants" / "acme" / "tenant.yaml").write_text("name: acme\nindexed: [env]\n")
    return tmp_path


def lists(root: Path) -> str:
    """What `status` says of the tenant's lists."""
    folders = [part for name in ("policies", "tenants", "data") for part in (f"--{name}", str(root / name))]
    result = CliRunner().invoke(main, ["status", *folders, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    said: dict[str, Any] = {row["tenant"]: row["lists"] for row in json.loads(result.stdout)}
    return str(said["acme"])


def load_files(root: Path) -> Bundle:
    """The tenant's bundle, as its files are now."""
    bundle, findings = load(root / "policies", root / "tenants", "acme")
    assert bundle is not None, findings
    return bundle


def open_again(root: Path) -> Store:
    return open_store(Settings(data=root / "data"))


def test_lists_are_to_be_rebuilt_are_being_rebuilt_and_are_right(root: Path) -> None:
    assert lists(root) == ""
    store = open_again(root)
    create_store(store, "acme")
    with opened(store, load_files(root)) as inventory:
        entity(inventory, "h", env="prod")
    assert lists(root) == ""
    places = [root / "tenants" / "acme" / "tenant.yaml", root / "tenants" / "acme" / "relationships.yaml"]
    # the platform's files draw as well
    places += [root / "policies" / "relationships.yaml"]
    texts = ["name: acme\n", DRAWN, DRAWN.replace("owns", "holds")]
    for path, text in zip(places, texts, strict=True):
        path.write_text(text)
        assert (path.parent.name, lists(root)) == (path.parent.name, "to be rebuilt")
        run = _Rebuild(store, load_files(root), anew=False)
        said = set()
        while not run.is_done:
            run.step()
            said.add(lists(root).partition(" (")[0])
        assert said == {"being rebuilt", ""}
        assert lists(root) == ""
    store.close()


def test_files_that_answer_nothing_ask_for_nothing(root: Path) -> None:
    store = open_again(root)
    create_store(store, "acme")
    with opened(store, load_files(root)) as inventory:
        entity(inventory, "h", env="prod")
    store.close()
    (root / "tenants" / "acme" / "tenant.yaml").write_text("name: acme\n")
    (root / "tenants" / "acme" / "own.cedar").write_text("no policy")
    assert lists(root) == ""
