"""Half a change is never read: what moves while it is read is read again, and what moved before it was held is told."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import Mock

import pytest

from policy_service.bundles import current as current_module
from policy_service.bundles import quiet as quiet_module
from policy_service.bundles.current import Bundles
from policy_service.bundles.quiet import read_quiet, read_still
from policy_service.bundles.sources import Source, read_layer
from tests.unit.bundles.folders import fill, make, policy

ROOT = "tenants/acme"


def change_once(monkeypatch: pytest.MonkeyPatch, module: object, name: str, path: Path) -> None:
    """Read as ever, but the first time `path` is written right behind it."""
    real = getattr(module, name)

    def read(folder: Path, root: str, *more: float) -> Source:
        source: Source = real(folder, root, *more)
        if not path.exists():
            fill(path.parent, {path.name: policy(path.stem)})
        return source

    monkeypatch.setattr(module, name, read)


def test_a_file_that_comes_while_the_others_are_read_makes_it_half_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill(tmp_path / "acme", {"a.cedar": policy("a")})
    change_once(monkeypatch, quiet_module, "read_layer", folder / "b.cedar")
    assert read_still(folder, ROOT, 0.0) is None
    whole = read_still(folder, ROOT, 0.0)
    assert whole is not None
    assert set(whole.files) == {"a.cedar", "b.cedar"}


def test_a_first_load_reads_again_what_moved_while_it_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill(tmp_path / "acme", {"a.cedar": policy("a")})
    change_once(monkeypatch, quiet_module, "read_layer", folder / "b.cedar")
    assert set(read_quiet(folder, ROOT, 0.0).files) == {"a.cedar", "b.cedar"}


def test_a_file_in_the_place_of_one_that_was_read_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill(tmp_path / "acme", {"a.cedar": policy("a"), ".new": policy("b")})

    def read_and_swap(folder: Path, root: str) -> Source:
        source = read_layer(folder, root)
        os.replace(folder / ".new", folder / "a.cedar")
        return source

    monkeypatch.setattr(quiet_module, "read_layer", read_and_swap)
    assert read_still(folder, ROOT, 0.0) is None


def test_what_changed_before_the_bundle_was_held_is_told_to_the_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make(tmp_path, "acme", "other")
    bundles = Bundles(settings, quiet=0.0)
    watch = Mock()
    monkeypatch.setattr(bundles, "_watch", watch)
    bundles.current("other")
    watch.note.assert_not_called()
    change_once(monkeypatch, current_module, "read_quiet", settings.tenants / "acme" / "b.cedar")
    bundles.current("acme")
    watch.note.assert_called_once_with("acme")
