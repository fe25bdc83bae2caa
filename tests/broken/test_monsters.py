"""Each monster of `monsters.py` is a finding or loads, within bounded time and memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.broken.loading import load_apart
from tests.broken.monsters import MONSTERS


@pytest.mark.parametrize("name", MONSTERS)
def test_a_monster_is_a_finding_or_loads(tmp_path: Path, name: str) -> None:
    build, wanted = MONSTERS[name]
    folder = tmp_path / "tenants" / "monster"
    folder.mkdir(parents=True)
    (folder / "tenant.yaml").write_text("name: Monster\n")
    build(folder)
    told = load_apart(tmp_path / "tenants", "monster")["monster"]
    if wanted:
        assert any(finding.startswith(f"tenants/monster{wanted}") for finding in told), told[:5]
    else:
        assert told == []
