"""The licences that a release's annotations may carry, and the notice that names one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from schema.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """A public licence: its SPDX id, the Hub's id, its title, and where its text is."""

    spdx: str
    hub_id: str
    title: str
    url: str


LICENCES: dict[str, Licence] = {
    licence.spdx: licence
    for licence in (
        Licence(
            spdx="CC-BY-NC-4.0",
            hub_id="cc-by-nc-4.0",
            title="Creative Commons Attribution-NonCommercial 4.0 International",
            url="https://creativecommons.org/licenses/by-nc/4.0/",
        ),
        Licence(
            spdx="CC-BY-NC-SA-4.0",
            hub_id="cc-by-nc-sa-4.0",
            title="Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International",
            url="https://creativecommons.org/licenses/by-nc-sa/4.0/",
        ),
        Licence(
            spdx="CC-BY-4.0",
            hub_id="cc-by-4.0",
            title="Creative Commons Attribution 4.0 International",
            url="https://creativecommons.org/licenses/by/4.0/",
        ),
        Licence(
            spdx="CC-BY-SA-4.0",
            hub_id="cc-by-sa-4.0",
            title="Creative Commons Attribution-ShareAlike 4.0 International",
            url="https://creativecommons.org/licenses/by-sa/4.0/",
        ),
        Licence(
            spdx="CC0-1.0",
            hub_id="cc0-1.0",
            title="Creative Commons Zero 1.0 Universal",
            url="https://creativecommons.org/publicdomain/zero/1.0/",
        ),
    )
}
"""By SPDX id (spdx.org/licenses); the Hub writes the same ids in small letters."""


def licence_of(spdx: str) -> Licence:
    """Return a licence; raises ``ConfigError`` with the nearest one for an id that is not in ``LICENCES``."""
    if spdx not in LICENCES:
        nearest = get_close_matches(spdx, LICENCES, n=1, cutoff=0.0)[0]
        raise ConfigError(
            f"release.license_id: no licence {spdx!r}; nearest is {nearest!r}; use one of {', '.join(LICENCES)}"
        )
    return LICENCES[spdx]


def outcome_licence_line(name: str) -> str:
    """Say what binds the match outcomes that came from results under a licence of their own."""
    return (
        f"The column `match_outcome` of *videos* comes from match results that are licensed {name}: that licence binds "
        "whoever uses these labels or hands them on, beside the release's own."
    )


def origin_licence_line(origin: str, licence: str) -> str:
    """Say what binds the segments and keypoints that came from an imported data set."""
    told = licence.strip() or "nobody said under which licence: ask its makers before you use it or hand it on"
    return f"Segments, keypoints and videos whose `origin` is `{origin}` come from an imported data set: {told}."


def licence_text(
    licence: Licence,
    *,
    title: str,
    outcome_licences: Iterable[str] = (),
    origin_licences: Mapping[str, str] | None = None,
) -> str:
    """Write LICENSE: what is licensed, under what, and what is not."""
    lines = [outcome_licence_line(name) for name in outcome_licences]
    lines += [origin_licence_line(*pair) for pair in sorted((origin_licences or {}).items())]
    bound = "".join(f"\n{line}\n" for line in lines)
    return f"""{title}: licence

SPDX-License-Identifier: {licence.spdx}

The annotations, keypoints, descriptions and documents in this folder are made available under
{licence.title} ({licence.spdx}).
The full text, which alone is binding, is at
{licence.url}

The videos that the annotations describe are not part of this release and are not licensed by it: they belong to
whoever published them. reader.py may also be used under the Apache License, Version 2.0.
The licence does not touch the rights of the people who are described: nobody may use this data to find out who they
are.
{bound}"""
