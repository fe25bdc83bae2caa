"""Why a policy failed, for whoever is told of decisions and not of facts: without any value that facts hold.

An engine's own sentence may name one, such as `invalid IP address: 10.0.0.300`. It stands in the decision log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from policy_service.model import Engine, Failure

UNTOLD = "it can't be evaluated on these facts, the decision log says why"

# sentences in which nothing but what a policy's author wrote is left, and how they are told
_CEDAR = {
    r"(type error: .*)": r"\1",
    r"(record does not have the attribute `.*`)": r"\1",
    r"`.*` (does not have the attribute `.*`)": r"an entity \1",
    r"`.*` does not have the tag `.*`": "an entity does not have the tag",
    r"entity `.*` does not exist": "an entity does not exist",
    r"integer overflow.*": "integer overflow",
    r"error while evaluating (`\w+`) extension function.*": r"\1 can't take the value",
    r"(the type `.*` is in `.*` and in the store, take it out of one of them)": r"\1",
}
_ABAC = {
    r"(`.*` of the \w+ is not there)": r"\1",
    r"(`.*` of the \w+ is .*, and `\w+` takes .*)": r"\1",
    r"(`\w+` can't (?:read|be asked of) .*?): .*": r"\1",
}
_CASBIN = {
    r"(`.*` has no attribute `.*`)": r"\1",
    r"(`.*` is text, it has no `.*`)": r"\1",
    r"(`\w+` needs a (?:text|list))": r"\1",
    r"(an attribute used as a condition must be a boolean)": r"\1",
}
_TOLD: Mapping[Engine, list[tuple[re.Pattern[str], str]]] = {
    engine: [(re.compile(pattern, re.DOTALL), told) for pattern, told in sentences.items()]
    for engine, sentences in ((Engine.CEDAR, _CEDAR), (Engine.ABAC, _ABAC), (Engine.CASBIN, _CASBIN))
}


def tell(failure: Failure) -> str:
    """A sentence that names no value of the facts."""
    for pattern, told in _TOLD[failure.policy.engine]:
        found = pattern.fullmatch(failure.why)
        if found:
            return found.expand(told)
    return UNTOLD
