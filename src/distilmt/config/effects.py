"""Which steps a key affects, declared in the metadata of its dataclass field.

A key without such metadata affects the step that its section is named after.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar, cast, get_type_hints

from distilmt.config.bounds import Metadata
from distilmt.utils.json_types import JsonMapping

T = TypeVar("T")
Condition: TypeAlias = Callable[[JsonMapping], bool]
"""Whether a value matters, given the values of all keys of its dataclass."""
Holds: TypeAlias = Literal["value", "model", "files", "directory"]
"""What a value is: `model`, one model or several by path or name; `files`, paths of text; `directory`, a path."""
EFFECT = "effect"
SECTIONS = {"export": "exports"}
"""Steps whose name differs from the section of their keys."""


@dataclass(frozen=True)
class Effect:
    """Which steps depend on a key's value, and when."""

    steps: tuple[str, ...] | None = None
    """The steps that depend on it directly; None: the step of the section."""
    when: Condition | None = None
    """Whether the value matters; None: always."""
    resumed: bool = False
    """Whether the value matters only while the step is unfinished."""
    downstream: bool = True
    """Whether the steps that read the step depend on the value through it."""
    selects_exports: bool = False
    """Whether the value selects exports: a finished step is compared by their names, not by this value."""
    in_label_header: bool = False
    """Whether a label store records the value: other stores are reused only if theirs is the same."""
    holds: Holds = "value"
    """What the value is."""
    files: tuple[str, ...] = ()
    """Patterns of those files of the step that the value affects, if the step's other files can be reused."""


def affects(
    *steps: str,
    when: Condition | None = None,
    downstream: bool = True,
    selects_exports: bool = False,
    in_label_header: bool = False,
    holds: Holds = "value",
    files: tuple[str, ...] = (),
) -> Metadata:
    """Metadata of a field that affects the named steps, or its section's step; arguments as in `Effect`."""
    return {EFFECT: Effect(steps or None, when, False, downstream, selects_exports, in_label_header, holds, files)}


def no_effect(resumed: bool = False, holds: Holds = "value") -> Metadata:
    """Metadata of a field that changes how a step runs but not its result."""
    return {EFFECT: Effect(None if resumed else (), resumed=resumed, holds=holds)}


def config_field(default: T, metadata: Metadata) -> T:
    """A field with a default and metadata."""
    return dataclasses.field(default=default, metadata=metadata)


Conditions: TypeAlias = tuple[tuple[str, Condition], ...]


@dataclass(frozen=True)
class ConfigKey:
    """A key of a configuration, and the steps that it affects."""

    name: str
    """Dotted name, such as `labels.beam_size`."""
    default: object
    steps: frozenset[str]
    conditions: Conditions
    """Conditions, each with the prefix of the keys whose values it receives."""
    effect: Effect
    """Steps and conditions above are those of the sections around it, too."""

    @property
    def resumed(self) -> bool:
        """Whether the value matters only while a step is unfinished."""
        return self.effect.resumed

    def matters(self, values: JsonMapping) -> bool:
        """Whether the key's value can change anything, given values of all keys by name."""
        for prefix, condition in self.conditions:
            section_values = {
                name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)
            }
            if not condition(section_values):
                return False
        return True


def keys_of(kind: type, default: object = None) -> dict[str, ConfigKey]:
    """All keys of a configuration by name; nested dataclasses are flattened, lists are not."""
    default = kind() if default is None else default
    return {key.name: key for key in _walk(kind, default, "", Effect(()), ())}


def _walk(kind: type, default: object, prefix: str, outer: Effect, conditions: Conditions) -> Iterator[ConfigKey]:
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        name, value = f"{prefix}{field.name}", getattr(default, field.name)
        effect = field.metadata.get(EFFECT, Effect())
        steps = effect.steps if effect.steps is not None else outer.steps
        if not prefix and effect.steps is None:
            steps = (SECTIONS.get(field.name, field.name),)
        own = conditions + (((prefix, effect.when),) if effect.when else ())
        if dataclasses.is_dataclass(hints[field.name]):
            inner = dataclasses.replace(effect, steps=steps, when=None)
            yield from _walk(cast("type", hints[field.name]), value, f"{name}.", inner, own)
        else:
            traits = dataclasses.replace(
                effect, resumed=effect.resumed or outer.resumed, downstream=effect.downstream and outer.downstream
            )
            yield ConfigKey(name, value, frozenset(steps or ()), own, traits)
