"""Training by Marian itself (`pip install pymarian`) on the same subwords."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from common import Spec, given

_LINE = re.compile(r"Up\. ([\d,]+) .*Cost [\d.]+ \* ([\d,]+) @ .* Time ([\d.]+)s")
_EVERY = 10


def command(spec: Spec, shape: dict[str, int], directory: str) -> list[str]:
    work = Path(spec.work)
    options = {
        "type": "transformer",
        "dim-emb": shape["d_model"],
        "enc-depth": shape["encoder_layers"],
        "dec-depth": shape["decoder_layers"],
        "transformer-heads": shape["encoder_attention_heads"],
        "transformer-dim-ffn": shape["encoder_ffn_dim"],
        "transformer-ffn-activation": "relu",
        "transformer-dropout": spec.dropout,
        "label-smoothing": spec.label_smoothing,
        "learn-rate": spec.learning_rate,
        "lr-warmup": spec.warmup,
        "optimizer-params": "0.9 0.98 1e-09",
        "mini-batch-words": spec.batch_tokens,
        "mini-batch-round-up": "false",
        "max-length": shape["max_position_embeddings"],
        "cpu-threads": spec.options["threads"],
        "workspace": 2000,
        "seed": spec.seed,
        "disp-freq": f"{_EVERY}u",
        "after": "100000u",
        "model": f"{directory}/model.npz",
    }
    flags = ["--tied-embeddings-all", "--sync-sgd", "--overwrite"]
    files = ["--train-sets", str(work / "train.source"), str(work / "train.target")]
    files += ["--vocabs", *[str(work / "vocabulary.yml")] * 2]
    chosen = [part for key, value in options.items() for part in (f"--{key}", *str(value).split())]
    return [str(Path(sys.executable).with_name("pymarian")), *chosen, *flags, *files]


def main(spec: Spec) -> None:
    shape = json.loads((Path(spec.work) / "model" / "config.json").read_text())
    labels = seconds = updates = 0.0
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen(
            command(spec, shape, directory), stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        log = []
        for line in process.stdout:
            log.append(line)
            actual = _LINE.search(line)
            if not actual or int(actual[1].replace(",", "")) <= max(_EVERY, spec.warm):
                continue
            labels += int(actual[2].replace(",", ""))
            seconds += float(actual[3])
            updates += _EVERY
            if seconds >= spec.seconds:
                process.kill()
                break
        process.wait()
    if not seconds:
        sys.exit("".join(log[-30:]))
    result = {"tokens_per_second": labels / seconds, "seconds_per_update": seconds / updates}
    print(json.dumps(result | {"tokens_per_update": labels / updates}))


if __name__ == "__main__":
    main(given())
