"""A tiny synthesizer made in code: a tone for every letter, of another pitch for every voice."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from distilmt.config.voices import VoicesConfig

_SCRIPT = """
import array, sys, wave
base, speed = float(sys.argv[1]), float(sys.argv[2])
length = int(640 / speed)
text = sys.stdin.buffer.read().decode("utf-8").strip().lower()
samples = array.array("h")
for letter in text:
    if letter.isalnum():
        half = max(1, int(16000 / (base + 41 * (ord(letter) % 32)) / 2))
        period = array.array("h", [9000] * half + [-9000] * half)
        samples.extend((period * (length // (2 * half) + 1))[:length])
    else:
        samples.extend(array.array("h", [0] * length))
with wave.open(sys.stdout.buffer, "wb") as file:
    file.setnchannels(1)
    file.setsampwidth(2)
    file.setframerate(16000)
    file.writeframes(samples.tobytes())
"""


def write_voices(directory: Path) -> tuple[str, str]:
    """The command lines of two voices: one for training, one held out. A letter takes 40 ms."""
    script = directory / "tones.py"
    script.write_text(_SCRIPT, encoding="utf-8")
    commands = [shlex.join([sys.executable, "-I", "-S", str(script), base, "{speed}"]) for base in ("200", "330")]
    return commands[0], commands[1]


def tone_config(directory: Path, **changes: object) -> VoicesConfig:
    """Two clean voices."""
    training, held_out = write_voices(directory)
    values: dict[str, object] = {"clean_fraction": 1.0, "variants": 2, "max_seconds": 8.0, **changes}
    return VoicesConfig(voices=[training], held_out_voices=[held_out], **values)  # type: ignore[arg-type]
