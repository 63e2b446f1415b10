"""distilmt: distill a large translation model into a small, fast one, and measure what was lost.

The names in `__all__` are the public Python API. Each one is imported when it is first used, so that
`import distilmt` is quick and needs no other package; only training needs torch.
"""

TYPE_CHECKING = False  # as `typing.TYPE_CHECKING` for type checkers; importing `typing` takes longer than this module

if TYPE_CHECKING:
    from distilmt.config import RunConfig
    from distilmt.evaluation.systems import evaluate
    from distilmt.labels.store import LabelStore
    from distilmt.losses.module import DistillationLoss
    from distilmt.recipes.api import compress, distill
    from distilmt.recipes.run_results import Run
    from distilmt.recipes.translation import Translator
    from distilmt.utils.errors import UserError

__version__ = "0.1.0"

__all__ = [
    "DistillationLoss",
    "LabelStore",
    "Run",
    "RunConfig",
    "Translator",
    "UserError",
    "__version__",
    "compress",
    "distill",
    "evaluate",
]

_MODULES = {
    "DistillationLoss": "distilmt.losses.module",
    "LabelStore": "distilmt.labels.store",
    "Run": "distilmt.recipes.run_results",
    "RunConfig": "distilmt.config",
    "Translator": "distilmt.recipes.translation",
    "UserError": "distilmt.utils.errors",
    "compress": "distilmt.recipes.api",
    "distill": "distilmt.recipes.api",
    "evaluate": "distilmt.evaluation.systems",
}


def __getattr__(name: str) -> object:
    """A public name, from the module that defines it (PEP 562).

    Raises:
        AttributeError: there is no such name.
        UserError: a package that it needs is not installed.
    """
    if name not in _MODULES:
        raise AttributeError(f"module 'distilmt' has no attribute {name!r}")
    from importlib import import_module

    from distilmt.utils.extras import explained

    with explained(f"distilmt.{name}"):
        value: object = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """All public names, also those that are not imported yet."""
    return sorted({*globals(), *__all__})
