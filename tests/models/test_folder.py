"""A model's folder: whole or not there, the same bytes for the same model, and refused once anything in it changed."""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from models.config import PretrainConfig, TrainConfig
from models.facts import Origin, Temperatures
from models.folder import (
    digest_of_folder,
    digest_of_model,
    is_model,
    read_facts,
    read_model,
    write_model,
)
from models.metrics import Measured, ModelMetrics
from schema.errors import BadModelError, UsageError
from tests.kills import killed_at
from tests.made_up_models import TAXONOMY, made_up_facts, made_up_weights, small_facts

ROOT = Path(__file__).parents[2]
FILES = {
    "README.md", "SHA256SUMS", "card.html", "config.json", "data.json", "metrics.json", "taxonomy.json",
    "weights.safetensors",
}  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "models" / "seed-1"
    write_model(folder, made_up_weights(), made_up_facts())
    return folder


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "seed-1"))


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def sign(folder: Path) -> None:
    """Make the sums fit again, as somebody would who changes a file on purpose."""
    lines = [f"{sha256(data).hexdigest()}  {name}\n" for name, data in sorted(bytes_of(folder).items())]
    (folder / "SHA256SUMS").write_text("".join(line for line in lines if "SHA256SUMS" not in line), encoding="utf-8")


def edit(folder: Path, name: str, change) -> None:
    document = json.loads((folder / name).read_text(encoding="utf-8"))
    change(document)
    (folder / name).write_text(json.dumps(document), encoding="utf-8")
    sign(folder)


def refused(folder: Path) -> str:
    with pytest.raises(BadModelError) as caught:
        read_model(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(folder.name)
    return message


def test_what_was_written_is_read_again(written: Path) -> None:
    stored = read_model(written)
    assert stored.facts == made_up_facts()
    assert list(stored.weights) == sorted(made_up_weights())
    for name, value in made_up_weights().items():
        assert stored.weights[name].dtype == value.dtype
        assert stored.weights[name].shape == value.shape
        assert np.array_equal(stored.weights[name], value)
    assert read_facts(written) == stored.facts
    assert stored.identity == f"seed-1@{stored.digest}"
    assert re.fullmatch(r"[0-9a-f]{12}", stored.digest)


def test_the_folder_holds_numbers_texts_and_pictures_alone(written: Path) -> None:
    names = set(bytes_of(written))
    assert {name for name in names if not name.startswith("plots/")} == FILES
    assert all(name.endswith(".png") for name in names - FILES)
    done = subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=written, check=False)
    assert done.returncode == 0


def test_the_same_model_gives_the_same_bytes(written: Path, tmp_path: Path) -> None:
    turned = dict(reversed(made_up_weights().items()))
    facts = made_up_facts()
    turned_facts = replace(
        facts,
        class_counts=dict(reversed(facts.class_counts.items())),
        temperatures=replace(facts.temperatures, classes=dict(reversed(facts.temperatures.classes.items()))),
    )
    write_model(tmp_path / "again", turned, turned_facts)
    assert bytes_of(tmp_path / "again") == bytes_of(written)


def test_the_same_model_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from models.folder import write_model; "
        "from tests.made_up_models import small_facts, made_up_weights; "
        "write_model(Path(sys.argv[1]), made_up_weights(), small_facts())"
    )
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / seed)], cwd=ROOT, check=True, timeout=50,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )  # fmt: skip
    assert bytes_of(tmp_path / "1") == bytes_of(tmp_path / "2")


def test_the_digest_is_known_before_the_model_is_written_and_without_its_weights(written: Path) -> None:
    assert (
        digest_of_model(made_up_weights(), made_up_facts()) == digest_of_folder(written) == read_model(written).digest
    )


def test_the_digest_follows_what_the_model_says_and_not_what_is_told_of_it(tmp_path: Path) -> None:
    before = digest_of_model(made_up_weights(), small_facts())
    told = replace(small_facts("other-name"), metrics=ModelMetrics(sequences=7, notes=("new",)))
    assert digest_of_model(made_up_weights(), told) == before
    assert digest_of_model(made_up_weights(1), small_facts()) != before
    for change in (
        {"temperatures": Temperatures(any_gesture=1.01)},
        {"config": TrainConfig(seed=1)},
        {"points": (1, 5, 6)},
        {"taxonomy": replace(TAXONOMY, classes=(replace(TAXONOMY.classes[0], phrase="else"), *TAXONOMY.classes[1:]))},
    ):
        assert digest_of_model(made_up_weights(), small_facts(**change)) != before


def test_facts_need_neither_torch_nor_the_weights_library(written: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from models.folder import read_facts, digest_of_folder; "
        f"print(read_facts(Path({str(written)!r})).name, digest_of_folder(Path({str(written)!r}))); "
        "print(sorted({'torch', 'safetensors', 'matplotlib', 'jinja2'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True, timeout=50
    )
    assert done.stdout.split("\n")[:2] == [f"seed-1 {digest_of_folder(written)}", "[]"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_bit_anywhere_is_found(copy: Path, data: st.DataObject) -> None:
    contents = bytes_of(copy)
    name = data.draw(st.sampled_from(sorted(contents)))
    place = data.draw(st.integers(0, len(contents[name]) - 1))
    flipped = bytearray(contents[name])
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))
    (copy / name).write_bytes(flipped)
    try:
        message = refused(copy)
        assert name in message or "SHA256SUMS" in message or name in ("config.json", "SHA256SUMS")
    finally:
        (copy / name).write_bytes(contents[name])


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_that_is_missing_cut_or_empty_is_named(copy: Path, name: str) -> None:
    whole = (copy / name).read_bytes()
    for cut in (whole[: len(whole) // 2], b""):
        (copy / name).write_bytes(cut)
        refused(copy)
    (copy / name).unlink()
    assert refused(copy) == f"seed-1: {name} is missing: restore the folder from a copy"


def test_a_plot_that_is_missing_or_added_is_found(copy: Path) -> None:
    (copy / "plots" / "more.png").write_bytes(b"\x89PNG")
    assert "SHA256SUMS does not fit the files (plots/more.png)" in refused(copy)
    (copy / "plots" / "more.png").unlink()
    (copy / "plots" / "classes.png").unlink()
    assert "plots/classes.png" in refused(copy)


class Runs:
    def __reduce__(self):
        return os.system, ("touch /tmp/a-pickle-of-a-model-was-run",)


@pytest.mark.parametrize("name", ["weights.pt", "model.pkl", "notes.txt", "plots/classes.png", "optimizer.BIN"])
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_is_refused_and_never_run(copy: Path, name: str, protocol: int) -> None:
    (copy / name).write_bytes(pickle.dumps(Runs(), protocol=protocol))
    sign(copy)
    if protocol == 0 and name == "plots/classes.png":
        read_model(copy)  # it is listed, and never opened
    else:
        message = refused(copy)
        assert name in message
        if protocol or name not in ("notes.txt", "plots/classes.png"):
            assert "may be a pickle" in message
    assert not Path("/tmp/a-pickle-of-a-model-was-run").exists()


def test_a_pickle_in_the_place_of_the_weights_is_no_safetensors_file(copy: Path) -> None:
    (copy / "weights.safetensors").write_bytes(pickle.dumps({"a": np.zeros(3)}))
    sign(copy)
    assert "weights.safetensors is no safetensors file" in refused(copy)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.pop("detector.classes.bias"), "float32 5 as 'detector.classes.bias', weights.safetensors holds"),
        (lambda w: w.update(more=np.zeros(2, np.float32)), "nothing as 'more', weights.safetensors holds float32 2"),
        (
            lambda w: w.update({"encoder.blocks.0.convolution.weight": np.zeros((8, 6, 5), np.float32)}),
            "float32 8 x 6 x 3 as 'encoder.blocks.0.convolution.weight', weights.safetensors holds float32 8 x 6 x 5",
        ),
        (lambda w: w.update({"detector.classes.bias": np.zeros(5, np.float64)}), "holds float64 5"),
        (
            lambda w: w.update({"encoder.blocks.0.norm.num_batches_tracked": np.zeros(1, np.int64)}),
            "int64 single number as 'encoder.blocks.0.norm.num_batches_tracked', weights.safetensors holds int64 1",
        ),
        (lambda w: w.update({"detector.classes.bias": np.full(5, np.nan, np.float32)}), "no numbers: training"),
        (lambda w: w.update({"detector.classes.bias": np.full(5, np.inf, np.float32)}), "no numbers: training"),
    ],
)  # fmt: skip
def test_weights_that_are_not_what_the_config_says_are_refused(copy: Path, change, words: str) -> None:
    weights = made_up_weights()
    change(weights)
    (copy / "weights.safetensors").write_bytes(save(weights))
    sign(copy)
    assert words in refused(copy)


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("config.json", lambda d: d.update(format_version=2), "has format version 2, this pressroom reads 1"),
        ("config.json", lambda d: d.update(format="other"), "of the format 'other'"),
        ("config.json", lambda d: d.pop("format"), "is no model's configuration"),
        ("config.json", lambda d: d.update(layout="openpose999"), "no layout 'openpose999'"),
        ("config.json", lambda d: d.update(points=[0, 133]), "looks at point 133"),
        ("config.json", lambda d: d.update(points=[0, 0]), "each once"),
        ("config.json", lambda d: d.update(dimensions=4), "2 or 3 dimensions"),
        ("config.json", lambda d: d.update(rate_hz=25.0), "names two rates"),
        ("config.json", lambda d: d["classes"].append("winking"), "has no class 'winking'"),
        ("config.json", lambda d: d["groups"].append("Tail"), "has no group 'Tail'"),
        ("config.json", lambda d: d["fallen_back"].append(d["classes"][0]), "fall back to its group at once"),
        ("config.json", lambda d: d["temperatures"].update(any_gesture=0.0), "temperature must be above 0"),
        ("config.json", lambda d: d["train"].update(seed="0"), "config.json: train.seed"),
        ("config.json", lambda d: d["train"]["pretrain"].update(method="magic"), "config.json: train.pretrain.method"),
        ("config.json", lambda d: d["train"]["detect"].update(newer_setting=1), "holds 'newer_setting'"),
        ("taxonomy.json", lambda d: d["classes"][3].update(phrase="waves"), "another digest than it says"),
        ("taxonomy.json", lambda d: d["classes"].pop(), "another digest than it says"),
        ("data.json", lambda d: d["trained_on"]["video_ids"].append("Ada Lovelace"), "no keyed id"),
        ("data.json", lambda d: d["trained_on"]["subject_gestures"].update({"https://x.org": 3}), "no keyed id"),
        ("data.json", lambda d: d.update(name="../../else"), "a model's name is small letters"),
        ("metrics.json", lambda d: d.update(sequences="many"), "metrics.json: sequences"),
        ("metrics.json", lambda d: d["detection"]["recall"].update(value=float("nan")), "metrics.json: detection"),
    ],
)  # fmt: skip
def test_files_that_contradict_each_other_are_refused_though_their_sums_fit(copy: Path, file, change, words) -> None:
    edit(copy, file, change)
    message = refused(copy)
    assert words in message
    assert "Ada" not in message
    with pytest.raises(BadModelError):
        read_facts(copy)


def test_a_version_to_come_is_told_before_its_unknown_files(copy: Path) -> None:
    (copy / "more.json").write_text("{}", encoding="utf-8")
    edit(copy, "config.json", lambda d: d.update(format_version=3))
    assert "has format version 3, this pressroom reads 1" in refused(copy)


def test_links_and_strange_files_are_refused_and_not_followed(copy: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "README.md").write_bytes((copy / "README.md").read_bytes())
    (copy / "README.md").unlink()
    (copy / "README.md").symlink_to(outside / "README.md")
    assert refused(copy) == "seed-1: README.md is a link, and a model holds none: copy the file itself"
    (copy / "README.md").unlink()
    os.mkfifo(copy / "README.md")
    assert "README.md is no part of a model" in refused(copy)
    (copy / "README.md").unlink()
    shutil.copy(outside / "README.md", copy)
    shutil.rmtree(copy / "plots")
    (copy / "plots").symlink_to(outside)
    assert "plots is a link" in refused(copy)


def test_what_is_no_model_at_all_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(BadModelError, match="there is no such model"):
        read_model(tmp_path / "nothing")
    with pytest.raises(BadModelError, match="is no model: it has neither"):
        read_facts(tmp_path)
    assert not is_model(tmp_path)


def test_sums_may_not_name_files_elsewhere(copy: Path) -> None:
    with (copy / "SHA256SUMS").open("a", encoding="utf-8") as file:
        file.write(f"{'0' * 64}  ../../private/pseudonym.key\n")
    assert "SHA256SUMS does not fit the files" in refused(copy)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_model_whose_training_diverged_is_not_written(tmp_path: Path, value: float) -> None:
    weights = made_up_weights() | {"detector.classes.bias": np.full(5, value, np.float32)}
    with pytest.raises(BadModelError, match=r"training diverged.*smaller train.learning_rate"):
        write_model(tmp_path / "seed-1", weights, small_facts())
    assert list(tmp_path.iterdir()) == []


def test_names_and_links_are_never_written(tmp_path: Path) -> None:
    facts = small_facts()
    for data in (
        replace(facts.data, video_ids=("https://example.org/watch?v=1",)),
        replace(facts.data, subject_gestures={"Ada Lovelace": 3}),
        replace(facts.data, unlabelled_video_ids=("private/clip.mp4",)),
    ):
        with pytest.raises(BadModelError, match="no names, paths or links") as caught:
            write_model(tmp_path / "seed-1", made_up_weights(), replace(facts, data=data))
        assert not {"Ada", "example", "clip"} & set(re.findall(r"\w+", str(caught.value)))
    assert list(tmp_path.iterdir()) == []


def test_a_model_is_never_written_over_another(copy: Path) -> None:
    before = bytes_of(copy)
    with pytest.raises(UsageError, match="is there already: give the model another name"):
        write_model(copy, made_up_weights(1), small_facts())
    assert bytes_of(copy) == before
    assert [path.name for path in copy.parent.iterdir()] == ["seed-1"]


def test_figures_may_be_numpy_numbers_and_nothing_else_that_json_lacks(tmp_path: Path) -> None:
    metrics = ModelMetrics(sequences=np.int64(3), minutes=np.float32(1.5))
    write_model(tmp_path / "seed-1", made_up_weights(), replace(small_facts(), metrics=metrics))
    assert read_facts(tmp_path / "seed-1").metrics == ModelMetrics(sequences=3, minutes=1.5)


def test_figures_that_are_none_are_refused_where_they_are_born() -> None:
    for wrong in ({"value": float("nan")}, {"value": 0.5, "low": 0.1}, {"value": 0.5, "low": 0.9, "high": 0.1}):
        with pytest.raises(ValueError, match=r"must be a number|two ends|turned round"):
            Measured(**wrong)


def test_a_kill_at_any_moment_leaves_a_whole_model_or_none(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "seed-1"
    facts, weights = small_facts(), made_up_weights()
    moments = 0
    while killed_at(moments + 1, lambda: lambda: write_model(folder, weights, facts)):
        moments += 1
        assert not folder.exists()
        leftovers = list(folder.parent.iterdir())
        assert all(path.name.startswith(".") and not is_model(path) for path in leftovers)
        assert len(leftovers) == 1, "the one before was removed"
    assert moments == len(FILES) + 1, "a moment for each file, and one before the rename"
    assert read_model(folder).facts == facts
    assert [path.name for path in folder.parent.iterdir()] == ["seed-1"]


def test_settings_that_were_not_the_defaults_come_back(tmp_path: Path) -> None:
    config = TrainConfig(seed=7, pretrain=PretrainConfig(method="decorrelation", steps=12), balance=1.0)
    origin = Origin(name="ünïcode <set> | 1", licence='"quoted" & <tagged>', sequences=1, gestures=2, subjects=1)
    facts = small_facts(config=config)
    facts = replace(facts, data=replace(facts.data, origins=(origin,)))
    write_model(tmp_path / "seed-1", made_up_weights(), facts)
    assert read_model(tmp_path / "seed-1").facts == facts
    page = (tmp_path / "seed-1" / "card.html").read_text(encoding="utf-8")
    assert "&lt;tagged&gt;" in page
    assert "<tagged>" not in page
    assert "ünïcode &lt;set> / 1" in (tmp_path / "seed-1" / "README.md").read_text(encoding="utf-8")
