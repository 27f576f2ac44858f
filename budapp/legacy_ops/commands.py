"""`budapp upgrade-from-legacy`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from budapp.api_key_ops.secrets import Peppers
from budapp.commons.commands import AsJson, run_with, show
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Components
from budapp.integrations.keycloak import Keycloak
from budapp.integrations.recipients import Recipients
from budapp.legacy_ops.declarations import Context
from budapp.legacy_ops.moving import PAGE
from budapp.legacy_ops.report import Report, TableReport
from budapp.legacy_ops.report import as_json as fields_of
from budapp.legacy_ops.secrets import OldSecrets, load_secrets
from budapp.legacy_ops.services import Upgrade

app = typer.Typer(subcommand_metavar="", help="Bring the database of the service in use before into this one.")

_EVERY = 10


@app.callback(invoke_without_command=True)
def upgrade(
    database_url: Annotated[
        str, typer.Option(envvar="LEGACY_DATABASE_URL", help="postgresql://user:password@host:port/name; only read")
    ],
    check: Annotated[bool, typer.Option("--check", help="Say what would not come and why; write nothing")] = False,
    as_json: AsJson = False,
    realm: Annotated[
        str | None, typer.Option(help="Realm of the platform's own tenant  [default: DEFAULT_REALM_NAME]")
    ] = None,
    private_key: Annotated[
        Path | None,
        typer.Option(
            envvar="LEGACY_PRIVATE_KEY_PATH",
            exists=True,
            dir_okay=False,
            help="PEM of the RSA key that secrets are under; its passphrase is LEGACY_PRIVATE_KEY_PASSWORD",
        ),
    ] = None,
    page: Annotated[int, typer.Option(min=1, max=10_000, help="Rows per transaction")] = PAGE,
) -> None:
    """Bring the database of the service in use before into this one; safe to stop and repeat.

    Exit with status 1 where rows were left whose table has a place here; the report says why.
    """
    secrets = load_secrets(
        private_key, os.environ.get("LEGACY_PRIVATE_KEY_PASSWORD"), os.environ.get("LEGACY_AES_KEY_HEX")
    )

    async def work(components: Components) -> Report:
        context = _context(components, realm, secrets)
        made = Upgrade(database_url, components[Database], components[Keycloak], context, _tell, page)
        return await made.run(check=check)

    report = run_with(work)
    show(fields_of(report), report.lines(), as_json=as_json)
    if report.refused:
        raise typer.Exit(1)


def _context(components: Components, realm: str | None, secrets: OldSecrets) -> Context:
    settings, database = components[Settings], components[Database]
    types = frozenset(workflow.type for domain in components.domains for workflow in domain.workflows)
    return Context(
        realm=realm or settings.default_realm_name,
        secrets=secrets,
        peppers=Peppers(settings),
        recipients=components[Recipients],
        audit_keys=database.audit_keys,
        workflow_types=types,
    )


def _tell(report: TableReport) -> None:
    if report.read % (_EVERY * PAGE) == 0:
        typer.echo(f"{report.source}: {report.read} rows", err=True)
