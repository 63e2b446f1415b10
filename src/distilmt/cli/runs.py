"""Commands that do a run, or many of them, or tell what one will cost."""

from __future__ import annotations

import json

from distilmt.cli.output import show_done, show_progress, show_run, show_table, take_flags


def run(arguments: list[str], command: str, until: str) -> int:
    """`distilmt run CONFIG.yaml [--KEY VALUE …]`, and its parts: every step that is not done yet, up to `until`."""
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
        show_done(root, until, flags)  # a report that is there is of other steps
    return 0


def demo(arguments: list[str]) -> int:
    """`distilmt demo`: the main job on real text, sized to the minutes given."""
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
    """`distilmt compare CONFIG.yaml`: methods side by side on the same labels, at equal updates."""
    from distilmt.config import loading

    if not arguments or {"-h", "--help"} & set(arguments):
        print(
            "Usage: distilmt compare CONFIG.yaml [--only METHODS] [--seeds NUMBERS] [--jobs 1] "
            "[--KEY VALUE ...]\n\n"
            "The file has the keys of a run (`distilmt run --help`) and beside them\n\n"
            "  methods: names, each with the keys of `student` (and `labels`) in which it differs\n"
            "  seeds: whole numbers; every method is trained once with each (default [1, 2, 3])\n"
            "  baseline: the method that all are compared with (default: the first)\n\n"
            "--only word,sequence trains those alone (and the baseline), --seeds 1,2 with those seeds.\n"
            "--jobs 2 trains two at once, each on its share of the cores: small models gain by it.\n"
            "Tables are in comparison.md, .html and .json of the run directory, new after every student."
        )
        return 0
    arguments, flags = take_flags(arguments)
    config = loading.load_comparison(arguments)
    show_progress(flags)
    from distilmt.recipes import compare as comparisons

    show_table(comparisons.run(config) / "comparison", flags)
    return 0


def cost(arguments: list[str]) -> int:
    """`distilmt cost CONFIG.yaml`: what a run will cost; `distilmt cost RUN_DIR`: what it did cost, beside that."""
    from distilmt.config import fields, loading

    if not arguments or {"-h", "--help"} & set(arguments):
        print(
            "Usage: distilmt cost CONFIG.yaml|RUN_DIR [--calibrate] [--minutes 3] [--calibration_run RUN_DIR] [--json] "
            "[--KEY VALUE ...]\n\n"
            "Parameters, multiply-adds, FLOPs and bytes are counted from the configuration and its text.\n"
            "Seconds and memory need rates of this machine:\n\n"
            "  --calibrate      measure it by short runs like this one; they are kept for the next time\n"
            "  --minutes 3      how long that may take, about\n"
            "  --calibration_run RUN_DIR  take the records of a run that was done instead\n\n"
            "Of a run directory, what was measured stands beside what was predicted, with the error.\n\n"
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
    """`distilmt plan CONFIG.yaml`: how much text is worth labelling, and what it will cost."""
    from distilmt.config import fields, loading

    if not arguments or {"-h", "--help"} & set(arguments):
        print(
            "Usage: distilmt plan CONFIG.yaml|RUN_DIR [--minutes 20] [--min_gain 0.3] [--metric bleu|chrf] "
            "[--price_per_sentence P] [--sizes NUMBERS]\n                     [--max_steps U] [--seeds NUMBERS] "
            "[--KEY VALUE ...]\n\nTrains the configured student on small random parts of the text and tells, for "
            "every size up to all of\nit, the score that is to be expected, and time, bytes and money. A teacher that "
            "is not there yet is\ntrained first, as the run would do it; teacher and labels serve the run later.\n\n"
            "  --minutes 20          how long labelling the parts and training on them may take, about\n"
            "  --min_gain 0.3        points that doubling the text must gain to be worth it\n"
            "  --metric bleu         of what: bleu or chrf, on the validation sentences\n"
            "  --price_per_sentence 0.002\n"
            "                        what the teacher asks for a sentence, in any currency\n"
            "  --sizes 500,2000,8000 sentences of the parts (default: 1/64 to 1/4 of the text, if there is time)\n"
            "  --max_steps 2000      of every training (default: what the minutes allow, at most the run's)\n"
            "  --seeds 1,2,3         every part is trained on once with each: narrower intervals, longer\n\n"
            "The table is in plan/plan.md, .html (with the curve) and .json of the run directory.\n\n"
            f"Keys of the run (any of them as --KEY VALUE or in the YAML file):\n\n{fields.describe()}"
        )
        return 0
    arguments, flags = take_flags(arguments)
    config, run_config = loading.load_plan(arguments)
    show_progress(flags)
    from distilmt.recipes import plan as plans

    show_table(plans.run(config, run_config) / "plan", flags)
    return 0
