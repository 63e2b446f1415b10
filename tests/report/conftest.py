"""Made-up but lifelike reports."""

import math

import pytest

EN_IT = [
    (
        "The package contains the documentation in HTML format.",
        "Il pacchetto contiene la documentazione in formato HTML.",
    ),
    (
        "This library provides a simple interface to sound cards.",
        "Questa libreria fornisce una semplice interfaccia alle schede audio.",
    ),
    (
        "It can be used to convert images between many formats.",
        "Può essere usato per convertire immagini tra molti formati.",
    ),
    ("Unlike other editors, it does not need a mouse.", "A differenza di altri editor, non ha bisogno del mouse."),
]
EN_ZH = [
    ("The package contains the documentation in HTML format.", "该软件包包含 HTML 格式的文档。"),
    ("This library provides a simple interface to sound cards.", "这个库为声卡提供了一个简单的接口。"),
    ("It can be used to convert images between many formats.", "它可以用来在多种格式之间转换图像。"),
    ("Unlike other editors, it does not need a mouse.", "与其他编辑器不同，它不需要鼠标。"),
]
SYSTEMS = [
    # name, parameters, bytes, bleu, chrf, ter, sentences/s at 1 and 64, peak memory
    ("teacher", 14_700_000, 59_600_000, 36.42, 61.7, 49.8, 9.1, 31.0, 181_000_000),
    ("teacher-int8", 14_700_000, 15_900_000, 36.31, 61.6, 49.9, 21.4, 78.2, 112_000_000),
    ("baseline-int8", 2_900_000, 4_550_000, 31.87, 57.9, 54.0, 74.3, 268.0, 88_000_000),
    ("student", 2_900_000, 12_400_000, 35.61, 60.9, 50.6, 51.6, 171.0, 97_000_000),
    ("student-int8", 2_900_000, 4_550_000, 35.48, 60.8, 50.7, 74.9, 271.0, 88_000_000),
]


def system(row: tuple) -> dict:
    name, parameters, size, bleu, chrf, ter, single, batched, memory = row
    return {
        "name": name,
        "parameters": parameters,
        "file_bytes": size,
        "bleu": bleu,
        "chrf": chrf,
        "ter": ter,
        "beam_size": 4,
        "sentences_per_second": {"batch_1": single, "batch_64": batched},
        "tokens_per_second": {"batch_1": 24 * single, "batch_64": 24 * batched},
        "latency_ms": {"p50": 900 / single, "p95": 2100 / single},
        "peak_rss_bytes": memory,
        "health": {"sentences": 2000, "empty": 0, "repetitions": 3, "copies": 1, "length_outliers": 4},
    }


def comparison(a: str, b: str, metric: str, a_score: float, b_score: float, p_value: float, half: float) -> dict:
    change = a_score - b_score
    interval = [change - half, change + half]
    scores = {"a_score": a_score, "b_score": b_score}
    return {"a": a, "b": b, "metric": metric, "difference": change, "p_value": p_value, "ci": interval, **scores}


def challenge(name: str, student: int, teacher: int, p: float) -> dict:
    examples = [{"source": "It costs 3.50 <euro>.", "translation": "Costa."}] * min(student, 5)
    counts = {"cases": 40, "student": student, "teacher": teacher}
    return {"name": name, **counts, "p_value": p, "passed": p >= 0.05, "examples": examples}


def curve(best: float, updates: int) -> list[dict]:
    points = []
    for update in range(updates // 30, updates + 1, updates // 30):
        done = update / updates
        points.append(
            {
                "update": update,
                "seconds": update * 0.6,
                "train_loss": 2.1 + 5 * math.exp(-6 * done) + 0.03 * math.sin(update),
                "learning_rate": 1e-3 * (1 - done),
                "tokens_per_second": 5400,
                "bleu": best * (1 - math.exp(-4 * done)) + 0.2 * math.sin(update),
                "chrf": best * 1.7,
            }
        )
    return points


def example(source: str, reference: str, number: int) -> dict:
    best = reference.replace("semplice", "facile").replace("一个", "").replace("tra molti", "in diversi")
    good = best.replace("fornisce", "offre").replace("在多种", "于许多").replace("Il pacchetto", "Questo pacchetto")
    poor = good.replace("formato", "formati").replace("non ha bisogno", "bisogno non").replace("文档", "文件")
    texts = {"teacher": best, "teacher-int8": best, "student": good, "student-int8": good}
    return {
        "source": source,
        "reference": reference,
        "translations": texts | {"baseline-int8": poor},
        "chosen": "random" if number < 2 else "differs",
        "chrf": {"teacher": 71.2, "student-int8": 64.8},
    }


def make_report(pairs: list[tuple[str, str]], target: str) -> dict:
    dropped = {
        "duplicate": {"count": 20_411, "examples": [{"line": 3, "source": pairs[0][0], "target": pairs[0][1]}]},
        "length_ratio": {"count": 812, "examples": [{"line": 9, "source": "Yes", "target": pairs[1][1]}]},
        "empty": {"count": 12, "examples": []},
    }
    names = ["corpus", "tokenizer", "teacher", "labels", "student", "baseline", "exports", "evaluation"]
    seconds = [12.4, 6.1, 5230, 1310, 2480, 2390, 21.0, 310]
    return {
        "signature": f"distilmt:0.1.0|pair:en-{target}|teacher:d256-3+2|beam:4|k:8|word:0.7|T:1|seed:1",
        "pair": {"source": "en", "target": target},
        "test": {
            "sentences": 2000,
            "bleu_signature": "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0",
            "chrf_signature": "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0",
        },
        "systems": [system(row) for row in SYSTEMS],
        "comparisons": [
            comparison("student-int8", "teacher", "bleu", 35.48, 36.42, 0.001, 0.45),
            comparison("student-int8", "teacher", "chrf", 60.8, 61.7, 0.002, 0.5),
            comparison("student-int8", "baseline-int8", "bleu", 35.48, 31.87, 0.000999, 0.6),
            comparison("teacher-int8", "teacher", "bleu", 36.31, 36.42, 0.21, 0.2),
        ],
        "steps": [
            {"name": name, "seconds": time, "peak_rss_bytes": 400_000_000 + int(time) * 300_000}
            for name, time in zip(names, seconds, strict=True)
        ],
        "curves": {"teacher": curve(36, 9000), "student": curve(35, 6000), "baseline": curve(31, 6000)},
        "examples": [example(source, reference, i) for i, (source, reference) in enumerate(pairs)],
        "corpus": {"read": 160_000, "kept": 138_765, "dropped": dropped, "train": 135_265, "test": 2000},
        "labels": {"beam_size": 4, "top_k": 8, "sentences": 135_265, "kept": 135_190, "compute_type": "int8"},
        "machine": {
            "cpu": "Example CPU @ 2.40GHz",
            "cores": 2,
            "memory_bytes": 16_000_000_000,
            "python": "3.11.2",
            "versions": {"ctranslate2": "4.8.5", "torch": "2.13.0"},
        },
        "challenge_sets": {"student-int8": [challenge("numbers", 9, 2, 0.004), challenge("short", 1, 1, 0.5)]},
        "config": {"run_dir": "runs/demo", "corpus": {"source": "en", "target": target}, "seed": 1},
        "distilmt_version": "0.1.0",
        "date": "2026-01-31 12:00 UTC",
    }


@pytest.fixture
def italian() -> dict:
    return make_report(EN_IT, "it")


@pytest.fixture
def chinese() -> dict:
    return make_report(EN_ZH, "zh")


def cost(name: str, parameters: int, seconds: float) -> dict:
    return {
        "name": name,
        "parameters": parameters,
        "macs_per_token": {
            "encoder": {"attention": 1.5e6, "feed_forward": 2.5e6},
            "decoder": {"attention": 2e6, "feed_forward": 1e6, "vocabulary": 2.1e6},
        },
        "flops": seconds * 1.5e11,
        "seconds": seconds,
        "peak_rss_bytes": 1_100_000_000,
        "bytes": {"kept": 4.0 * parameters},
    }


@pytest.fixture
def costs() -> list[dict]:
    exports = {"name": "exports", "parameters": None, "macs_per_token": None, "flops": None, "seconds": 21.0}
    rows = [cost("teacher", 14_700_000, 5230), cost("labels", 14_700_000, 1310), cost("student", 2_900_000, 2480)]
    return [*rows, exports | {"peak_rss_bytes": 9e8, "bytes": {"kept": 9.7e7}}]
