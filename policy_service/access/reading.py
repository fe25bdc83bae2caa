"""One asset as a subject may read it."""

from __future__ import annotations

from typing import NamedTuple

from policy_service.access.authorize import Service
from policy_service.access.enforce import Asker, judging
from policy_service.access.fields import Veil
from policy_service.access.sight import find
from policy_service.assets.asset import Asset, Kind


class Read(NamedTuple):
    """What the subject sees of one asset, its `ETag`, and the version of the files that allowed it."""

    asset: Asset
    etag: str
    version: str


def read(service: Service, asker: Asker, kind: Kind, id_: str) -> Read:
    """The asset with this id; `Missing` where there is none that the subject may see."""
    with judging(service, asker) as judge:
        veil = Veil(judge)
        (shown,) = veil.redact([find(judge, kind, id_)])
        return Read(shown, veil.tag(shown), judge.bundle.version_text)
