"""`distilmt trial` with a real server: what it measures, its verdict, and what it costs."""

import json

import pytest
from helpers import toy
from helpers.language_model import INJECTIONS, SENTENCES, UNUSABLE, LanguageModel, faulty
from helpers.openai import output_of
from helpers.servers import ScriptedServer

from distilmt import cli
from distilmt.report.trial import reasons_against, trial_text

TEST_SIZE = 5


@pytest.fixture
def server():
    instance = ScriptedServer()
    instance.response = LanguageModel()
    yield instance
    instance.http.shutdown()
    instance.http.server_close()


def config_of(directory, server, pairs=True, **endpoint):
    (directory / "a.en").write_text("".join(f"{line}\n" for line in SENTENCES))
    (directory / "a.it").write_text("".join(f"{line}\n" for line in SENTENCES.values()))
    text = [str(directory / "a.en"), str(directory / "a.it")]
    corpus = {"train": text} if pairs else {"train": [], "monolingual": text[:1]}
    changes = {
        "corpus": corpus | {"valid_size": TEST_SIZE, "test_size": TEST_SIZE},
        "teacher": {
            "url": server.url,
            "endpoint": {"model": "big", "input_price": 1.0, "output_price": 2.0} | endpoint,
        },
        "labels": {"top_k": 0},
        "student": {"objective": {"kd_weight": 0.0, "ce_weight": 1.0, "reference_fraction": 0.0}},
    }
    return toy.write_config(directory / "run.yaml", toy.merged(toy.run_config(directory), changes))


def trial(capsys, *arguments):
    """The exit status of the command, and its result."""
    capsys.readouterr()
    status = cli.main(["trial", *map(str, arguments), "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_a_good_teacher_is_tried_once_and_its_responses_are_the_labels(server, tmp_path, capsys):
    config = config_of(tmp_path, server, few_shot=2, lines_per_request=5, system="Translate.")
    status, result = trial(capsys, config, "--sentences", 20)
    assert (status, result["verdict"], result["failed"], result["reasons"]) == (0, "yes", 0, [])
    agreement = {"chrf": 100.0, "bleu": 100.0, "between": "references", "sentences": 20}
    assert result["agreement"] == pytest.approx(agreement)
    assert result["sentences_per_second"] > 0 and result["whole"]["sentences"] == 50
    assert result["cost"] > 0 and result["whole"]["cost"] == pytest.approx(result["cost"] * 50 / 20)
    names = ["teacher", "sentences", "without a label", "no translation", "removed", "agreement", "speed", "price"]
    lines = trial_text(result).split("\n")
    assert all(any(line.startswith(name) for line in lines) for name in [*names, "example", "verdict"])
    assert [m["role"] for m in server.requests[-1][1]["messages"]] == ["system", "user", "assistant", "user"]
    examples = server.requests[-1][1]["messages"][2]["content"].split("\n")
    assert [line.partition(" ")[0] for line in examples] == ["1.", "2."]
    assert all(line.partition(" ")[2] in SENTENCES.values() for line in examples)

    before = len(server.requests)
    again = trial(capsys, config, "--sentences", 20)[1]
    assert again == result and len(server.requests) == before + 1  # the sentence that checks the teacher
    assert cli.main(["label", str(config), "--quiet"]) == 0
    assert len(server.requests) == before + 2 + 30 // 5
    assert (tmp_path / "run" / "trial" / "trial.json").exists()


def test_faults_are_counted_and_are_reasons_against_a_teacher(server, tmp_path, capsys):
    kinds = {kind: UNUSABLE[kind] for kind in ("declined", "other_language", "cut_off")}
    server.response = LanguageModel({s: f for each in faulty(kinds, 20).values() for s, f in each.items()})
    status, result = trial(capsys, config_of(tmp_path, server), "--sentences", 50)
    assert (status, result["verdict"], result["failed"]) == (1, "no", 50)
    assert sum(result["kinds"].values()) == 50 and set(result["kinds"]) == set(kinds)
    assert "100.0 % of the sentences have no label" in result["reasons"][0] and result["agreement"] is None


def test_a_price_above_the_budget_is_a_reason_against_it(server, tmp_path, capsys):
    status, result = trial(capsys, config_of(tmp_path, server, budget=0.0005), "--sentences", 10)
    assert status == 1 and "costs 0.00065, more than teacher.endpoint.budget 0.0005" in result["reasons"][0]


def test_without_references_two_samples_are_compared(server, tmp_path, capsys):
    numbers = iter(range(10_000))

    def response(path, body):
        whole = LanguageModel()(path, body)
        texts = [choice["message"]["content"] for choice in whole[1]["choices"]]
        return output_of(*[texts[0], *(f"Numero {next(numbers)}." for _ in texts[1:])])

    server.response = response
    config = config_of(tmp_path, server, pairs=False)
    status, result = trial(capsys, config, "--sentences", 10)
    assert status == 1 and result["agreement"]["between"] == "samples" and result["agreement"]["sentences"] == 10
    assert "chrF" in result["reasons"][0] and "with the samples is below" in result["reasons"][0]
    server.response = LanguageModel()
    changed = trial(capsys, config, "--sentences", 10, "--teacher.endpoint.system", "Now.")
    assert changed[0] == 0 and changed[1]["agreement"]["chrf"] == 100


def test_a_teacher_that_the_run_trains_cannot_be_tried(tmp_path, capsys):
    config = toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path))
    assert cli.main(["trial", str(config)]) == 2
    assert "the run trains its teacher: set teacher.url" in capsys.readouterr().err


def test_examples_need_pairs(server, tmp_path, capsys):
    assert cli.main(["trial", str(config_of(tmp_path, server, pairs=False, few_shot=3))]) == 2
    assert "few_shot needs sentence pairs as examples" in capsys.readouterr().err


def test_a_program_has_a_trial_too(tmp_path, capsys, server):
    config = config_of(tmp_path, server)
    program = ["--teacher.url", "null", "--teacher.command", "tr a-z n-za-m"]
    status, result = trial(capsys, config, "--sentences", 10, *program)
    assert status == 1 and result["cost"] is None and result["failed"] == 0
    assert "is below --min_agreement" in result["reasons"][0]


def test_all_reasons_are_named():
    agreement = {"chrf": 20.0, "bleu": 1.0, "between": "references", "sentences": 9}
    facts = {"sentences": 10, "failed": 1, "agreement": agreement, "budget": 1.0, "whole": {"cost": 2.0}}
    assert len(reasons_against(facts, 5, 30)) == 3 and not reasons_against(facts | {"budget": None}, 10, 20)


def test_planted_instructions_reach_no_label_of_a_run(server, tmp_path):
    """A corpus with texts that give instructions, and a model that obeys them."""
    config = config_of(tmp_path, server, pairs=False)
    (tmp_path / "a.en").write_text("".join(f"{line}\n" for line in [*SENTENCES, *INJECTIONS]))
    assert cli.main(["label", str(config), "--quiet", "--corpus.valid_size", "4", "--corpus.test_size", "4"]) == 0
    from distilmt.labels.store import LabelStore

    for row in LabelStore(tmp_path / "run" / "labels"):
        expected = [SENTENCES[row.source]] if row.source in SENTENCES else []
        assert [text for text, _, _ in row.hypotheses] == expected
