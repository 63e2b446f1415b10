"""`distilmt demo --task classify`, on a small archive of descriptions instead of Debian's."""

import json
import random

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("skops")

from helpers import commands

from distilmt.config.commands import DemoConfig
from distilmt.data.readers.debian import Description
from distilmt.recipes import classify
from distilmt.utils.errors import UserError


def invented() -> list[Description]:
    draw = random.Random(1)
    words = {
        "games": ["puzzle", "arcade", "player", "level", "board"],
        "net": ["server", "client", "packet", "proxy", "router"],
    }
    every = [word for own in words.values() for word in own]
    result = []
    for i in range(200):
        label = draw.choice(sorted(words))
        text = " ".join([*draw.choices(words[label], k=5), *draw.choices(every, k=4)])
        result.append(Description(f"p{i}", f"s{i}", label, text))
    return result


def test_it_leaves_a_report_and_a_student(tmp_path, monkeypatch):
    from distilmt.classification import load

    monkeypatch.setattr(classify.apt, "fetch", lambda languages, cache: None)
    monkeypatch.setattr(classify.debian, "descriptions", lambda indices: invented())
    root = classify.run(DemoConfig(task="classify", run_dir=str(tmp_path / "run")))
    report = json.loads((root / "report.json").read_text(encoding="utf-8"))
    assert set(report["sections"]) == {"games", "net"} and sum(report["texts"].values()) == 200
    assert len(report["rows"]) == 16 and (root / "report.html").exists()
    assert load(root / "student").predict(["puzzle arcade board level", "packet router proxy client"]).tolist() == [
        "games",
        "net",
    ]


def test_text_of_ones_own_is_refused():
    with pytest.raises(UserError, match="--train does not apply to --task classify"):
        classify.run(DemoConfig(task="classify", train=["a.en", "a.it"]))


def test_it_is_reported_on_the_command_line():
    process = commands.distilmt("demo", "--task", "classify", "--teacher", "somebody")
    assert "--teacher does not apply" in commands.error_line(process)
