"""Small studies with painted videos and synthetic back ends: a whole chain in seconds."""

import hashlib
from pathlib import Path

import tomlkit

from flows._collection import collect_source, to_collect
from flows._init import init_study
from flows._outcome import Outcome
from flows._plan import study_videos, to_perceive, to_propose
from flows._study import Study, open_study
from flows._videos import perceive_video, propose_video
from media.clips import write_clip
from tests.synthetic_people import PaintedPerson, interview_pictures

LOOPBACK = {"allow_private_hosts": ["127.0.0.1"], "keep_free_gigabytes": 0.1}
SYNTHETIC = {"shots": "synthetic", "tracks": "synthetic", "faces": "none", "keypoints": "synthetic"}


def paint_video(path: Path, *, color: int = 0, touch_s: tuple[float, float] = (2.0, 3.5), seconds: float = 6.0) -> Path:
    """Write an interview of one painted person who touches the neck once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = interview_pictures(seconds=seconds, touches=(touch_s,), person=PaintedPerson(color=color))
    write_clip(pictures, path, frame_rate=10)
    return path


def make_study(root: Path, **back_ends: str) -> Study:
    """Make a study of every video in its folder ``recordings``; ``back_ends`` replaces synthetic ones by stage."""
    init_study(root, name="painted")
    set_keys(root, back_ends=SYNTHETIC | back_ends, collect=dict(LOOPBACK))
    document = tomlkit.parse((root / "study.toml").read_text())
    sources = tomlkit.aot()
    sources.append(tomlkit.item({"kind": "folder", "path": "recordings", "person": "p1"}))
    document["sources"] = sources
    (root / "study.toml").write_text(tomlkit.dumps(document))
    (root / "private" / "players.csv").write_text("person_id,name\np1,Painted Player\n")
    return open_study(root)


def set_keys(root: Path, **sections: dict[str, object]) -> None:
    """Change settings of a study file."""
    document = tomlkit.parse((root / "study.toml").read_text())
    for section, values in sections.items():
        document.setdefault(section, tomlkit.table()).update(values)
    (root / "study.toml").write_text(tomlkit.dumps(document))


def run_to_candidates(study: Study) -> dict[str, Outcome]:
    """Collect, perceive and propose without Prefect."""
    outcomes = {name: Outcome(stage=name) for name in ("collect", "perceive", "propose")}
    for entry in to_collect(study):
        outcomes["collect"].add(collect_source(study, entry))
    for video in to_perceive(study, study_videos(study)):
        outcomes["perceive"].add(perceive_video(study, video, lambda *_: None))
    for video in to_propose(study, study_videos(study)):
        outcomes["propose"].add(propose_video(study, video))
    return outcomes


DERIVED = (
    *("frames", "shots", "tracks", "quality", "players", "keypoints", "visibility", "proxies"),
    *("candidates", "segments"),
)
RECORDED = ("outcomes", "videos", "tasks", "annotations")


def digests(root: Path, tables: tuple[str, ...] = DERIVED) -> dict[str, str]:
    """Digest every file of some tables by its path."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for table in tables
        for path in sorted((root / table).glob("*"))
    }
