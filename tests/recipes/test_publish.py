"""`publish` and `push_to_hub`: with the real huggingface_hub and a hub on this machine, there and back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml
from helpers import commands, toy
from helpers.hub import WRITE_TOKEN, files_of, hub_server

import distilmt
from distilmt.config import CorpusConfig, RunConfig, TeacherConfig
from distilmt.export.card import Form, ModelCard, write_card
from distilmt.export.publish import Publication, metadata, published_card
from distilmt.recipes.publish import publication
from distilmt.utils.errors import UserError

NAME = "team/en-it-tiny"
TEXT = toy.pairs(1, seed=5)[0][0]
CARD = ModelCard("en", "pt_BR", scores={"validation bleu": 30.0, "test bleu": 31.254, "test chrf": 55.5})
ABOUT = Publication(
    "newstest.pt, 500 sentences", {"bleu": "nrefs:1|tok:13a", "chrf": "nrefs:1|nc:6"}, "team/opus", "team/text"
)


@pytest.fixture
def export(tmp_path):
    """Writes the card of an export, and gives its directory."""

    def written(card=CARD, library="ctranslate2"):
        (tmp_path / "model.bin").write_bytes(b"weights")
        write_card(tmp_path, card, Form("CTranslate2, int8", library, "`distilmt translate DIRECTORY`, DIRECTORY/*.xz"))
        return tmp_path

    return written


def front_matter(text: str) -> dict:
    return yaml.safe_load(text.split("---\n")[1])


def test_the_metadata_has_the_scores_with_their_signatures(export):
    from huggingface_hub import ModelCard as HubCard

    text = published_card(export(), NAME, ABOUT)
    data = HubCard(text).data
    assert data.language == ["en", "pt"] and data.base_model == "team/opus" and data.datasets == ["team/text"]
    assert data.library_name == "ctranslate2" and data.pipeline_tag == "translation" and "distilmt" in data.tags
    results = {result.metric_type: result for result in data.eval_results}
    assert {name: result.metric_value for name, result in results.items()} == {"bleu": 31.25, "chrf": 55.5}
    assert results["bleu"].metric_args == {"sacrebleu_signature": "nrefs:1|tok:13a"}
    assert {result.dataset_name for result in results.values()} == {"newstest.pt, 500 sentences"}
    (index,) = front_matter(text)["model-index"]
    assert index["name"] == "en-it-tiny" and len(index["results"][0]["metrics"]) == 2


def test_the_card_has_the_command_for_the_hub(export):
    text = published_card(export(), NAME, ABOUT)
    assert f"`distilmt translate hf:{NAME}`, DIRECTORY/*.xz" in text and "# Translation en → pt_BR" in text
    assert f"`distilmt translate {NAME}`" in published_card(export(library="transformers"), NAME, ABOUT)


def test_without_scores_there_is_no_index(export):
    assert "model-index" not in front_matter(published_card(export(replace(CARD, scores={})), NAME, Publication()))


@pytest.mark.parametrize(
    ("teacher", "data", "own", "expected"),
    [
        (None, None, None, {"license": "unknown"}),
        ("CC-BY-4.0", "CC-BY-4.0", None, {"license": "cc-by-4.0"}),
        ("CC-BY-4.0", "MIT", "Apache-2.0", {"license": "apache-2.0"}),
        ("CC-BY-4.0", "MIT", None, {"license": "other", "license_name": "teacher: CC-BY-4.0, data: MIT"}),
        ("CC-BY-4.0", None, None, {"license": "other", "license_name": "teacher: CC-BY-4.0"}),
        (None, None, "My license", {"license": "other", "license_name": "My license"}),
    ],
)
def test_no_license_is_invented(export, teacher, data, own, expected):
    facts = json.loads((export(replace(CARD, teacher_license=teacher, data_license=data)) / "card.json").read_text())
    content = metadata(facts, NAME, replace(ABOUT, license=own)).to_dict()
    assert {key: content[key] for key in content if key.startswith("license")} == expected


def test_a_run_names_its_test_set_teacher_and_data(finished_run, tmp_path):
    test = json.loads((finished_run / "report.json").read_text())["test"]
    run = distilmt.Run(finished_run)
    about = publication(run.config, finished_run)
    assert about.test_set.endswith(f"{test['sentences']} sentences") and about.base_model is about.dataset is None
    assert about.signatures == {"bleu": test["bleu_signature"], "chrf": test["chrf_signature"]}
    files = CorpusConfig(train=["a/x.en", "a/x.it"], test=["a/t.en", "a/t.it"], dataset="hf:team/text:en-it")
    other = RunConfig(corpus=files, teacher=TeacherConfig(path="team/opus"))
    about = publication(other, finished_run)
    assert about.test_set.startswith("t.en and t.it, ")
    assert (about.base_model, about.dataset) == ("team/opus", "team/text")
    assert publication(replace(other, teacher=TeacherConfig(path=str(tmp_path))), finished_run).base_model is None


_PROGRAM = """
import json
import distilmt

run = distilmt.Run({run!r})
urls = [run.push_to_hub("team/new", private=True, license="cc-by-4.0"), run.push_to_hub({name!r})]
print(json.dumps([urls, distilmt.Translator("hf:" + {name!r}).translate({text!r})]))
"""


def environment(hub, tmp_path, token=WRITE_TOKEN) -> dict[str, str]:
    names = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_TOKEN": token, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "0"}
    return commands.environment() | names | {"HF_HOME": str(tmp_path / "hf"), "XDG_CACHE_HOME": str(tmp_path)}


def test_a_published_student_translates_from_the_hub(finished_run, tmp_path):
    export = finished_run / "exports" / "student-int8"
    with hub_server() as hub:
        hub.models[NAME] = {"model.bin.xz": b"of an earlier export", "LICENSE": b"of the owner"}
        program = _PROGRAM.format(run=str(finished_run), name=NAME, text=TEXT)
        process = commands.python(program, environment(hub, tmp_path))
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    assert b"%|" not in process.stderr  # no progress bar
    urls, translation = json.loads(process.stdout)
    assert urls == [f"{hub.url}/team/new", f"{hub.url}/{NAME}"] and hub.visibilities == {"team/new": "private"}
    assert front_matter(hub.models["team/new"]["README.md"].decode())["license"] == "cc-by-4.0"
    assert translation == distilmt.Translator(export).translate(TEXT)
    uploaded, local = hub.models[NAME], files_of(export)
    assert set(uploaded) == {*local, "LICENSE"}
    assert all(uploaded[name] == content for name, content in local.items() if name != "README.md")
    assert front_matter(uploaded["README.md"].decode())["model-index"]


def test_the_command_and_its_errors(finished_run, tmp_path):
    """No token, a wrong name, no such export, an offline hub: one line each, exit status 2."""
    run = str(finished_run)
    with hub_server() as hub:
        program = f"import sys\nfrom distilmt.cli import main\nsys.exit(main(['publish', {run!r}, {NAME!r}]))"
        process = commands.python(program, environment(hub, tmp_path, token=""))
        assert "no token with write access is stored" in commands.error_line(process) and not hub.requests
        process = commands.python(program, environment(hub, tmp_path, token="hf_other"))
        assert "the hub needs a valid token" in commands.error_line(process)
        assert not hub.models
    assert "write OWNER/NAME" in commands.error_line(commands.distilmt("publish", run, "tiny"))
    line = commands.error_line(commands.distilmt("publish", run, NAME, "--system", "student-int4"))
    assert "it has " in line and "student-int8" in line
    assert "name a run directory and a name on the hub" in commands.error_line(commands.distilmt("publish", run))
    line = commands.error_line(commands.distilmt("publish", f"{run}/exports/student-int8", NAME))
    assert line.rstrip().endswith(f"name the run, such as {run} --system student-int8")
    line = commands.error_line(commands.distilmt("publish", "demo", NAME))
    assert "demo is the student that is installed with distilmt: publish one of your own runs" in line
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set: unset it"):
        distilmt.Run(run).push_to_hub(NAME)
