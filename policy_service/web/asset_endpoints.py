"""What each endpoint for one asset, or a batch, does with a request that is read and whose caller is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policy_service.access import batches, reading, writing
from policy_service.access.authorize import Service
from policy_service.access.enforce import Asker
from policy_service.assets.asset import Asset, render
from policy_service.assets.drafts import Draft, read_entity, read_patch, read_relationship
from policy_service.errors import PolicyServiceError, RequestError
from policy_service.policy.stored_values import write_json
from policy_service.web.asset_requests import (
    BATCH_BYTES,
    PREFIX,
    Query,
    Target,
    is_held,
    read_guard,
)
from policy_service.web.authzen import VERSION
from policy_service.web.bodies import read_body
from policy_service.web.errors import Answer, Headers, status_of

ITEMS = 1_000
DROPPED = "raw-data-dropped"

_OWN = [("cache-control", "no-store"), ("x-content-type-options", "nosniff")]
_JSON = [("content-type", "application/json"), *_OWN]
_READERS = {"entity": read_entity, "relationship": read_relationship}
_PLURAL = {"entity": "entities", "relationship": "relationships"}


class Endpoint:
    """One request, authenticated: what each method does."""

    def __init__(
        self, service: Service, asker: Asker, target: Target, query: Query, headers: Mapping[str, str], body: bytes
    ) -> None:
        self.service, self.asker, self.target = service, asker, target
        self.query, self.headers, self.body = query, headers, body

    def answer(self, method: str) -> Answer:
        if self.target.verb == "all":
            return self.create()
        if self.target.verb == "batch":
            return self.write_batch()
        return {"GET": self.read, "HEAD": self.read, "PUT": self.replace, "PATCH": self.patch, "DELETE": self.delete}[
            method
        ]()

    def read(self) -> Answer:
        self.query.end()
        found = reading.read(self.service, self.asker, self.target.kind, self.target.id)
        if is_held(self.headers, found.etag):
            return Answer(304, [*_OWN, ("etag", found.etag), (VERSION, found.version)], b"")
        return self._show(200, found.asset, found.etag, found.version)

    def create(self) -> Answer:
        self.query.end()
        draft = _READERS[self.target.kind](read_body(self.headers, self.body))
        made = writing.create(self.service, self.asker, self.target.kind, draft)
        place = f"{self.service.settings.public_url}{PREFIX}/{_PLURAL[self.target.kind]}/{made.asset.id}"
        return self._show(201, made.asset, made.etag, made.version, [("location", place), *_count(draft.dropped)])

    def replace(self) -> Answer:
        self.query.end()
        draft = _READERS[self.target.kind](read_body(self.headers, self.body))
        guard = read_guard(self.headers)
        made = writing.replace(self.service, self.asker, self.target.kind, self.target.id, draft, guard)
        return self._show(200, made.asset, made.etag, made.version, _count(draft.dropped))

    def patch(self) -> Answer:
        self.query.end()
        part = read_patch(read_body(self.headers, self.body, patch=True))
        guard = read_guard(self.headers)
        made = writing.patch(self.service, self.asker, self.target.kind, self.target.id, part, guard)
        return self._show(200, made.asset, made.etag, made.version, _count(part.dropped))

    def delete(self) -> Answer:
        self.query.end()
        guard = read_guard(self.headers)
        version = writing.remove(self.service, self.asker, self.target.kind, self.target.id, guard)
        return Answer(204, [*_OWN, (VERSION, version)], b"")

    def write_batch(self) -> Answer:
        self.query.end()
        drafts = _read_batch(read_body(self.headers, self.body, limit=BATCH_BYTES))
        version, answers = batches.write_batch(self.service, self.asker, self.target.kind, drafts)
        items = [_shape(draft, made) for draft, made in zip(drafts, answers, strict=True)]
        return Answer(200, [*_JSON, (VERSION, version)], write_json({"items": items}).encode())

    def _render(self, asset: Asset) -> dict[str, Any]:
        return render(asset, self.asker.caller.tenant)

    def _show(self, status: int, asset: Asset, tag: str, version: str, headers: Headers | None = None) -> Answer:
        own = [*_JSON, ("etag", tag), (VERSION, version), *(headers or [])]
        return Answer(status, own, write_json(self._render(asset)).encode())


def _count(dropped: int) -> Headers:
    return [(DROPPED, str(dropped))] if dropped else []


def _read_batch(raw: Any) -> list[Draft | RequestError]:
    items = raw.get("entities") if isinstance(raw, dict) else None
    if not isinstance(items, list) or raw.keys() != {"entities"}:
        raise RequestError('the body is no batch, send `{"entities": […]}`')
    if not 0 < len(items) <= ITEMS:
        raise RequestError(f"`entities` holds {len(items)} items, send 1 to {ITEMS}")
    drafts: list[Draft | RequestError] = []
    for item in items:
        try:
            drafts.append(read_entity(item))
        except RequestError as error:
            drafts.append(error)
    return drafts


def _shape(draft: Draft | RequestError, made: writing.Written | PolicyServiceError) -> dict[str, Any]:
    if isinstance(made, PolicyServiceError):
        sentence = str(made).encode("utf-8", "replace").decode()
        return {"status": status_of(made), "detail": sentence, "error": sentence}
    dropped = {"dropped": draft.dropped} if isinstance(draft, Draft) and draft.dropped else {}
    asset = made.asset
    status = 201 if made.created else 200
    return {"status": status, "_id": asset.id, "_version": asset.version, "etag": made.etag, **dropped}
