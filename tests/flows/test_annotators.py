"""``pressroom annotators``: accounts that people can log in with, names that stay private, and how each one does."""

import json
import re
import stat
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from annotation.studio.accounts import account_for
from annotation.studio.annotator_records import annotator_records
from annotation.studio.service import ReviewServer
from flows import _annotators
from flows._cli import app
from flows._study import Study, open_study
from schema.answer_rows import annotations_to_rows, annotators_from_rows, known_answers_to_rows
from schema.arrow import ANNOTATIONS, ANNOTATORS, KNOWN_ANSWERS
from schema.errors import UsageError
from schema.privacy import make_annotator_id
from schema.questions import Annotator, KnownAnswer, QuestionKind, Role
from schema.records import Annotation, CandidateId, Verdict
from schema.timespan import NS_PER_SECOND
from tests.factories import NECK, make_annotation, make_span
from tests.labelstudio_server import review_layout, review_server
from tests.studies import make_study

__all__ = ["review_layout", "review_server"]
KNOWN_ID = CandidateId("k" + "0" * 20)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    recording = tmp_path / "study" / "recordings" / "one.mp4"
    recording.parent.mkdir(parents=True)
    recording.touch()
    return make_study(tmp_path / "study")


@pytest.fixture
def served(study: Study, review_server: ReviewServer, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setattr(_annotators, "start_review", lambda _: review_server)
    return study


def command(*arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["annotators", *arguments])
    assert done.exit_code == status, done.output
    return done.output


def added(study: Study) -> dict[str, Annotator]:
    return annotators_from_rows(open_study(study.layout.root).store.read(ANNOTATORS))


def log_in(server: ReviewServer, account: str, password: str) -> str:
    """Fill in the page's form as a browser does; returns whom the server then greets."""
    with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as http:
        http.get("/user/login/").raise_for_status()
        form = {"csrfmiddlewaretoken": http.cookies["csrftoken"], "email": account, "password": password}
        assert http.post("/user/login/", data=form).is_redirect
        return str(http.get("/api/current-user/whoami").raise_for_status().json()["email"])


def files_with(text: str, *roots: Path) -> list[Path]:
    found = [
        path for root in roots for path in root.rglob("*") if path.is_file() and text.encode() in path.read_bytes()
    ]
    return sorted(found)


@pytest.mark.labelstudio
@pytest.mark.timeout(300)
def test_a_person_who_was_added_can_log_in_and_the_password_is_nowhere(
    served: Study, review_server: ReviewServer
) -> None:
    root = served.layout.root
    told = command("add", "Zoë  Ångström", str(root))
    password = re.search(r"^password +(\S+)$", told, re.MULTILINE)
    assert password is not None
    account = "zoe.angstrom@example.com"
    assert f"user       {account}" in told
    assert log_in(review_server, account, password[1]) == account
    assert files_with(password[1], root, review_server.data_folder) == []
    (person,) = added(served).values()
    assert (person.name, person.account, person.role, person.active) == ("Zoë Ångström", account, "annotator", True)
    assert person.annotator_id == make_annotator_id(served.key, account)
    assert all(served.layout.private in path.parents for path in files_with(account, root))
    assert all(served.layout.private in path.parents for path in files_with("Ångström", root))
    assert stat.S_IMODE(served.layout.private.stat().st_mode) == 0o700


@pytest.mark.labelstudio
@pytest.mark.timeout(300)
def test_adding_again_changes_the_role_and_keeps_account_and_password(
    served: Study, review_server: ReviewServer
) -> None:
    root = str(served.layout.root)
    first = command("add", "Ben Okri", root)
    assert "password   as before" in command("add", "Ben Okri", root)
    assert len(served.store.read(ANNOTATORS)) == 1, "nothing changed"
    assert "(expert)" in command("add", "Ben Okri", root, "--role", "expert")
    (person,) = added(served).values()
    assert person.role is Role.EXPERT
    password = re.search(r"^password +(\S+)$", first, re.MULTILINE)
    assert password is not None
    assert log_in(review_server, "ben.okri@example.com", password[1])


@pytest.mark.labelstudio
@pytest.mark.timeout(300)
def test_two_people_of_one_name_need_two_addresses(served: Study) -> None:
    root = str(served.layout.root)
    command("add", "Ana Lima", root)
    assert "is Ana Lima's account already" in command("add", "ana lima", root, status=2)
    command("add", "Ana Lima", root, "--email", "Ana.2@Example.org")
    assert sorted(person.account for person in added(served).values()) == ["ana.2@example.org", "ana.lima@example.com"]
    assert "2 annotators are called 'Ana Lima'" in command("end", "Ana Lima", root, status=2)
    command("end", "ana.2@example.org", root)
    assert [person.active for person in sorted(added(served).values(), key=lambda p: p.account)] == [False, True]


@pytest.mark.parametrize(
    ("name", "email", "words"),
    [
        ("李娜", "", "no address can be made of the name"),
        ("Anna", "anna", "'anna' is no e-mail address"),
        ("Anna", "script-1@example.com", "belongs to the study itself"),
        ("Reviewer", "", "belongs to the study itself"),
    ],
)
def test_an_account_that_can_not_be_a_persons_is_refused(name: str, email: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        account_for(name, email=email)


def test_a_wrong_role_or_name_ends_in_one_line(study: Study) -> None:
    root = str(study.layout.root)
    assert "there is no role 'boss'; there are annotator, expert" in command(
        "add", "Anna", root, "--role", "boss", status=2
    )
    assert "an annotator needs a name" in command("add", "  ", root, status=2)
    assert "0 annotators are called 'Anna'" in command("end", "Anna", root, status=2)
    assert "nobody was added yet" in command("list", root)


def person(number: int, name: str) -> Annotator:
    annotator_id = f"r{number:020d}"
    return Annotator(
        annotator_id=annotator_id,
        name=name,
        account=f"{name}@example.org",
        role=Role.ANNOTATOR,
        active=True,
        added_ns=1,
    )


def answer(number: int, annotator: int, **changes: object) -> Annotation:
    return make_annotation(number, annotator_id=f"r{annotator:020d}", answer_number=number, **changes)


def hidden(number: int, annotator: int, verdict: Verdict) -> Annotation:
    class_id = NECK if verdict is Verdict.ACCEPT else None
    return answer(number, annotator, candidate_id=KNOWN_ID, kind=QuestionKind.KNOWN, verdict=verdict, class_id=class_id)


KNOWN = KnownAnswer(question_id=KNOWN_ID, variant="exact", exists=True, class_id=NECK, span=make_span(), source="study")
SLOW = {"lead_time_ns": 9 * NS_PER_SECOND}
ANSWERS = [
    hidden(1, 1, Verdict.ACCEPT),
    hidden(2, 2, Verdict.REJECT),
    answer(3, 1, **SLOW),
    replace(answer(3, 1, **SLOW), annotation_id="a3edited", answered_ns=2 * 10**18, comment="edited"),
    answer(4, 1, candidate_id="c4", flag="another account sent it"),
    answer(5, 1, candidate_id="c5", deleted=True),
    answer(6, 3, candidate_id="c6", scripted=True, lead_time_ns=0),
]


def test_a_record_counts_what_stands_and_what_hidden_items_say() -> None:
    people = {one.annotator_id: one for one in (person(1, "zora"), person(2, "abel"))}
    abel, zora, script = annotator_records(ANSWERS, known=[KNOWN], annotators=people, trust_after=1)
    assert [record.annotator and record.annotator.name for record in (abel, zora, script)] == ["abel", "zora", None]
    assert (zora.answer_count, zora.flagged_count, zora.median_seconds) == (2, 1, 6.5)
    assert zora.skill is not None
    assert abel.skill is not None
    assert (zora.skill.class_right_count, zora.skill.edges_right_count, zora.skill.edges_count) == (1, 1, 1)
    assert (abel.skill.class_right_count, abel.skill.edges_count) == (0, 0)
    assert zora.skill.is_trusted
    assert (script.scripted, script.skill, script.median_seconds) == (True, None, None)


def test_the_list_is_read_by_people_and_by_machines(study: Study) -> None:
    study.store.append(ANNOTATORS, _annotators.annotators_to_rows([person(1, "zora"), person(2, "abel")]))
    study.store.append(ANNOTATIONS, annotations_to_rows(ANSWERS))
    study.store.append(KNOWN_ANSWERS, known_answers_to_rows([KNOWN]))
    lines = command("list", str(study.layout.root)).splitlines()
    assert lines[0].split() == ["name", "role", "answers", "known", "class", "edges", "flagged", "seconds", "id"]
    assert lines[1].split()[:8] == ["abel", "annotator", "1", "1*", "0", "0/0", "0", "4.0"]
    assert lines[2].split()[:8] == ["zora", "annotator", "2", "1*", "1", "1/1", "1", "6.5"]
    assert lines[3].startswith("(a script)")
    document = json.loads(command("list", str(study.layout.root), "--json"))["annotators"]
    assert [row["name"] for row in document] == ["abel", "zora", None]
    assert document[1]["skill"]["class_right_count"] == 1
    assert document[1]["median_seconds"] == 6.5
