"""What was compared, in a few sentences."""

from t5mix.analysis.analysis import Analysis
from t5mix.console import units, wording
from t5mix.report.comparison_sections import headline_section, tasks_section
from t5mix.report.document import Document, Notes, Paragraph, Section
from t5mix.report.provenance_sections import missing_section, provenance_section, reproduction_section
from t5mix.report.run_sections import (
    costs_section,
    learning_rates_section,
    mixture_section,
    proportions_section,
    training_section,
)
from t5mix.report.score_sections import (
    differences_section,
    metrics_section,
    seeds_section,
    transfer_section,
    verdicts_section,
    wins_section,
)
from t5mix.sweep.spec import Sweep

_EQUAL = {
    "steps": "Every method trains for the steps that are configured.",
    "tokens": "All methods train on equally many tokens",
    "flops": "All methods get equally many floating-point operations",
    "seconds": "All methods get the same time of training",
}


def build_document(analysis: Analysis) -> Document:
    """Returns the whole report."""
    sweep = analysis.results.sweep
    several = len(analysis.results.methods) > 1
    sections: list[Section | None] = [
        verdicts_section(analysis) if analysis.verdicts else None,
        headline_section(analysis),
        None if analysis.by_task is analysis.headline else tasks_section(analysis),
        metrics_section(analysis),
        differences_section(analysis) if several else None,
        learning_rates_section(analysis),
        costs_section(analysis) if analysis.costs else None,
        training_section(analysis),
        proportions_section(analysis),
        mixture_section(analysis),
        transfer_section(analysis) if analysis.transfer is not None and several else None,
        wins_section(analysis) if several else None,
        seeds_section(analysis),
        missing_section(analysis),
        provenance_section(analysis),
        reproduction_section(analysis),
    ]
    lead = [Paragraph(summary(analysis)), *([Notes(analysis.notes)] if analysis.notes else [])]
    return Document(sweep.title or sweep.name, lead, [section for section in sections if section is not None])


def summary(analysis: Analysis) -> str:
    """Returns what was compared, and what was the same for all."""
    sweep, methods = analysis.results.sweep, list(analysis.results.methods)
    seeds = wording.listed([str(seed) for seed in sweep.seeds])
    alone = [name for name, method in analysis.results.methods.items() if method.per_task_runs]
    sentences = [
        f"{wording.quantity(len(methods), 'method')} ({wording.named(methods)}), "
        f"{wording.quantity(len(sweep.seeds), 'seed')} "
        f"({seeds}), {wording.quantity(len(analysis.study.tasks), 'task')}, scored on the {sweep.split} split.",
        "With the same seed all methods see the same order of data, so that differences are paired.",
        _budget(analysis),
        _start(analysis),
        _tuning(sweep),
        "Reported is each run's last checkpoint."
        if sweep.checkpoint == "latest"
        else "Reported is, for each task, the checkpoint with the lowest loss on its validation split.",
    ]
    if alone:
        runs = "has a run of its own" if len(alone) == 1 else "have runs of their own"
        sentences.append(f"{wording.named(alone)} {runs} for each task.")
    return " ".join(sentence for sentence in sentences if sentence)


def _budget(analysis: Analysis) -> str:
    budget = analysis.results.sweep.budget
    if budget.equal == "steps":
        steps = sorted({cost.steps for cost in analysis.costs.values()})
        if len(steps) == 1:
            return f"Each run takes {units.count(steps[0])} steps."
        return _EQUAL["steps"]
    of = budget.of or next(iter(analysis.results.sweep.methods))
    return f"{_EQUAL[budget.equal]}: as much as the configured steps of “{of}” take."


def _start(analysis: Analysis) -> str:
    sweep, methods = analysis.results.sweep, analysis.results.methods
    fresh = [name for name, method in methods.items() if method.from_scratch]
    starting = [name for name in methods if name not in fresh]
    longer = [name for name, method in methods.items() if len(method.runs) > 1]
    who = f"{wording.named(starting)} {'starts' if len(starting) == 1 else 'start'}" if fresh else "All methods start"
    sentences, trained = [], []
    if sweep.shared_runs and starting:
        trained.append(f"{who} from one checkpoint")
    elif sweep.start_from and starting:
        checkpoint = f"the checkpoint in {sweep.start_from}, made beforehand"
        sentences.append(f"{who} from {checkpoint}: intervals speak of what comes after it, not of its luck.")
    if longer:
        start = "" if trained else "start "
        trained.append(f"the reported runs of {wording.named(longer)} {start}from a run of their own")
    if trained:
        text = f"{', and '.join(trained)}, made {_seed_text(sweep, several=bool(longer))}."
        sentences.append(text[0].upper() + text[1:])
    if fresh and (sweep.shared_runs or sweep.start_from):
        sentences.append(f"{wording.named(fresh)} {'begins' if len(fresh) == 1 else 'begin'} with fresh parameters.")
    return " ".join(sentences)


def _seed_text(sweep: Sweep, *, several: bool) -> str:
    it, its = ("them", "their") if several else ("it", "its")
    if sweep.seeded_shared_runs:
        return f"anew for each seed, so that intervals include the luck of making {it}"
    return f"once with seed {sweep.seeds[0]}: intervals speak of what comes after {it}, not of {its} luck"


def _tuning(sweep: Sweep) -> str:
    if sweep.tuning is None:
        return "Learning rates are as configured, not tuned."
    again = (
        ", the very split that is reported: scores are a little optimistic" if sweep.tuning.split == sweep.split else ""
    )
    seeds = wording.listed([str(seed) for seed in sweep.tuning.seeds])
    noun = "seed" if len(sweep.tuning.seeds) == 1 else "seeds"
    return (
        f"Each method's learning rate was chosen from a grid by its mean score on the {sweep.tuning.split} split with "
        f"{noun} {seeds}{again}."
    )
