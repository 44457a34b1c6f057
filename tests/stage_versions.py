"""Digests of the code that decides what each stage makes, kept beside the stage's version in stage_code.json.

``python tests/stage_versions.py`` tells which stages differ; with ``--write`` it records them as they are now.
"""

import ast
import json
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from flows._stages import STAGE_VERSIONS

ROOT = Path(__file__).parents[1]
RECORD = Path(__file__).with_name("stage_code.json")

STAGE_CODE: dict[str, tuple[str, ...]] = {
    "frames": (
        "media/containers.py",
        "media/frames.py",
        "media/scan.py",
        "media/times.py",
        "flows/_perception.py::_VideoWork._frames",
        "schema/rows.py::frame_times_to_rows",
    ),
    "shots": (
        "perception/live.py",
        "perception/shots.py",
        "perception/backends/scenedetect.py",
        "perception/backends/synthetic.py",
        "flows/_perception.py::_VideoWork._shots",
        "flows/_perception.py::_VideoWork._shots_with_tracks",
        "schema/rows.py::shots_to_rows",
    ),
    "tracks": (
        "perception/live.py",
        "perception/tracks.py",
        "perception/backends/mediapipe",
        "perception/backends/ultralytics",
        "perception/backends/synthetic.py",
        "flows/_perception.py::_VideoWork._shots_with_tracks",
        "flows/_perception.py::_VideoWork._tracked",
        "flows/_perception.py::_VideoWork._tracks",
        "schema/rows.py::track_to_rows",
    ),
    "quality": (
        "perception/faces.py",
        "perception/insets.py",
        "perception/pictures.py",
        "perception/quality.py",
        "perception/backends/mediapipe/faces.py",
        "flows/_perception.py::_VideoWork._quality",
        "schema/people_rows.py::quality_to_rows",
    ),
    "players": (
        "perception/people.py",
        "perception/pictures.py",
        "perception/player_answers.py",
        "perception/players.py",
        "perception/quality.py",
        "flows/_perception.py::_VideoWork._players",
        "flows/_player_answers.py::player_answers",
        "annotation/answers/player_answers.py::answers_from_votes",
        "schema/people_rows.py::roles_to_rows",
    ),
    "visibility": (
        "perception/visibility.py",
        "flows/_perception.py::_VideoWork._visibility",
        "schema/people_rows.py::visibilities_to_rows",
    ),
    "keypoints": (
        "perception/interpolation.py",
        "perception/keypoints.py",
        "schema/mediapipe_points.py",
        "perception/backends/mediapipe",
        "perception/backends/mmpose",
        "perception/backends/synthetic.py",
        "schema/skeleton.py",
        "flows/_perception.py::_VideoWork._keypoints",
        "flows/_perception.py::_VideoWork._kept_tracks",
        "flows/_reuse.py",
        "schema/keypoint_columns.py::keypoint_columns",
        "schema/rows.py::keypoints_to_rows",
    ),
    "smoothed": (
        "flows/_perception.py::_VideoWork._smoothed",
        "perception/smoothing.py",
        "schema/keypoint_columns.py::keypoint_columns",
        "schema/rows.py::keypoints_to_rows",
    ),
    "proxies": ("media/proxies.py", "media/encoding.py", "flows/_perception.py::_VideoWork._proxies"),
    "candidates": (
        "proposals",
        "kinematics",
        "models/detecting",
        "models/inputs",
        "models/networks",
        "models/seed_model.py",
        "models/training/calibration.py",
        "perception/visibility.py",
        "flows/_videos.py::_candidates",
        "flows/_videos.py::_answered",
        "flows/_videos.py::_stretches",
        "schema/rows.py::candidates_to_rows",
    ),
    "identities": (
        "collectors/catalogue",
        "flows/_identity.py::_declared",
        "flows/_identity.py::_described",
        "flows/_identity.py::_identities",
    ),
    "fingerprints": (
        "collectors/fingerprints.py",
        "media/samples.py",
        "media/containers.py",
        "flows/_duplicates.py::_fingerprint",
    ),
    "duplicates": (
        "collectors/alignment.py",
        "collectors/duplicates.py",
        "collectors/encounters.py",
        "collectors/likeness.py",
        "flows/_duplicates.py::_same_events",
    ),
    "segments": (
        "annotation/answers/adjudicate.py",
        "annotation/answers/consensus.py",
        "annotation/answers/dawid_skene.py",
        "annotation/describe.py",
        "annotation/answers/opinions.py",
        "annotation/answers/revisions.py",
        "annotation/answers/windows.py",
        "schema/matching.py",
        "flows/_publication.py::adjudicate",
        "schema/rows.py::segments_to_rows",
    ),
    "release": (
        "releases",
        "flows/_publication.py::_build",
        "flows/_release_inputs.py",
    ),
}
"""Files, folders, and ``file::function`` where only a part of a file matters; paths from the repository's root."""

NO_STAGE: dict[str, str] = {
    "media/ahead.py": "hands on what others decoded",
    "media/boxes.py": "the table videos is recorded",
    "media/clips.py": "clips that people watch, in no derived table",
    "media/health.py": "tries the machine's decoders",
    "media/hashes.py": "the digest is its own version",
    "media/probe.py": "the table videos is recorded",
    "media/sample.py": "the demo's clip",
    "media/store.py": "where files lie",
    "media/verify.py": "the table videos is recorded",
    "perception/backends/loading.py": "finds classes by name",
    "perception/backends/openvino.py": "imports a library whose version is in the part's document",
    "perception/backends/weights.py": "says where weights lie; their digest is in the part's document",
    "annotation/studio/accounts.py": "the review server's accounts",
    "annotation/reporting/advice.py": "sentences of the report",
    "annotation/reporting/agreement.py": "a figure of the report",
    "annotation/reporting/agreement_gamma.py": "a figure of the report",
    "annotation/reporting/agreement_tallies.py": "a figure of the report",
    "annotation/reporting/anchoring.py": "a figure of the report",
    "annotation/studio/annotator_records.py": "what `pressroom annotators list` tells",
    "annotation/answers/answer_fields.py": "the table annotations is recorded",
    "annotation/answers/claims.py": "the table annotations is recorded",
    "annotation/answers/regions.py": "the table annotations is recorded",
    "annotation/answers/verdicts.py": "the table annotations is recorded",
    "annotation/pages/window_page.py": "what people see: every answer keeps what it was given on",
    "annotation/asking/blind.py": "chooses what is asked",
    "annotation/config.py": "settings of what is asked",
    "annotation/studio/installation.py": "the review server's environment",
    "annotation/reporting/effort.py": "a figure of the report",
    "annotation/reporting/judgements.py": "what figures of the report count",
    "annotation/asking/known.py": "the table known_answers is recorded",
    "annotation/asking/known_mix.py": "the order in which people are asked",
    "annotation/asking/known_scores.py": "a figure of the report",
    "annotation/asking/overlap.py": "how often people are asked",
    "annotation/pages/verdict_page.py": "what people see: every answer keeps the wording it was given on",
    "annotation/answers/parse.py": "the table annotations is recorded",
    "annotation/answers/player_answers.py": "the digest of the answers is an input of the table players",
    "annotation/pages/player_page.py": "what people see: every answer keeps what it was given on",
    "annotation/pages/player_questions.py": "the table player_questions is recorded",
    "annotation/reporting/recall.py": "a figure of the report",
    "annotation/reporting/report.py": "the report",
    "annotation/reporting/report_page.py": "the report",
    "annotation/reporting/resampling.py": "intervals of the report",
    "annotation/reporting/rounds.py": "the report on rounds",
    "annotation/reporting/rounds_page.py": "the report on rounds",
    "annotation/answers/simulate.py": "makes answers to rehearse with",
    "annotation/answers/simulated_crew.py": "makes answers to rehearse with",
    "annotation/studio/reading.py": "the review server's client: the table annotations is recorded",
    "annotation/studio/connection.py": "the review server's client",
    "annotation/studio/cursors.py": "how far answers were read",
    "annotation/studio/database.py": "the review server's database",
    "annotation/studio/erasure.py": "what a withdrawal erases on the review server",
    "annotation/studio/erasure_script.py": "what a withdrawal erases on the review server",
    "annotation/studio/ports.py": "the review server's process",
    "annotation/studio/queue.py": "the review server's client: the order in which people are asked",
    "annotation/studio/scores.py": "the order in which people are asked",
    "annotation/studio/server.py": "the review server's client",
    "annotation/studio/service.py": "the review server's process",
    "annotation/pages/tasks.py": "the table tasks is recorded",
    "proposals/audit.py": "chooses what is asked",
    "proposals/flags.py": "flags that people look at in previews, in no derived table",
    "proposals/select.py": "the order in which people are asked",
    "releases/diff.py": "looks at releases",
    "releases/errata.py": "a record beside the releases",
    "releases/exports": "looks at releases",
    "releases/hub.py": "sends a release elsewhere",
    "releases/imports": "the imported tables are recorded",
    "releases/validation": "looks at releases",
}
"""Files and folders of the stages' packages that decide nothing of a derived table, and why."""


def decides_nothing(path: str) -> bool:
    """Tell whether a file, or a folder that holds it, is listed in ``NO_STAGE``."""
    return any(path == entry or path.startswith(f"{entry}/") for entry in NO_STAGE)


def stage_files(stage: str) -> set[str]:
    """Return the whole files that a stage's digest covers."""
    return {path for path, name in _sources(stage) if not name}


def stage_digest(stage: str) -> str:
    """Digest a stage's code: its syntax without comments and docstrings."""
    digest = sha256()
    for path, name in _sources(stage):
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        for node in name.split(".") if name else ():
            tree = _named(tree, node, path)
        digest.update(f"{path}::{name}\n{_plain(tree)}\n".encode())
    return digest.hexdigest()[:16]


def _sources(stage: str) -> list[tuple[str, str]]:
    return sorted(found for entry in STAGE_CODE[stage] for found in _expanded(entry))


def _expanded(entry: str) -> Iterator[tuple[str, str]]:
    path, _, name = entry.partition("::")
    files = sorted((ROOT / path).rglob("*.py")) if (ROOT / path).is_dir() else [ROOT / path]
    for file in files:
        relative = file.relative_to(ROOT).as_posix()
        if not decides_nothing(relative):
            yield relative, name


def _named(tree: ast.AST, name: str, path: str) -> ast.AST:
    for node in getattr(tree, "body", []):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return node
    raise LookupError(f"{path} has no {name}: correct STAGE_CODE in tests/stage_versions.py")


def _plain(node: object) -> str:
    """Write a syntax tree without docstrings and empty fields, alike in every supported version of Python."""
    if isinstance(node, list):
        return "[" + ",".join(_plain(item) for item in node if not _is_text(item)) + "]"
    if isinstance(node, ast.AST):
        inside = (f"{key}={_plain(value)}" for key, value in ast.iter_fields(node) if value not in (None, []))
        return f"{type(node).__name__}({','.join(inside)})"
    return repr(node)


def _is_text(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def current() -> dict[str, dict[str, int | str]]:
    """Return version and digest of every stage as they are now."""
    return {stage: {"version": version, "code": stage_digest(stage)} for stage, version in STAGE_VERSIONS.items()}


def recorded() -> dict[str, dict[str, int | str]]:
    """Return version and digest of every stage as they were recorded."""
    return json.loads(RECORD.read_text(encoding="utf-8"))


def differences() -> list[str]:
    """Say which stages differ from the record, and what to do."""
    now, before = current(), recorded()
    return [
        _difference(stage, now.get(stage), before.get(stage)) for stage in now | before if _differs(stage, now, before)
    ]


def _differs(stage: str, now: dict[str, dict[str, int | str]], before: dict[str, dict[str, int | str]]) -> bool:
    return now.get(stage) != before.get(stage)


def _difference(stage: str, now: dict[str, int | str] | None, before: dict[str, int | str] | None) -> str:
    write = "run `python tests/stage_versions.py --write`"
    if not now or not before:
        return f"{stage}: the stage is {'new' if now else 'gone'}; {write}"
    if now["version"] == before["version"]:
        return (
            f"{stage}: its code changed: raise STAGE_VERSIONS[{stage!r}] in flows/_stages.py if what it makes "
            f"changed, then {write}"
        )
    return f"{stage}: version {before['version']} became {now['version']}; {write}"


def main() -> int:
    """Tell the differences, or record the code as it is; returns the exit status."""
    if "--write" in sys.argv:
        RECORD.write_text(json.dumps(current(), indent=2) + "\n", encoding="utf-8")
        return 0
    found = differences()
    print("\n".join(found) if found else "every stage is as recorded")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
