"""What people answered to "which one is the player?", as perception takes it."""

import pyarrow.compute as pc

from annotation.answers.player_answers import answers_from_votes
from flows._study import Study
from schema.arrow import PLAYER_ANSWERS
from schema.people import PlayerAnswer
from schema.player_question_rows import player_votes_from_rows
from schema.records import VideoRecord


def player_answers(study: Study, video: VideoRecord) -> tuple[PlayerAnswer, ...]:
    """Return the answers about a video, one a reviewer, in order of time; those about another file of it don't count.

    They are made of the recorded table alone, so that a digest of them tells whether the roles are current.
    """
    rows = study.store.read(PLAYER_ANSWERS)
    if not rows.num_rows:
        return ()
    about = pc.and_(pc.equal(rows["video_id"], video.video_id), pc.equal(rows["sha256"], video.sha256))
    return tuple(answers_from_votes(player_votes_from_rows(rows.filter(about))))
