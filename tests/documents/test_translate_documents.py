import io
import json
import math
import sys

import pytest

from distilmt import cli


def message(capsys, *arguments):
    capsys.readouterr()
    status = cli.main(["translate", *map(str, arguments)])
    return status, capsys.readouterr()


def test_files_go_where_they_are_sent(capsys, exported_model, tmp_path):
    (tmp_path / "a.md").write_text("# Ban *der*\n\n- ban `x`\n", encoding="utf-8")
    (tmp_path / "b.json").write_text('{"a": "ban der", "b": 1}', encoding="utf-8")
    status, out = message(
        capsys, exported_model, tmp_path / "a.md", tmp_path / "b.json", "--output", tmp_path / "o", "--quiet"
    )
    assert status == 0 and out.out == "" == out.err
    instance = (tmp_path / "o" / "a.md").read_text(encoding="utf-8")
    assert instance.startswith("# ") and "`x`" in instance and instance.count("*") == 2 and instance.count("\n") == 3
    assert json.loads((tmp_path / "o" / "b.json").read_text(encoding="utf-8"))["b"] == 1
    status, out = message(
        capsys, exported_model, "--threads=1", tmp_path / "a.md", f"--output={tmp_path / 'c.md'}", "--json"
    )
    assert status == 0 and json.loads(out.out) == {"file": str(tmp_path / "c.md")}
    assert (tmp_path / "c.md").read_text(encoding="utf-8") == instance
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.md", "b.json", "c.md", "o"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["a.md", "b.md"], "need an output directory"),
        (["a.md", "--output", "a.md"], "overwrite"),
        (["a.md", "b.md", "--output", "a.md"], "is a file"),
        (["a.md", "--output", "x.docx"], "keeps its format"),
        (["a.md", "d/a.md", "--output", "o/"], "overwrite"),
        (["a.md", "b.md", "--output", "o.md"], "named like a file, but there are 2 translations"),
        (["no.md"], "no.md does not exist"),
        (["d"], "d is a directory: name the documents in it, such as d/*.html"),
        (["-"], "leave it out to translate standard input"),
        (["latin.md"], "convert it to UTF-8, or name its encoding with --encoding, such as --encoding cp1252"),
        (["a.md", "--system", "teacher"], "is one model, not a run with several, such as 'teacher'"),
        (["--text", "a\udcffb"], "--text has a lone surrogate, U+DCFF, at character 2"),
        (["--text", "a", "--encoding", "cp1252"], "leave it out with --text"),
        (["a.md", "--json_keys", "title"], "--json_keys is for .json files"),
        (["a.docx", "--json"], "add --output FILE.docx"),
        (["a.pdf"], "a.pdf is a picture"),
        (["a.en"], "a.en: cannot translate .en: use .txt"),
        (["a.md", "--text", "x"], "leave out --text"),
        (["a.md", "--confidence"], "for lines"),
        (["--output", "x"], "for files"),
        (["--text"], "needs a value"),
        (["--n-best", "0"], "n_best"),
        (["--format", "pdf", "--text", "x"], "format"),
        (["--glossary", "no.tsv", "--text", "x"], "no.tsv"),
    ],
)
def test_what_cannot_be_done_is_reported_in_a_line(capsys, monkeypatch, exported_model, tmp_path, arguments, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    for name in ("a.md", "b.md", "a.pdf", "a.en", "d/a.md"):
        (tmp_path / name).write_text("ban", encoding="utf-8")
    (tmp_path / "latin.md").write_bytes(b"caf\xe9")
    (tmp_path / "a.docx").write_bytes(b"PK")
    status, out = message(capsys, exported_model, *arguments)
    assert status == 2 and expected in out.err and out.err.count("\n") == 1 and out.out == ""
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == "ban" and not (tmp_path / "o").exists()


def test_documents_on_standard_output_can_be_json(capsys, exported_model, tmp_path):
    (tmp_path / "a.html").write_bytes("<p>ban è</p>".encode("utf-16"))
    _, plain = message(capsys, exported_model, "--text", "<p>ban è</p>", "--format", "html")
    _, page = message(capsys, exported_model, tmp_path / "a.html", "--json")
    assert json.loads(page.out) == {"document": str(tmp_path / "a.html"), "translation": plain.out.removesuffix("\n")}
    _, text = message(capsys, exported_model, "--text", "<p>ban è</p>", "--format", "html", "--json")
    assert json.loads(text.out) == {"document": None, "translation": plain.out}


class Stream(io.TextIOWrapper):
    def isatty(self):
        return False


def test_texts_scores_and_standard_input(capsysbinary, monkeypatch, exported_model, tmp_path):
    def run(*arguments, text=b""):
        monkeypatch.setattr(sys, "stdin", Stream(io.BytesIO(text)))
        capsysbinary.readouterr()
        assert cli.main(["translate", str(exported_model), *arguments]) == 0
        return capsysbinary.readouterr().out.decode()

    assert "%s" in run("--text", "ban %s der.") and run("--text=null").count("\n") == 1
    rows = [line.split("\t") for line in run("--confidence", "--n_best=2", text=b"ban der.\n\nban.\n").splitlines()]
    assert len(rows) == 5 and all(0 <= float(score) <= 1 for score, _ in rows) and rows[2][1] == ""
    plain = run(text=b"ban der.\n").strip()
    result = json.loads(run("--json", "--n_best=3", text=b"ban der.\n"))
    assert result["source"] == "ban der." and len(result["translations"]) == 3
    for hypothesis in result["translations"]:
        assert hypothesis["score"] < 0
        assert hypothesis["confidence"] == pytest.approx(math.exp(hypothesis["score"]), 1e-3)
    assert result["translations"][0]["translation"] == plain == rows[0][1]
    page = run("--format", "html", text=b"<p>ban <br>der</p>")
    assert page.startswith("<p>") and page.endswith("</p>") and "<br>" in page
    terms = tmp_path / "t.tsv"
    terms.write_text("ban\tZug\n", encoding="utf-8")
    assert "Zug" in run("--glossary", str(terms), text=b"ban der.\n")


def test_lines_with_nul_characters_are_refused(capsys, monkeypatch, exported_model):
    monkeypatch.setattr(sys, "stdin", Stream(io.BytesIO("ban.\nban der.\n".encode("utf-16-le"))))
    assert cli.main(["translate", str(exported_model)]) == 2
    assert "standard input, line 1 has a NUL character, so it is not text" in capsys.readouterr().err
