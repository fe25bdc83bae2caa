"""The command line. Exit codes: 0 done, 1 findings or the service can't, 2 the call is to be changed."""

from __future__ import annotations

import click

from policy_service import __version__
from policy_service.cli.check import check
from policy_service.cli.db import db
from policy_service.cli.demo import demo
from policy_service.cli.evaluate import evaluate
from policy_service.cli.key import key
from policy_service.cli.keyring import keyring
from policy_service.cli.log import log
from policy_service.cli.output import Commands
from policy_service.cli.serve import serve
from policy_service.cli.status import status
from policy_service.cli.tenant import tenant
from policy_service.cli.trail import trail


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="policy-service")
def main() -> None:
    """Access decisions from versioned policy files, by AuthZEN 1.0.

    Start with `policy-service check`, then `policy-service serve`.
    """


for _command in (serve, check, evaluate, status, tenant, db, key, keyring, log, trail, demo):
    main.add_command(_command)
