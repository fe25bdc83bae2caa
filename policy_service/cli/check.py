"""`policy-service check`: what is wrong with the files, before they are merged."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from policy_service.authoring.check import check as check_files
from policy_service.cli.filter_text import detail, summarize
from policy_service.cli.options import read_settings, require_folders, with_settings
from policy_service.cli.output import print_findings, print_json, visible

_EPILOG = """\b
Examples:
  policy-service check --policies policies --tenants tenants
  policy-service check tenants/acme
  policy-service check --filters tenants/acme
"""


@click.command(epilog=_EPILOG, short_help="Say what is wrong with the policy files.")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@with_settings("policies", "tenants")
@click.option("--filters", is_flag=True, help="Say all of what lists come to: for whom, by which index, which rows.")
@click.option("--json", "as_json", is_flag=True, help="Print findings, warnings, filters and summary as JSON.")
@click.pass_context
def check(ctx: click.Context, /, paths: tuple[Path, ...], filters: bool, as_json: bool, **given: Any) -> None:
    """Parse, validate and try the policy files: all of them, or those of the tenants at PATH.

    A line for each tenant says what lists of its assets come to: of whom the policies can be said in SQL, and of whom
    no index serves them.

    Exit code 0 where they are good, 1 where there are findings, 2 where the call can't be understood.
    """
    settings = read_settings(given)
    require_folders(settings, "policies", "tenants")
    report = check_files(settings.policies, settings.tenants, paths)
    if as_json:
        print_json(
            {
                "findings": [asdict(finding) for finding in report.findings],
                "warnings": [asdict(finding) for finding in report.warnings],
                "filters": {
                    tenant: [answer._asdict() for answer in answers] for tenant, answers in report.filters.items()
                },
                "summary": report.summary,
            }
        )
    else:
        print_findings(report.warnings, warning=True)
        print_findings(report.findings)
        for tenant, answers in report.filters.items():
            for line in (detail if filters else summarize)(tenant, answers):
                click.echo(visible(line))
        click.echo(report.summary, err=bool(report.findings))
    ctx.exit(1 if report.findings else 0)
