"""Each error of the tree has its status, and its answer tells no more than it should."""

import json

import pytest

from policy_service import errors
from policy_service.web.errors import NotFound, TooLarge, WrongMethod, problem, refuse


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.RequestError("x"), 400),
        (TooLarge("x"), 413),
        (errors.Unauthenticated("x"), 401),
        (errors.UnknownTenant("x"), 401),
        (errors.Forbidden("x"), 403),
        (NotFound("x"), 404),
        (errors.Missing("x"), 404),
        (errors.Conflict("x"), 409),
        (errors.Stale("x"), 412),
        (errors.NoStore("x"), 503),
        (errors.StoreFailed("x"), 503),
        (errors.NoKey("x"), 503),
        (WrongMethod("POST"), 405),
        (errors.NoBundle("x"), 503),
        (errors.NotRecorded("x"), 503),
        (errors.Refused("x"), 503),
        (errors.PolicyServiceError("x"), 500),
    ],
)
def test_the_table(error: errors.PolicyServiceError, status: int) -> None:
    answer = refuse(error)
    body = json.loads(answer.body)
    assert answer.status == body["status"] == status
    assert dict(answer.headers)["content-type"] == "application/problem+json"
    assert body["error"] == body["detail"]
    assert set(body) == {"type", "title", "status", "detail", "error"}


def test_every_class_of_the_tree_is_in_the_table() -> None:
    tree = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PolicyServiceError)
    ]
    assert [kind for kind in tree if refuse(kind("x")).status == 500] == [errors.PolicyServiceError]


def test_who_could_not_be_found_learns_nothing() -> None:
    assert refuse(errors.Unauthenticated("the key has expired")) == refuse(errors.UnknownTenant("no tenant `acme`"))
    assert dict(refuse(errors.Unauthenticated("x")).headers)["www-authenticate"].startswith("Bearer")


def test_a_method_that_is_not_served_names_those_that_are() -> None:
    assert dict(refuse(WrongMethod("GET, HEAD")).headers)["allow"] == "GET, HEAD"


def test_what_is_unknown_is_not_told() -> None:
    assert b"secret" not in refuse(errors.PolicyServiceError("secret")).body


def test_a_sentence_may_quote_anything() -> None:
    assert json.loads(problem(400, "no `\ud800`").body)["detail"] == "no `?`"
