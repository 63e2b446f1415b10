"""SentencePiece subwords in Marian's convention: `</s>` is 0, `<unk>` is 1, `<pad>` is the last id.

A tokenizer directory has the same files as a Marian model directory (`source.spm`, `target.spm`, `vocab.json` and, with
split vocabularies, `target_vocab.json`), so the tokenizer of any Marian or OPUS-MT model can be used.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import numpy as np
import sentencepiece as spm

from distilmt.config import TokenizerConfig
from distilmt.utils.checksums import check_step, remedy
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonObject
from distilmt.utils.run_dir import atomic_path, fingerprint_files, read_step, write_json
from distilmt.utils.step_results import TokenizerResult

EOS, UNK = 0, 1
PAD_TOKEN = "<pad>"
FILES = ("source.spm", "target.spm", "vocab.json", "target_vocab.json", "tokenizer_config.json")


@dataclass
class LanguageTokenizer:
    """Vocabulary of one language: maps between SentencePiece's own ids and the model's ids."""

    processor: spm.SentencePieceProcessor
    tokens: list[str]
    to_model: np.ndarray
    to_spm: np.ndarray

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Model ids of each text, with `</s>` at the end."""
        encoded = self.processor.encode(list(texts), num_threads=2)
        return [[*self.to_model[ids].tolist(), EOS] for ids in encoded]

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Texts of sequences of model ids; `</s>` and `<pad>` are left out."""
        last = len(self.tokens) - 1
        spm_ids = [[int(self.to_spm[i]) for i in sequence if i not in (EOS, last)] for sequence in ids]
        return [str(text) for text in self.processor.decode(spm_ids)] if spm_ids else []


@dataclass
class Tokenizer:
    """The vocabularies of both languages, from `directory`."""

    directory: Path
    source: LanguageTokenizer
    target: LanguageTokenizer
    shared: bool

    @property
    def pad(self) -> int:
        """Id of `<pad>` on the target side (decoders start with it)."""
        return len(self.target.tokens) - 1

    @property
    def source_pad(self) -> int:
        """Id of `<pad>` on the source side."""
        return len(self.source.tokens) - 1

    @property
    def fingerprint(self) -> str:
        """Hash of the tokens and their ids, independent of the directory."""
        names = [name for name in FILES if name != "tokenizer_config.json"]
        return fingerprint_files(*(self.directory / n for n in names if (self.directory / n).exists()))

    def copy_to(self, directory: Path) -> None:
        """Copy the tokenizer's files into a model directory."""
        for name in FILES:
            if (self.directory / name).exists():
                with atomic_path(directory / name) as temporary:
                    temporary.write_bytes((self.directory / name).read_bytes())


def load(directory: Path) -> Tokenizer:
    """Load the tokenizer of a directory.

    Raises:
        UserError: files are missing or damaged, the ids do not follow Marian's convention, or the
            sides' sizes differ.
    """
    check_step(directory)
    for name in ("source.spm", "target.spm", "vocab.json"):
        if not (directory / name).exists():
            advice = remedy(directory) if read_step(directory) else "name a directory with a Marian tokenizer"
            raise UserError(f"{directory} has no {name}: {advice}")
    shared = not (directory / "target_vocab.json").exists()
    source = _load_language(directory / "source.spm", directory / "vocab.json")
    target = _load_language(directory / "target.spm", directory / ("vocab.json" if shared else "target_vocab.json"))
    if len(source.tokens) != len(target.tokens):
        raise UserError(
            f"{directory} has {len(source.tokens)} source tokens but {len(target.tokens)} target tokens: "
            "Marian needs equal numbers on both sides, so train the tokenizer again"
        )
    _check_pad_id(directory, len(target.tokens) - 1)
    return Tokenizer(directory, source, target, shared)


def _check_pad_id(directory: Path, last_id: int) -> None:
    """Compare a vocabulary with the model beside it: `<pad>` is the last token of both."""
    try:
        pad_id = json.loads((directory / "config.json").read_bytes()).get("pad_token_id")
    except (OSError, ValueError, AttributeError, RecursionError):
        return  # no model, or one that its loader reports
    if isinstance(pad_id, int) and pad_id != last_id:
        raise UserError(
            f"{directory / 'vocab.json'} has {last_id + 1} tokens, but the model in {directory} has {pad_id + 1}: copy "
            "both from their source again"
        )


def _load_language(model: Path, vocabulary: Path) -> LanguageTokenizer:
    try:
        processor = spm.SentencePieceProcessor(model_file=str(model))
        ids: dict[str, int] = _ids(vocabulary)
    except (OSError, RecursionError, RuntimeError, ValueError):
        raise UserError(f"{model} or {vocabulary.name} is damaged: {remedy(model.parent)}") from None
    tokens = [token for token, _ in sorted(ids.items(), key=lambda item: item[1])]
    if tokens[0] != "</s>" or tokens[1] != "<unk>" or tokens[-1] != PAD_TOKEN:
        raise UserError(f"{vocabulary} does not follow Marian's convention (</s> 0, <unk> 1, <pad> last)")
    names = [processor.id_to_piece(i) for i in range(processor.get_piece_size())]
    to_model = np.array([ids.get(name, UNK) for name in names], dtype=np.int64)
    by_name = {name: i for i, name in enumerate(names)}
    to_spm = np.array([by_name.get(token, processor.unk_id()) for token in tokens], dtype=np.int64)
    return LanguageTokenizer(processor, tokens, to_model, to_spm)


def _ids(vocabulary: Path) -> dict[str, int]:
    """Tokens and their ids.

    Raises:
        ValueError: the file has another content.
    """
    content = json.loads(vocabulary.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or len(content) < 3 or not all(type(number) is int for number in content.values()):
        raise ValueError("no tokens with ids")
    return content


def train(
    sources: Iterable[str], targets: Iterable[str], config: TokenizerConfig, directory: Path, seed: int
) -> TokenizerResult:
    """Train a tokenizer on text and write its directory.

    Args:
        sources: source sentences.
        targets: target sentences.
        config: sizes and sharing of the vocabularies.
        directory: output directory.
        seed: seed of SentencePiece's sampling.

    Returns:
        Sizes, for the step's record.
    """
    source_text, target_text = list(sources)[: config.input_sentence_size], list(targets)[: config.input_sentence_size]
    split = (
        should_split_vocabulary(source_text, target_text)
        if config.vocab_sharing == "auto"
        else config.vocab_sharing == "split"
    )
    spm.set_random_generator_seed(seed)
    if split:
        sizes = [
            _train_sentencepiece(source_text, config, directory / "source.spm", directory / "vocab.json"),
            _train_sentencepiece(target_text, config, directory / "target.spm", directory / "target_vocab.json"),
        ]
        for name in ("vocab.json", "target_vocab.json"):
            _pad_vocabulary(directory / name, max(sizes))
        sizes = [max(sizes)] * 2
    else:
        sizes = [
            _train_sentencepiece(
                [*source_text, *target_text], config, directory / "source.spm", directory / "vocab.json"
            )
        ]
        with atomic_path(directory / "target.spm") as temporary:
            temporary.write_bytes((directory / "source.spm").read_bytes())
    write_json(directory / "tokenizer_config.json", _marian_config(split))
    return TokenizerResult(sizes, shared=not split)


def _marian_config(split: bool) -> JsonObject:
    """Configuration for `AutoTokenizer` to read the directory as a Marian tokenizer."""
    return {
        "tokenizer_class": "MarianTokenizer",
        "separate_vocabs": split,
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": PAD_TOKEN,
        "model_max_length": 512,
    }


def _train_sentencepiece(text: Sequence[str], config: TokenizerConfig, model: Path, vocabulary: Path) -> int:
    """Train the vocabulary of one side; a small text gives fewer tokens. Returns the vocabulary's size."""
    try:
        with atomic_path(model) as temporary, temporary.open("wb") as file:
            spm.SentencePieceTrainer.train(
                sentence_iterator=_lines(text),
                model_writer=file,
                vocab_size=config.vocab_size - 1,
                model_type=config.model_type,
                character_coverage=config.character_coverage,
                byte_fallback=config.byte_fallback,
                # The trainer must not change text: NFKC would turn Chinese punctuation into Latin.
                normalization_rule_name="identity",
                hard_vocab_limit=False,
                split_digits=True,
                max_sentence_length=16_000,
                eos_id=EOS,
                unk_id=UNK,
                bos_id=-1,
                pad_id=-1,
                num_threads=2,
                minloglevel=2,
            )
    except RuntimeError as error:
        raise UserError(_error_message(str(error), config)) from None
    processor = spm.SentencePieceProcessor(model_file=str(model))
    tokens = [processor.id_to_piece(i) for i in range(processor.get_piece_size())]
    write_json(vocabulary, {token: i for i, token in enumerate([*tokens, PAD_TOKEN])})
    return len(tokens) + 1


def _pad_vocabulary(vocabulary: Path, size: int) -> None:
    """Pad a vocabulary with unused tokens: Marian has a single id of `<pad>` for both sides."""
    tokens: list[str] = list(json.loads(vocabulary.read_text(encoding="utf-8")))[:-1]
    names = (name for i in count() if (name := f"<unused{i}>") not in tokens)
    tokens += islice(names, size - 1 - len(tokens))
    write_json(vocabulary, {token: i for i, token in enumerate([*tokens, PAD_TOKEN])})


def _lines(text: Sequence[str]) -> Iterator[str]:
    for line in text:
        if line.strip():
            yield line


def should_split_vocabulary(sources: Sequence[str], targets: Sequence[str]) -> bool:
    """Whether the two sides have different scripts, so that a shared vocabulary would only waste tokens."""
    return _script(sources[:2000]) != _script(targets[:2000])


def _script(text: Sequence[str]) -> str:
    """The script of most letters; Han, kana and Hangul count as one."""
    counts: dict[str, int] = {}
    for letter in "".join(text):
        if letter.isalpha():
            script = unicodedata.name(letter, "?").split(" ")[0]
            script = "CJK" if script in {"CJK", "HIRAGANA", "KATAKANA", "HANGUL"} else script
            counts[script] = counts.get(script, 0) + 1
    return max(counts, key=lambda name: counts[name]) if counts else "?"


def _error_message(message: str, config: TokenizerConfig) -> str:
    """SentencePiece's message, translated from its source lines and options to distilmt's keys."""
    if few := re.search(r"required_chars\D+(\d+) vs (\d+)", message):
        return (
            f"tokenizer.vocab_size is {config.vocab_size}: the characters of the text alone need "
            f"{int(few[2]) + config.vocab_size - int(few[1])}: raise it, or lower tokenizer.character_coverage"
        )
    if "sentences_.empty" in message:
        return "the tokenizer has no training text: raise tokenizer.input_sentence_size, or check the corpus"
    reason = " ".join(re.sub(r"\S*\.cc\(\d+\)|INTERNAL:|INVALID_ARGUMENT:", "", message).split())
    return f"SentencePiece cannot train {config.vocab_size} tokens (tokenizer.vocab_size) on this text: {reason[:200]}"
