"""Translation with PyTorch, for architectures that CTranslate2 does not run; slower than CTranslate2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distilmt.data.cleaning import normalize
from distilmt.data.tokenizer import EOS, Tokenizer, load
from distilmt.inference.base import DEFAULT_DECODING, DecodingOptions, Hypothesis
from distilmt.models.base import Seq2SeqModel
from distilmt.models.beam_search import ScoredTokens, search
from distilmt.models.checkpoint import load_model
from distilmt.models.device import pick_device
from distilmt.utils.checksums import check_checksums

_BATCH_TOKENS = 1024
"""Source tokens of a batch, for all hypotheses together: every step computes all positions of all hypotheses."""


class TorchTranslator:
    """A `TranslationModel` of any architecture, in float32."""

    def __init__(self, model: Seq2SeqModel, tokenizer: Tokenizer) -> None:
        """Move the model to the GPU, if there is one."""
        self.model, self.tokenizer = model.eval().requires_grad_(False).to(pick_device()), tokenizer
        self.max_length = model.dimensions.max_positions

    @classmethod
    def open(cls, directory: Path) -> TorchTranslator:
        """The translator of a model directory with its tokenizer.

        Raises:
            UserError: the directory has no loadable model or tokenizer, or files differ from its card.
        """
        check_checksums(directory)
        return cls(load_model(directory), load(directory))

    def hypotheses(self, texts: Sequence[str], options: DecodingOptions = DEFAULT_DECODING) -> list[list[Hypothesis]]:
        """As `TranslationModel.hypotheses`; sources are cut at the model's positions, and batches have its own size."""
        sources = self.tokenizer.source.encode([normalize(text) for text in texts])
        rows = sorted((i for i, ids in enumerate(sources) if len(ids) > 1), key=lambda i: len(sources[i]))
        n_best_lists: list[list[Hypothesis]] = [[] for _ in texts]
        begin = 0
        while begin < len(rows):
            tokens = max(options.num_hypotheses, options.beams) * len(sources[rows[begin]])
            part = rows[begin : begin + max(1, _BATCH_TOKENS // tokens)]
            begin += len(part)
            for row, ranked in zip(part, self._search([sources[i] for i in part], options), strict=True):
                n_best_lists[row] = [self._hypothesis(each) for each in ranked]
        return n_best_lists

    def translate(self, texts: Sequence[str], beam_size: int = 4, batch_size: int = 64) -> list[str]:
        """The best translation of each text, in order; empty for an empty text. Batches have their own size."""
        n_best_lists = self.hypotheses(texts, DecodingOptions(beam_size=beam_size))
        return [each[0].text if each else "" for each in n_best_lists]

    def _search(self, sources: list[list[int]], options: DecodingOptions) -> list[list[ScoredTokens]]:
        whole = [ids if len(ids) <= self.max_length else [*ids[: self.max_length - 1], EOS] for ids in sources]
        return search(
            self.model,
            whole,
            beams=options.beams,
            num_hypotheses=options.num_hypotheses,
            length_penalty=options.length_penalty,
            temperature=options.sampling_temperature,
        )

    def _hypothesis(self, ranked: ScoredTokens) -> Hypothesis:
        target = self.tokenizer.target
        return Hypothesis(target.decode([ranked.ids])[0], [target.tokens[i] for i in ranked.ids], ranked.score)
