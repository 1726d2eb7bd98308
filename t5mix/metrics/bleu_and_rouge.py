"""Metrics of generated text: BLEU and ROUGE."""

from collections.abc import Sequence
from typing import Any

from t5mix.metrics.example_scores import ExampleMetric, ExampleScores
from t5mix.metrics.pairs import Scores, as_answers, pair_up


@ExampleMetric
def bleu(targets: Sequence[Any], predictions: Sequence[str]) -> Scores:
    """Returns the corpus's sacreBLEU: exponential smoothing, international tokenisation, case kept.

    A target is a reference or a list of them.
    """
    import sacrebleu

    # Only its counts are used, which are the corpus's; the effective order keeps it from warning of single sentences.
    counter = sacrebleu.BLEU(tokenize="intl", effective_order=True)
    rows = []
    for target, guess in pair_up(targets, predictions):
        counted = counter.sentence_score(guess, as_answers(target))
        rows.append([counted.sys_len, counted.ref_len, *counted.counts, *counted.totals])
    return {"bleu": ExampleScores.of("bleu", rows)}


@ExampleMetric
def rouge(targets: Sequence[str], predictions: Sequence[str]) -> Scores:
    """Returns the mean ROUGE F scores, with ROUGE-2, T5's measure of CNN/DM, as the headline.

    No stemming, no bootstrap. For rougeLsum a sentence that ends in " . " ends its line.
    """
    from rouge_score.rouge_scorer import RougeScorer

    kinds = ["rouge2", "rouge1", "rougeL", "rougeLsum"]
    scorer = RougeScorer(kinds)
    scores = [
        scorer.score(target.replace(" . ", " .\n"), guess.replace(" . ", " .\n"))
        for target, guess in pair_up(targets, predictions)
    ]
    return {kind: ExampleScores.of_means([score[kind].fmeasure for score in scores]) for kind in kinds}
