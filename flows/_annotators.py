"""Annotators: their accounts on the review server, their names and roles in private, and how they do."""

import json
import time
from dataclasses import asdict

import typer

from annotation.studio.accounts import account_for, sign_up
from annotation.studio.annotator_records import AnnotatorRecord, annotator_records
from annotation.studio.service import ReviewServer
from flows._leases import waited_lease
from flows._services import start_review
from flows._study import Study
from schema.answer_rows import (
    annotations_from_rows,
    annotators_from_rows,
    annotators_to_rows,
    known_answers_from_rows,
)
from schema.arrow import ANNOTATIONS, ANNOTATORS, KNOWN_ANSWERS
from schema.errors import UsageError
from schema.privacy import make_annotator_id
from schema.questions import Annotator, Role
from schema.tables import STUDY_KEY

COLUMNS = ("name", "role", "answers", "known", "class", "edges", "flagged", "seconds", "id")


def role_named(name: str) -> Role:
    """Return the role of that name; raises ``UsageError`` with those there are."""
    try:
        return Role(name)
    except ValueError:
        raise UsageError(f"there is no role {name!r}; there are {', '.join(Role)}") from None


def add_annotator(study: Study, name: str, *, role: Role, email: str) -> None:
    """Record somebody who answers, make the account where there is none, and print how to log in.

    The password is printed once and kept nowhere. Called again for the same account it changes name or role and makes
    what is missing.

    Raises:
        UsageError: The name or the address can't be used, or the address is another person's.
        ServiceError: The review server does not answer.
    """
    name = " ".join(name.split())
    if not name:
        raise UsageError("an annotator needs a name")
    account = account_for(name, email=email)
    with waited_lease(study.layout, "annotators", STUDY_KEY):
        _record(study, name, account=account, role=role, email_given=bool(email))
        server = start_review(study)
        password = sign_up(server, account)
    for line in _login_lines(study, server, name=name, account=account, role=role, password=password):
        typer.echo(line)


def _record(study: Study, name: str, *, account: str, role: Role, email_given: bool) -> None:
    annotator_id = make_annotator_id(study.key, account)
    before = annotators_from_rows(study.store.read(ANNOTATORS)).get(annotator_id)
    if before is not None and before.name != name and not email_given:
        raise UsageError(f"{account} is {before.name}'s account already; give {name} another address with --email")
    if before is not None and (before.name, before.role, before.active) == (name, role, True):
        return
    annotator = Annotator(
        annotator_id=annotator_id, name=name, account=account, role=role, active=True, added_ns=time.time_ns()
    )
    study.store.append(ANNOTATORS, annotators_to_rows([annotator]))


def _login_lines(
    study: Study, server: ReviewServer, *, name: str, account: str, role: Role, password: str | None
) -> list[str]:
    lines = [
        f"{name} ({role}) is {make_annotator_id(study.key, account)} in the study's tables",
        f"address    {study.config.server.public_url or server.url}",
        f"user       {account}",
    ]
    if password is None:
        return [*lines, "password   as before: the account was there already"]
    return [*lines, f"password   {password}", "The password is shown this once and kept nowhere: hand it over now."]


def end_annotator(study: Study, who: str) -> None:
    """Record that somebody no longer answers; the answers stay and count.

    Args:
        study: The study.
        who: The name, the address or the id.

    Raises:
        UsageError: Nobody, or more than one person, is called that.
    """
    with waited_lease(study.layout, "annotators", STUDY_KEY):
        added = annotators_from_rows(study.store.read(ANNOTATORS)).values()
        found = [one for one in added if who in (one.name, one.account, one.annotator_id)]
        if len(found) != 1:
            raise UsageError(f"{len(found)} annotators are called {who!r}; `pressroom annotators list` has their ids")
        ended = Annotator(**asdict(found[0]) | {"role": found[0].role, "active": False, "added_ns": time.time_ns()})
        study.store.append(ANNOTATORS, annotators_to_rows([ended]))
    typer.echo(f"{found[0].name} is asked no more; the account stays until you delete it on the review server")


def tell_annotators(study: Study, *, as_json: bool) -> None:
    """Print everybody who was added or has answered, with their work so far."""
    records = annotator_records(
        annotations_from_rows(study.store.read(ANNOTATIONS)),
        known=known_answers_from_rows(study.store.read(KNOWN_ANSWERS)),
        annotators=annotators_from_rows(study.store.read(ANNOTATORS)),
        trust_after=study.config.annotate.known_before_trust,
    )
    if as_json:
        typer.echo(json.dumps({"annotators": [_document(record) for record in records]}, indent=1))
        return
    if not records:
        typer.echo("nobody was added yet: `pressroom annotators add NAME` does that")
        return
    for line in _table([COLUMNS, *map(_cells, records)]):
        typer.echo(line)
    typer.echo("\nknown, class, edges: hidden items answered, and right in class and in edges; * not trusted yet.")


def _document(record: AnnotatorRecord) -> dict[str, object]:
    person, skill = record.annotator, record.skill
    return {
        "annotator_id": record.annotator_id,
        "name": person.name if person else None,
        "account": person.account if person else None,
        "role": person.role if person else None,
        "active": person.active if person else None,
        "scripted": record.scripted,
        "answers": record.answer_count,
        "flagged": record.flagged_count,
        "median_seconds": record.median_seconds,
        "skill": asdict(skill) if skill else None,
    }


def _cells(record: AnnotatorRecord) -> tuple[str, ...]:
    person, skill = record.annotator, record.skill
    name = person.name if person else "(a script)" if record.scripted else "(never added)"
    role = "-" if person is None else person.role if person.active else f"{person.role}, left"
    known = "0" if skill is None else f"{skill.known_count}{'' if skill.is_trusted else '*'}"
    right = "-" if skill is None else str(skill.class_right_count)
    edges = "-" if skill is None else f"{skill.edges_right_count}/{skill.edges_count}"
    seconds = "-" if record.median_seconds is None else f"{record.median_seconds:.1f}"
    counts = (str(record.answer_count), known, right, edges, str(record.flagged_count), seconds)
    return name, role, *counts, record.annotator_id


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
