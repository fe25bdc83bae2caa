"""The broken tenants of `tenants/` and platforms of `platforms/`: each gives the findings of its `expect.md`.

All of them, and no others: the indented lines of `expect.md` are what `policy-service check --tenants
tests/broken/tenants` says, and a line that ends in `…` is told by its beginning. Without such lines it loads.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.broken.loading import load_apart

HERE = Path(__file__).parent
TENANTS = sorted(path.parent.name for path in HERE.glob("tenants/*/expect.md"))
PLATFORMS = sorted(path.parent.name for path in HERE.glob("platforms/*/expect.md"))


def expected(folder: Path) -> list[str]:
    """The findings that a folder must give."""
    lines = (folder / "expect.md").read_text(encoding="utf-8").split("\n")
    return [line[4:] for line in lines if line.startswith("    ")]


def shorten(told: list[str], wanted: list[str]) -> list[str]:
    """What was told, each finding as far as the expected one of the same place goes."""
    beginnings = [line[:-1] for line in wanted if line.endswith("…")]
    return sorted(next((f"{begin}…" for begin in beginnings if line.startswith(begin)), line) for line in told)


@pytest.fixture(scope="module")
def told() -> dict[str, list[str]]:
    return load_apart(HERE / "tenants", *TENANTS)


def test_every_folder_says_what_to_expect() -> None:
    for kind, names in ("tenants", TENANTS), ("platforms", PLATFORMS):
        assert names == sorted(path.name for path in (HERE / kind).iterdir() if path.is_dir())


@pytest.mark.parametrize("name", TENANTS)
def test_a_tenant_gives_its_findings_and_no_others(told: dict[str, list[str]], name: str) -> None:
    wanted = expected(HERE / "tenants" / name)
    assert shorten(told[name], wanted) == sorted(wanted)


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_platform_gives_its_findings_and_no_others(name: str) -> None:
    folder = HERE / "platforms" / name
    wanted = expected(folder)
    assert shorten(load_apart(HERE / "tenants", policies=folder)[""], wanted) == sorted(wanted)


def test_every_finding_is_one_line_of_a_place_and_a_sentence(told: dict[str, list[str]]) -> None:
    for name, findings in told.items():
        for finding in findings:
            path, line, sentence = finding.split(":", 2)
            assert path.startswith(f"tenants/{name}/")
            assert int(line) >= 1
            assert finding.isprintable()
            assert not sentence.endswith(".")
            assert len(sentence) <= 510
