"""Metrics of the server, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_SENTENCES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """Metrics of one server; clients cannot create new label values."""

    def __init__(self) -> None:
        self.registry = of = CollectorRegistry()
        self.requests = Counter("distilmt_requests", "Requests answered", ["path", "status"], registry=of)
        self.seconds = Histogram(
            "distilmt_request_seconds", "Seconds to answer", ["path"], buckets=_SECONDS, registry=of
        )
        self.in_flight = Gauge("distilmt_requests_under_way", "Requests being answered", registry=of)
        self.characters = Counter("distilmt_characters", "Characters translated", ["source", "target"], registry=of)
        self.sentences = Counter("distilmt_sentences", "Sentences translated, by model role", ["role"], registry=of)
        self.batches = Histogram("distilmt_batch_sentences", "Sentences of a batch", buckets=_SENTENCES, registry=of)
        self.batch_seconds = Counter("distilmt_batch_seconds", "Seconds spent in batches", registry=of)
        self.waiting = Gauge("distilmt_sentences_waiting", "Sentences that wait for a batch", registry=of)
        self.memory = Gauge("distilmt_model_bytes", "Bytes of loaded models", registry=of)
        self.evicted = Counter("distilmt_models_evicted", "Models that made room for others", registry=of)

    def batch(self, sentences: int, seconds: float) -> None:
        """Count a batch."""
        self.batches.observe(sentences)
        self.batch_seconds.inc(seconds)

    def loaded(self, taken: int) -> None:
        """Set the bytes of loaded models."""
        self.memory.set(taken)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
