"""Where the review server keeps its rows: SQLite in its data folder, or a PostgreSQL server for many people at once."""

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from annotation.studio.installation import DATABASE_NAME, LabelStudioInstallation
from schema.errors import UsageError

Database = Literal["sqlite", "postgresql"]
PASSWORD_VARIABLE = "PRESSROOM_POSTGRESQL_PASSWORD"


def credentials_path(folder: Path, database: Database) -> Path:
    """Return the file of the server's id, user and token: each database has its own users and task numbers."""
    return folder / ("credentials.json" if database == "sqlite" else f"credentials-{database}.json")


def database_of(folder: Path) -> Database:
    """Return on which database the server of a data folder was last started."""
    try:
        kept = json.loads((folder / "server.json").read_text(encoding="utf-8")).get("database")
    except (OSError, ValueError, AttributeError):
        kept = None
    return "postgresql" if kept == "postgresql" else "sqlite"


def has_database(folder: Path, database: Database) -> bool:
    """Tell whether the server was started on that database before.

    What a PostgreSQL server holds is only known once Label Studio runs: there the credentials stand for it.
    """
    kept = folder / DATABASE_NAME if database == "sqlite" else credentials_path(folder, database)
    return kept.is_file()


def copy_empty_database(folder: Path, installation: LabelStudioInstallation) -> None:
    """Give a data folder a migrated SQLite database without a row of anybody's data."""
    beside = folder / f"{DATABASE_NAME}.{secrets.token_hex(4)}.tmp"
    shutil.copyfile(installation.empty_database, beside)
    beside.chmod(0o600)
    beside.rename(folder / DATABASE_NAME)


def postgresql_environment(
    *, host: str, port: int, name: str, user: str, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the variables that let Label Studio use a PostgreSQL database.

    Raises:
        UsageError: The password is not in the environment.
    """
    password = environ.get(PASSWORD_VARIABLE)
    if password is None:
        raise UsageError(
            f'server.database = "postgresql" needs the password of {user} in the variable {PASSWORD_VARIABLE}; '
            "set it (empty where PostgreSQL asks for none), and run again"
        )
    return {
        "DJANGO_DB": "postgresql",
        "POSTGRE_HOST": host,
        "POSTGRE_PORT": str(port),
        "POSTGRE_NAME": name,
        "POSTGRE_USER": user,
        "POSTGRE_PASSWORD": password,
    }
