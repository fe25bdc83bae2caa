"""A keyring at AWS KMS, against moto; what moto can't do is stubbed."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import exceptions
from botocore.stub import Stubber
from moto import mock_aws

from policy_service.config import Settings
from policy_service.errors import NoKey, StoreFailed
from policy_service.store import aws_kms
from policy_service.store.aws_kms import KmsKeyring, open_key
from policy_service.store.data_keys import DataKeys
from policy_service.store.keyring import Keyring, Wrapped, open_keyring, rotate_file
from policy_service.store.rotation import move, rotate
from tests.unit.store.memory_keys import MemoryTable, file_keyring

KEY = bytes(range(32))
ARN = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def kms() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("kms")


@pytest.fixture
def key(kms: Any) -> dict[str, Any]:
    created: dict[str, Any] = kms.create_key()["KeyMetadata"]
    return created


@pytest.fixture
def keyring(key: dict[str, Any], tmp_path: Path) -> Keyring:
    return open_keyring(settings(tmp_path, key["KeyId"]))


def settings(folder: Path, key_id: str) -> Settings:
    return Settings(data=folder, keyring=f"aws-kms:{key_id}")


def test_what_was_wrapped_opens_again(keyring: Keyring, key: dict[str, Any], tmp_path: Path) -> None:
    wrapped = keyring.wrap(KEY, "acme", 1)
    assert wrapped.kek == keyring.current() == key["Arn"]
    assert KEY not in wrapped.blob
    for name in (key["KeyId"], key["Arn"]):
        assert open_keyring(settings(tmp_path, name)).unwrap(wrapped, "acme", 1) == KEY
    assert rotate_file(settings(tmp_path, key["KeyId"])) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("account", "version"), [("globex", 1), ("acme", 2)])
def test_it_opens_in_its_context_only(keyring: Keyring, account: str, version: int) -> None:
    wrapped = keyring.wrap(KEY, "acme", 1)
    with pytest.raises(NoKey, match=r"refuses `decrypt`.*InvalidCiphertextException"):
        keyring.unwrap(wrapped, account, version)
    with pytest.raises(NoKey, match="refuses `re_encrypt`"):
        keyring.rewrap(wrapped, account, version)


def test_an_alias_names_a_key(kms: Any, key: dict[str, Any], tmp_path: Path) -> None:
    kms.create_alias(AliasName="alias/policy-service", TargetKeyId=key["KeyId"])
    keyring = open_keyring(settings(tmp_path, "alias/policy-service"))
    assert keyring.current() == key["Arn"]
    assert keyring.unwrap(keyring.wrap(KEY, "acme", 1), "acme", 1) == KEY


def test_material_that_kms_rotated_still_opens_and_rewrapping_stays_in_kms(
    kms: Any, keyring: Keyring, key: dict[str, Any]
) -> None:
    old = keyring.wrap(KEY, "acme", 1)
    kms.rotate_key_on_demand(KeyId=key["KeyId"])
    assert keyring.unwrap(old, "acme", 1) == KEY
    new = keyring.rewrap(old, "acme", 1)
    assert new.kek == old.kek
    assert new.blob != old.blob
    assert keyring.unwrap(new, "acme", 1) == KEY


def test_a_rotation_rewraps_every_row(kms: Any, keyring: Keyring, key: dict[str, Any], tmp_path: Path) -> None:
    table = MemoryTable()
    keys = DataKeys(table, keyring)
    secrets = {name: keys.active(name).secret for name in ("acme", "globex", "@service")}
    before = dict(table.rows)
    kms.rotate_key_on_demand(KeyId=key["KeyId"])
    done = rotate(settings(tmp_path, key["KeyId"]), table, lambda done, total: None)
    assert done == (key["Arn"], False, 3)
    assert all(table.rows[place].wrapped != row.wrapped for place, row in before.items())
    keys.forget()
    assert {name: keys.active(name).secret for name in secrets} == secrets


def test_another_key_of_the_same_owner_takes_over(kms: Any, keyring: Keyring, tmp_path: Path) -> None:
    table = MemoryTable()
    secret = DataKeys(table, keyring).active("acme").secret
    other = kms.create_key()["KeyMetadata"]
    # the setting names the new key: what the old one wrapped opens, and a rotation brings it over
    keys = DataKeys(table, open_keyring(settings(tmp_path, other["KeyId"])))
    assert keys.active("acme").secret == secret
    rotate(settings(tmp_path, other["KeyId"]), table, lambda done, total: None)
    assert table.rows["acme", 1].kek == other["Arn"]
    keys.forget()
    assert keys.active("acme").secret == secret


def test_a_stranger_s_key_opens_nothing(keyring: Keyring) -> None:
    """Who can write rows could else have us seal with a data key that they know."""
    wrapped = keyring.wrap(KEY, "acme", 1)
    for kek in (
        wrapped.kek.replace("123456789012", "999999999999"),
        wrapped.kek.replace("eu-central-1", "us-east-1"),
        "",
        "0123456789abcdef",
    ):
        for attempt in (keyring.unwrap, keyring.rewrap):
            with pytest.raises(NoKey, match="which is no key of"):
                attempt(Wrapped(kek, wrapped.blob), "acme", 1)


def test_a_keyring_that_was_not_looked_at_yet_refuses_strangers_too(kms: Any, key: dict[str, Any]) -> None:
    fresh = KmsKeyring(kms, key["KeyId"])
    with pytest.raises(NoKey, match="which is no key of"):
        fresh.unwrap(Wrapped("arn:aws:kms:eu-central-1:999999999999:key/1", b"x"), "acme", 1)


def test_data_keys_move_from_a_file_to_kms_and_back(keyring: Keyring, tmp_path: Path) -> None:
    table, file = MemoryTable(), file_keyring(tmp_path)
    secret = DataKeys(table, file).active("acme").secret
    assert move(table, file, keyring, lambda done, total: None).rewrapped == 1
    assert DataKeys(table, keyring).active("acme").secret == secret
    with pytest.raises(NoKey, match="doesn't hold the key `arn:aws"):
        DataKeys(table, file).active("acme")
    move(table, keyring, file, lambda done, total: None)
    assert DataKeys(table, file).active("acme").secret == secret


def test_a_key_that_is_not_there_or_not_enabled_is_refused_at_the_start(
    kms: Any, key: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(NoKey, match="there is no such key"):
        open_keyring(settings(tmp_path, "00000000-0000-0000-0000-000000000000"))
    with pytest.raises(NoKey, match="names no key"):
        open_keyring(settings(tmp_path, ""))
    kms.disable_key(KeyId=key["KeyId"])
    with pytest.raises(NoKey, match="is `Disabled`, enable it"):
        open_keyring(settings(tmp_path, key["KeyId"]))
    kms.enable_key(KeyId=key["KeyId"])
    kms.schedule_key_deletion(KeyId=key["KeyId"])
    with pytest.raises(NoKey, match="is `PendingDeletion`"):
        open_keyring(settings(tmp_path, key["KeyId"]))


def test_without_boto3_the_setting_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from policy_service.store import keyring as module

    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(module.importlib, "import_module", missing)
    with pytest.raises(NoKey, match=r"pip install 'policy-service\[aws\]'"):
        open_keyring(settings(tmp_path, "x"))


def test_the_region_of_an_arn_is_the_one_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def client(name: str, region_name: str | None, config: Any) -> Any:
        asked.append(region_name)
        raise exceptions.NoRegionError

    monkeypatch.setattr(aws_kms.boto3, "client", client)
    for key_id in (ARN, "alias/x"):
        with pytest.raises(NoKey, match=r"\(NoRegionError\), give the service credentials and a region"):
            open_key(key_id)
    assert asked == ["eu-central-1", None]


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("AccessDeniedException", 400, NoKey),
        ("DisabledException", 400, NoKey),
        ("KMSInvalidStateException", 400, NoKey),
        ("IncorrectKeyException", 400, NoKey),
        ("InvalidCiphertextException", 400, NoKey),
        ("NeverHeardOf", 400, NoKey),
        ("ThrottlingException", 400, StoreFailed),
        ("DependencyTimeoutException", 500, StoreFailed),
        ("KMSInternalException", 500, StoreFailed),
        ("NeverHeardOf", 503, StoreFailed),
    ],
)
def test_what_aws_refuses_is_told_from_what_it_can_t_do_now(code: str, status: int, error: type[Exception]) -> None:
    client = boto3.client("kms")
    keyring = KmsKeyring(client, ARN)
    with Stubber(client) as stub:
        stub.add_client_error("encrypt", code, "the text of AWS", http_status_code=status)
        with pytest.raises(error, match=code) as caught:
            keyring.wrap(KEY, "acme", 1)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (exceptions.EndpointConnectionError(endpoint_url="https://x"), StoreFailed),
        (exceptions.ConnectTimeoutError(endpoint_url="https://x"), StoreFailed),
        (exceptions.ReadTimeoutError(endpoint_url="https://x"), StoreFailed),
        (exceptions.SSLError(endpoint_url="https://x", error="bad"), StoreFailed),
        (exceptions.NoCredentialsError(), NoKey),
        (exceptions.PartialCredentialsError(provider="env", cred_var="x"), NoKey),
        (exceptions.ParamValidationError(report=f"value: {KEY!r}"), NoKey),
    ],
)
def test_an_error_of_boto3_is_one_sentence_that_quotes_nothing(raised: Exception, error: type[Exception]) -> None:
    class Client:
        def encrypt(self, **arguments: Any) -> None:
            raise raised

    with pytest.raises(error, match=type(raised).__name__) as caught:
        KmsKeyring(Client(), ARN).wrap(KEY, "acme", 1)
    assert repr(KEY)[2:-1] not in str(caught.value)
    assert caught.value.__suppress_context__


def test_no_key_is_in_the_log_of_boto3(
    keyring: Keyring, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    assert keyring.unwrap(keyring.wrap(KEY, "acme", 1), "acme", 1) == KEY
    for secret in (repr(KEY)[2:-1], base64.b64encode(KEY).decode()):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("created_days", "rotated_days", "status", "overdue"),
    [
        (10, [], {"KeyRotationEnabled": False}, False),
        (400, [], {"KeyRotationEnabled": False}, True),
        (900, [400, 30], {"KeyRotationEnabled": False}, False),
        (900, [600, 400], {"KeyRotationEnabled": False}, True),
        (400, [], {"KeyRotationEnabled": True}, False),
        (400, [], {"KeyRotationEnabled": True, "RotationPeriodInDays": 365}, False),
        (400, [], {"KeyRotationEnabled": True, "RotationPeriodInDays": 2560}, True),
    ],
)
def test_when_its_rotation_is_overdue(
    created_days: int, rotated_days: list[int], status: dict[str, Any], overdue: bool
) -> None:
    now = datetime.now(UTC)
    metadata = {"KeyId": "x", "Arn": ARN, "KeyState": "Enabled", "CreationDate": now - timedelta(days=created_days)}
    rotations = [{"RotationDate": now - timedelta(days=days)} for days in rotated_days]
    client = boto3.client("kms")
    with Stubber(client) as stub:
        stub.add_response("describe_key", {"KeyMetadata": metadata})
        stub.add_response("get_key_rotation_status", status)
        # the newest may be on any page
        stub.add_response("list_key_rotations", {"Rotations": rotations[:1], "Truncated": True, "NextMarker": "m"})
        stub.add_response(
            "list_key_rotations", {"Rotations": rotations[1:], "Truncated": False}, {"KeyId": ARN, "Marker": "m"}
        )
        health = KmsKeyring(client, "x").health()
    assert (health.provider, health.current, health.overdue) == ("AWS KMS", ARN, overdue)
    assert ("enable-key-rotation" in health.sentence) is overdue
