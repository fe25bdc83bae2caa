"""The tree of errors is the one that its docstring draws."""

from __future__ import annotations

import re

from policy_service import errors
from policy_service.errors import PolicyServiceError, Refused
from policy_service.model import Finding

_LINE = re.compile(r"^ {4}((?:│   )*(?:[├└]── )?)(\w+)  ", re.MULTILINE)


def test_the_tree_is_the_one_that_is_drawn() -> None:
    drawn: dict[str, str] = {}
    above: list[str] = []
    for branch, name in _LINE.findall(errors.__doc__ or ""):
        depth = len(branch) // 4
        above[depth:] = [name]
        if depth:
            drawn[name] = above[depth - 1]
    made = {
        name: made.__base__.__name__
        for name, made in vars(errors).items()
        if isinstance(made, type) and issubclass(made, PolicyServiceError) and made is not PolicyServiceError
    }
    assert len(made) >= 8
    assert drawn == made


def test_what_was_refused_carries_its_findings() -> None:
    finding = Finding("a", 1, "b")
    error = Refused("the layer does not load", [finding])
    assert str(error) == "the layer does not load"
    assert error.findings == (finding,)
    assert Refused("no").findings == ()
