"""A search (AuthZEN 1.0 §8) as it was asked, and the question that it comes to about each of its candidates."""

from __future__ import annotations

import json
from typing import Literal, NamedTuple, TypeAlias

from policy_service.errors import RequestError
from policy_service.model import Act, Request, Thing
from policy_service.policy.request import Question, ask
from policy_service.policy.residual.asked import ANY

Role: TypeAlias = Literal["subject", "resource", "action"]


class Search(NamedTuple):
    """What is searched for: `request` has an empty id, or an empty name, in its place. `token` goes on after a page."""

    role: Role
    request: Request
    limit: int
    request_id: str
    address: str = ""
    token: str = ""

    @property
    def thing(self) -> Thing:
        """What is searched for, of a subject or a resource search."""
        return self.request.resource if self.role == "resource" else self.request.subject

    @property
    def bound(self) -> str:
        """What has to be the same on the next page; how many results it has may differ."""
        return f"search {self.role} {json.dumps(self.request, default=repr, sort_keys=True)}"

    def ask_any(self) -> Question:
        """The question with nobody in the place of the candidate; `RequestError` where none can be asked about."""
        return ask(self.request if self.role == "action" else self._put(ANY._replace(properties=self.thing.properties)))

    def ask(self, name: str) -> Question | None:
        """The question about one candidate; none where of this one alone it can't be asked: where it is subject and
        resource at once, with two values for an attribute, an evaluation is an error."""
        try:
            if self.role == "action":
                return ask(self.request._replace(action=self.request.action._replace(name=name)))
            return ask(self._put(self.thing._replace(id=name)))
        except RequestError:
            self.ask_any()
            return None

    def name(self, name: str) -> Thing | Act:
        """A candidate as it is shown."""
        return Act(name) if self.role == "action" else Thing(self.thing.type, name)

    def _put(self, thing: Thing) -> Request:
        """The request with this in the place of what is searched for."""
        if self.role == "resource":
            return self.request._replace(resource=thing)
        return self.request._replace(subject=thing)
