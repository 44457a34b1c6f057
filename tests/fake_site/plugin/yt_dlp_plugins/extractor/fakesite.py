"""yt-dlp's extractors for the fake site: they fail in the words and with the helpers of its YouTube extractor."""

import json
import os
from urllib.parse import quote, urljoin

from yt_dlp.extractor.common import InfoExtractor, SearchInfoExtractor
from yt_dlp.utils import join_nonempty, traverse_obj

_SITE = r"https?://(?:127(?:\.\d+){3}|localhost|[\w-]+\.fakesite\.test)(?::\d+)?"
_LOGIN_HINT = (
    "Use --cookies-from-browser or --cookies for the authentication. "
    "See  https://github.com/yt-dlp/yt-dlp/wiki/FAQ#how-do-i-pass-cookies-to-yt-dlp  "
    "for how to manually pass cookies"
)


class _FakeSiteBase(InfoExtractor):
    def _words(self, link, item_id, note):
        page = self._download_webpage(link, item_id, note=note)
        return json.loads(self._search_regex(r'<script id="data" type="application/json">(.+?)</script>', page, "data"))


class FakeSiteIE(_FakeSiteBase):
    IE_NAME = "fakesite"
    _VALID_URL = _SITE + r"/watch\?v=(?P<id>[\w-]+)"

    def _real_extract(self, url):
        video_id = self._match_id(url)
        words = self._words(url, video_id, "Downloading watch page")
        if words.get("drm"):
            self.report_drm(video_id)
        formats = self._formats(url, words, video_id)
        if not formats:
            self._say_why(words["playability"])
        return {
            "id": video_id,
            "title": words["title"],
            "description": words["description"],
            "channel": words["channel"],
            "uploader": words["channel"],
            "channel_url": words["channel_link"],
            "duration": words["duration"],
            "upload_date": words["uploaded_on"],
            "language": words["language"],
            "live_status": words["live"],
            "release_timestamp": words["starts_s"],
            "thumbnail": urljoin(url, words["thumbnail"]),
            "formats": formats,
        }

    def _formats(self, url, words, video_id):
        if words.get("storyboard_only"):
            fragments = [{"url": urljoin(url, words["thumbnail"])}]
            storyboard = {"format_id": "sb0", "ext": "mhtml", "protocol": "mhtml", "vcodec": "none", "acodec": "none"}
            return [{**storyboard, "url": fragments[0]["url"], "fragments": fragments}]
        formats = [
            {
                "format_id": row["format_id"],
                "url": urljoin(url, row["path"]),
                "height": row["height"],
                "width": row["height"] * 16 // 9,
                "vcodec": row["vcodec"],
                "acodec": row["acodec"],
                "ext": row["ext"],
            }
            for row in words["formats"]
        ]
        if words["hls"]:
            is_live = words["live"] == "is_live"
            formats += self._extract_m3u8_formats(urljoin(url, words["hls"]), video_id, "mp4", live=is_live)
        return formats

    def _say_why(self, playability):
        reason, subreason = playability.get("reason", ""), playability.get("subreason", "")
        if playability.get("login"):
            self.raise_login_required()
        if subreason.startswith("The uploader has not made this video available in your country"):
            self.raise_geo_restricted(subreason, None, metadata_available=True)
        reason = join_nonempty(reason, subreason != reason and subreason, delim=". ")
        if not reason:
            return
        if "sign in" in reason.lower():
            reason = reason.removesuffix("This helps protect our community. Learn more")
            reason = f"{reason.strip().removesuffix('.')}. {_LOGIN_HINT}"
        elif playability.get("captcha"):
            reason += ". YouTube is requiring a captcha challenge before playback"
        elif "This content isn't available, try again later" in reason:
            reason = (
                f"{reason.strip().removesuffix('.')}. The current session has been rate-limited by YouTube for up to "
                "an hour. It is recommended to use `-t sleep` to add a delay between video requests to avoid exceeding "
                "the rate limit."
            )
        self.raise_no_formats(reason, expected=True)


class _FakeSiteListBase(_FakeSiteBase):
    def _entries(self, url, words, item_id, link_of_page):
        while True:
            for row in words["entries"]:
                link = urljoin(url, f"/watch?v={quote(row['id'])}")
                # as with YouTube's lists, no date of upload
                yield self.url_result(
                    link,
                    FakeSiteIE,
                    row["id"],
                    row["title"],
                    duration=row["duration"],
                    channel=row["channel"],
                    uploader=row["channel"],
                    live_status=row["live"],
                )
            if not words["next"]:
                return
            words = self._words(link_of_page(words["next"]), item_id, f"Downloading page {words['next']}")


class FakeSiteListIE(_FakeSiteListBase):
    IE_NAME = "fakesite:list"
    _VALID_URL = _SITE + r"/playlist\?list=(?P<id>[^&/]+)"

    def _real_extract(self, url):
        list_id = self._match_id(url)
        words = self._words(url, list_id, "Downloading page 1")
        entries = self._entries(url, words, list_id, lambda page: f"{url}&page={page}")
        return self.playlist_result(entries, list_id, words["title"])


class FakeSiteChannelIE(_FakeSiteBase):
    IE_NAME = "fakesite:channel"
    _VALID_URL = _SITE + r"/@(?P<id>[^/?#]+)/?$"

    def _real_extract(self, url):
        name = self._match_id(url)
        words = self._words(url, name, "Downloading channel page")
        tabs = [
            self.url_result(urljoin(url, f"/playlist?list={quote(tab)}"), FakeSiteListIE, tab)
            for tab in traverse_obj(words, ("tabs", ...))
        ]
        return self.playlist_result(tabs, name, words["title"])


class FakeSiteSearchIE(_FakeSiteListBase, SearchInfoExtractor):
    IE_NAME = "fakesite:search"
    _SEARCH_KEY = "fakesearch"

    def _search_results(self, query):
        link = f"{os.environ['FAKE_SITE']}/search?q={quote(query)}"
        words = self._words(link, query, "Downloading page 1")
        return self._entries(link, words, query, lambda page: f"{link}&page={page}")


class FakeSiteSearchDateIE(FakeSiteSearchIE):
    IE_NAME = "fakesite:search:date"
    _SEARCH_KEY = "fakesearchdate"
