import io
import json
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from helpers import commands, toy

from distilmt import cli
from distilmt.cli.command import COMMANDS, load
from distilmt.config import RunConfig, fields
from distilmt.config.flags import keys_of


def refused(capsys, *arguments) -> str:
    """The one line with which a command refuses."""
    capsys.readouterr()
    status = cli.main([str(argument) for argument in arguments])
    message = capsys.readouterr()
    assert status == 2 and message.out == ""
    assert message.err.startswith("distilmt: error: ") and message.err.count("\n") == 1
    return message.err


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_every_command(capsys, arguments):
    assert cli.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    for command in COMMANDS:
        (line,) = [line for line in lines if line.startswith(f"  {command} ")]
        assert len(line) < 100


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(capsys, command):
    assert cli.main([command, "--help"]) == 0
    captured = capsys.readouterr()
    text = " ".join(captured.out.split())
    assert text.startswith(f"usage: distilmt {command} ") and not captured.err
    assert f"examples: distilmt {command}" in text and "--quiet" in text
    for kind in load(command).keys:
        bounds = fields.bounds_of(kind)
        for name, key in keys_of(kind).items():
            if key.flag.is_typed:
                assert f" --{name} " in text, name
                assert name not in bounds or f"From {bounds[name]}." in text, name
    if RunConfig in load(command).keys:
        assert "Maximum optimizer steps; the learning-rate schedule ends here." in text


@pytest.mark.parametrize("command", ["run", "translate", "serve", "labels", "completion"])
def test_a_command_without_its_arguments_is_an_error(command, capsys):
    assert cli.main([command]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"distilmt: error: {command} needs arguments: see `distilmt {command} --help`"]


def test_help_imports_nothing_heavy():
    """The overview needs no parser, and no help needs torch."""
    program = """
import sys
from distilmt.cli import main
main(["--help"])
assert not {"jsonargparse", "torch", "rich", "numpy"} & set(sys.modules), "overview"
main(["translate", "--help"])
main(["run", "--help"])
assert not {"torch", "transformers", "ctranslate2", "rich", "numpy", "pyarrow"} & set(sys.modules), "help"
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=commands.environment())
    assert done.returncode == 0, done.stderr


def test_version(capsys):
    from distilmt import __version__

    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"distilmt {__version__}\n"


def test_unknown_commands_options_and_keys(capsys, tmp_path):
    assert "did you mean 'translate'?" in refused(capsys, "translat")
    assert "unknown command 'xyzzy'" in refused(capsys, "xyzzy")
    assert "did you mean 'minutes'?" in refused(capsys, "demo", "--minute", "3")
    assert "unknown option --beam_sizes" in refused(capsys, "translate", tmp_path, "--beam_sizes=3")
    config = toy.write_config(tmp_path / "c.yaml", {"labels": {"topk": 3}})
    assert "did you mean 'labels.top_k'?" in refused(capsys, "run", config)
    assert "does not exist" in refused(capsys, "run", tmp_path / "nothing.yaml")
    assert refused(capsys, "run", "--seed", "many").count("seed")


def config_with(tmp_path, left: bytes, right: bytes):
    config = toy.run_config(tmp_path)
    for name, text in zip(config["corpus"]["train"], (left, right), strict=True):
        with open(name, "wb") as file:
            file.write(text)
    return toy.write_config(tmp_path / "run.yaml", config)


LINES = [b"".join(f"{line}\n".encode() for line in side) for side in toy.pairs(80)]


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        (LINES[0], LINES[1] + b"one more\n", "80 lines but .* has 81"),
        (b"", b"", "are empty"),
        (LINES[0], b"", "80 lines but .* has 0"),
        (LINES[0] + b"\xff\xfe\n" * 8, LINES[1] + b"x\n" * 8, "line 81: .*UTF-8"),
        (LINES[0] + b"a\0b\n" * 8, LINES[1] + b"x\n" * 8, "line 81"),
        (b"\n" * 80, LINES[1], "0 pairs left of 80"),
    ],
)
def test_corpora_that_cannot_be_used(capsys, tmp_path, left, right, message):
    import re

    assert re.search(message, refused(capsys, "prepare", config_with(tmp_path, left, right)))
    assert not (tmp_path / "run" / "corpus" / "step.json").exists()


def test_missing_corpora(capsys, tmp_path):
    config = toy.run_config(tmp_path)
    path = toy.write_config(tmp_path / "run.yaml", toy.merged(config, {"corpus": {"train": ["no.en", "no.it"]}}))
    assert "no.en does not exist" in refused(capsys, "run", path)
    path = toy.write_config(tmp_path / "run.yaml", toy.merged(config, {"corpus": {"train": []}}))
    assert "set corpus.train" in refused(capsys, "run", path)


def test_a_line_of_ten_megabytes_is_dropped(capsys, tmp_path):
    config = config_with(tmp_path, LINES[0] + b"word " * 2_000_000 + b"\n", LINES[1] + b"x\n")
    assert cli.main(["prepare", str(config), "--quiet"]) == 0
    result = json.loads((tmp_path / "run" / "corpus" / "step.json").read_text())["result"]
    assert result["read"] == 81 and result["dropped"]["too_long"] == 1


def test_labels_check(capsys, finished_run, tmp_path):
    assert cli.main(["labels", "check", str(finished_run / "labels")]) == 0
    assert "355 sentences, complete and intact" in capsys.readouterr().out
    assert "contains no labels" in refused(capsys, "labels", "check", tmp_path)
    shutil.copytree(finished_run / "labels", tmp_path / "labels")
    shard = tmp_path / "labels" / "shard-00001.parquet"
    shard.write_bytes(shard.read_bytes()[:-100])
    assert "shard-00001.parquet is missing or damaged" in refused(capsys, "labels", "check", tmp_path / "labels")


def test_labels_of_another_tokenizer_are_refused(capsys, finished_run, tmp_path):
    """Put there by hand: the steps' own records do not show it, the store does."""
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    manifest = json.loads((run / "labels" / "manifest.json").read_text())
    (run / "labels" / "manifest.json").write_text(json.dumps(manifest | {"tokenizer": "0" * 16}))
    arguments = ["train-student", finished_run.parent / "run.yaml", "--run_dir", run, "--student.training.max_steps=2"]
    assert "made with another tokenizer" in refused(capsys, *arguments, "--quiet")


def test_words_are_required_but_were_not_requested(capsys, finished_run, tmp_path):
    shutil.copytree(finished_run, tmp_path / "run")
    arguments = ["train-student", finished_run.parent / "run.yaml", "--run_dir", tmp_path / "run", "--labels.top_k=0"]
    assert "labels.top_k is 0" in refused(capsys, *arguments, "--quiet")


def test_a_run_directory_in_use_is_refused(capsys, tmp_path):
    from distilmt.utils.run_dir import locked

    config = toy.write_config(tmp_path / "c.yaml", toy.run_config(tmp_path))
    with locked(tmp_path / "run"):
        assert "in use by another distilmt" in refused(capsys, "run", config)


def test_json_is_the_report(capsys, finished_run, tmp_path):
    shutil.copytree(finished_run, tmp_path / "run")
    arguments = ["run", str(finished_run.parent / "run.yaml"), "--json"]
    config = yaml.safe_load((finished_run.parent / "run.yaml").read_text())
    assert config["run_dir"] == str(finished_run)
    assert cli.main(arguments) == 0
    message = capsys.readouterr()
    assert json.loads(message.out) == json.loads((finished_run / "report.json").read_text())
    assert message.err == ""


def test_quiet_prints_nothing(capsys, finished_run):
    assert cli.main(["run", str(finished_run.parent / "run.yaml"), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_people_are_shown_scores(capsys, finished_run):
    assert cli.main(["run", str(finished_run.parent / "run.yaml")]) == 0
    message = capsys.readouterr()
    assert "already done" in message.out + message.err and "BLEU" in message.out + message.err
    assert re.search(r"labels: .* seconds_per_sentence 0\.0*[1-9]\d?\n", message.err), "two digits, however small"


class Input(io.TextIOWrapper):
    """Standard input that holds some bytes."""

    def __init__(self, text: bytes):
        super().__init__(io.BytesIO(text), encoding="utf-8")


def translated(capsys, monkeypatch, text: bytes, *arguments):
    monkeypatch.setattr(sys, "stdin", Input(text))
    capsys.readouterr()
    status = cli.main(["translate", *map(str, arguments)])
    return status, capsys.readouterr()


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b"", 0),
        (b"ban.\n", 1),
        (b"ban.", 1),
        (b"\n", 1),
        (b"ban.\n\n  \nder fith.\n", 4),
        (b"ban.\r\nder.\r\n", 2),
        ("ban\u2028der.\x0c\nfith\x85.\n".encode(), 2),
        (b"ban.\n" * 150, 150),
        (b"ban " * 5000 + b"\n", 1),
    ],
)
def test_a_line_for_a_line(capsys, monkeypatch, exported_model, text, lines):
    status, message = translated(capsys, monkeypatch, text, exported_model, "--beam_size=1")
    assert status == 0 and message.err == ""
    assert message.out.count("\n") == lines and message.out.endswith("\n") == bool(lines)
    from distilmt.inference.translator import Translator

    sources = [line.rstrip("\r") for line in text.decode().removesuffix("\n").split("\n")] if lines else []
    translations = Translator(exported_model).translate(sources, 1)
    # A line without text comes back as it is.
    expected = [new if line.strip() else line for line, new in zip(sources, translations, strict=True)]
    assert message.out.split("\n")[:-1] == expected


def test_translating_what_is_not_utf8(capsys, monkeypatch, exported_model):
    status, message = translated(capsys, monkeypatch, b"ban.\nb\xffd\nder.\n", exported_model)
    assert status == 2 and "line 2: not UTF-8 at byte 1" in message.err and message.err.count("\n") == 1


def test_translating_with_a_run_or_an_export(capsys, monkeypatch, finished_run, exported_model, tmp_path):
    by_run = translated(capsys, monkeypatch, b"ban der.\n", finished_run)
    by_export = translated(capsys, monkeypatch, b"ban der.\n", finished_run / "exports" / "student-int8")
    assert by_run == by_export and by_run[0] == 0
    assert translated(capsys, monkeypatch, b"ban.\n", finished_run, "--system", "teacher")[0] == 0
    for path, arguments, target_value in (
        (
            finished_run,
            ["--system=student-int16"],
            "it has baseline-int8, student-int8, teacher: name one with --system",
        ),
        (tmp_path, [], "finish the run first"),
        (tmp_path / "nothing", [], "does not exist"),
    ):
        status, message = translated(capsys, monkeypatch, b"ban.\n", path, *arguments)
        assert status == 2 and target_value in message.err and message.err.count("\n") == 1


def test_translating_with_and_without_a_shortlist(capsys, monkeypatch, exported_model, tmp_path):
    free = translated(capsys, monkeypatch, b"ban der.\n", exported_model)
    for value in ("false", "null"):
        assert translated(capsys, monkeypatch, b"ban der.\n", exported_model, f"--shortlist={value}") == free
    status, message = translated(capsys, monkeypatch, b"ban der.\n", exported_model, "--shortlist=true")
    assert status == 2 and "has no shortlist" in message.err and message.err.count("\n") == 1
    model = shutil.copytree(exported_model, tmp_path / "ct2")
    (model / "vmap.txt").write_text("\t▁ . a\n", encoding="utf-8")
    assert translated(capsys, monkeypatch, b"ban der.\n", model)[1].out != free[1].out
    assert translated(capsys, monkeypatch, b"ban der.\n", model, "--shortlist=false") == free


def test_a_real_process_translates_and_refuses(exported_model, tmp_path):
    process = commands.fresh_distilmt(
        "translate", exported_model, "--beam_size=1", input="ban der.\n\nfith Ω.".encode()
    )
    assert process.returncode == 0 and process.stdout.count(b"\n") == 3 and process.stderr == b""
    assert "does not exist" in commands.error_line(
        commands.distilmt("translate", tmp_path / "nothing", input=b"ban.\n")
    )


@pytest.mark.parametrize("limit", [3_000, 60_000])
def test_a_full_disk_is_reported_and_leaves_nothing_half_written(tmp_path, limit):
    """Files may not grow beyond a limit, which is what a full disk looks like to a writer."""
    config = toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path))
    process = commands.distilmt(
        "train-teacher",
        config,
        "--quiet",
        file_bytes=limit,
    )
    assert "File too large" in commands.error_line(process)
    run = tmp_path / "run"
    assert not (run / "teacher" / "step.json").exists()
    for path in run.glob("*/*.json"):
        json.loads(path.read_text())
    again = commands.distilmt("train-teacher", config, "--quiet")
    assert again.returncode == 0, again.stderr.decode()[-2000:]
    assert (run / "teacher" / "step.json").exists()
    assert not [path for path in run.rglob(".*") if path.name != ".lock"]
