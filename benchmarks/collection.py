"""Collection from a local mirror beside bare yt-dlp on the same files: what pressroom adds.

    python benchmarks/collection.py [--videos 20] [--megabytes 90] [--link 100 --link 1000 --link 0] [--rounds 1]

The mirror is a process of its own that serves so many videos of 6 minutes, each with other bytes, over a link of so
many Mbit/s (0: as fast as it goes). Three ways to get them, each in a process of its own, one download at a time:
yt-dlp alone, which does nothing further; pressroom's collection called by two workers, as a study has by default: while
one downloads, the other verifies and records; and the same as a Prefect flow. Programs and servers are started before
the clock is. Over a slow link fewer videos are fetched, ``--seconds`` long. Processor seconds are those of the process
that collects, without the mirror and Prefect's server: where they fill the time, the processor is the limit and not the
link. The middle of ``--rounds`` rounds counts.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import av
import numpy as np

SECONDS, FRAME_RATE = 360, 25
"""A press conference, as long as 3,400 of them are on average."""
HOST = "127.0.0.1"
BLOCK_BYTES = 1 << 16
STUDY = f"""
[study]
name = "bench"
[collect]
allow_private_hosts = ["{HOST}"]
keep_free_gigabytes = 0.0
[manners]
videos_per_minute = 0
seconds_between_requests = 0
[[sources]]
kind = "list"
path = "links.txt"
"""
BARE = """
import json, sys, time
import yt_dlp
folder, links = sys.argv[1], json.loads(sys.argv[2])
options = {"quiet": True, "noprogress": True, "no_warnings": True, "cachedir": False, "format": "best",
           "outtmpl": folder + "/%(id)s.%(ext)s"}
started, busy_s = time.perf_counter(), time.process_time()
with yt_dlp.YoutubeDL(options) as downloader:
    downloader.download(links)
print(time.perf_counter() - started, time.process_time() - busy_s)
"""
LOOP = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
import collectors.ytdlp.download, media.verify
from flows._collection import Campaign
from flows._study import open_study
started, busy_s = time.perf_counter(), time.process_time()
campaign = Campaign(open_study(sys.argv[1]))
campaign.refresh()
with ThreadPoolExecutor(2) as workers:
    assert all(outcome.done == 1 for outcome in workers.map(campaign.collect, campaign.due()))
print(time.perf_counter() - started, time.process_time() - busy_s)
"""
PREFECT = """
import json, sys, time
from flows._prefect import connect, start_prefect, stop_prefect
from flows._study import open_study
study = open_study(sys.argv[1])
start_prefect(study.layout)
try:
    connect(study.layout)
    import collectors.ytdlp.download, media.verify
    from flows.collect import collect_flow
    started, busy_s = time.perf_counter(), time.process_time()
    assert collect_flow(sys.argv[1]).done == len(json.loads(sys.argv[2]))
    print(time.perf_counter() - started, time.process_time() - busy_s)
finally:
    stop_prefect(study.layout)
"""
WAYS = {"yt-dlp": BARE, "pressroom": LOOP, "with Prefect": PREFECT}


def write_talk(path: Path) -> bytes:
    """Write 6 minutes of a moving bar with a key frame every 5 s, and return the file's bytes."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FRAME_RATE, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt, stream.codec_context.gop_size = 160, 96, "yuv420p", 125
        stream.codec_context.time_base = Fraction(1, FRAME_RATE)
        picture = np.zeros((96, 160, 3), dtype=np.uint8)
        for index in range(SECONDS * FRAME_RATE):
            picture[:, index % 160] = index % 256
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode(None))
    return path.read_bytes()


def make_mirror(folder: Path, *, videos: int, megabytes: int) -> None:
    """Fill the mirror: the same talk in each file, brought to its size by a box that players pass over."""
    talk = write_talk(folder / "talk.mp4")
    (folder / "talk.mp4").unlink()
    for number in range(videos):
        rest = os.urandom(max(megabytes * 10**6 - len(talk), 8))
        (folder / f"{number}.mp4").write_bytes(talk + (len(rest) + 8).to_bytes(4, "big") + b"free" + rest)


class Mirror(ThreadingHTTPServer):
    """Serves the files of a folder at a steady rate."""

    daemon_threads = True

    def __init__(self, folder: Path, link_mbit: int) -> None:
        super().__init__((HOST, 0), _Handler)
        self.folder = folder
        self.seconds_a_byte = 8e-6 / link_mbit if link_mbit else 0.0

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay quiet: yt-dlp hangs up after its first look."""


class _Handler(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        """Send the file."""
        path = self.server.folder / self.path.rpartition("/")[2]
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(path.stat().st_size))
        self.end_headers()
        started, sent = time.perf_counter(), 0
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                self.wfile.write(block)
                sent += len(block)
                ahead_s = started + sent * self.server.seconds_a_byte - time.perf_counter()
                if ahead_s > 0:
                    time.sleep(ahead_s)

    def log_message(self, *args: object, **kwargs: object) -> None:
        """Write nothing."""


def _serve(folder: Path, link_mbit: int, port: Connection) -> None:
    with Mirror(folder, link_mbit) as server:
        port.send(server.server_port)
        server.serve_forever()


@contextmanager
def mirror(folder: Path, link_mbit: int) -> Iterator[list[str]]:
    """Serve a folder from another process, and give the links."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(folder, link_mbit, there), daemon=True)
    process.start()
    try:
        port = here.recv()
        yield [f"http://{HOST}:{port}/{path.name}" for path in sorted(folder.iterdir())]
    finally:
        process.terminate()
        process.join()


def measure(script: str, links: list[str]) -> tuple[float, float]:
    """Get the links into a new folder; returns the seconds that it took, and those of the processor."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "study.toml").write_text(STUDY)
        (Path(folder) / "links.txt").write_text("\n".join(links))
        path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        environment = os.environ | {"PYTHONPATH": path}
        command = [sys.executable, "-c", script, folder, json.dumps(links)]
        done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        wall_s, processor_s = done.stdout.split()[-2:]
        return float(wall_s), float(processor_s)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=20)
    parser.add_argument("--megabytes", type=int, default=90, help="size of a video; 6 minutes at 2 Mbit/s are 90")
    parser.add_argument("--link", type=int, action="append", help="Mbit/s; 0: as fast as it goes")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20.0, help="about so much is fetched over a slow link")
    parser.add_argument("--way", action="append", choices=WAYS, help="leave the others out")
    options = parser.parse_args()
    ways = options.way or list(WAYS)
    print(
        f"{'link':>14} {'videos':>7}" + "".join(f"{way + ' s':>16}{'ratio':>7}{'processor s':>13}" for way in ways),
        flush=True,
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_mirror(folder, videos=options.videos, megabytes=options.megabytes)
        for link_mbit in options.link or (100, 1000, 0):
            fitting = round(options.seconds * link_mbit / 8 / options.megabytes) or 1 if link_mbit else options.videos
            with mirror(folder, link_mbit) as all_links:
                links = all_links[:fitting]
                rounds = [[measure(WAYS[way], links) for way in ways] for _ in range(options.rounds)]
            spent = [tuple(map(median, zip(*way, strict=True))) for way in zip(*rounds, strict=True)]
            cells = "".join(f"{wall_s:>16.1f}{wall_s / spent[0][0]:>7.2f}{busy_s:>13.1f}" for wall_s, busy_s in spent)
            name = f"{link_mbit} Mbit/s" if link_mbit else "unlimited"
            print(f"{name:>14} {len(links):>7}{cells}", flush=True)


if __name__ == "__main__":
    main()
