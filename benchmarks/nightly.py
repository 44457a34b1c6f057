"""A night with nothing new: `pressroom collect` on a study that knows all of its sources' videos.

    python benchmarks/nightly.py [--videos 3400] [--nights 4]

A channel, a playlist and a feed of the tests' video site on loopback are listed once; then every video is recorded as
got, in batches of one row, as many nights leave them. The study filters by length and title, names 2,000 players, and
has a link, a channel and a player on its opt-out list. Printed are the wall and processor seconds of each following
night, the start of the process included, and how many requests each source was asked. The first night also compiles
pressroom and its libraries, as once after their installation, and looks for the players in all titles, as after news.
Before the last night the study's files are put out of the page cache: every batch is read from the disk.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

from collectors.base import SourceEntry
from flows._collection import Campaign
from flows._listing import known_entries
from flows._outcome import Outcome, record_run
from flows._study import Study, open_study
from schema.arrow import OUTCOMES, SOURCES, VIDEOS
from schema.privacy import make_video_id
from schema.rows import table_of, videos_to_rows
from tests.factories import make_video
from tests.fake_site.plugins import PLUGIN_FOLDER, load_extractors
from tests.fake_site.server import FakeSite

PLAYLIST_SHARE = 10
"""Every so many-th video is in the playlist instead of the channel."""
PLAYERS = 2000
FIRST_NAMES = ("Ana", "Bela", "Carlos", "Daria", "Elena", "Felix", "Gael", "Hana", "Iga", "Jakub")
OPT_OUTS = """kind,value
url,https://example.org/watch/1
channel,Somebody Else's Channel
player,p7
"""


def write_study(root: Path, site: FakeSite) -> None:
    """Write a study of three sources that may be listed again at once."""
    (root / "study.toml").write_text(
        f"""
[study]
name = "bench"
[collect]
allow_private_hosts = ["{site.address}"]
relist_minutes = 0.0
[manners]
videos_per_minute = 0.0
seconds_between_requests = 0.0
[[sources]]
kind = "channel"
url = "{site.list_link("press")}"
min_seconds = 1.0
exclude = ["highlights", "hot shot"]
[[sources]]
kind = "playlist"
url = "{site.list_link("finals")}"
[[sources]]
kind = "feed"
url = "{site.feed_link("press")}"
"""
    )
    private = root / "private"
    private.mkdir(mode=0o700)
    players = [f"p{n},{FIRST_NAMES[n % 10]} Exampleson{n:04d}" for n in range(PLAYERS)]
    (private / "players.csv").write_text("\n".join(["person_id,name", *players]) + "\n")
    (private / "opt-outs.csv").write_text(OPT_OUTS)


def record_as_got(study: Study, entry: SourceEntry) -> None:
    """Write what the collection of one video writes."""
    at_ns = time.time_ns()
    video = make_video(video_id=make_video_id(study.key, "fakesite", entry.location), sha256=f"{at_ns:064x}")
    source = dict.fromkeys(SOURCES.schema.names) | {
        "source_id": entry.source_id,
        "video_id": video.video_id,
        "platform": "fakesite",
        "native_id": entry.location,
        "location": entry.location,
        "title": entry.facts.title if entry.facts else None,
    }
    outcome = dict.fromkeys(OUTCOMES.schema.names) | {
        "source_id": entry.source_id,
        "video_id": video.video_id,
        "outcome": "got",
        "detail": "",
        "attempted_ns": at_ns,
    }
    study.store.append(VIDEOS, videos_to_rows([video]))
    study.store.append(SOURCES, table_of(SOURCES, [source]))
    study.store.append(OUTCOMES, table_of(OUTCOMES, [outcome]))
    record_run(study, Outcome(stage="collect", done=1), key=entry.source_id, started_ns=at_ns)


def make_known(root: Path) -> int:
    """List the sources and record all their videos; returns how many there are."""
    study = open_study(root)
    Campaign(study).refresh(full=True)
    entries = known_entries(study)
    # waiting for the disk 14,000 times would take minutes and change nothing that is measured
    with patch("os.fsync"):
        for entry in entries:
            record_as_got(study, entry)
    return len(entries)


def forget_files(root: Path) -> None:
    """Put the study's files out of the page cache."""
    for path in root.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file)
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def night(root: Path, bytecode: str) -> tuple[float, float, str]:
    """Run the command; returns wall seconds, processor seconds and what it said."""
    paths = (Path(__file__).parents[1], PLUGIN_FOLDER, os.environ.get("PYTHONPATH", ""))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(str(path) for path in paths)}
    environment |= {"PYTHONPYCACHEPREFIX": bytecode, "PYTHONDONTWRITEBYTECODE": ""}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "flows._cli", "collect", str(root)]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    wall_s, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout.strip()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=3400)
    parser.add_argument("--nights", type=int, default=4)
    options = parser.parse_args()
    load_extractors()
    with tempfile.TemporaryDirectory() as temporary, tempfile.TemporaryDirectory() as bytecode, FakeSite() as site:
        root = Path(temporary)
        in_playlist = options.videos // PLAYLIST_SHARE
        site.fill(options.videos - in_playlist, into="press")
        site.fill(in_playlist, into="finals", prefix="final")
        write_study(root, site)
        print(f"{make_known(root)} videos are known")
        print(f"{'night':>5} {'wall s':>7} {'processor s':>12} {'channel':>8} {'playlist':>9} {'feed':>5} {'other':>6}")
        for number in range(1, options.nights + 1):
            site.forget()
            if number == options.nights:
                forget_files(root)
            wall_s, processor_s, told = night(root, bytecode)
            asked = [len(site.asked("list", "press")), len(site.asked("list", "finals")), len(site.asked("feed"))]
            others = len(site.asked()) - sum(asked)
            print(
                f"{number:>5} {wall_s:>7.2f} {processor_s:>12.2f} {asked[0]:>8} {asked[1]:>9} {asked[2]:>5} {others:>6}"
            )
        print(told)


if __name__ == "__main__":
    main()
