"""A keyring that is a key of AWS KMS: data keys are wrapped and opened there, so the KEK is on no disk of ours.

Each call carries account and version as the encryption context: KMS opens a wrapped key with the same context only,
and writes the context into CloudTrail. KMS rotates the key's material itself, and what older material wrapped opens.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

from policy_service.errors import NoKey, StoreFailed
from policy_service.store.wrapping import KeyringHealth, Wrapped, judge

_YEAR_DAYS = 365
# a call that hangs holds up whoever waits for the key, at most three times these seconds
_CONFIG = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
# said by KMS of itself, not of the key: it may be otherwise in a moment
_PASSING = (
    *("ThrottlingException", "LimitExceededException", "DependencyTimeoutException", "KeyUnavailableException"),
    *("KMSInternalException", "InternalFailure", "ServiceUnavailableException"),
)
_ADVICE = {
    "AccessDeniedException": "allow it in the policy of the key or of the service's role",
    "InvalidCiphertextException": "the wrapped key was changed, or is another account's, put it back from a backup",
    "NotFoundException": "there is no such key, name the right one and its region",
    "DisabledException": "enable the key",
    "KMSInvalidStateException": "cancel the deletion of the key, or enable it",
}
_ROTATE = "let AWS KMS rotate it each year (`aws kms enable-key-rotation`)"
# at DEBUG botocore writes what it sends and gets, keys included
logging.getLogger("botocore").setLevel(logging.INFO)


def open_key(key_id: str) -> KmsKeyring:
    """The key of this id, ARN or alias, which was seen to be enabled; `NoKey` or `StoreFailed` where it isn't."""
    if not key_id:
        raise NoKey("the keyring `aws-kms:` names no key, write `aws-kms:KEY_ID`")
    parts = key_id.split(":")
    region = parts[3] if parts[0] == "arn" and len(parts) >= 6 else None
    try:
        client = boto3.client("kms", region_name=region, config=_CONFIG)
    except (BotoCoreError, ValueError) as error:
        raise NoKey(_say(key_id, error)) from None
    keyring = KmsKeyring(client, key_id)
    keyring.current()
    return keyring


class KmsKeyring:
    """Data keys wrapped by a key of KMS; `client` is boto3's, which threads may share."""

    def __init__(self, client: Any, key_id: str) -> None:
        self._client = client
        self._key_id = key_id
        self._scope = ""  # the ARN up to the AWS account: whose keys we let open ours

    def wrap(self, key: bytes, account: str, version: int) -> Wrapped:
        """The key, wrapped in KMS."""
        answer = self._call("encrypt", KeyId=self._key_id, Plaintext=key, EncryptionContext=_context(account, version))
        return Wrapped(answer["KeyId"], answer["CiphertextBlob"])

    def unwrap(self, wrapped: Wrapped, account: str, version: int) -> bytes:
        """The key again; `NoKey` where KMS refuses, or another AWS account's key wrapped it."""
        answer = self._call(
            "decrypt",
            KeyId=self._ours(wrapped, account),
            CiphertextBlob=wrapped.blob,
            EncryptionContext=_context(account, version),
        )
        return bytes(answer["Plaintext"])

    def rewrap(self, wrapped: Wrapped, account: str, version: int) -> Wrapped:
        """The same key, wrapped by the newest material of the current key; it doesn't leave KMS for that."""
        context = _context(account, version)
        answer = self._call(
            "re_encrypt",
            CiphertextBlob=wrapped.blob,
            SourceKeyId=self._ours(wrapped, account),
            SourceEncryptionContext=context,
            DestinationKeyId=self._key_id,
            DestinationEncryptionContext=context,
        )
        return Wrapped(answer["KeyId"], answer["CiphertextBlob"])

    def current(self) -> str:
        """The ARN of the key; `NoKey` where it is disabled, or waits for its deletion."""
        return str(self._describe()["Arn"])

    def health(self) -> KeyringHealth:
        """How old the key's material is; a key that KMS rotates each year is never overdue."""
        key = self._describe()
        rotation = self._call("get_key_rotation_status", KeyId=key["Arn"])
        renewed = rotation["KeyRotationEnabled"] and rotation.get("RotationPeriodInDays", _YEAR_DAYS) <= _YEAR_DAYS
        dates: list[datetime] = [key["CreationDate"]]
        marker: dict[str, str] = {}
        while True:
            page = self._call("list_key_rotations", KeyId=key["Arn"], **marker)
            dates += (each["RotationDate"] for each in page["Rotations"])
            if not page.get("Truncated"):
                break
            marker = {"Marker": page["NextMarker"]}
        newest = int(max(dates).timestamp() * 1000)
        return judge("AWS KMS", key["Arn"], newest, time.time_ns() // 1_000_000, advice=None if renewed else _ROTATE)

    def _describe(self) -> dict[str, Any]:
        key: dict[str, Any] = self._call("describe_key", KeyId=self._key_id)["KeyMetadata"]
        if key["KeyState"] != "Enabled":
            raise NoKey(f"the key `{key['Arn']}` of AWS KMS is `{key['KeyState']}`, enable it or name another")
        self._scope = key["Arn"].rpartition(":")[0]
        return key

    def _ours(self, wrapped: Wrapped, account: str) -> str:
        """The key that wrapped this: ours or one that ours took over from. Never a stranger's, who could open it."""
        scope = self._scope or self.current().rpartition(":")[0]
        if wrapped.kek.rpartition(":")[0] != scope:
            raise NoKey(
                f"`{wrapped.kek}` wraps the data key of `{account}`, which is no key of `{scope}`: "
                "name the keyring that it belongs to"
            )
        return wrapped.kek

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**arguments)
        except ClientError as error:
            raise _read(error, operation, self._key_id) from None
        except (ConnectionError, HTTPClientError) as error:
            raise StoreFailed(f"AWS KMS can't be reached ({_name(error)}), see to the network and try again") from None
        except BotoCoreError as error:
            raise NoKey(_say(self._key_id, error)) from None
        return answer


def _read(error: ClientError, operation: str, key_id: str) -> NoKey | StoreFailed:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    if code in _PASSING or status >= 500:
        return StoreFailed(f"AWS KMS can't answer now ({code or status}), try again")
    advice = _ADVICE.get(code, "see to the key and the service's credentials")
    return NoKey(f"AWS KMS refuses `{operation}` with the key `{key_id}` ({code}): {advice}")


def _say(key_id: str, error: Exception) -> str:
    return f"AWS KMS can't be asked for the key `{key_id}` ({_name(error)}), give the service credentials and a region"


def _name(error: Exception) -> str:
    # the text of some errors quotes what was sent
    return type(error).__name__


def _context(account: str, version: int) -> dict[str, str]:
    return {"account": account, "version": str(version)}
