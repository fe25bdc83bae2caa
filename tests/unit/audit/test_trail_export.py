"""An exported trail, and the program that verifies it without the service."""

from __future__ import annotations

import contextlib
import json
import runpy
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from policy_service.audit import sealer
from policy_service.audit.sealer import seal
from policy_service.audit.trail_export import FORMAT, export, read_published, write_head
from policy_service.audit.trail_pages import read_heads
from policy_service.errors import Refused
from policy_service.store.door import Store
from tests.stores import make_place
from tests.unit.audit.trails import AT, Versions, grow

PROGRAM = Path(__file__).parents[3] / "docs" / "verify_trail.py"
WITHOUT = """
import runpy, sys
sys.modules["cryptography"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def fill(store: Store) -> list[str]:
    """Five entries with heads at 2, 4 and 5, the last by a newer key, exported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealer, "BATCH", 2)
        grow(store, "acme", "a", "b\ud800\n", "c", "d")
        patch.setattr(store, "keys", Versions(1))
        seal(store, "acme", everything=True, clock=lambda: AT)
        grow(store, "acme", "e")
        patch.setattr(store, "keys", Versions(1, 2))
        seal(store, "acme", everything=True, clock=lambda: AT)
        grow(store, "acme", "not sealed")
        return list(export(store, "acme", AT))


@pytest.fixture(scope="module")
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("place")
    with make_place("sqlite", folder, request) as place, contextlib.closing(place.open()) as store:
        return fill(store)


@pytest.fixture
def lines(exported: list[str]) -> list[str]:
    return list(exported)


def run_here(folder: Path, capsys: pytest.CaptureFixture[str], lines: list[str], *kept: str) -> tuple[int, str]:
    """Exit code and output of the program, in this process."""
    write(folder / "acme.trail", lines)
    write(folder / "acme.heads", kept)
    main = runpy.run_path(str(PROGRAM))["main"]
    try:
        main(str(folder / "acme.trail"), str(folder / "acme.heads"))
    except SystemExit as error:
        return 1, str(error.code).removeprefix(f"{folder}/")
    return 0, capsys.readouterr().out


def write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def run(folder: Path, lines: list[str], kept: list[str] | None = None, *, bare: bool = False) -> tuple[int, str]:
    """Exit code and output of the program."""
    files = []
    for name, content in (("acme.trail", lines), ("acme.heads", kept)):
        if content is not None:
            write(folder / name, content)
            files.append(name)
    command = [sys.executable, *(["-c", WITHOUT] if bare else []), str(PROGRAM), *files]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def alter(line: str, **changes: Any) -> str:
    return json.dumps(json.loads(line) | changes)


def test_the_lines_of_a_trail(store: Store) -> None:
    first, *rest = map(json.loads, fill(store))
    assert first["format"] == FORMAT
    assert (first["account"], first["links"], first["at"]) == ("acme", 5, round(AT * 1_000_000))
    assert sorted(first["keys"]) == ["1", "2"]
    assert [line.get("seq") or -line["head"] for line in rest] == [1, 2, -2, 3, 4, -4, 5, -5]
    assert json.loads(rest[1]["body"])["id"] == "b\ud800\n"


def test_a_whole_trail_is_verified_with_its_signatures(lines: list[str], tmp_path: Path) -> None:
    code, text = run(tmp_path, lines, [line for line in lines if '"head"' in line])
    assert (code, text.splitlines()[0]) == (0, "the trail of 'acme' holds: 5 entries, 3 heads")
    assert text.count("signatures verified with key") == 2


def test_without_cryptography_it_says_what_was_not_verified(lines: list[str], tmp_path: Path) -> None:
    code, text = run(tmp_path, lines, bare=True)
    assert code == 0
    assert "signatures were NOT verified" in text


def test_an_empty_trail_is_whole(store: Store, tmp_path: Path) -> None:
    assert run(tmp_path, list(export(store, "acme", AT)))[0] == 0


def test_tampering_is_exit_code_1(lines: list[str], tmp_path: Path) -> None:
    code, text = run(tmp_path, [*lines[:2], alter(lines[2], body="{}"), *lines[3:]], bare=True)
    assert (code, text.startswith("acme.trail:3: link 2 or its entry ")) == (1, True)


def test_whatever_is_done_to_the_lines_is_found_at_its_place(
    lines: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, a, b, head, c, *rest = lines
    altered = {
        2: [first, alter(a, body="{}"), b, head, c, *rest],
        3: [first, a, alter(b, hash="00"), head, c, *rest],
        4: [first, a, b, alter(head, signature=json.loads(rest[1])["signature"]), c, *rest],
        5: [first, a, b, head, *rest],
    }
    for line, content in altered.items():
        code, text = run_here(tmp_path, capsys, content)
        assert code == 1
        assert text.startswith(f"acme.trail:{line}: ")
    more = {
        "reordered": ([first, b, a, head, c, *rest], "link 1 or its entry was removed"),
        "cut off": (lines[:-2], "cut off after link 4"),
        "cut off before a head": (lines[:-1], "cut off after link 5"),
        "entry gone": ([first, alter(a, body=None), b, head, c, *rest], "link 1 or its entry was removed"),
        "another account": ([alter(first, account="globex"), *lines[1:]], "was changed"),
        "another time": ([first, a, b, alter(head, at=1), c, *rest], "the signature of head 2 is wrong"),
        "no key": ([alter(first, keys={}), *lines[1:]], "the signature of head 2 is wrong"),
        "a head elsewhere": ([first, a, head, b, c, *rest], "head 2 is not the end"),
        "no JSON": ([first, "nonsense", *lines[1:]], "acme.trail:2: "),
        "no object": ([first, "[]", *lines[1:]], "acme.trail:2: not readable"),
        "nothing": ([], "no trail"),
    }
    for content, expected in more.values():
        code, text = run_here(tmp_path, capsys, content)
        assert code == 1
        assert expected in text


def test_heads_that_were_kept_show_what_was_written_again(
    lines: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = alter(lines[3], hash="00" * 32)
    assert "written again" in run_here(tmp_path, capsys, lines, other)[1]
    shorter = [alter(lines[0], links=2), *lines[1:4]]
    assert run_here(tmp_path, capsys, shorter)[0] == 0
    assert run_here(tmp_path, capsys, shorter, *lines) == (1, "acme.trail:4: the trail was cut off after link 2")


def test_heads_are_read_from_an_export_and_from_lines_of_their_own(store: Store) -> None:
    lines = fill(store)
    heads = list(read_heads(store, "acme", 5))
    assert list(read_published("acme", lines, "f")) == heads
    assert list(read_published("acme", [write_head("acme", head) for head in heads], "f")) == heads


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([], "f:1: there is no head"),
        (["{}"], "f:1: there is no head"),
        (["{}", "nonsense"], "f:2: this is no line"),
        (["[]"], "f:1: there is no head"),
        (["7"], "f:1: this is no line"),
        (['{"head": 1}'], "f:1: this is no line"),
        (['{"head": 1.5, "hash": "00", "at": 1, "key": 1, "signature": ""}'], "f:1: this is no line"),
        (['{"head": 1, "hash": "00", "at": 1, "key": 1, "signature": ""}'], "f:1: this is a head of another trail"),
    ],
)
def test_what_holds_no_heads_of_the_trail_is_refused(content: list[str], expected: str) -> None:
    with pytest.raises(Refused, match=expected):
        list(read_published("acme", content, "f"))
