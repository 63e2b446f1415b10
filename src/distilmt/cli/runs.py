"""Commands that execute one or several runs, or predict the cost of a run."""

from __future__ import annotations

import json

from distilmt.cli.output import show_done, show_progress, show_run, show_table, take_flags


def run(arguments: list[str], command: str, until: str) -> int:
    """`distilmt run CONFIG.yaml [--KEY VALUE …]`, and its parts: run all unfinished steps up to `until`."""
    from distilmt.config import fields, loading

    usage = f"Usage: distilmt {command} CONFIG.yaml [--KEY VALUE ...]"
    if not arguments or {"-h", "--help"} & set(arguments):
        print(f"{usage}\n\nKeys (any of them as --KEY VALUE or in the YAML file):\n\n{fields.describe()}")
        return 0
    arguments, flags = take_flags(arguments)
    config = loading.load(loading.of_labels(arguments) if command == "label" else arguments)
    show_progress(flags)
    from distilmt.pipeline import runner

    root = runner.run(config, until)
    if until == "report" or runner.is_reported(config):
        show_run(root, flags)
    else:
        show_done(root, until, flags)  # an existing report is of other steps
    return 0


def demo(arguments: list[str]) -> int:
    """`distilmt demo`: a complete run on real text, scaled to the given minutes."""
    from distilmt.config import fields, loading
    from distilmt.config.commands import DemoConfig

    if {"-h", "--help"} & set(arguments):
        print(f"Usage: distilmt demo [--KEY VALUE ...]\n\n{fields.describe(DemoConfig)}")
        return 0
    arguments, flags = take_flags(arguments)
    config = loading.load_demo(arguments)
    show_progress(flags)
    if config.task == "classify":
        from distilmt.recipes import classify

        show_table(classify.run(config) / "report", flags)
        return 0
    from distilmt.recipes import demo as demos

    root = demos.run(config)
    show_run(root, flags)
    return 0


def compare(arguments: list[str]) -> int:
    """`distilmt compare CONFIG.yaml`: compare methods on the same labels, at equal updates."""
    from distilmt.config import loading

    if not arguments or {"-h", "--help"} & set(arguments):
        print(
            "Usage: distilmt compare CONFIG.yaml [--only METHODS] [--seeds NUMBERS] [--jobs 1] "
            "[--KEY VALUE ...]\n\n"
            "The file has the keys of a run (`distilmt run --help`) and also\n\n"
            "  methods: by name, the keys of `student` (and `labels`) in which each method differs\n"
            "  seeds: whole numbers; every method is trained once per seed (default [1, 2, 3])\n"
            "  baseline: the method that the others are compared with (default: the first)\n\n"
            "--only word,sequence trains only those methods and the baseline; --seeds 1,2 only with those seeds.\n"
            "--jobs 2 trains two students in parallel, each on its share of the cores: faster for small models.\n"
            "Tables are in comparison.md, .html and .json in the run directory, updated after every student."
        )
        return 0
    arguments, flags = take_flags(arguments)
    config = loading.load_comparison(arguments)
    show_progress(flags)
    from distilmt.recipes import compare as comparisons

    show_table(comparisons.run(config) / "comparison", flags)
    return 0


def cost(arguments: list[str]) -> int:
    """`distilmt cost CONFIG.yaml`: predict the cost of a run; `distilmt cost RUN_DIR`: compare with the actual cost."""
    from distilmt.config import fields, loading

    if not arguments or {"-h", "--help"} & set(arguments):
        print(
            "Usage: distilmt cost CONFIG.yaml|RUN_DIR [--calibrate] [--minutes 3] [--calibration_run RUN_DIR] [--json] "
            "[--KEY VALUE ...]\n\n"
            "Parameters, multiply-adds, FLOPs and bytes are counted from the configuration and its text.\n"
            "Seconds and memory need rates of this machine:\n\n"
            "  --calibrate      measure them with short runs of this configuration; the result is stored\n"
            "  --minutes 3      approximate time limit of the calibration\n"
            "  --calibration_run RUN_DIR  use the records of a finished run instead\n\n"
            "For a run directory, the table has measured and predicted values, with the error.\n\n"
            f"Keys of the run (any of them as --KEY VALUE or in the YAML file):\n\n{fields.describe()}"
        )
        return 0
    arguments, flags = take_flags(arguments)
    config, run_config, like = loading.load_cost(arguments)
    show_progress(flags)
    from distilmt.planning.table import cost_table
    from distilmt.recipes import cost

    forecast = cost.run(config, run_config, like)
    if "--json" in flags:
        print(json.dumps(forecast, ensure_ascii=False))
    elif "--quiet" not in flags:
        print(cost_table(forecast), end="")
    return 0


def plan(arguments: list[str]) -> int:
    """`distilmt plan CONFIG.yaml`: decide how much text to label, and predict the cost."""
    from distilmt.config import fields, loading

    if not arguments or {"-h", "--help"} & set(arguments):
        print(
            "Usage: distilmt plan CONFIG.yaml|RUN_DIR [--minutes 20] [--min_gain 0.3] [--metric bleu|chrf] "
            "[--price_per_sentence P] [--sizes NUMBERS]\n                     [--max_steps U] [--seeds NUMBERS] "
            "[--KEY VALUE ...]\n\nTrains the configured student on small random parts of the text and predicts, for "
            "every size up to the\nwhole text, the expected score, time, bytes and money. A missing teacher is "
            "trained first, as in the\nrun; the run later reuses teacher and labels.\n\n"
            "  --minutes 20          approximate time limit for labeling the parts and training on them\n"
            "  --min_gain 0.3        minimum gain in points that justifies doubling the text\n"
            "  --metric bleu         metric of the points: bleu or chrf, on the validation sentences\n"
            "  --price_per_sentence 0.002\n"
            "                        price of the teacher per sentence, in any currency\n"
            "  --sizes 500,2000,8000 sentences per part (default: 1/64 to 1/4 of the text, if the time allows)\n"
            "  --max_steps 2000      updates per training (default: as the minutes allow, at most the run's)\n"
            "  --seeds 1,2,3         one training per part and seed: narrower intervals, more time\n\n"
            "The table is in plan/plan.md, .html (with the curve) and .json in the run directory.\n\n"
            f"Keys of the run (any of them as --KEY VALUE or in the YAML file):\n\n{fields.describe()}"
        )
        return 0
    arguments, flags = take_flags(arguments)
    config, run_config = loading.load_plan(arguments)
    show_progress(flags)
    from distilmt.recipes import plan as plans

    show_table(plans.run(config, run_config) / "plan", flags)
    return 0
