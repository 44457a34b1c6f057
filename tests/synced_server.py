"""A real review server that a file of tests may stop, kill and empty, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest

from annotation.studio import service
from annotation.studio.accounts import ScriptedAccount, ensure_scripted_accounts
from annotation.studio.database import PASSWORD_VARIABLE
from annotation.studio.installation import ensure_label_studio
from annotation.studio.service import ReviewServer, ReviewServerConfig
from schema.layout import StudyLayout
from tests.postgresql_server import USER, postgresql_programs, postgresql_server


@dataclass(frozen=True, slots=True)
class Reviewing:
    """A review server for these tests alone: they stop it, kill it, and delete what is on it."""

    layout: StudyLayout
    server: ReviewServer
    config: ReviewServerConfig
    accounts: list[ScriptedAccount]

    def restart(self) -> None:
        service.start(self.layout, ensure_label_studio(), config=self.config)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def reviewing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reviewing]:
    layout = StudyLayout.at(tmp_path_factory.mktemp(f"synced-{request.param}"))
    config = ReviewServerConfig(retry_seconds=60)
    with ExitStack() as stack:
        if request.param == "postgresql":
            programs = postgresql_programs()
            if programs is None:
                pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
            database = stack.enter_context(postgresql_server(programs))
            database.run("createdb", "pressroom")
            patched = stack.enter_context(pytest.MonkeyPatch.context())
            patched.setenv(PASSWORD_VARIABLE, database.password)
            config = replace(config, database="postgresql", postgresql_port=database.port, postgresql_user=USER)
        server = service.start(layout, ensure_label_studio(), config=config)
        stack.callback(service.stop, layout)
        yield Reviewing(layout, server, config, ensure_scripted_accounts(server, count=3))
