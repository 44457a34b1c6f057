"""What is told of real clips, with keypoints of the embedded back end, is what one sees in their frames.

The spans, sides and places were read off the frames by eye.
"""

from pathlib import Path

import numpy as np
import pytest

from flows._plan import study_videos
from flows._videos import read_video_part
from releases.descriptions.fields import DescriptionFields, TrackMeasures
from releases.descriptions.sentences import template_description
from schema.arrow import KEYPOINTS
from schema.records import KeypointSequence
from schema.rows import keypoints_from_rows
from schema.taxonomy import load_taxonomy
from tests.studies import make_study, run_to_candidates

pytestmark = pytest.mark.timeout(120)
EMBEDDED = {"shots": "scenedetect", "tracks": "mediapipe", "faces": "mediapipe", "keypoints": "mediapipe"}
IMIGUE = load_taxonomy("imigue32")


def track_of(clip: Path, tmp_path: Path) -> KeypointSequence:
    recordings = tmp_path / "study" / "recordings"
    recordings.mkdir(parents=True)
    (recordings / clip.name).write_bytes(clip.read_bytes())
    study = make_study(tmp_path / "study", **EMBEDDED)
    run_to_candidates(study)
    (video,) = study_videos(study)
    (track,) = keypoints_from_rows(read_video_part(study, video, KEYPOINTS))
    return track


def described(track: KeypointSequence, class_id: str, start_s: float, end_s: float) -> tuple[DescriptionFields, str]:
    start_ns, end_ns = round(start_s * 1e9), round(end_s * 1e9)
    first, end = np.searchsorted(track.times_ns, (start_ns, end_ns))
    gesture = IMIGUE.by_id(class_id)
    fields = TrackMeasures.of(track).fields(
        slice(int(first), int(end)), gesture=gesture, evidence="", start_ns=start_ns, end_ns=end_ns, co_occurring=[]
    )
    return fields, template_description(gesture, fields, variety_key="g1")


def test_a_left_hand_at_the_neck_reads_so(shared_media: Path, tmp_path: Path):
    track = track_of(shared_media / "videos" / "imigue_scratching-neck.mp4", tmp_path)
    fields, text = described(track, "touching_or_scratching_neck", 1.1, 2.4)
    assert (fields.body_part, fields.side, fields.contact_target) == ("hand", "left", "neck")
    assert "touches or scratches the neck with the left hand" in text
    assert fields.extent is not None
    assert fields.extent < 0.5, "the way from the table to the neck is none of it"


def test_folded_arms_read_so(shared_media: Path, tmp_path: Path):
    track = track_of(shared_media / "videos" / "imigue_folding-arms.mp4", tmp_path)
    fields, text = described(track, "folding_arms", 1.7, 4.3)
    assert (fields.body_part, fields.side, fields.contact_target) == ("arms", "both", "arm")
    assert "folds the arms" in text
    assert fields.extent is not None
    assert fields.extent < 0.15, "arms that are folded stay so"
