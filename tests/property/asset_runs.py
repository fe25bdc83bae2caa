"""Each request of a run, done by the application and by the model, and the answers compared."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from tests.property.asset_searches import FACETS, check_facets, is_meant, sort
from tests.property.asset_spec import Draft, Item, Ref, Told
from tests.property.asset_worlds import Caller, Home, Reply, World, draw_id

API = "/api/v1"
PATHS = {"entity": f"{API}/entities", "relationship": f"{API}/relationships"}
NO_TAG = f'"{"0" * 32}"'
# an asset whoever's it is: tenant, kind and key
Place = tuple[int, Ref]


class Run:
    """The requests of one example."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.changed = [0, 0]
        self.cursors: list[tuple[Caller, str, dict[str, str], str, str]] = []

    def do(self, verb: str, caller: Caller, *arguments: Any) -> None:
        """Do one deed, and see that it told nothing that was not the caller's to see."""
        getattr(self, verb)(caller, *arguments)
        self.world.check()

    def create(self, caller: Caller, ref: Ref, drawn: Any) -> None:
        home, who = self._home(caller), caller.who
        draft, body = self._draft(caller, ref, drawn)
        reply = self.world.ask(caller, "POST", PATHS[ref[0]], body)
        if self._is_refused(caller, reply, writes=True):
            return
        free = copy.deepcopy(home.inventory).create(who, replace(draft, key="free"))
        told = home.inventory.create(who, draft)
        self._check_written(caller, reply, ref, told)
        if told.status == free.status == 403 and not home.inventory.find(who, ref):
            # whether the key is taken is not told to who may not have it
            again = self.world.send(caller, "POST", PATHS[ref[0]], {**body, "_key": "free"})
            assert again == reply
        if told.status == 409 and draft.ends and not all(home.inventory.knows(who, end) for end in draft.ends):
            self._check_end_is_missing(caller, body, draft, reply)

    def batch(self, caller: Caller, drawn: list[tuple[Ref, Any]]) -> None:
        home = self._home(caller)
        sent = [self._draft(caller, ref, body) for ref, body in drawn]
        reply = self.world.ask(caller, "POST", f"{PATHS['entity']}:batch", {"entities": [body for _, body in sent]})
        if self._is_refused(caller, reply, writes=True):
            return
        assert reply.status == 200
        for (draft, _), answer in zip(sent, reply.json["items"], strict=True):
            told = home.inventory.create(caller.who, draft, or_replace=True)
            assert answer["status"] == told.status, (draft, answer, told)
            if told.item:
                self._learn(caller, told.item.ref, answer["_id"], answer["etag"])
                assert answer["_version"] == told.item.version
            self.changed[caller.tenant] += told.changed

    def read(self, caller: Caller, place: Place, kind: str, guard: str) -> None:
        headers = {"if_none_match": tag} if (tag := self._tag(caller, place, guard)) else {}
        reply = self._ask_one(caller, "GET", place, kind, None, headers)
        if self._is_refused(caller, reply, writes=False):
            return
        item = self._home(caller).inventory.find(caller.who, self._own(caller, place, kind))
        if item is None:
            assert reply.status == 404
        elif guard in ("*", "current"):
            assert (reply.status, reply.body) == (304, b"")
        else:
            self._check_shown(caller, reply, 200, item)

    def change(self, caller: Caller, place: Place, kind: str, guard: str, method: str, key: Ref, drawn: Any) -> None:
        ref = place[1]
        # for the most part the key that it has
        draft, body = self._draft(caller, key if key[0] == kind and drawn["name"] else (kind, ref[1]), drawn)
        if method == "PATCH":
            body = {name: value for name, value in body.items() if name == "_class" or name in draft.values}
        headers = {"if_match": tag} if (tag := self._tag(caller, place, guard)) else {}
        reply = self._ask_one(caller, method, place, kind, body, headers)
        if self._is_refused(caller, reply, writes=True):
            return
        inventory, own = self._home(caller).inventory, self._own(caller, place, kind)
        change = inventory.replace if method == "PUT" else inventory.patch
        told = change(caller.who, own, draft, stale=guard in ("stale", "foreign"))
        self._check_written(caller, reply, ref, told)

    def delete(self, caller: Caller, place: Place, kind: str, guard: str) -> None:
        headers = {"if_match": tag} if (tag := self._tag(caller, place, guard)) else {}
        reply = self._ask_one(caller, "DELETE", place, kind, None, headers)
        if self._is_refused(caller, reply, writes=True):
            return
        inventory, own = self._home(caller).inventory, self._own(caller, place, kind)
        told = inventory.remove(caller.who, own, stale=guard in ("stale", "foreign"))
        self._check_written(caller, reply, place[1], told)

    def list(self, caller: Caller, kind: str, filters: tuple[str, str], limit: int) -> None:
        query = {name: value for name, value in zip(("type", "class"), filters, strict=True) if value}
        shown: list[dict[str, Any]] = []
        sent = {**query, "limit": str(limit)}
        while True:
            reply = self.world.ask(caller, "GET", f"{PATHS[kind]}?{urlencode(sent)}")
            if self._is_refused(caller, reply, writes=False):
                return
            assert reply.status == 200
            assert len(reply.json["items"]) <= limit
            shown += reply.json["items"]
            if "cursor" not in reply.json:
                break
            sent["cursor"] = reply.json["cursor"]
            self.cursors.append((caller, kind, query, reply.json["cursor"], shown[-1]["_id"]))
        self._check_list(caller, shown, self._listed(caller, kind, *filters))

    def search(self, caller: Caller, kind: str, body: dict[str, Any], by: str, limit: int) -> None:
        """A search, its count, its facets and its export are all about the same assets."""
        shown: list[dict[str, Any]] = []
        sent = {**body, "sort": by, "limit": limit}
        while True:
            reply = self.world.ask(caller, "POST", f"{PATHS[kind]}:search", sent)
            if self._is_refused(caller, reply, writes=False):
                return
            assert reply.status == 200, (reply, sent)
            shown += reply.json["items"]
            if "cursor" not in reply.json:
                break
            # nothing here is decided row by row, so that a page is full
            assert len(reply.json["items"]) == limit
            sent["cursor"] = reply.json["cursor"]
        expected = sort([asset for asset in self._listed(caller, kind, "", "") if is_meant(body, asset)], by)
        counted = self.world.ask(caller, "POST", f"{PATHS[kind]}:count", body)
        assert counted.json == {"count": len(expected)}
        names = FACETS if kind == "entity" else FACETS[:2]
        check_facets(
            self.world.ask(caller, "POST", f"{PATHS[kind]}:facets", {**body, "facets": names}).json, expected, names
        )
        lines = self.world.ask(caller, "POST", f"{PATHS[kind]}:export", body).body.splitlines()
        home = self._home(caller)
        known = {id_: ref for ref, id_ in home.ids.items()}
        may = [asset for asset in expected if home.inventory.may(caller.who, "export", known[asset["_id"]])]
        self._check_list(caller, [json.loads(line) for line in lines], sorted(may, key=lambda asset: asset["_id"]))
        self._check_list(caller, shown, expected)

    def resume(self, caller: Caller, number: int, how: str) -> None:
        """Go on with a cursor that somebody was given for some list: as he does, or in another way."""
        if not self.cursors:
            return
        owner, kind, query, cursor, last = self.cursors[number % len(self.cursors)]
        asked = {**query, "type": "owns"} if how == "list" else query
        caller = {"key": caller, "subject": owner._replace(named="user:pat")}.get(how, owner)
        path = f"{PATHS[kind]}?{urlencode({**asked, 'limit': '2'})}&cursor="
        reply = self.world.ask(caller, "GET", path + cursor)
        if self._is_refused(caller, reply, writes=False):
            return
        if (owner[:2], owner.who, query) == (caller[:2], caller.who, asked):
            listed = self._listed(caller, kind, asked.get("type", ""), asked.get("class", ""))
            expected = [item for item in listed if item["_id"] > last]
            assert reply.status == 200
            assert ("cursor" in reply.json) == (len(expected) > 2)
            self._check_list(caller, reply.json["items"], expected[:2])
        else:
            assert reply.status == 400
            assert reply == self.world.send(caller, "GET", f"{path}AAAA")

    def walk(self, caller: Caller, place: Place, way: tuple[str, str, tuple[str, ...], int]) -> None:
        verb, direction, types, depth = way
        query = [("direction", direction), *(("type", name) for name in types)]
        query += [("depth", str(depth))] if verb == "walk" else []
        reply = self._ask_one(caller, "GET", place, "entity", None, {}, f"/{verb}?{urlencode(query)}")
        if self._is_refused(caller, reply, writes=False):
            return
        home, own = self._home(caller), self._own(caller, place, "entity")
        steps = home.inventory.walk(caller.who, own, direction, types, depth if verb == "walk" else 1)
        if steps is None:
            assert reply.status == 404
            return
        told = reply.json["steps"]
        assert told == sorted(told, key=lambda step: (step["depth"], step["relationship"]["_id"]))
        expected = sorted((step.depth, home.ids[step.relationship], self._id(home, step.other)) for step in steps)
        assert [(step["depth"], step["relationship"]["_id"], step["_id"]) for step in told] == expected
        shown = {(step.depth, self._id(home, step.other)) for step in steps if step.shown}
        entities = [(step["depth"], step["entity"]["_id"]) for step in told if step["entity"]]
        assert (set(entities), len(entities)) == (shown, len(shown))
        for step in told:
            for asset in (step["relationship"], step["entity"]):
                if asset:
                    self._check_asset(caller, asset)

    def decide(self, caller: Caller, place: Place, who: str) -> None:
        """What the decision API says of an asset: nothing is known of another tenant's."""
        if caller.key in ("act", "glance"):
            return
        home, own = self._home(caller), self._own(caller, place, place[1][0])
        item = home.inventory.items.get(own) if own else None
        question = {
            "subject": {"type": "user", "id": who},
            "action": {"name": "PolicyService::read"},
            "resource": {"type": item.type if item else "host", "id": self._target(place)},
        }
        reply = self.world.ask(caller._replace(named=None), "POST", "/access/v1/evaluation", question)
        assert reply.json == {"decision": home.inventory.may(who, "read", own or ("entity", "unknown"))}

    # what requests have in common

    def _home(self, caller: Caller) -> Home:
        return self.world.homes[caller.tenant]

    def _target(self, place: Place) -> str:
        """The id of an asset, whoever's; one that nothing has where it never was there."""
        tenant, ref = place
        return self.world.homes[tenant].ids.get(ref) or draw_id()

    def _own(self, caller: Caller, place: Place, kind: str) -> Ref | None:
        """The asset that a caller's path names, if it is one of the caller's tenant."""
        tenant, ref = place
        return ref if tenant == caller.tenant and ref[0] == kind and ref in self._home(caller).ids else None

    def _id(self, home: Home, ref: Ref) -> str:
        return ref[1] if ref[0] == "zone" else home.ids[ref]

    def _tag(self, caller: Caller, place: Place, guard: str) -> str:
        """What a condition names: the asset's `ETag`, the one that it had before, or one of the other tenant."""
        tags = self.world.homes[place[0]].tags.get(place[1], [])
        others = [found[-1] for found in self.world.homes[1 - caller.tenant].tags.values()]
        current, stale, foreign = (next(iter(found), NO_TAG) for found in (tags[-1:], tags[-2:-1], others))
        item = self._home(caller).inventory.items.get(place[1]) if place[0] == caller.tenant else None
        if guard == "current" and self._home(caller).inventory.hidden(caller.who, item):
            current = self._ask_for_tag(caller, place)
        return {"current": current, "stale": stale, "foreign": foreign}.get(guard, guard)

    def _ask_for_tag(self, caller: Caller, place: Place) -> str:
        """The tag of what somebody sees who does not see all."""
        reply = self.world.send(caller, "GET", f"{PATHS[place[1][0]]}/{self._target(place)}")
        return reply.headers.get("etag", NO_TAG)

    def _draft(self, caller: Caller, ref: Ref, drawn: dict[str, Any]) -> tuple[Draft, dict[str, Any]]:
        """What is sent, for the model and as JSON."""
        kind, key = ref
        values = dict(drawn["values"])
        if "note" in values:
            values["note"] = self.world.draw_note(caller.tenant)
        type_ = drawn["type"] if kind == "entity" else drawn["drawn"]
        classes = drawn["classes"] if kind == "entity" else drawn["classes"][:1]
        body = {"_key": key, "_type": type_, "_class": list(classes), "displayName": drawn["name"], **values}
        named = None
        if kind == "relationship":
            named = tuple(
                self._end(caller, side, end, body) for side, end in zip(("from", "to"), drawn["ends"], strict=True)
            )
        return Draft(kind, key, type_, classes, drawn["name"], values, named), body  # type: ignore[arg-type]

    def _end(self, caller: Caller, side: str, end: tuple[int, Ref, bool], body: dict[str, Any]) -> Ref | None:
        """The asset of the caller's tenant that an end names; `body` is given its members."""
        tenant, ref, by_id = end
        if ref[0] == "zone":
            body |= {f"_{side}EntityId": ref[1], f"_{side}EntityType": "zone"} if by_id else {}
            body |= {} if by_id else {f"_{side}EntityKey": ref[1], f"_{side}EntitySource": "file"}
            return ref
        if not by_id:
            body[f"_{side}EntityKey"] = ref[1]
            return ("entity", ref[1])
        body[f"_{side}EntityId"] = self._target((tenant, ref))
        return self._own(caller, (tenant, ref), "entity")

    def _ask_one(
        self,
        caller: Caller,
        method: str,
        place: Place,
        kind: str,
        body: Any,
        headers: dict[str, str],
        rest: str = "",
    ) -> Reply:
        """Ask for one asset; where it is answered as missing, in the very words of what never was there."""
        reply = self.world.ask(caller, method, f"{PATHS[kind]}/{self._target(place)}{rest}", body, **headers)
        if reply.status == 404:
            missing = self.world.send(caller, method, f"{PATHS[kind]}/{draw_id()}{rest}", body, **headers)
            assert reply == missing
        return reply

    def _is_refused(self, caller: Caller, reply: Reply, *, writes: bool) -> bool:
        status = caller.refusal(writes=writes)
        if status:
            assert reply.status == status
        return bool(status)

    def _check_end_is_missing(self, caller: Caller, body: dict[str, Any], draft: Draft, reply: Reply) -> None:
        """An end that may not be seen, and another tenant's, is told of as one that is not there."""
        inventory = self._home(caller).inventory
        fresh, text = dict(body), reply.body.decode()
        for side, end in zip(("from", "to"), draft.ends or (), strict=False):
            for name in (f"_{side}EntityId", f"_{side}EntityKey"):
                if name in fresh and not inventory.knows(caller.who, end):
                    old, fresh[name] = fresh[name], f"never-{side}"
                    text = text.replace(f"`{old}`", f"`never-{side}`")
        again = self.world.send(caller, "POST", PATHS["relationship"], fresh)
        assert (again.status, again.body.decode()) == (409, text)

    def _check_written(self, caller: Caller, reply: Reply, ref: Ref, told: Told) -> None:
        assert reply.status == told.status, (reply, told)
        self.changed[caller.tenant] += told.changed
        if told.item:
            self._learn(caller, ref, reply.json["_id"], reply.headers["etag"])
            self._check_shown(caller, reply, told.status, told.item)

    def _learn(self, caller: Caller, ref: Ref, id_: str, tag: str) -> None:
        """An id is the same for ever; a tag is that of one asset with one content, and no other asset has it."""
        home = self._home(caller)
        assert home.ids.setdefault(ref, id_) == id_
        tags = home.tags.setdefault(ref, [])
        if tags[-1:] != [tag]:
            assert not any(
                tag in found for other in self.world.homes for found in other.tags.values() if found is not tags
            )
            tags.append(tag)

    def _check_shown(self, caller: Caller, reply: Reply, status: int, item: Item) -> None:
        home = self._home(caller)
        assert reply.status == status
        # a tag is of what is seen
        whole = home.inventory.view(caller.who, item) == item
        assert (reply.headers["etag"] == home.tags[item.ref][-1]) is whole
        self._check_asset(caller, reply.json)

    def _check_list(self, caller: Caller, shown: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
        assert [item["_id"] for item in shown] == [item["_id"] for item in expected]
        for asset in shown:
            self._check_asset(caller, asset)

    def _check_asset(self, caller: Caller, asset: dict[str, Any]) -> None:
        """An asset is shown as the model has it, with the times that this version had before."""
        home = self._home(caller)
        item = next(item for ref, item in home.inventory.items.items() if home.ids[ref] == asset["_id"])
        times = asset.pop("_createdOn"), asset.pop("_beginOn")
        assert home.times.setdefault((item.ref, item.version), times) == times
        assert repr(sorted(asset.items())) == repr(sorted(home.expect(caller.who, item).items()))

    def _listed(self, caller: Caller, kind: str, type_: str, class_: str) -> list[dict[str, Any]]:
        home = self._home(caller)
        found = home.inventory.list(caller.who, kind, type_, class_)
        shown = (home.expect(caller.who, home.inventory.items[ref]) for ref in found)
        return sorted(shown, key=lambda asset: asset["_id"])
