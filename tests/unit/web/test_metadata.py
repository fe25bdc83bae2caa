"""The metadata document is byte-identical to the identifier its URL was made from (AuthZEN 1.0 §9)."""

import json

import pytest

from policy_service.web.metadata import WELL_KNOWN, find_metadata

HOST = "https://pdp.example.com"


def ask(rest: str, public_url: str = HOST) -> dict[str, str] | None:
    document = find_metadata(public_url, WELL_KNOWN + rest)
    return None if document is None else json.loads(document)


@pytest.mark.parametrize(
    ("rest", "root"),
    [("", ""), ("/acme", "/tenants/acme"), ("/tenants/acme", "/tenants/acme"), ("/tenants", "/tenants/tenants")],
)
def test_names_the_identifier_that_was_asked_for(rest: str, root: str) -> None:
    assert ask(rest) == {
        "policy_decision_point": f"{HOST}{rest}",
        "access_evaluation_endpoint": f"{HOST}{root}/access/v1/evaluation",
        "access_evaluations_endpoint": f"{HOST}{root}/access/v1/evaluations",
        "search_subject_endpoint": f"{HOST}{root}/access/v1/search/subject",
        "search_resource_endpoint": f"{HOST}{root}/access/v1/search/resource",
        "search_action_endpoint": f"{HOST}{root}/access/v1/search/action",
    }


@pytest.mark.parametrize(
    "rest", ["/", "/ACME", "/tenants/", "/acme/", "/a/b", "/tenants/acme/x", "/-a", f"/{'a' * 64}", "/é"]
)
def test_knows_no_other_path(rest: str) -> None:
    assert ask(rest) is None


def test_a_public_url_with_a_path_comes_after_the_well_known_one() -> None:
    public = "https://example.com/pdp"
    assert ask("/pdp", public)["policy_decision_point"] == public
    assert ask("/pdp/tenants/acme", public)["policy_decision_point"] == f"{public}/tenants/acme"
    assert ask("/pdp/acme", public)["access_evaluation_endpoint"] == f"{public}/tenants/acme/access/v1/evaluation"
    assert ask("", public)["policy_decision_point"] == public


def test_nothing_in_it_is_empty_or_null() -> None:
    assert all(ask("").values())


def test_lists_nobody() -> None:
    one, other = find_metadata(HOST, f"{WELL_KNOWN}/acme"), find_metadata(HOST, f"{WELL_KNOWN}/nobody")
    assert one.replace(b"acme", b"nobody") == other
