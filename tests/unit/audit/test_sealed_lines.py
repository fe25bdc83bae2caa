"""Lines of the log: sealed for their tenant and time, and what is made of lines that are not."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policy_service.audit.records import Mask
from policy_service.audit.sealed_lines import ERASED, OLDER, Opener, read_line, write_line
from policy_service.errors import NoKey
from policy_service.model import Act, Caller, Request, Thing
from policy_service.store.data_keys import DataKey
from tests.logs import Unwrapping, make_keys
from tests.unit.audit.conftest import FACTS, make

NONE = Mask(())
KEYS = make_keys()
CLEAR = b'{"tenant":"acme","key_version":0,"body":%b}'


def seal(body: dict[str, Any], mask: Mask = NONE) -> bytes:
    return write_line(body, mask, KEYS.active(body["tenant"]))


def change(line: bytes, **members: Any) -> bytes:
    return json.dumps(json.loads(line) | members).encode()


class TestWrite:
    def test_a_line_says_whose_and_when_and_nothing_else(self) -> None:
        line = seal(make())
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        envelope = json.loads(line)
        assert list(envelope) == ["tenant", "key_version", "time", "body"]
        assert (envelope["tenant"], envelope["time"]) == ("acme", "2026-01-01T00:00:00.250000Z")
        assert envelope["key_version"] == KEYS.active("acme").version == 1

    def test_nothing_of_a_body_stands_in_its_line(self) -> None:
        line = seal(make())
        raw = line + base64.b64decode(json.loads(line)["body"])
        for text in ("r-1", "alice", "web-1", "10.0.0.1", "123-45", "hosts-read", "decision", FACTS[2:30]):
            assert text.encode() not in raw

    def test_it_opens_to_what_was_recorded(self) -> None:
        body = make(request=Request(Thing("u", "a"), Act("r"), Thing("h", "b"), {"n": 2**70, "d": Decimal("0.10")}))
        opened = Opener(KEYS).open(read_line(seal(body)))
        assert opened is not None
        assert str(opened["context"]) == str(body["context"])
        assert opened["facts"] == json.loads(FACTS)

    def test_two_lines_of_one_record_differ(self) -> None:
        assert seal(make()) != seal(make())

    def test_what_is_masked_is_gone_before_it_is_sealed(self) -> None:
        opened = Opener(KEYS).open(read_line(seal(make(), Mask(("subject.id",)))))
        assert opened is not None
        assert opened["subject"]["id"] == "***"

    def test_what_json_can_not_hold_is_a_type_error(self) -> None:
        with pytest.raises(TypeError):
            seal(make(request_id=object()))


class TestTampering:
    @pytest.mark.parametrize(
        "tamper",
        [
            lambda line: change(line, time="2026-01-01T00:00:00.250001Z"),
            lambda line: change(line, tenant="globex"),
            lambda line: change(line, key_version=2),
            lambda line: change(line, body=json.loads(seal(make(at=7)))["body"]),
            lambda line: change(line, body=json.loads(seal(make(caller=Caller("globex", "k"))))["body"]),
            lambda line: change(line, body=""),
            lambda line: change(line, body="AAAA"),
            lambda line: change(line, body="no base64!"),
            lambda line: change(line, body=f"!{json.loads(line)['body']}"),
            lambda line: change(line, body="é"),
            *(lambda line, at=at: flip(line, at) for at in (0, 3, 7, 20, -1)),
        ],
    )
    def test_a_changed_line_does_not_open(self, tamper: Callable[[bytes], bytes]) -> None:
        changed = read_line(tamper(seal(make())))
        opener = Opener(make_keys(versions=2))
        with pytest.raises(ValueError, match=r"sealed|base64|characters|ASCII|padding"):
            opener.open(changed)
        assert opener.gone == {}

    @pytest.mark.parametrize(
        "text",
        [
            *(b"", b"{", b"[]", b"{}", b"null", b"\xff", b"1", b'"sealed"', b"\0", b"[" * 5_000),
            *(
                CLEAR % body
                for body in (b"1", b'"text"', b"[]", b"{}", b'{"time":1}', b"null", b'{"time":"2","a":NaN}')
            ),
            CLEAR % (b'{"time":"2026","n":' + b"9" * 5_000 + b"}"),
            CLEAR % (b'{"time":"2026","n":' + b"[" * 1_000 + b"]" * 1_000 + b"}"),
            *(
                b'{"tenant":"acme","key_version":%b,"time":"2026","body":"AA=="}' % version
                for version in (
                    b"0",
                    b"-1",
                    b"true",
                    b'"1"',
                    b"1.0",
                    b"null",
                    b"4294967296",
                    b"99999999999999999999999",
                )
            ),
            *(
                b'{"tenant":%b,"key_version":1,"time":"2026","body":"AA=="}' % tenant
                for tenant in (b"1", b"null", b'["a"]', b'"a\\u0000"', b'"a\\u001b[2J"', b'"a\\n"')
            ),
            b'{"tenant":"acme","key_version":1,"time":1,"body":"AA=="}',
            b'{"tenant":"acme","key_version":1,"body":"AA=="}',
            b'{"tenant":"acme","key_version":1,"time":"2026","body":{"time":"2026"}}',
            b'{"key_version":1,"time":"2026","body":"AA=="}',
        ],
    )
    def test_a_line_that_is_none_is_a_value_error(self, text: bytes) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - the sentences are a parser's
            read_line(text)


def flip(line: bytes, at: int) -> bytes:
    """The line with one bit of its sealed body turned."""
    sealed = bytearray(base64.b64decode(json.loads(line)["body"]))
    sealed[at] ^= 1
    return change(line, body=base64.b64encode(sealed).decode())


class TestKeys:
    def test_old_versions_open(self) -> None:
        old = seal(make())
        keys = make_keys(versions=2)
        new = write_line(make(), NONE, keys.active("acme"))
        assert json.loads(new)["key_version"] == 2
        opener = Opener(keys)
        assert opener.open(read_line(old)) == opener.open(read_line(new)) is not None

    def test_lines_of_an_erased_tenant_are_counted(self) -> None:
        opener = Opener(make_keys(erased=["acme"]))
        assert [opener.open(read_line(seal(make()))) for _ in range(3)] == [None] * 3
        assert opener.open(read_line(seal(make(caller=Caller("globex", "k"))))) is not None
        assert (opener.gone, opener.clear) == ({("acme", ERASED): 3}, 0)

    def test_a_tenant_that_was_created_again_has_another_first_key(self) -> None:
        """Its lines of before are no more than those of any erased tenant: nobody changed them."""
        keys = make_keys(made_on=1_767_225_601_000)
        sealed_before = write_line(make(), NONE, DataKey("acme", 1, b"x" * 32))
        opener = Opener(keys)
        assert opener.open(read_line(sealed_before)) is None
        assert opener.gone == {("acme", OLDER): 1}
        with pytest.raises(ValueError, match="sealed"):
            opener.open(read_line(write_line(make(at=1_767_225_602), NONE, DataKey("acme", 1, b"x" * 32))))

    def test_a_key_that_the_keyring_can_not_open_is_no_erased_tenant_s(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: Any) -> bytes:
            raise NoKey("there is no KEK `x`")

        monkeypatch.setattr(Unwrapping, "unwrap", refuse)
        with pytest.raises(NoKey, match="KEK"):
            Opener(make_keys()).open(read_line(seal(make())))

    def test_another_tenant_s_key_opens_nothing(self) -> None:
        line = write_line(make(), NONE, KEYS.active("globex"))
        with pytest.raises(ValueError, match="sealed"):
            Opener(KEYS).open(read_line(line))

    def test_lines_from_before_bodies_were_sealed_are_read(self) -> None:
        opener = Opener(KEYS)
        body = opener.open(read_line(CLEAR % b'{"time":"2019","n":0.10,"big":%d}' % 2**70))
        assert str(body) == str({"time": "2019", "n": Decimal("0.10"), "big": 2**70})
        assert opener.clear == 1

    def test_a_line_that_is_not_sealed_is_none_of_a_time_when_all_were(self) -> None:
        opener = Opener(make_keys(2, made_on=1_577_836_800_000))
        with pytest.raises(ValueError, match="the record is not sealed"):
            opener.open(read_line(CLEAR % b'{"time":"2020-01-01T00:00:00.000000Z"}'))
        assert opener.clear == 0
