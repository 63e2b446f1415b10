"""Teachers from outside: tiny T5, BART and M2M-100."""

import json

import pytest
import torch
from helpers import toy
from helpers.pretrained_models import MAKERS, bart, m2m100, t5

from distilmt.export.huggingface_teacher import export_huggingface_teacher, languages
from distilmt.inference.base import DecodingOptions
from distilmt.inference.translator import Translator
from distilmt.utils.errors import UserError

FIRST = {"m2m100": "__it__", "nllb": "ita_Latn", "mbart50": "it_IT"}
"""What a translation into Italian begins with."""


@torch.no_grad()
@pytest.mark.parametrize("name", MAKERS)
def test_translates_as_transformers_does(tmp_path, name):
    model, tokenizer = MAKERS[name](tmp_path / name)
    export_huggingface_teacher(str(tmp_path / name), tmp_path / "ct2", "float32", "en", "it")
    translator = Translator(tmp_path / "ct2", threads=1)
    texts = [*toy.pairs(25, seed=6)[0], "", "ban"]
    ours = [result[0].text if result else "" for result in translator.hypotheses(texts, DecodingOptions(beam_size=1))]
    settings = {"forced_bos_token_id": tokenizer.convert_tokens_to_ids(FIRST[name])} if name in FIRST else {}
    reference = []
    for text in texts:
        if not text:
            reference.append("")
            continue
        encoded = tokenizer("<2it> " + text if name == "madlad" else text, return_tensors="pt")
        ids = model.generate(
            encoded.input_ids, num_beams=1, do_sample=False, max_new_tokens=30, forced_eos_token_id=None, **settings
        )
        reference.append(tokenizer.decode(ids[0][1 + len(settings) :], skip_special_tokens=True).strip())
    assert len(set(reference)) > 8, "a teacher that always says the same tests nothing"
    same = sum(a.startswith(b) if b else not a for a, b in zip(ours, reference, strict=True))
    assert same == len(texts), [pair for pair in zip(ours, reference, strict=True) if not pair[0].startswith(pair[1])]


@pytest.mark.parametrize("name", MAKERS)
def test_the_export_needs_nothing_else(tmp_path, name):
    MAKERS[name](tmp_path / name)
    export_huggingface_teacher(str(tmp_path / name), tmp_path / "ct2", "int8", "en", "it")
    (tmp_path / name).rename(tmp_path / "elsewhere")
    texts = toy.pairs(5, seed=6)[0]
    result = Translator(tmp_path / "ct2").translate(texts, beam_size=2)
    assert len(result) == 5
    facts = json.loads((tmp_path / "ct2" / "distilmt.json").read_text())
    assert facts["tokenizer"] == "huggingface" and facts["max_positions"] == 64
    assert facts.get("target_prefix") == FIRST.get(name)
    assert facts.get("prefix", "") == ("<2it> " if name == "madlad" else "")


def test_languages_are_the_runs(tmp_path):
    m2m100(tmp_path / "m2m")
    result = set()
    for target in ("it", "zh", "pt_BR"):
        export_huggingface_teacher(str(tmp_path / "m2m"), tmp_path / "ct2", "int8", "en", target)
        result.add(json.loads((tmp_path / "ct2" / "distilmt.json").read_text())["target_prefix"])
    assert result == {"__it__", "__zh__", "__pt__"}
    with pytest.raises(UserError, match="no code for language 'tlh'"):
        export_huggingface_teacher(str(tmp_path / "m2m"), tmp_path / "ct3", "int8", "en", "tlh")
    assert not (tmp_path / "ct3").exists()


@pytest.mark.parametrize(
    ("language", "nllb", "mbart"),
    [
        ("it", "ita_Latn", "it_IT"),
        ("zh", "zho_Hans", "zh_CN"),
        ("zh_TW", "zho_Hant", "zh_CN"),
        ("pt_BR", "por_Latn", "pt_XX"),
        # Another language's three letters begin with these two.
        ("es", "spa_Latn", "es_XX"),
        ("ja", "jpn_Jpan", "ja_XX"),
        ("ru", "rus_Cyrl", "ru_RU"),
        ("pl", "pol_Latn", "pl_PL"),
        ("fi", "fin_Latn", "fi_FI"),
        ("ko", "kor_Hang", "ko_KR"),
        ("ar", "arb_Arab", "ar_AR"),
        ("spa_Latn", "spa_Latn", None),
    ],
)
def test_codes_of_nllb_and_mbart(language, nllb, mbart):
    """Their tokenizers keep the codes in another place in every version of transformers."""
    from transformers import MBart50Tokenizer, NllbTokenizer

    result = languages(NllbTokenizer(), "en", language, "nllb")
    assert result == {"source_language": "eng_Latn", "target_prefix": nllb}
    if mbart:
        result = languages(MBart50Tokenizer(), "en", language, "mbart")
        assert result == {"source_language": "en_XX", "target_prefix": mbart}


# Codes of two letters and NLLB's, which may begin like the code of another language.
NLLB_CODES = """
    af:afr am:amh ar:arb as:asm az:azj ba:bak be:bel bg:bul bm:bam bn:ben bo:bod bs:bos ca:cat cs:ces
    cy:cym da:dan de:deu dz:dzo ee:ewe el:ell en:eng eo:epo es:spa et:est eu:eus fa:pes ff:fuv fi:fin
    fj:fij fo:fao fr:fra ga:gle gd:gla gl:glg gn:grn gu:guj ha:hau he:heb hi:hin hr:hrv ht:hat hu:hun
    hy:hye id:ind ig:ibo is:isl it:ita ja:jpn jv:jav ka:kat kg:kon ki:kik kk:kaz km:khm kn:kan ko:kor
    ks:kas ku:kmr ky:kir lb:ltz lg:lug li:lim ln:lin lo:lao lt:lit lv:lvs mg:plt mi:mri mk:mkd ml:mal
    mn:khk mr:mar ms:zsm mt:mlt my:mya nb:nob ne:npi nl:nld nn:nno no:nob ny:nya oc:oci om:gaz or:ory
    pa:pan pl:pol ps:pbt pt:por qu:quy rn:run ro:ron ru:rus rw:kin sa:san sc:srd sd:snd sg:sag si:sin
    sk:slk sl:slv sm:smo sn:sna so:som sq:als sr:srp ss:ssw st:sot su:sun sv:swe sw:swh ta:tam te:tel
    tg:tgk th:tha ti:tir tk:tuk tl:tgl tn:tsn tr:tur ts:tso tt:tat tw:twi ug:uig uk:ukr ur:urd uz:uzn
    vi:vie wo:wol xh:xho yi:ydd yo:yor zh:zho zu:zul
"""


def test_every_code_of_two_letters_has_one_of_nllb():
    from transformers import NllbTokenizer

    tokenizer = NllbTokenizer()
    pairs = [pair.split(":") for pair in NLLB_CODES.split()]
    result = {two: languages(tokenizer, "en", two, "nllb")["target_prefix"].split("_")[0] for two, _ in pairs}
    assert result == dict(pairs)


def test_what_cannot_be_converted_is_reported(tmp_path, trained_model):
    with pytest.raises(UserError, match="cannot be converted"):
        export_huggingface_teacher(str(tmp_path / "nothing"), tmp_path / "ct2", "int8", "en", "it")
    t5(tmp_path / "t5")
    with pytest.raises(UserError, match="cannot be converted"):
        export_huggingface_teacher(str(tmp_path / "t5"), tmp_path / "ct2", "int9", "en", "it")
    # A model CTranslate2 has no converter for.
    config = json.loads((tmp_path / "t5" / "config.json").read_text())
    (tmp_path / "t5" / "config.json").write_text(json.dumps(config | {"model_type": "led"}))
    with pytest.raises(UserError, match="does not convert"):
        export_huggingface_teacher(str(tmp_path / "t5"), tmp_path / "ct2", "int8", "en", "it")
    # A configuration of before normalize_before was written.
    bart(tmp_path / "bart")
    config = json.loads((tmp_path / "bart" / "config.json").read_text())
    del config["normalize_before"]
    (tmp_path / "bart" / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="cannot be converted"):
        export_huggingface_teacher(str(tmp_path / "bart"), tmp_path / "ct2", "int8", "en", "it")
    assert not (tmp_path / "ct2").exists()


def test_pickles_are_not_opened(tmp_path):
    model, _ = t5(tmp_path / "t5")
    (tmp_path / "t5" / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "t5" / "pytorch_model.bin")
    with pytest.raises(UserError, match="cannot be converted"):
        export_huggingface_teacher(str(tmp_path / "t5"), tmp_path / "ct2", "int8", "en", "it")
