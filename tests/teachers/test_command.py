"""Programs that read lines and write lines, as teachers."""

import shlex
import shutil
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.inference.base import DecodingOptions
from distilmt.inference.teacher_reference import TeacherReference
from distilmt.teachers.command import Command
from distilmt.teachers.remote import RemoteTeacher, check_teacher
from distilmt.utils.errors import UserError


def teacher(*words, responses=None):
    facts = {"kind": "command", "name": "it", "command": shlex.join(words), "source": "en", "target": "it"}
    return RemoteTeacher(facts, responses)


def python(code):
    return teacher(sys.executable, "-c", "import sys\nfor line in sys.stdin: " + code)


def test_a_line_for_a_line(tmp_path):
    texts = ["one", "", "two  words", " ", "one"]
    assert teacher("tr", "a-z", "A-Z").translate(texts) == ["ONE", "", "TWO WORDS", "", "ONE"]
    many = [f"text {n}" for n in range(2500)]
    assert teacher("tr", "a-z", "A-Z").translate(many) == [text.upper() for text in many]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=20), max_size=8))
def test_whatever_the_text_is_every_one_gets_its_own_line(texts):
    result = teacher("cat").translate(texts)
    assert len(result) == len(texts)
    assert all(
        output.split() == text.split() or not text.isprintable() for output, text in zip(result, texts, strict=True)
    )


def test_a_line_that_becomes_two_or_none_does_no_harm_to_others():
    output = python("print('a\\nb' if 'two' in line else line.strip(), end='' if 'none' in line else '\\n')")
    texts = ["x", "two", "y", "z"]
    assert output.translate(texts) == ["x", "", "y", "z"]  # which of the lines translates it is unknown
    assert output.backend.usage() == {"several_lines": 1}
    nothing = python("'none' in line or print(line.strip())")
    assert nothing.translate(["x", "none", "y"]) == ["x", "", "y"]


def test_one_translation_however_many_are_requested():
    assert [h.text for h in teacher("cat").hypotheses(["a b"], DecodingOptions(num_hypotheses=4))[0]] == ["a b"]


def test_what_goes_wrong_is_reported_in_a_line():
    with pytest.raises(UserError, match="program 'no-such-program' not found"):
        teacher("no-such-program", "-x").translate(["a"])
    with pytest.raises(UserError, match=r"failed with status 3 \(oh no\)"):
        teacher("sh", "-c", "echo oh no >&2; exit 3").translate(["a"])
    with pytest.raises(UserError, match="close its quotes"):
        RemoteTeacher({"kind": "command", "command": "sed 's/a"})


def test_responses_are_stored(tmp_path):
    file = tmp_path / "responses.sqlite"
    log = tmp_path / "log"
    words = ("sh", "-c", f"tee -a {log} | tr a-z A-Z")
    assert teacher(*words, responses=file).translate(["a", "b"]) == ["A", "B"]
    assert teacher(*words, responses=file).translate(["c", "b"]) == ["C", "B"]
    assert sorted(log.read_text().split()) == ["a", "b", "c"]


@pytest.mark.skipif(not shutil.which("apertium"), reason="apertium is not installed")
def test_apertium():
    import subprocess

    if "eng-spa" not in subprocess.run(["apertium", "-l"], capture_output=True, text=True, check=False).stdout:
        pytest.skip("apertium-eng-spa is not installed")
    result = teacher("apertium", "-u", "eng-spa").translate(["The house is white.", "", "I have two dogs."])
    assert result == ["La casa es blanca.", "", "Tengo dos perros."]


WRAPPERS = {
    "banner": ("sys.stdout.write('Loading model ...\\n'); upper()", r"4 lines for 3 .*at every start 'Loading model"),
    "goodbye": ("upper(); print('Done.')", r"4 lines for 3 .*at every start 'Done"),
    "prompt": ("print('> ', end=''); [print(line.upper(), end='> ') for line in sys.stdin]; print()", "4 lines for 3"),
    "labels": ("[print('it:', line.upper(), end='') for line in sys.stdin]", "begins every line with 'it: '"),
    "echo": ("[print(line + line.upper(), end='') for line in sys.stdin]", "6 lines for 3"),
    "spaced": ("[print(line.upper()) for line in sys.stdin]", "6 lines for 3"),
    "first only": ("print(sys.stdin.readline().upper(), end='')", "1 lines for 3"),
    "one line": ("print(sys.stdin.read().upper().replace('\\n', ' '))", "1 lines for 3"),
    "nothing": ("sys.stdin.read()", "writes nothing for 'Hello.'"),
    "latin": ("sys.stdout.buffer.write(sys.stdin.read().encode('latin-1'))", "another encoding than UTF-8 .*line 2"),
    "utf-16": ("sys.stdout.buffer.write(sys.stdin.read().encode('utf-16'))", "writes UTF-16"),
    "utf-16-le": ("sys.stdout.buffer.write(sys.stdin.read().encode('utf-16-le'))", "another encoding|zero bytes"),
    "mojibake": ("sys.stdout.buffer.write(sys.stdin.read().encode().decode('latin-1').encode())", "another encoding"),
    "cr": ("sys.stdout.buffer.write(sys.stdin.read().replace('\\n', '\\r').encode())", "carriage returns"),
    "bar": ("[print('1/3\\r2/3\\r' + line, end='') for line in sys.stdin]", "carriage returns"),
    "colors": ("[print('\\x1b[1m' + line.strip() + '\\x1b[0m') for line in sys.stdin]", "colors"),
    "killed": ("import os; os.kill(os.getpid(), 9)", "failed with signal SIGKILL"),
    "status": ("sys.exit('no model')", r"failed with status 1 \\(no model\\)"),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_the_probe_refuses_what_writes_more_than_translations(name):
    body, message = WRAPPERS[name]
    code = f"import sys\ndef upper(): print(sys.stdin.read().upper(), end='')\n{body}"
    facts = {"kind": "command", "name": name, "command": shlex.join([sys.executable, "-c", code])}
    with pytest.raises(UserError, match=message.replace("\\\\", "\\")) as error:
        check_teacher(facts)
    assert "\n" not in str(error.value)


ACCEPTED = {
    "plain": "print(sys.stdin.read().upper(), end='')",
    "no line feed at the end": "print(sys.stdin.read().upper().rstrip(), end='')",
    "CRLF": "[print(line.strip().upper(), end='\\r\\n') for line in sys.stdin]",
    "mark": "print('\\ufeff' + sys.stdin.read().upper(), end='')",
    "line by line": "[print(line.upper(), end='', flush=True) for line in sys.stdin]",
    "noise": "print('Loading', file=sys.stderr); print(sys.stdin.read().upper(), end='')",
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_habits_that_do_no_harm(name):
    words = [sys.executable, "-X", "utf8", "-c", f"import sys\n{ACCEPTED[name]}"]
    check_teacher({"kind": "command", "name": name, "command": shlex.join(words)})
    assert teacher(*words).translate(["one", "è", "three"]) == ["ONE", "È", "THREE"]


def test_a_banner_that_no_probe_saw_stops_at_the_first_batch(tmp_path):
    starts = tmp_path / "starts"
    body = f"open({str(starts)!r}, 'a').write('x')\nprint('Loading')\nfor line in sys.stdin: print(line, end='')"
    with pytest.raises(UserError, match=r"41 lines for 40 .*at every start 'Loading'"):
        teacher(sys.executable, "-c", f"import sys\n{body}").translate([f"text {n}" for n in range(40)])
    assert len(starts.read_text()) <= 3


@pytest.mark.parametrize("command", ["", "  ", "a | b", "a > b", "a 2>/dev/null", "a && b"])
def test_command_lines_for_a_shell_are_reported(command):
    with pytest.raises(UserError, match=r"is empty|runs without a shell: use sh -c"):
        RemoteTeacher({"kind": "command", "command": command})


def test_a_script_without_a_first_line_is_reported(tmp_path):
    script = tmp_path / "script"
    script.write_bytes(b"\x00\x01")
    script.chmod(0o755)
    with pytest.raises(UserError, match="cannot be started"):
        teacher(str(script)).translate(["a"])


@settings(max_examples=12, deadline=None)
@given(st.sampled_from([0, 2]).flatmap(lambda odd: st.lists(st.sampled_from([1, odd]), min_size=1, max_size=12)))
def test_each_text_has_its_own_translation_or_none(counts):
    code = "import sys\nfor line in sys.stdin: print((line.upper()) * int(line[0]), end='')"
    texts = [f"{count} word{number}" for number, count in enumerate(counts)]
    result = teacher(sys.executable, "-c", code).translate(texts)
    assert result == [text.upper() if count == 1 else "" for count, text in zip(counts, texts, strict=True)]


def test_a_program_that_writes_without_end_is_refused():
    with pytest.raises(UserError, match=r"'yes no' writes without end .*first \['no'\]"):
        Command(TeacherReference(command="yes no")).check_program()
