import multiprocessing
import os
import sqlite3
import stat
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from annotation.studio import installation
from annotation.studio.installation import (
    LABEL_STUDIO_VERSION,
    cache_folder,
    ensure_label_studio,
    find_label_studio,
    quiet_environment,
)
from schema.errors import MissingPartError

LABEL_STUDIO = f"""#!{sys.executable}
import os, pathlib, sqlite3
folder = pathlib.Path(os.environ["LABEL_STUDIO_BASE_DATA_DIR"])
database = sqlite3.connect(folder / "label_studio.sqlite3")
database.execute("create table htx_user (id)")
database.executemany("insert into htx_user values (?)", [(i,) for i in range(USERS)])
database.commit()
(folder / ".env").write_text("SECRET_KEY=s")
"""
UV = f"""#!{sys.executable}
import os, pathlib, sys, time
pathlib.Path(os.environ["CALLS"]).open("a").write(sys.argv[1] + "\\n")
if sys.argv[1] == "venv":
    (pathlib.Path(sys.argv[-1]) / "bin").mkdir(parents=True)
elif os.environ.get("OFFLINE"):
    sys.exit("error: Failed to fetch: `https://index/simple/label-studio/`\\n  Caused by: dns error\\n")
else:
    time.sleep(0.2)
    program = pathlib.Path(sys.argv[sys.argv.index("--python") + 1]).with_name("label-studio")
    program.write_text({LABEL_STUDIO!r}.replace("USERS", os.environ.get("USERS", "0")))
    program.chmod(0o755)
"""


def write_program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    program = write_program(tmp_path / "uv", UV)
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(program))
    (tmp_path / "calls").touch()
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "PRESSROOM_CACHE": str(tmp_path / "cache"),
        "CALLS": str(tmp_path / "calls"),
    }


def calls(environ: Mapping[str, str]) -> list[str]:
    return Path(environ["CALLS"]).read_text().split()


def test_it_is_built_once_and_found_again(environ: dict[str, str]) -> None:
    assert find_label_studio(environ) is None
    built = ensure_label_studio(environ)
    assert ensure_label_studio(environ) == built == find_label_studio(environ)
    assert calls(environ) == ["venv", "pip"]


def test_the_shared_database_holds_no_person_and_no_key(environ: dict[str, str]) -> None:
    built = ensure_label_studio(environ)
    with closing(sqlite3.connect(built.empty_database)) as database:
        assert database.execute("select count(*) from htx_user").fetchone() == (0,)
    assert not list(Path(environ["PRESSROOM_CACHE"]).rglob(".env"))


def test_a_database_with_people_is_not_shared(environ: dict[str, str]) -> None:
    with pytest.raises(MissingPartError, match="2 users"):
        ensure_label_studio(environ | {"USERS": "2"})
    assert not list(Path(environ["PRESSROOM_CACHE"]).glob("*.sqlite3*"))


def test_without_a_network_it_says_so_in_one_line_and_leaves_nothing(environ: dict[str, str]) -> None:
    with pytest.raises(MissingPartError, match=r"could not install Label Studio .*dns error.*run again") as caught:
        ensure_label_studio(environ | {"OFFLINE": "1"})
    assert "\n" not in str(caught.value)
    assert [path.name for path in Path(environ["PRESSROOM_CACHE"]).iterdir()] == ["label-studio.lock"]
    assert ensure_label_studio(environ).program.is_file()


def test_what_a_killed_install_left_is_removed_and_never_used(environ: dict[str, str]) -> None:
    left = Path(environ["PRESSROOM_CACHE"]) / f"label-studio-{LABEL_STUDIO_VERSION}.0a1b2c3d.making"
    write_program(left / "bin" / "label-studio", "half")
    assert find_label_studio(environ) is None
    ensure_label_studio(environ)
    assert not left.exists()


def _install(environ: dict[str, str], program: str) -> None:
    import uv

    uv.find_uv_bin = lambda: program
    ensure_label_studio(environ)


def test_two_installers_at_once_build_it_once(environ: dict[str, str], tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    runners = [context.Process(target=_install, args=(environ, str(tmp_path / "uv"))) for _ in range(2)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join(timeout=50)
    assert [runner.exitcode for runner in runners] == [0, 0]
    assert calls(environ) == ["venv", "pip"]


def test_a_named_environment_is_used_as_it_is(environ: dict[str, str], tmp_path: Path) -> None:
    program = write_program(tmp_path / "mine/bin/label-studio", LABEL_STUDIO.replace("USERS", "0"))
    (tmp_path / f"mine/lib/python3.11/site-packages/label_studio-{LABEL_STUDIO_VERSION}.dist-info").mkdir(parents=True)
    built = ensure_label_studio(environ | {"PRESSROOM_LABEL_STUDIO": str(tmp_path / "mine")})
    assert built.program == program
    assert calls(environ) == []


def test_a_named_environment_of_another_version_is_refused(environ: dict[str, str], tmp_path: Path) -> None:
    named = environ | {"PRESSROOM_LABEL_STUDIO": str(tmp_path / "mine")}
    with pytest.raises(MissingPartError, match="no bin/label-studio"):
        find_label_studio(named)
    write_program(tmp_path / "mine/bin/label-studio", "")
    (tmp_path / "mine/lib/python3.11/site-packages/label_studio-1.13.0.dist-info").mkdir(parents=True)
    with pytest.raises(MissingPartError, match=rf"{LABEL_STUDIO_VERSION} is needed, found 1\.13\.0"):
        ensure_label_studio(named)


def test_a_cache_that_cannot_be_written_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MissingPartError, match="PRESSROOM_CACHE"):
        ensure_label_studio(environ | {"PRESSROOM_CACHE": str(tmp_path / "file" / "cache")})


def test_the_cache_follows_the_environment() -> None:
    assert cache_folder({"PRESSROOM_CACHE": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}) == Path("/a")
    assert cache_folder({"XDG_CACHE_HOME": "/b", "HOME": "/c"}) == Path("/b/pressroom")
    assert cache_folder({"HOME": "/c"}) == Path("/c/.cache/pressroom")


def test_a_command_of_label_studio_gets_nothing_of_the_callers_environment_and_reports_nothing() -> None:
    callers = {"PATH": "/bin", "HOST": "x", "DEBUG": "1", "DATABASE_NAME": "x", "HTTP_PROXY": "x", "SENTRY_DSN": "x"}
    given = quiet_environment(Path("/data"), callers)
    assert {"HOST", "DEBUG", "DATABASE_NAME", "HTTP_PROXY"}.isdisjoint(given)
    assert (given["HOME"], given["LABEL_STUDIO_BASE_DATA_DIR"], given["COLLECT_ANALYTICS"]) == (
        "/data",
        "/data",
        "false",
    )
    assert [value for name, value in given.items() if name.endswith("SENTRY_DSN")] == ["", "", "", ""]


def test_the_data_folder_of_the_preparation_is_private(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    run = installation._run

    def spy(command: list[str], *, environ: Mapping[str, str], timeout_seconds: float, doing: str) -> None:
        if "LABEL_STUDIO_BASE_DATA_DIR" in environ:
            seen.append(stat.S_IMODE(Path(environ["LABEL_STUDIO_BASE_DATA_DIR"]).stat().st_mode))
        run(command, environ=environ, timeout_seconds=timeout_seconds, doing=doing)

    monkeypatch.setattr(installation, "_run", spy)
    ensure_label_studio(environ)
    assert seen == [0o700]
