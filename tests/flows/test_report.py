"""What the command prints names the thing without telling a name."""

from pathlib import Path

import pytest
import tomlkit

from flows._collection import list_sources
from flows._outcome import Failure, Outcome
from flows._report import tell_outcome
from flows._study import open_study
from schema.errors import DropReason
from schema.records import Dropped
from tests.studies import make_study


def test_a_dropped_source_is_told_by_where_the_study_lists_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_study(tmp_path / "study")
    sources = tmp_path / "study" / "private" / "sources.csv"
    sources.write_text("location,person\nSerena-Quigley.mp4,p1\nhttps://example.org/watch?v=dQw4w9WgXcQ,p1\n")
    file = tmp_path / "study" / "study.toml"
    folder_of_recordings = tomlkit.parse(file.read_text())
    folder_of_recordings["sources"] = [{"kind": "list", "path": "private/sources.csv"}]
    file.write_text(tomlkit.dumps(folder_of_recordings))
    study = open_study(tmp_path / "study")
    first, second = list_sources(study)
    lost = Dropped(stage="collect", item_id=first.source_id, reason=DropReason.MISSING, detail="no such file")
    failure = Failure(stage="collect", key=second.source_id, traceback="LookupError")
    tell_outcome(Outcome(stage="collect", dropped=[lost], failures=[failure]), study)
    printed = capsys.readouterr().err.splitlines()
    assert printed[0] == "  sources[0].path, line 2: dropped by collect: missing: no such file"
    assert printed[1].startswith("  sources[0].path, line 3: collect failed: LookupError; the traceback is in")
