"""Teachers from outside, made here: tiny T5, BART and M2M-100 with tokenizers learned in a second."""

from __future__ import annotations

import io
import json

import sentencepiece as spm
import tokenizers as hf
import torch
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from helpers import toy

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

    instance = hf.Tokenizer(models.Unigram())
    instance.pre_tokenizer, instance.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=200, special_tokens=specials, unk_token="<unk>")
    instance.train_from_iterator(TEXT, trainer)
    used = [(piece, instance.token_to_id(piece)) for piece in template.split() if piece in specials]
    instance.post_processor = processors.TemplateProcessing(single=template, special_tokens=used)
    names = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=instance, model_max_length=64, **names)


def spread(model):
    """Random weights whose translations differ between sentences."""
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
    # It would generate language tokens, which transformers writes out and readers should not see.
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

    instance = hf.Tokenizer(models.BPE(unk_token="<unk>"))
    instance.pre_tokenizer = pre_tokenizers.Metaspace()
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    instance.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=200, special_tokens=specials))
    learnt = json.loads(instance.to_str())["model"]
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
    """T5 1.1 with gated units, whose first token is that of the target language."""
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
    from helpers.marian import new_network

    directory.mkdir(parents=True)
    tokenizers.train(*toy.pairs(300, seed=9), TokenizerConfig(vocab_size=300), directory, seed=1)
    instance = tokenizers.load(directory)
    torch.manual_seed(1)
    model = spread(new_network(toy.MICRO, instance, 0.0, 1))
    model.save_pretrained(directory)
    return model, MarianTokenizer.from_pretrained(directory, model_max_length=64)


def save(directory, model, tokenizer):
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return model, tokenizer


MAKERS = {"t5": t5, "bart": bart, "m2m100": m2m100, "nllb": nllb, "mbart50": mbart50, "madlad": madlad}
