"""A student that is evaluated, timed and deployed with a beam of its own."""

import json
import shutil

from helpers import commands

from distilmt import Translator


def test_students_have_their_own_beam(finished_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    options = ("--run_dir", run, "--evaluation.student_beam_size", "1", "--evaluation.challenge_cases", "0")
    process = commands.distilmt("evaluate", run / "config.yaml", *options, "--json")
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    beams = {system["name"]: system["beam_size"] for system in json.loads(process.stdout)["systems"]}
    common = beams.pop("teacher")
    assert common > 1 and set(beams.values()) == {common, 1} - ({common} if "teacher-int8" not in beams else set())
    assert ">Beam<" in (run / "report.html").read_text(), "the table names the beam of each system"

    sources = [line for line in (run / "evaluation" / "student-int8.txt").read_text().splitlines() if line]
    translator = Translator(run)
    assert translator.beam_size == 1
    assert translator.translate(sources) == Translator(run, beam_size=1).translate(sources)
    assert "beam_size" not in json.loads((run / "exports" / "teacher" / "distilmt.json").read_text())
