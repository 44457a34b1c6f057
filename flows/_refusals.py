"""What a collection must not bring back: videos that were withdrawn, whatever link or file they come by."""

import pyarrow.compute as pc

from collectors.base import Fetched, Offer, SourceEntry
from flows._study import Study
from flows._withdrawals import note_source, withdrawn_content, withdrawn_videos
from schema.arrow import LISTINGS
from schema.errors import DropReason, ItemError
from schema.privacy import make_video_id
from schema.records import VideoId


def refuse_offer(study: Study, entry: SourceEntry, offer: Offer) -> None:
    """Raise ``ItemError`` where a look-up leads to a withdrawn video; its source is then known, and never asked again.

    Nothing but the tombstone keeps the source's id.
    """
    video_id = make_video_id(study.key, offer.platform, offer.native_id)
    known = video_id if video_id in withdrawn_videos(study) else None
    if known is None and offer.sha256:
        known = withdrawn_content(study, offer.sha256)
    if known is not None:
        raise _refusal(study, entry, known)


def refused_content(study: Study, found: Fetched) -> ItemError | None:
    """Delete a fetched file whose content, or whose video, was withdrawn, also meanwhile; returns why, or None."""
    is_withdrawn = found.video_id in withdrawn_videos(study)
    known = found.video_id if is_withdrawn else withdrawn_content(study, found.record.sha256)
    if known is None:
        return None
    found.path.unlink(missing_ok=True)
    return _refusal(study, found.entry, known)


def _refusal(study: Study, entry: SourceEntry, video_id: VideoId) -> ItemError:
    # in this order: a listing that comes back after a kill is refused again
    study.store.purge(LISTINGS, lambda rows: pc.not_equal(rows["source_id"], entry.source_id))
    note_source(study, video_id, entry.source_id)
    return ItemError(DropReason.WITHDRAWN, "the study has withdrawn this video")
