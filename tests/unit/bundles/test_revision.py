"""The commit of a bundle's files, and whether exactly these differ from it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from policy_service.bundles.revision import Revision, find_revision, look_at_head
from policy_service.bundles.sources import read_layer
from tests.unit.bundles.folders import fill

REAL = subprocess.run


def git(folder: Path, *arguments: str) -> str:
    author = (
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@t",
        "-c",
        "commit.gpgsign=false",
        "-c",
        "init.defaultBranch=main",
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *author, *arguments], cwd=folder, env=kept, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    fill(tmp_path, {"acme/a.cedar": "1", "acme/keys.yaml": "k", "acme/README.md": "r", "citadel/b.cedar": "2"})
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "x")
    return tmp_path


def of(folder: Path) -> Revision:
    return find_revision(folder, read_layer(folder, "tenants/x").files)


def test_a_clean_folder_is_of_its_commit(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert of(repository / "acme")[:2] == (commit, False)


def test_only_the_files_of_the_bundle_make_it_dirty(repository: Path) -> None:
    fill(repository, {"acme/keys.yaml": "other", "acme/README.md": "other", "citadel/b.cedar": "other", "acme/.x": ""})
    assert not of(repository / "acme").dirty
    assert of(repository / "citadel").dirty
    fill(repository, {"acme/a.cedar": "other"})
    assert of(repository / "acme").dirty
    fill(repository, {"acme/a.cedar": "1"})
    assert not of(repository / "acme").dirty


def test_new_ignored_and_missing_files_make_it_dirty(repository: Path) -> None:
    fill(repository, {".gitignore": "*.abac.json\n", "acme/x.abac.json": "[]"})
    assert of(repository / "acme").dirty
    (repository / "acme" / "x.abac.json").unlink()
    assert not of(repository / "acme").dirty
    (repository / "acme" / "a.cedar").unlink()
    fill(repository, {"acme/b.cedar": "1"})
    assert of(repository / "acme").dirty


def test_links_count_as_what_git_holds_of_them(repository: Path) -> None:
    (repository / "acme" / "l.cedar").symlink_to("a.cedar")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "link")
    assert not of(repository / "acme").dirty


def test_no_commit_outside_of_a_repository_or_for_files_git_does_not_know(repository: Path, tmp_path: Path) -> None:
    fill(repository, {"new/a.cedar": "1"})
    assert of(repository / "new") == Revision(dirty=True)
    assert of(repository / "missing") == Revision()


def test_no_commit_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert of(repository / "acme") == Revision()


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    fill(tmp_path, {"a.cedar": "1"})
    git(tmp_path, "init", "-q")
    assert of(tmp_path) == Revision()


def test_the_environment_and_the_repository_run_nothing(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {mark}\n")
    script.chmod(0o755)
    for name in ("core.fsmonitor", "core.pager", "core.sshCommand", "diff.external"):
        git(repository, "config", name, str(script))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(script))
    assert of(repository / "acme").commit
    assert not mark.exists()


@pytest.mark.parametrize("kept", [True, False])
def test_a_repository_that_lacks_an_object_fetches_none(
    repository: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    tree = git(repository, "rev-parse", "HEAD:acme")
    (repository / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    for name, value in (
        ("core.repositoryformatversion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", "ssh://nowhere/x"),
        ("core.sshCommand", f"touch {repository}/ran #"),
    ):
        git(repository, "config", name, value)
    if not kept:  # as for a git that does not know the variable

        def run(*arguments: Any, env: dict[str, str], **options: Any) -> Any:
            return REAL(*arguments, env={k: v for k, v in env.items() if k != "GIT_NO_LAZY_FETCH"}, **options)

        monkeypatch.setattr(subprocess, "run", run)
    assert find_revision(repository / "acme", {"a.cedar": b"1"}) == Revision()
    assert not (repository / "ran").exists()


def test_the_head_looks_different_after_a_commit(repository: Path) -> None:
    revision = of(repository / "acme")
    seen = look_at_head(revision.repository)
    assert look_at_head(revision.repository) == seen
    git(repository, "commit", "-q", "--allow-empty", "-m", "y")
    assert look_at_head(revision.repository) != seen
    assert of(repository / "acme").commit != revision.commit
