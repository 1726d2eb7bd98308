"""What was compared, in a few sentences."""

from t5mix.analysis.analysis import Findings
from t5mix.console import units, wording
from t5mix.report.document import Document, Notes, Paragraph, Section
from t5mix.report.run_sections import (
    costs_section,
    missing_section,
    mixture_section,
    provenance_section,
    rates_section,
    reproduction_section,
    training_section,
    weights_section,
)
from t5mix.report.score_sections import (
    differences_section,
    headline_section,
    metrics_section,
    seeds_section,
    tasks_section,
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


def build_document(findings: Findings) -> Document:
    """Returns the whole report."""
    sweep = findings.results.sweep
    several = len(findings.results.methods) > 1
    sections: list[Section | None] = [
        verdicts_section(findings) if findings.verdicts else None,
        headline_section(findings),
        None if findings.by_task is findings.headline else tasks_section(findings),
        metrics_section(findings),
        differences_section(findings) if several else None,
        rates_section(findings),
        costs_section(findings) if findings.costs else None,
        training_section(findings),
        weights_section(findings),
        mixture_section(findings),
        transfer_section(findings) if findings.transfer is not None and several else None,
        wins_section(findings) if several else None,
        seeds_section(findings),
        missing_section(findings),
        provenance_section(findings),
        reproduction_section(findings),
    ]
    lead = [Paragraph(summary(findings)), *([Notes(findings.notes)] if findings.notes else [])]
    return Document(sweep.title or sweep.name, lead, [section for section in sections if section is not None])


def summary(findings: Findings) -> str:
    """Returns what was compared, and what was the same for all."""
    sweep, methods = findings.results.sweep, list(findings.results.methods)
    seeds = wording.listed([str(seed) for seed in sweep.seeds])
    alone = [name for name, method in findings.results.methods.items() if method.each_task]
    sentences = [
        f"{wording.times(len(methods), 'method')} ({wording.named(methods)}), "
        f"{wording.times(len(sweep.seeds), 'seed')} "
        f"({seeds}), {wording.times(len(findings.study.tasks), 'task')}, scored on the {sweep.split} split.",
        "With the same seed all methods see the same order of data, so that differences are paired.",
        _budget(findings),
        _start(findings),
        _tuning(sweep),
        "Reported is each run's last checkpoint."
        if sweep.checkpoint == "latest"
        else "Reported is, for each task, the checkpoint with the lowest loss on its validation split.",
    ]
    if alone:
        runs = "has a run of its own" if len(alone) == 1 else "have runs of their own"
        sentences.append(f"{wording.named(alone)} {runs} for each task.")
    return " ".join(sentence for sentence in sentences if sentence)


def _budget(findings: Findings) -> str:
    budget = findings.results.sweep.budget
    if budget.equal == "steps":
        steps = sorted({cost.steps for cost in findings.costs.values()})
        if len(steps) == 1:
            return f"Each run takes {units.count(steps[0])} steps."
        return _EQUAL["steps"]
    of = budget.of or next(iter(findings.results.sweep.methods))
    return f"{_EQUAL[budget.equal]}: as much as the configured steps of “{of}” take."


def _start(findings: Findings) -> str:
    sweep, methods = findings.results.sweep, findings.results.methods
    fresh = [name for name, method in methods.items() if method.fresh]
    starting = [name for name in methods if name not in fresh]
    longer = [name for name, method in methods.items() if len(method.runs) > 1]
    who = f"{wording.named(starting)} {'starts' if len(starting) == 1 else 'start'}" if fresh else "All methods start"
    sentences, trained = [], []
    if sweep.before and starting:
        trained.append(f"{who} from one checkpoint")
    elif sweep.start_from and starting:
        there = f"the checkpoint in {sweep.start_from}, made beforehand"
        sentences.append(f"{who} from {there}: intervals speak of what comes after it, not of its luck.")
    if longer:
        start = "" if trained else "start "
        trained.append(f"the reported runs of {wording.named(longer)} {start}from a run of their own")
    if trained:
        text = f"{', and '.join(trained)}, made {_made(sweep, several=bool(longer))}."
        sentences.append(text[0].upper() + text[1:])
    if fresh and (sweep.before or sweep.start_from):
        sentences.append(f"{wording.named(fresh)} {'begins' if len(fresh) == 1 else 'begin'} with fresh parameters.")
    return " ".join(sentences)


def _made(sweep: Sweep, *, several: bool) -> str:
    it, its = ("them", "their") if several else ("it", "its")
    if sweep.seeded_before:
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
