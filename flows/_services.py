"""The study's two servers: Prefect's and the review server, started and stopped together."""

from concurrent.futures import ThreadPoolExecutor

from annotation.studio import service
from annotation.studio.installation import ensure_label_studio
from annotation.studio.service import ReviewServer
from flows._prefect import PrefectServer, running_prefect, start_prefect, stop_prefect
from flows._study import Study


def start_review(study: Study) -> ReviewServer:
    """Start the review server, and install it first where it is not."""
    return service.start(study.layout, ensure_label_studio(), config=study.config.server)


def start_services(study: Study) -> str:
    """Start both servers side by side; say where they are and how to log in."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        prefect, review = pool.submit(start_prefect, study.layout), pool.submit(start_review, study)
        return describe_services(prefect.result(), review.result())


def describe_services(prefect: PrefectServer | None, review: ReviewServer | None) -> str:
    """Say where the servers are and how to log in."""
    lines = [f"Prefect        {prefect.url}" if prefect else "Prefect        not running"]
    if review:
        lines.append(f"Label Studio   {review.url}   user {review.user}   password {review.password}")
    else:
        lines.append("Label Studio   not running")
    return "\n".join(lines)


def running_services(study: Study) -> str:
    """Say which servers run."""
    return describe_services(running_prefect(study.layout), service.running(study.layout))


def stop_services(study: Study) -> str:
    """Stop both servers; say which of them ran."""
    stopped = {"Prefect": stop_prefect(study.layout), "Label Studio": service.stop(study.layout)}
    return "\n".join(f"{name}: {'stopped' if ran else 'was not running'}" for name, ran in stopped.items())
