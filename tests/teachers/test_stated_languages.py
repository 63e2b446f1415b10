"""A teacher of other languages than the run's is refused, if its files state them."""

import json
import zipfile

import pytest
import yaml

from distilmt.teachers.stated_languages import check_languages, stated_languages
from distilmt.utils import pretrained
from distilmt.utils.errors import UserError


def statement(directory, name, **values):
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(json.dumps(values), encoding="utf-8")
    return str(directory)


@pytest.fixture(params=["card.json", "metadata.json", "tokenizer_config.json", "argosmodel", "run", "built-in"])
def teacher(request, tmp_path):
    """English to Italian, stated in every way."""
    if request.param == "built-in":
        return str(pretrained.TEACHER)
    if request.param == "run":
        (tmp_path / "teacher").mkdir()
        (tmp_path / "teacher" / "step.json").write_text("{}")
        (tmp_path / "config.yaml").write_text(yaml.safe_dump({"corpus": {"source": "en", "target": "it"}}))
        return str(tmp_path / "teacher")
    if request.param == "argosmodel":
        with zipfile.ZipFile(tmp_path / "en_it.argosmodel", "w") as package:
            package.writestr("en_it/metadata.json", json.dumps({"from_code": "en", "to_code": "it"}))
        return str(tmp_path / "en_it.argosmodel")
    keys = {"card.json": ("source", "target"), "metadata.json": ("from_code", "to_code")}
    names = keys.get(request.param, ("source_lang", "target_lang"))
    return statement(tmp_path / "model", request.param, **dict(zip(names, ("eng", "it"), strict=True)))


def test_its_own_pair_is_accepted_and_another_is_not(teacher, messages):
    check_languages(teacher, "en", "it")
    check_languages(teacher, "en_GB", "ita_Latn")
    for pair in (("en", "tlh"), ("it", "en"), ("de", "it")):
        with pytest.raises(UserError, match=rf"translates from eng? to it \(.*pair is {pair[0]}-{pair[1]}: choose"):
            check_languages(teacher, *pair)
    assert not messages


@pytest.mark.parametrize("languages", [("en", "ROMANCE"), ("mul", "en"), ("", ""), ("gmw", "gmw"), (None, 3)])
def test_groups_of_languages_contradict_nothing(tmp_path, languages):
    teacher = statement(tmp_path, "tokenizer_config.json", source_lang=languages[0], target_lang=languages[1])
    check_languages(teacher, "de" if languages[0] in ("mul", "gmw") else "en", "en" if languages[0] == "mul" else "it")


def test_one_side_alone_is_compared(tmp_path):
    teacher = statement(tmp_path, "tokenizer_config.json", target_lang="it")
    check_languages(teacher, "de", "it")
    with pytest.raises(UserError, match="translates to it "):
        check_languages(teacher, "de", "fr")


def test_written_forms_are_one_language(tmp_path):
    teacher = statement(tmp_path, "tokenizer_config.json", source_lang="no", target_lang="por")
    check_languages(teacher, "nb", "pt_BR")


@pytest.mark.parametrize(
    ("language", "warned"),
    [("[en, it]", True), ("[en, tlh]", False), ("en", True), ("[en, multilingual]", False), ("{a: 1}", False)],
)
def test_a_card_only_warns(tmp_path, messages, language, warned):
    (tmp_path / "README.md").write_text(f"---\nlanguage: {language}\nlicense: mit\n---\n# A model\n")
    check_languages(str(tmp_path), "en", "tlh")
    assert bool(messages) == warned
    assert not warned or ("lists en" in messages[0] and "not tlh" in messages[0])


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 9999])
def test_damaged_files_state_nothing(tmp_path, content):
    for name in ("card.json", "metadata.json", "tokenizer_config.json", "README.md"):
        (tmp_path / name).write_bytes(content)
    assert stated_languages(str(tmp_path)) is None
    check_languages(str(tmp_path), "en", "tlh")
    (tmp_path / "x.argosmodel").write_bytes(content)
    check_languages(str(tmp_path / "x.argosmodel"), "en", "tlh")


def test_a_name_on_the_hub_is_looked_up_in_its_cache(tmp_path, monkeypatch):
    assert stated_languages("nobody/nothing") is None and stated_languages("models/a/b/c") is None
    place = tmp_path / "models--team--en-it" / "snapshots" / "1"
    place.mkdir(parents=True)
    (place.parents[1] / "refs").mkdir()
    (place.parents[1] / "refs" / "main").write_text("1")
    (place / "tokenizer_config.json").write_text('{"source_lang": "en", "target_lang": "it"}')
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path), raising=False)
    with pytest.raises(UserError, match="translates from en to it"):
        check_languages("team/en-it", "en", "tlh")
