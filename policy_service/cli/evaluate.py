"""`policy-service evaluate`: one decision from files and store as they are now, without a server."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import asdict
from functools import partial
from typing import Any

import click
from rich.markup import escape

from policy_service.access.facts import StoredFacts, fetch, is_shut, now
from policy_service.access.ownership import Owners, deny_contested
from policy_service.bundles.load import load
from policy_service.cli.options import FILES, read_settings, with_settings
from policy_service.cli.output import console, print_json, visible
from policy_service.config import Settings
from policy_service.errors import Refused
from policy_service.model import Act, Decision, Policy, Request, Thing
from policy_service.policy.decide import decide
from policy_service.policy.gathering import Gatherer
from policy_service.policy.names import entity_uid, request_type
from policy_service.policy.request import ask
from policy_service.policy.values import read_json
from policy_service.store.opening import is_made, open_store

_EPILOG = """\b
Examples:
  policy-service evaluate acme --subject user:alice --action PolicyService::read --resource host:web-1
  policy-service evaluate citadel --subject user:guest --subject-properties '{"roles": ["editor"]}' \\
    --action can_create_todo --resource todo:1 --json
"""


def _read_object(_ctx: click.Context, _param: click.Parameter, value: str) -> dict[str, Any]:
    """A JSON object, read as strictly as a request is."""
    try:
        parsed = read_json(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if not isinstance(parsed, dict):
        raise click.BadParameter("write an object: {…}")
    return parsed


_OBJECT: dict[str, Any] = {"callback": _read_object, "default": "{}", "metavar": "JSON"}


@click.command(epilog=_EPILOG, short_help="Decide one request from files and store and say why.")
@click.argument("tenant")
@click.option("--subject", required=True, metavar="TYPE:ID", help="Who asks.")
@click.option("--action", required=True, metavar="NAME", help="What is to be done.")
@click.option("--resource", required=True, metavar="TYPE:ID", help="What it is done to.")
@click.option("--subject-properties", help="Properties the request sends with the subject.", **_OBJECT)
@click.option("--action-properties", help="… with the action.", **_OBJECT)
@click.option("--resource-properties", help="… with the resource.", **_OBJECT)
@click.option("--context", help="The context of the request.", **_OBJECT)
@with_settings(*FILES)
@click.option("--json", "as_json", is_flag=True, help="Print decision and reasons as JSON.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 where it is denied.")
@click.pass_context
def evaluate(ctx: click.Context, /, tenant: str, as_json: bool, exit_code: bool, **given: Any) -> None:
    """Decide one request of TENANT from its files, and its store where it has one, and say why; nothing is recorded.

    Exit code 0 where it was decided, allow or deny alike, 2 where it could not be.
    """
    request = Request(
        _read_thing(given.pop("subject"), given.pop("subject_properties")),
        Act(given.pop("action"), given.pop("action_properties")),
        _read_thing(given.pop("resource"), given.pop("resource_properties")),
        given.pop("context"),
    )
    decision = _decide(read_settings(given), tenant, request)
    if as_json:
        print_json(_shape(decision))
    else:
        _print(decision)
    ctx.exit(1 if exit_code and not decision.allowed else 0)


def _decide(settings: Settings, tenant: str, request: Request) -> Decision:
    """The decision by the files, and by what the tenant's store holds where there is one; none is made to ask."""
    with ExitStack() as stack:
        store = stack.enter_context(closing(open_store(settings))) if is_made(settings) else None
        if store and is_shut(store, tenant):
            raise Refused(f"the tenant `{tenant[:80]}` is {store.state(tenant)}, and decides nothing")
        bundle, findings = load(settings.policies, settings.tenants, tenant)
        if bundle is None:
            raise Refused(f"the files of tenant `{tenant}` can't decide, mend what is wrong with them", findings)
        stored = stack.enter_context(StoredFacts(store, Owners(), bundle)) if store else None
        find = stored.fetch if stored else partial(fetch, bundle)
        facts = Gatherer(bundle, find, now, {"key": ""}).gather(ask(request))
        return deny_contested(bundle, stored.contested() if stored else (), facts, decide(bundle, facts))


def _read_thing(text: str, properties: dict[str, Any]) -> Thing:
    uid = entity_uid(text)
    return Thing(request_type(uid.type), uid.id, properties)


def _shape(decision: Decision) -> dict[str, Any]:
    return {
        "decision": decision.allowed,
        "reasons": decision.reasons,
        "errors": [{**asdict(failure.policy), "error": failure.why} for failure in decision.errors],
        "unsatisfied": decision.unsatisfied,
        "version": decision.version,
    }


def _print(decision: Decision) -> None:
    out = console()
    out.print("[bold green]allow[/]" if decision.allowed else "[bold red]deny[/]")
    for policy in decision.reasons:
        out.print(f"  {policy.effect.value} {_place(policy)}", soft_wrap=True)
    for failure in decision.errors:
        out.print(f"  [yellow]failed[/] {_place(failure.policy)}\n    {escape(visible(failure.why))}", soft_wrap=True)
    if not decision.reasons:
        if decision.unsatisfied:
            out.print("  nothing permits it; these could have:")
        elif not decision.errors:
            out.print("  no policy is about such a request")
        for policy in decision.unsatisfied:
            out.print(f"  [dim]not satisfied[/] {_place(policy)}", soft_wrap=True)
    out.print(f"  [dim]version {escape(decision.version)}[/]")


def _place(policy: Policy) -> str:
    message = f": {policy.message}" if policy.message else ""
    return escape(visible(f"{policy.id} ({policy.engine.value}, {policy.file}:{policy.line}){message}"))
