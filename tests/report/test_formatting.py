"""Figures and verdicts in words."""

import dataclasses

import pytest

from t5mix.analysis.analysis import Analysis
from t5mix.analysis.hypotheses import judge
from t5mix.analysis.statistics import Estimate, resample
from t5mix.console import wording
from t5mix.report import formatting
from t5mix.sweep.spec import Hypothesis

MINUS, EN_DASH = "\N{MINUS SIGN}", "\N{EN DASH}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.005, "+1.00"),
        (-0.5, f"{MINUS}0.50"),
        (0.0, "0.00"),
        (-0.001, "0.00"),
        (float("nan"), EN_DASH),
        (None, EN_DASH),
    ],
)
def test_differences_have_a_sign(value: float | None, text: str):
    assert formatting.difference_text(value) == text


def test_scores_and_p_values():
    scores = [formatting.score_text(value) for value in (83.275, -6.7, float("nan"))]
    assert scores == ["83.28", f"{MINUS}6.70", EN_DASH]
    p_values = [formatting.p_value_text(value) for value in (0.0312, 0.0004, 1.0)]
    assert p_values == ["p = 0.031", "p < 0.001", "p = 1.000"]
    assert formatting.interval_text(None) == "no interval"


def test_names_in_a_row():
    assert wording.listed(["a"]) == "a"
    assert wording.listed(["a", "b", "c"]) == "a, b and c"
    assert wording.listed(list("abcd"), most=2) == "a, b and 2 more"
    assert [wording.mean_of(metrics) for metrics in (("f1",), ("f1", "em"))] == ["f1", "mean of f1 and em"]
    assert wording.named(["lora, r=8", "full"]) == "“lora, r=8” and “full”"
    assert [wording.quantity(count, "seed") for count in (1, 2)] == ["1 seed", "2 seeds"]


def test_an_estimate_without_an_interval_has_no_width():
    assert formatting.half_width_text(Estimate(1.0, seeds=1, examples=5, reason="one seed"), 0.95) == ""


def test_verdicts_say_what_was_judged_and_what_came_out(analysis: Analysis):
    supported, refuted, inconclusive = analysis.verdicts.values()
    verdicts = [judged.verdict.value for judged in analysis.verdicts.values()]
    assert verdicts == ["supported", "refuted", "inconclusive"]
    assert formatting.claim_text(supported) == f"“full” {MINUS} “lora, r=8” on the mean of all tasks lies above 0"
    assert formatting.claim_text(refuted).endswith("lies above 0.5")
    assert formatting.claim_text(inconclusive) == (
        f"“full” {MINUS} “lora, r=8” on demo_paraphrase, minus the same on the mean of demo_sentiment and "
        "demo_entailment, lies above 0"
    )
    text = formatting.outcome_text(supported)
    assert text.startswith(f"Found: +{supported.estimate.value:.2f} points, corrected interval (97.5 %) [")
    assert f"; p = 0.002, after Holm's correction {formatting.p_value_text(supported.corrected_p_value)}; " in text
    assert text.endswith("2 seeds, at least 200 examples a task.")
    text = formatting.sensitivity_text(refuted)
    assert text.startswith(
        f"A difference at least {refuted.smallest_effect:.2f} points away from 0.5 would have been found"
    )


def test_why_a_claim_holds_is_written_as_all_else(analysis: Analysis):
    little = Hypothesis(claim="c", better="full", worse="lora, r=8", margin=-3)
    assert formatting.reason_text(judge(resample(analysis.study), {"H": little})["H"]) == (
        f"the 95 % interval lies above {MINUS}3"
    )


def test_a_verdict_that_rests_on_nothing_says_why(analysis: Analysis):
    judged = next(iter(analysis.verdicts.values()))
    estimate = Estimate(2.0, seeds=1, examples=200, reason="an interval needs 2 seeds or more; there are 1")
    nothing = dataclasses.replace(judged, estimate=estimate, interval=None, smallest_effect=None)
    assert formatting.outcome_text(nothing).endswith(
        "over 1 seed; no interval: an interval needs 2 seeds or more; there are 1."
    )
    assert formatting.sensitivity_text(nothing) == "What effect could have been seen is not known."
