"""What the endpoints that show many assets do with a request that is read and whose caller is known."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from policy_service.access import counts, exports, lists, walks
from policy_service.access.authorize import Service
from policy_service.access.enforce import Asker
from policy_service.access.query import Search, read_facets, read_number, read_search, read_sort, read_text
from policy_service.assets.asset import Asset, render
from policy_service.assets.sql.pages import Order
from policy_service.assets.walk import Step, Way
from policy_service.errors import PolicyServiceError
from policy_service.policy.names import request_type
from policy_service.policy.stored_values import show as show_value
from policy_service.policy.stored_values import write_json
from policy_service.web.asset_requests import LARGEST_LIMIT, LIMIT, VALUES, Query, Target
from policy_service.web.authzen import VERSION
from policy_service.web.bodies import read_body
from policy_service.web.errors import INTERNAL, Answer, Headers

_OWN = [("cache-control", "no-store"), ("x-content-type-options", "nosniff")]
_JSON = [("content-type", "application/json"), *_OWN]
_LINES = [("content-type", "application/x-ndjson"), *_OWN]


class Stream(NamedTuple):
    """What goes back to the client part by part, without the request id."""

    status: int
    headers: Headers
    body: Iterator[bytes]


_log = logging.getLogger(__name__)


class Queries:
    """One request for many assets, authenticated; `ask` gives who asks once more, later."""

    def __init__(
        self, service: Service, ask: Callable[[], Asker], target: Target, headers: Mapping[str, str], body: bytes
    ) -> None:
        self.service, self.ask, self.target = service, ask, target
        self.headers, self.body = headers, body
        self.asker = ask()

    def answer(self, query: Query) -> Answer | Stream:
        """What is answered to what stands in the path and in the body or the query."""
        if self.target.verb == "all":
            return self.show(query)
        if self.target.verb in {"neighbours", "walk"}:
            return self.walk(query)
        query.end()
        raw = read_body(self.headers, self.body)
        if self.target.verb == "export":
            return self.export(raw)
        return {"search": self.search, "count": self.count, "facets": self.facets}[self.target.verb](raw)

    def show(self, query: Query) -> Answer:
        told = {"type": query.text("type"), "class": query.text("class")}
        sort, limit, cursor = query.text("sort"), query.number("limit", LIMIT, LARGEST_LIMIT), query.text("cursor")
        query.end()
        search = Search(self.target.kind, told["type"], told["class"])
        return self._list(search, {**told, **({"sort": sort} if sort else {})}, sort, limit, cursor)

    def search(self, raw: Any) -> Answer:
        search = read_search(self.target.kind, raw, ("sort", "limit", "cursor"))
        limit, cursor = read_number(raw, "limit", LIMIT, LARGEST_LIMIT), read_text(raw, "cursor")
        told = {name: value for name, value in raw.items() if name not in {"limit", "cursor"}}
        return self._list(search, told, read_text(raw, "sort"), limit, cursor)

    def _list(self, search: Search, told: Mapping[str, Any], sort: str, limit: int, cursor: str) -> Answer:
        page = lists.list_assets(
            self.service, self.asker, search, self._tell(told, limit=limit), Order(*read_sort(sort)), limit, cursor
        )
        shown: dict[str, Any] = {"items": [self._render(asset) for asset in page.assets]}
        if page.cursor:
            shown["cursor"] = page.cursor
        if page.version != page.began:
            shown["policyChanged"] = True
        return _answer(shown, page.version)

    def count(self, raw: Any) -> Answer:
        search = read_search(self.target.kind, raw)
        told = counts.count_assets(self.service, self.asker, search, self._tell(raw))
        return _answer({"count": told.number, **({"atLeast": True} if told.at_least else {})}, told.version)

    def facets(self, raw: Any) -> Answer:
        search = read_search(self.target.kind, raw, ("facets", "limit"))
        names, limit = read_facets(raw), read_number(raw, "limit", VALUES, LARGEST_LIMIT)
        told = counts.count_facets(self.service, self.asker, search, self._tell(raw, limit=limit), names, limit)
        shown = {
            name: [{"value": show_value(value), "count": count} for value, count in values]
            for name, values in told.facets.items()
        }
        return _answer({"facets": shown, **({"atLeast": True} if told.at_least else {})}, told.version)

    def export(self, raw: Any) -> Stream:
        search = read_search(self.target.kind, raw)
        export = exports.export_assets(self.service, self.ask, search, self._tell(raw, export=True))
        return Stream(200, [*_LINES, (VERSION, export.version)], self._write_lines(export.pages))

    def _write_lines(self, pages: Iterator[list[Asset]]) -> Iterator[bytes]:
        """A line for each asset; where something stands in the way of the next, the last line says what."""
        try:
            for page in pages:
                yield "".join(f"{write_json(self._render(asset))}\n" for asset in page).encode()
        except PolicyServiceError as error:
            yield f"{write_json({'error': str(error)})}\n".encode("utf-8", "replace")
        except Exception:
            _log.exception("the export of request %s failed", self.asker.request_id)
            yield f"{write_json({'error': INTERNAL})}\n".encode()

    def walk(self, query: Query) -> Answer:
        way = Way(query.direction(), query.texts("type"))
        if self.target.verb == "walk":
            depth = query.depth()
            query.end()
            found = walks.walk_from(self.service, self.asker, self.target.id, way, depth)
        else:
            limit = query.number("limit", LARGEST_LIMIT, LARGEST_LIMIT)
            query.end()
            found = walks.find_neighbours(self.service, self.asker, self.target.id, way, limit)
        return _answer({"steps": [self._shape(step) for step in found.steps]}, found.version)

    def _shape(self, step: Step) -> dict[str, Any]:
        return {
            "depth": step.depth,
            "relationship": self._render(step.relationship),
            "_id": step.uid.id,
            "_type": request_type(step.uid.type),
            "entity": self._render(step.entity) if step.entity else None,
        }

    def _render(self, asset: Asset) -> dict[str, Any]:
        return render(asset, self.asker.caller.tenant)

    def _tell(self, told: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """What was asked, as the decision log has it."""
        return {"kind": self.target.kind, **told, **more}


def _answer(shown: Any, version: str) -> Answer:
    return Answer(200, [*_JSON, (VERSION, version)], write_json(shown).encode())
