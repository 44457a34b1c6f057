"""Whether yt-dlp can collect here: its age, the scripts that it runs for YouTube, and the runtime that runs them."""

import re
import subprocess
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha3_512
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any, cast

from collectors.base import CollectConfig
from collectors.ytdlp.downloader import open_downloader

RUNTIME_LIMIT_S = 30.0
"""How long the runtime may take to answer; measured: 0.1 s."""
ANSWER = "function"
"""JavaScript's word for what yt-dlp's scripts define."""
_SAFE_OPTIONS = (
    "--ext=js", "--no-code-cache", "--no-prompt", "--no-remote", "--no-lock", "--node-modules-dir=none", "--no-config",
    "--no-npm", "--cached-only",
)  # fmt: skip
"""The options with which yt-dlp itself runs deno: it may touch neither the disk nor the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One answer of an examination."""

    detail: str
    """What was found."""
    problem: str = ""
    """What is wrong; empty where nothing is."""


def release_date() -> date:
    """Return the day on which the installed yt-dlp was released; its version says it."""
    from yt_dlp.version import __version__

    year, month, day = (int(part) for part in __version__.split(".")[:3])
    return date(year, month, day)


def examine_scripts() -> Health:
    """Compare yt-dlp-ejs with what yt-dlp wants, as yt-dlp does: the first two numbers of the version, then digests."""
    from yt_dlp.extractor.youtube.jsc._builtin import vendor

    wanted = str(vendor.VERSION)
    try:
        found = version("yt-dlp-ejs")
    except PackageNotFoundError:
        return Health(detail="not installed", problem=f"yt-dlp wants {wanted}")
    if _first_two(found) != _first_two(wanted):
        return Health(detail=found, problem=f"yt-dlp wants {wanted} and ignores this one")
    for name, script in _scripts().items():
        if sha3_512(script.encode()).hexdigest() != vendor.HASHES[f"yt.solver.{name}"]:
            return Health(detail=found, problem=f"yt-dlp does not trust its {name}: the digest is another")
    return Health(detail=f"{found}, yt-dlp wants {wanted}")


def examine_runtime(config: CollectConfig) -> Health:
    """Have the JavaScript runtime that collection uses load yt-dlp's scripts, and wait for its answer.

    Of ``config`` neither the proxy nor the cookies are used.
    """
    from yt_dlp.utils._jsruntime import DenoJsRuntime

    with open_downloader(replace(config, proxy="", cookies_file="")) as downloader:
        runtime = cast(Any, downloader)._js_runtimes["deno"].info
    if runtime is None:
        return Health(detail="not found", problem="without it no video of YouTube can be looked up")
    if not runtime.supported:
        least = ".".join(str(number) for number in DenoJsRuntime.MIN_SUPPORTED_VERSION)
        return Health(detail=runtime.version, problem=f"yt-dlp wants {least} or newer")
    try:
        done = subprocess.run(
            [runtime.path, "run", *_SAFE_OPTIONS, "-"],
            input=_program(),
            capture_output=True,
            text=True,
            timeout=RUNTIME_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Health(detail=runtime.version, problem=f"it does not answer ({type(error).__name__})")
    if done.returncode or done.stdout.strip() != ANSWER:
        return Health(detail=runtime.version, problem=f"it can't run yt-dlp's scripts (exit status {done.returncode})")
    return Health(detail=f"{runtime.version}, runs yt-dlp's scripts")


def _program() -> str:
    """Load the scripts as yt-dlp does, and say whether the function that it calls is there."""
    try:
        scripts = _scripts()
    except ModuleNotFoundError:  # told by `examine_scripts`
        return f"console.log('{ANSWER}');"
    return (
        f"{scripts['lib.min.js']}\nObject.assign(globalThis, lib);\n{scripts['core.min.js']}\nconsole.log(typeof jsc);"
    )


def _scripts() -> dict[str, str]:
    folder = files("yt_dlp_ejs.yt.solver")
    return {name: (folder / name).read_text(encoding="utf-8") for name in ("lib.min.js", "core.min.js")}


def _first_two(text: str) -> list[str]:
    return re.split(r"[.\-+]", text)[:2]
