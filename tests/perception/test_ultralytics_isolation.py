"""ultralytics in a process of its own: no socket, no program, no install, and no file outside the study.

Python's audit events tell what Python code does; what compiled code writes (ONNX Runtime's telemetry keeps a data base
below the home folder) is seen by looking into a home folder that was empty before.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.painted_detector import needs_ultralytics, write_painted_detector

pytestmark = [needs_ultralytics, pytest.mark.timeout(180)]

SCRIPT = """
import json, os, sys
seen = []

def watch(event, arguments):
    if event.startswith(("socket.", "urllib.")) or event in ("os.system", "os.exec", "os.posix_spawn"):
        seen.append([event, str(arguments)])
    elif event == "subprocess.Popen":
        seen.append([event, str(arguments[1])])
    elif event in ("os.mkdir", "os.rename", "os.symlink", "os.link"):
        seen.append([event, os.path.abspath(arguments[0])])
    elif event == "open" and isinstance(arguments[0], str):
        mode, flags = arguments[1], arguments[2]
        if (isinstance(mode, str) and set(mode) & set("wax+")) or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            seen.append([event, os.path.abspath(arguments[0])])

sys.addaudithook(watch)
from perception.backends.ultralytics.config import UltralyticsTrackerConfig
from perception.backends.ultralytics.tracker import UltralyticsTracker
from tests.synthetic_people import PaintedPerson, as_frames, paint

people = []
for weights in sys.argv[1:]:
    for tracker in ("bytetrack", "botsort"):
        config = UltralyticsTrackerConfig(weights=weights, tracker=tracker)
        looks = UltralyticsTracker(config).track(as_frames([paint([PaintedPerson()])] * 3))
        people.append(sum(len(look.people) for look in looks))
print(json.dumps({"seen": seen, "people": people, "openvino": "openvino" in sys.modules}))
"""
HARMLESS_PROGRAMS = ("ldconfig",)
"""ctypes asks it where a library lies, when torch is imported."""


def test_nothing_is_looked_up_installed_or_written(tmp_path: Path) -> None:
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    weights = [write_painted_detector(tmp_path / "weights" / "painted.onnx")]
    trained = Path(__file__).parents[3] / "shared" / "media" / "weights" / "yolo11n_int8_openvino_model"
    weights += [trained] if trained.is_dir() else []
    before = set(tmp_path.rglob("*"))
    passed_on = {key: value for key, value in os.environ.items() if not key.startswith(("YOLO_", "XDG_", "CI"))}
    environment = passed_on | {"HOME": str(home), "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, weights)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["people"][:2] == [3, 3], "the painted people were followed"
    assert [path for path in tmp_path.rglob("*") if path not in before] == [], "everything was deleted"
    assert [(event, what) for event, what in told["seen"] if not is_harmless(event, what, temporary)] == []


def is_harmless(event: str, what: str, temporary: Path) -> bool:
    if event == "subprocess.Popen":
        return any(program in what for program in HARMLESS_PROGRAMS)
    return event in ("open", "os.mkdir", "os.rename") and (what.startswith(str(temporary)) or what == os.devnull)
