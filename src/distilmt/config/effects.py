"""What a key changes, declared where the key is: in the metadata of its dataclass field.

A key without such metadata changes the step that its section is named after.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast, get_type_hints

T = TypeVar("T")
EFFECT = "effect"
SECTIONS = {"export": "exports"}
"""Steps that are not called like the section of their keys."""


@dataclass(frozen=True)
class Effect:
    """Which steps depend on a key's value, and when."""

    steps: tuple[str, ...] | None = None
    """All that do, beside those that read their outcome; None for the step of the section."""
    when: Callable[[Mapping[str, Any]], bool] | None = None
    """Whether the value matters, given the values of all keys of its dataclass; None: it does always."""
    resumed: bool = False
    """Matters only as long as the step is unfinished."""


def affects(*steps: str, when: Callable[[Mapping[str, Any]], bool] | None = None) -> dict[str, Any]:
    """Metadata of a field that changes the steps named, or its section's; `when` says on what that depends."""
    return {EFFECT: Effect(steps or None, when)}


def no_effect(resumed: bool = False) -> dict[str, Any]:
    """Metadata of a field that changes how a step is done but not what comes of it."""
    return {EFFECT: Effect(None if resumed else (), None, resumed)}


def config_field(default: T, metadata: dict[str, Any]) -> T:
    """A field with a default and metadata."""
    return cast(T, dataclasses.field(default=default, metadata=metadata))


@dataclass(frozen=True)
class ConfigKey:
    """A key of a configuration, and on what it has an effect."""

    name: str
    """Dotted, such as `labels.beam_size`."""
    default: Any
    steps: frozenset[str]
    conditions: tuple[tuple[str, Callable[[Mapping[str, Any]], bool]], ...]
    """Prefixes of the keys that each condition is given the values of, and the conditions."""
    resumed: bool

    def matters(self, values: Mapping[str, Any]) -> bool:
        """Whether the key's value can change anything, given values of all keys by name."""
        for prefix, condition in self.conditions:
            section_values = {
                name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)
            }
            if not condition(section_values):
                return False
        return True


def keys_of(kind: type, default: Any = None) -> dict[str, ConfigKey]:
    """All keys of a configuration by name; nested dataclasses are taken apart, lists are not."""
    default = kind() if default is None else default
    return {key.name: key for key in _walk(kind, default, "", Effect(()), ())}


def _walk(kind: type, default: Any, prefix: str, outer: Effect, conditions: tuple[Any, ...]) -> Iterator[ConfigKey]:
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        name, value = f"{prefix}{field.name}", getattr(default, field.name)
        effect = field.metadata.get(EFFECT, Effect())
        steps = effect.steps if effect.steps is not None else outer.steps
        if not prefix and effect.steps is None:
            steps = (SECTIONS.get(field.name, field.name),)
        own = conditions + (((prefix, effect.when),) if effect.when else ())
        if dataclasses.is_dataclass(hints[field.name]):
            inner = Effect(steps, None, effect.resumed)
            yield from _walk(cast(type, hints[field.name]), value, f"{name}.", inner, own)
        else:
            yield ConfigKey(name, value, frozenset(steps or ()), own, effect.resumed or outer.resumed)
