"""Lexical shortlist: the target tokens that a sentence may need, in CTranslate2's format (`vmap.txt` of a model).

The output layer is then computed only for these tokens: translations of the sentence's own tokens, and general tokens
for all sentences. CTranslate2 uses the union over the sentences of a batch.

The file has a line for every source token: the token, a tab, and target tokens separated by spaces. The tokens of the
line with an empty source side are always allowed, and so are `</s>` and `<unk>`. (CTranslate2 also supports n-grams as
source sides; they are not used here.) https://opennmt.net/CTranslate2/translation.html
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from distilmt.compression.alignment import Alignment, TokenIdPair
from distilmt.config import ShortlistConfig
from distilmt.data.tokenizer import EOS, LanguageTokenizer, Tokenizer
from distilmt.export.card import renew_files
from distilmt.inference.manifest import has_manifest, load_manifest, write_manifest
from distilmt.labels.store import LabelStore
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json, write_text

FILE = "vmap.txt"
_SPACE = "▁"
_VOCABULARIES = ("target_vocabulary.json", "shared_vocabulary.json")


@dataclass(frozen=True)
class Coverage:
    """Coverage of translations by a shortlist, each sentence separately."""

    pieces: float
    """Share of target tokens that are allowed."""
    sentences: float
    """Share of sentences with all tokens allowed."""
    size: float
    """Mean number of allowed tokens per sentence."""


@dataclass(frozen=True)
class Shortlist:
    """Target tokens that are always allowed, and additional ones by source token."""

    always: list[str]
    by_piece: dict[str, list[str]]
    settings: ShortlistConfig

    def allowed(self, source: Sequence[str]) -> set[str]:
        """All target tokens that a sentence may use, given its source tokens."""
        return {*self.always, "</s>", "<unk>"}.union(*(self.by_piece.get(piece, ()) for piece in source))

    def write(self, model_directory: Path, covered: Coverage | None = None) -> None:
        """Write the shortlist into an exported model; `Translator` then uses it.

        Args:
            model_directory: a CTranslate2 directory written by distilmt; an older shortlist there is replaced.
            covered: the result of `coverage`, stored in `distilmt.json` with the settings.

        Raises:
            UserError: the directory is not such a model, or the model has another vocabulary.
        """
        self._check_model(model_directory)
        lines = [f"{piece}\t{' '.join(targets)}\n" for piece, targets in (("", self.always), *self.by_piece.items())]
        write_text(model_directory / FILE, "".join(lines))
        metadata = asdict(self.settings) | ({"coverage": asdict(covered)} if covered else {})
        write_manifest(model_directory, {**load_manifest(model_directory), "shortlist": metadata})
        renew_files(model_directory)

    def _check_model(self, directory: Path) -> None:
        """Check the vocabulary: CTranslate2 silently replaces unknown tokens by `<unk>`."""
        name = next((n for n in _VOCABULARIES if (directory / n).exists()), None)
        if name is None or not has_manifest(directory):
            raise UserError(f"{directory} is not an exported model: use a directory that `distilmt export` wrote")
        strange = set().union(self.always, *self.by_piece.values()) - set(read_json(directory / name))
        if strange:
            raise UserError(
                f"{directory} has no target token {min(strange)!r}, which the shortlist has: "
                "build the shortlist with the tokenizer that the model was trained with"
            )


def build(pairs: Iterable[TokenIdPair], tokenizer: Tokenizer, config: ShortlistConfig) -> Shortlist:
    """Build a shortlist from sentences and their translations.

    Args:
        pairs: token ids of both sides (`label_pairs` reads them from labels), with or without `</s>`.
        tokenizer: the tokenizer of the ids.
        config: size of the shortlist.

    Raises:
        UserError: a setting is out of range, there are no pairs, or the word aligner is not installed.
    """
    for name, least in (("best", 0), ("frequent", 0), ("hypotheses", 0), ("sentences", 1)):
        if getattr(config, name) < least:
            raise UserError(f"shortlist {name} is {getattr(config, name)}: it must be ≥ {least}")
    counts: Counter[int] = Counter()
    alignment = Alignment(_counted(pairs, counts))
    names, usable = tokenizer.target.tokens, _usable(tokenizer.target)
    frequent = [names[i] for i, _ in counts.most_common(config.frequent)]
    general = [piece for i, piece in enumerate(names) if _is_general(piece, i in counts)]
    always = dict.fromkeys(piece for piece in (*frequent, *general) if piece in usable)
    ids = {piece: i for i, piece in enumerate(tokenizer.source.tokens)}
    by_piece = {}
    for piece in sorted(_usable(tokenizer.source), key=lambda piece: ids[piece]):
        likely = [names[i] for i in alignment.best(ids[piece], config.best)]
        candidates = dict.fromkeys(p for p in (*_copies(piece), *likely) if p in usable and p not in always)
        if candidates:
            by_piece[piece] = list(candidates)
    return Shortlist(list(always), by_piece, config)


def _counted(pairs: Iterable[TokenIdPair], counts: Counter[int]) -> Iterator[TokenIdPair]:
    """The pairs without `</s>`; adds their target tokens to `counts`."""
    for source, target in pairs:
        target_ids = [i for i in target if i != EOS]
        counts.update(target_ids)
        yield [i for i in source if i != EOS], target_ids


def _usable(side: LanguageTokenizer) -> set[str]:
    """Tokens that occur in text (not padding of the vocabulary) and that fit the file format (no white space)."""
    pieces = (side.tokens[i] for i in np.flatnonzero(side.to_spm != side.processor.unk_id()))
    return {piece for piece in pieces if piece != "</s>" and not any(c in piece for c in " \t\r\n")}


def _is_byte(piece: str) -> bool:
    return len(piece) == 6 and piece.startswith("<0x")


def _is_general(piece: str, is_in_labels: bool) -> bool:
    """Whether any sentence may need a token: digits, punctuation, a single space, and bytes that are in the labels.

    All 256 bytes would be most of a short list. Bytes of characters that are not in the labels can still be copied.
    """
    bare = chr(int(piece[3:5], 16)) if _is_byte(piece) else piece.removeprefix(_SPACE)
    if _is_byte(piece) and not (" " <= bare <= "~"):
        return is_in_labels
    return len(bare) < 2 and not any(unicodedata.category(c)[0] in "LM" for c in bare)


def _copies(piece: str) -> Iterator[str]:
    """The token itself, at the start of a word and inside a word, and all its substrings.

    The target can then spell a name like the source, with any tokenization.
    """
    yield piece
    if not _is_byte(piece):
        bare = piece.removeprefix(_SPACE)
        yield _SPACE + bare
        yield from (bare[i:j] for i in range(len(bare)) for j in range(len(bare), i, -1))


def label_pairs(store: LabelStore, tokenizer: Tokenizer, config: ShortlistConfig) -> Iterator[TokenIdPair]:
    """Sentences of a label store with their references, and with the first `hypotheses` of the teacher's hypotheses.

    Raises:
        UserError: the labels were made with another tokenizer, or are damaged.
    """
    store.require(tokenizer.fingerprint)
    stride = -(-store.rows // config.sentences)
    first = 0
    for table in store.shards(["source", "reference_tokens", "hypotheses"]):
        rows = table.take(np.arange(-first % stride, table.num_rows, stride))
        first += table.num_rows
        sources = tokenizer.source.encode(rows["source"].to_pylist())
        for source, row in zip(sources, rows.drop_columns(["source"]).to_pylist(), strict=True):
            hypotheses = [hypothesis["tokens"] for hypothesis in row["hypotheses"][: config.hypotheses]]
            yield from ((source, target) for target in (row["reference_tokens"], *hypotheses) if target)


def coverage(shortlist: Shortlist, pairs: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Coverage:
    """Coverage of translations by a shortlist.

    Args:
        shortlist: the shortlist.
        pairs: source tokens of a sentence, and tokens of its translation: best the model's own hypotheses without a
            shortlist, of sentences that were not used to build it.

    Raises:
        UserError: there are no translations.
    """
    pieces, allowed, whole, sizes = 0, 0, 0, []
    for source, target in pairs:
        allowed_pieces = shortlist.allowed(source)
        inside = sum(piece in allowed_pieces for piece in target)
        pieces, allowed, whole = pieces + len(target), allowed + inside, whole + (inside == len(target))
        sizes.append(len(allowed_pieces))
    if not pieces:
        raise UserError("there are no translations to measure a shortlist's coverage on: use labels with sentences")
    return Coverage(allowed / pieces, whole / len(sizes), float(np.mean(sizes)))
