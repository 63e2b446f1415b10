"""Teachers from outside, made here: tiny T5, BART and M2M-100 with tokenizers learnt in a second."""

import io
import json

import pytest
import sentencepiece as spm
import tokenizers as hf
import torch
import toy
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from distilmt.export.huggingface_teacher import _NLLB, export_huggingface_teacher, languages
from distilmt.inference.translator import Translator
from distilmt.utils.errors import UserError

TEXT = [line for side in toy.pairs(200) for line in side]
SIZES = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 128,
}


def fast_tokenizer(specials, template):
    from transformers import PreTrainedTokenizerFast

    made = hf.Tokenizer(models.Unigram())
    made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=200, special_tokens=specials, unk_token="<unk>")
    made.train_from_iterator(TEXT, trainer)
    used = [(piece, made.token_to_id(piece)) for piece in template.split() if piece in specials]
    made.post_processor = processors.TemplateProcessing(single=template, special_tokens=used)
    names = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=64, **names)


def spread(model):
    """Random weights that say different things of different sentences."""
    torch.manual_seed(7)
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1 and "shared" not in name and "position" not in name:
            torch.nn.init.normal_(parameter, std=0.4)
    torch.nn.init.normal_(model.get_input_embeddings().weight, std=0.4)
    return model.eval()


def t5(directory):
    from transformers import T5Config, T5ForConditionalGeneration

    tokenizer = fast_tokenizer(["<pad>", "</s>", "<unk>"], "$A </s>")
    torch.manual_seed(1)
    config = T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=16, d_ff=64, num_layers=1, num_heads=2, decoder_start_token_id=0
    )
    model = T5ForConditionalGeneration(config)
    torch.nn.init.normal_(model.shared.weight)
    return save(directory, spread(model), tokenizer)


def bart(directory):
    from transformers import BartConfig, BartForConditionalGeneration

    tokenizer = fast_tokenizer(["<s>", "<pad>", "</s>", "<unk>"], "<s> $A </s>")
    tokenizer.bos_token = "<s>"
    torch.manual_seed(1)
    config = BartConfig(vocab_size=len(tokenizer), normalize_before=False, normalize_embedding=True, **SIZES)
    config.forced_eos_token_id = None
    return save(directory, spread(BartForConditionalGeneration(config)), tokenizer)


def m2m100(directory):
    from transformers import M2M100Config, M2M100ForConditionalGeneration, M2M100Tokenizer

    directory.mkdir(parents=True)
    with (directory / "pieces.model").open("wb") as file:
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(TEXT), model_writer=file, vocab_size=150, hard_vocab_limit=False, minloglevel=2
        )
    processor = spm.SentencePieceProcessor(model_file=str(directory / "pieces.model"))
    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
    for i in range(processor.get_piece_size()):
        vocabulary.setdefault(processor.id_to_piece(i), len(vocabulary))
    (directory / "pieces.json").write_text(json.dumps(vocabulary))
    tokenizer = M2M100Tokenizer(
        vocab_file=str(directory / "pieces.json"),
        spm_file=str(directory / "pieces.model"),
        src_lang="en",
        tgt_lang="it",
    )
    tokenizer.model_max_length = 64
    torch.manual_seed(1)
    config = M2M100Config(vocab_size=max(tokenizer.lang_code_to_id.values()) + 1 + 8, **SIZES)
    model = spread(M2M100ForConditionalGeneration(config))
    # It would say names of languages, which transformers writes out and readers should not see.
    model.get_input_embeddings().weight.data[len(vocabulary) :] = 0
    return save(directory, model, tokenizer)


def learnt_pieces():
    """Unigram pieces of the toy text with their scores, in SentencePiece's order."""
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT), model_writer=model, vocab_size=150, hard_vocab_limit=False, minloglevel=2
    )
    processor = spm.SentencePieceProcessor(model_proto=model.getvalue())
    return [(processor.id_to_piece(i), processor.get_score(i)) for i in range(processor.get_piece_size())]


def nllb(directory):
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

    made = hf.Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    made.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=200, special_tokens=specials))
    learnt = json.loads(made.to_str())["model"]
    tokenizer = NllbTokenizer(learnt["vocab"], [tuple(pair) for pair in learnt["merges"]], model_max_length=64)
    torch.manual_seed(1)
    config = M2M100Config(vocab_size=len(tokenizer), **SIZES)
    model = spread(M2M100ForConditionalGeneration(config))
    model.get_input_embeddings().weight.data[len(learnt["vocab"]) :] = 0
    return save(directory, model, tokenizer)


def mbart50(directory):
    from transformers import MBart50Tokenizer, MBartConfig, MBartForConditionalGeneration

    tokenizer = MBart50Tokenizer(learnt_pieces(), src_lang="en_XX", tgt_lang="it_IT", model_max_length=64)
    torch.manual_seed(1)
    config = MBartConfig(vocab_size=len(tokenizer), normalize_before=True, **SIZES)
    config.forced_eos_token_id = None
    config.decoder_start_token_id = 2
    model = spread(MBartForConditionalGeneration(config))
    model.get_input_embeddings().weight.data[tokenizer.convert_tokens_to_ids("ar_AR") :] = 0
    return save(directory, model, tokenizer)


def madlad(directory):
    """T5 1.1 with gated units, whose first token says which language is wanted."""
    from transformers import T5Config, T5ForConditionalGeneration

    tokenizer = fast_tokenizer(["<pad>", "</s>", "<unk>", "<2it>", "<2de>"], "$A </s>")
    torch.manual_seed(1)
    sizes = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 2, "decoder_start_token_id": 0}
    config = T5Config(vocab_size=len(tokenizer), feed_forward_proj="gated-gelu", tie_word_embeddings=False, **sizes)
    model = T5ForConditionalGeneration(config)
    torch.nn.init.normal_(model.shared.weight)
    return save(directory, spread(model), tokenizer)


def marian(directory):
    """A Marian model whose pieces are not the run's."""
    from transformers import MarianTokenizer

    from distilmt.config import TokenizerConfig
    from distilmt.data import tokenizer as tokenizers
    from distilmt.models.presets import new_model

    directory.mkdir(parents=True)
    tokenizers.train(*toy.pairs(300, seed=9), TokenizerConfig(vocab_size=300), directory, seed=1)
    made = tokenizers.load(directory)
    torch.manual_seed(1)
    model = spread(new_model(toy.MICRO, made, 0.0, 1))
    model.save_pretrained(directory)
    return model, MarianTokenizer.from_pretrained(directory, model_max_length=64)


def save(directory, model, tokenizer):
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return model, tokenizer


MAKERS = {"t5": t5, "bart": bart, "m2m100": m2m100, "nllb": nllb, "mbart50": mbart50, "madlad": madlad}
FIRST = {"m2m100": "__it__", "nllb": "ita_Latn", "mbart50": "it_IT"}
"""What a translation into Italian begins with."""


@torch.no_grad()
@pytest.mark.parametrize("name", MAKERS)
def test_translates_as_transformers_does(tmp_path, name):
    model, tokenizer = MAKERS[name](tmp_path / name)
    export_huggingface_teacher(str(tmp_path / name), tmp_path / "ct2", "float32", "en", "it")
    translator = Translator(tmp_path / "ct2", threads=1)
    texts = [*toy.pairs(25, seed=6)[0], "", "ban"]
    ours = [found[0].text if found else "" for found in translator.hypotheses(texts, beam_size=1)]
    settings = {"forced_bos_token_id": tokenizer.convert_tokens_to_ids(FIRST[name])} if name in FIRST else {}
    theirs = []
    for text in texts:
        if not text:
            theirs.append("")
            continue
        encoded = tokenizer("<2it> " + text if name == "madlad" else text, return_tensors="pt")
        ids = model.generate(
            encoded.input_ids, num_beams=1, do_sample=False, max_new_tokens=30, forced_eos_token_id=None, **settings
        )
        theirs.append(tokenizer.decode(ids[0][1 + len(settings) :], skip_special_tokens=True).strip())
    assert len(set(theirs)) > 8, "a teacher that always says the same tests nothing"
    same = sum(a.startswith(b) if b else not a for a, b in zip(ours, theirs, strict=True))
    assert same == len(texts), [pair for pair in zip(ours, theirs, strict=True) if not pair[0].startswith(pair[1])]


@pytest.mark.parametrize("name", MAKERS)
def test_the_export_needs_nothing_else(tmp_path, name):
    MAKERS[name](tmp_path / name)
    export_huggingface_teacher(str(tmp_path / name), tmp_path / "ct2", "int8", "en", "it")
    (tmp_path / name).rename(tmp_path / "elsewhere")
    texts = toy.pairs(5, seed=6)[0]
    found = Translator(tmp_path / "ct2").translate(texts, beam_size=2)
    assert len(found) == 5
    facts = json.loads((tmp_path / "ct2" / "distilmt.json").read_text())
    assert facts["tokenizer"] == "huggingface" and facts["max_positions"] == 64
    assert facts.get("target_prefix") == FIRST.get(name)
    assert facts.get("prefix", "") == ("<2it> " if name == "madlad" else "")


def test_languages_are_the_runs(tmp_path):
    m2m100(tmp_path / "m2m")
    found = set()
    for target in ("it", "zh", "pt_BR"):
        export_huggingface_teacher(str(tmp_path / "m2m"), tmp_path / "ct2", "int8", "en", target)
        found.add(json.loads((tmp_path / "ct2" / "distilmt.json").read_text())["target_prefix"])
    assert found == {"__it__", "__zh__", "__pt__"}
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

    found = languages(NllbTokenizer(), "en", language, "nllb")
    assert found == {"source_language": "eng_Latn", "target_prefix": nllb}
    if mbart:
        found = languages(MBart50Tokenizer(), "en", language, "mbart")
        assert found == {"source_language": "en_XX", "target_prefix": mbart}


def test_every_code_of_the_table_is_nllbs():
    from transformers import NllbTokenizer

    known = {code.split("_")[0] for code in NllbTokenizer().extra_special_tokens}
    assert set(_NLLB.values()) <= known and len(_NLLB) > 100


def test_what_cannot_be_converted_is_told(tmp_path, learnt):
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
