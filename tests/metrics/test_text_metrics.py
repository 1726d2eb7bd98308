"""BLEU, chrF, ROUGE and token F1 against their originals, in several scripts, with several references."""

import random

import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import Tokenizer

from t5mix import metrics
from t5mix.metrics.words import english_words, unicode_words, written_without_spaces

CHINESE = ["今天的天气非常好。", "他昨天买了一本书。", "我们明天去 Beijing 看 3 场电影。"]
RUSSIAN = ["Сегодня очень хорошая погода.", "Вчера он купил книгу .  Она новая .", "Нет"]
ENGLISH = ["The cat sat on the mat .", "It is raining (today) in Berlin!", "No."]


def shuffled(texts, seed=0):
    """Predictions that share some of each text, and one that is empty."""
    draw = random.Random(seed)
    guesses = []
    for text in texts:
        parts = text.split(" ") if " " in text else list(text)
        kept = [part for part in parts if draw.random() < 0.8]
        kept.insert(draw.randrange(len(kept) + 1), draw.choice(parts))
        guesses.append((" " if " " in text else "").join(kept))
    return [*guesses, ""]


def with_last(texts):
    return [*texts, texts[0]]


def streams(targets):
    """References as sacreBLEU takes them."""
    longest = max(map(len, targets))
    return [[target[n] if n < len(target) else None for target in targets] for n in range(longest)]


TEXTS = {"zh": CHINESE, "ru": RUSSIAN, "en": ENGLISH}


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("tokenize", ["intl", "13a", "zh", "char", "none"])
@pytest.mark.parametrize("lowercase", [False, True])
def test_bleu_is_sacrebleus_with_every_tokenizer(language, tokenize, lowercase):
    targets, guesses = with_last(TEXTS[language]), shuffled(TEXTS[language])
    options = {"tokenize": tokenize, "lowercase": lowercase}
    expected = sacrebleu.corpus_bleu(guesses, [targets], force=True, **options).score
    assert metrics.Bleu(**options)(targets, guesses) == {"bleu": pytest.approx(expected)}


def test_chinese_bleu_tells_good_from_bad():
    bleu = metrics.Bleu(tokenize="zh")
    assert bleu(CHINESE, CHINESE) == {"bleu": pytest.approx(100)}
    assert 20 < bleu(with_last(CHINESE), shuffled(CHINESE))["bleu"] < 90


def test_a_signature_is_sacrebleus():
    original = sacrebleu.BLEU(tokenize="zh", lowercase=True)
    original.corpus_score(CHINESE, [CHINESE])
    ours = metrics.Bleu(tokenize="zh", lowercase=True)
    assert ours.signatures(CHINESE) == {"bleu": str(original.get_signature())}
    assert ours.signatures(CHINESE)["bleu"].startswith("nrefs:1|case:lc|eff:no|tok:zh|smooth:exp|version:")
    assert "nrefs:2|" in ours.signatures([["a", "b"], ["c", "d"]])["bleu"]
    assert "nrefs:var|" in ours.signatures([["a", "b"], "c"])["bleu"]
    original = sacrebleu.CHRF(word_order=2)
    original.corpus_score(CHINESE, [CHINESE])
    assert metrics.ChrF(word_order=2).signatures(CHINESE) == {"chrf": str(original.get_signature())}
    assert metrics.accuracy.signatures(["a"]) == {}


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize(
    "options",
    [{}, {"word_order": 2}, {"char_order": 3}, {"lowercase": True}, {"whitespace": True, "word_order": 1}],
)
def test_chrf_is_sacrebleus(language, options):
    targets, guesses = with_last(TEXTS[language]), shuffled(TEXTS[language])
    expected = sacrebleu.CHRF(**options).corpus_score(guesses, [targets]).score
    assert 0 < expected < 100
    assert metrics.ChrF(**options)(targets, guesses) == {"chrf": pytest.approx(expected)}


def test_chrf_with_several_references_is_sacrebleus():
    targets = [[text, ENGLISH[0], "none of these"][: 1 + i] for i, text in enumerate(ENGLISH)]
    guesses = ["The mat .", "It rains in Berlin", "none of those"]
    expected = sacrebleu.corpus_chrf(guesses, streams(targets), word_order=2).score
    assert metrics.ChrF(word_order=2)(targets, guesses) == {"chrf": pytest.approx(expected)}


@pytest.mark.parametrize("guesses", [["", ""], []])
def test_chrf_of_nothing_is_zero(guesses):
    assert metrics.chrf(["a b", "c"][: len(guesses)], guesses) == {"chrf": 0.0}


KINDS = ["rouge2", "rouge1", "rougeL", "rougeLsum"]


def rouge_of_original(targets, guesses, tokenizer=None):
    scorer = RougeScorer(KINDS, tokenizer=tokenizer)

    def lines(text):
        return text.replace(" . ", " .\n")

    totals = dict.fromkeys(KINDS, 0.0)
    for target, guess in zip(targets, guesses, strict=True):
        references = [target] if isinstance(target, str) else target
        best = scorer.score_multi([lines(reference) for reference in references], lines(guess))
        for kind in KINDS:
            totals[kind] += 100 * best[kind].fmeasure / len(targets)
    return totals


class UnicodeTokenizer(Tokenizer):
    def tokenize(self, text):
        return unicode_words(text)


def long_texts(count, seed):
    """Texts of few different words, in lines that end in " . " or a newline, some of them empty."""
    draw = random.Random(seed)
    words = ["the", "Cat", "sat", "on", "a", "mat,", "größe", "x1", ".", "...", "\n"]
    return [" ".join(draw.choices(words, k=draw.randrange(40))) for _ in range(count)]


def test_rouge_is_that_of_rouge_score():
    targets, guesses = long_texts(60, 1), long_texts(60, 2)
    found = metrics.rouge(targets, guesses)
    assert found == pytest.approx(rouge_of_original(targets, guesses))
    assert found["rougeL"] != pytest.approx(found["rougeLsum"])
    assert list(found) == KINDS


def test_rouge_with_several_references_takes_the_best_for_each_kind():
    targets = [[*long_texts(3, seed)][: 1 + seed % 3] for seed in range(40)]
    guesses = long_texts(40, 3)
    assert metrics.rouge(targets, guesses) == pytest.approx(rouge_of_original(targets, guesses))


@pytest.mark.parametrize("language", TEXTS)
def test_rouge_of_other_scripts(language):
    targets, guesses = with_last(TEXTS[language]), shuffled(TEXTS[language])
    rouge = metrics.Rouge(tokenizer="unicode")
    assert rouge(targets, guesses) == pytest.approx(rouge_of_original(targets, guesses, UnicodeTokenizer()))
    assert rouge(targets, guesses)["rouge1"] > 30
    assert rouge(TEXTS[language], TEXTS[language])["rougeL"] == pytest.approx(100)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Нет, Größe_2!", ["нет", "größe", "2"]),
        ("我 love 北京3", ["我", "love", "北", "京", "3"]),
        ("カタカナ と ひらがな", ["カ", "タ", "カ", "ナ", "と", "ひ", "ら", "が", "な"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("กำ ลัง", ["กำ"[0], "กำ"[1:], "ลั", "ง"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("...", []),
    ],
)
def test_words_of_any_script(text, words):
    assert unicode_words(text) == words


def test_words_of_english_are_those_of_rouge_score():
    from rouge_score.tokenize import tokenize

    for text in [*ENGLISH, *RUSSIAN, *CHINESE, "naïve CAFÉ-2_x"]:
        assert english_words(text) == tokenize(text, None)


def test_scripts_without_spaces_are_known():
    assert [written_without_spaces(text) for text in CHINESE] == [True, True, True]
    assert written_without_spaces("วันนี้อากาศดี")
    assert not any(map(written_without_spaces, [*RUSSIAN, *ENGLISH, "한국어 문장", "He said 好 to us", "…", ""]))


# Token F1 ---------------------------------------------------------------------------------------------


def test_token_f1_is_squads_without_its_normalisation():
    # Two common words of three and four; case and punctuation count.
    assert metrics.token_f1(["the red house"], ["a the big red"])["token_f1"] == pytest.approx(100 * 4 / 7)
    assert metrics.token_f1(["The House."], ["the house"]) == {"token_f1": 0.0}
    assert metrics.squad(["The House."], ["the house"])["f1"] == 100.0
    plain = ["red house", "house house", "x", ""], ["house red", "house", "", ""]
    assert (
        metrics.token_f1(*plain)["token_f1"] == metrics.squad(*plain)["f1"] == pytest.approx(100 * (1 + 2 / 3 + 1) / 4)
    )


def test_token_f1_takes_the_best_answer_and_none():
    assert metrics.token_f1([["a b", "b c"], []], ["c b", ""]) == {"token_f1": 100.0}


def test_token_f1_agrees_with_scikit_learn_on_several_labels():
    from sklearn.metrics import f1_score
    from sklearn.preprocessing import MultiLabelBinarizer

    targets, guesses = ["joy, fear", "joy", "not sure, anger"], ["fear,joy", "joy, anger", "anger ,sad"]
    binary = MultiLabelBinarizer()
    sets = [[part.strip() for part in text.split(",")] for text in [*targets, *guesses]]
    rows = binary.fit_transform(sets)
    expected = 100 * f1_score(rows[:3], rows[3:], average="samples")
    assert metrics.TokenF1(separator=",")(targets, guesses) == {"token_f1": pytest.approx(expected)}


def test_token_f1_of_characters():
    assert metrics.TokenF1(tokenizer="unicode")(["北京大学"], ["北京"])["token_f1"] == pytest.approx(100 * 4 / 6)


# Answers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", [metrics.accuracy, metrics.exact_match])
def test_any_answer_is_right(metric):
    assert list(metric([["Paris", "City of Paris"], "Seine", []], ["City of Paris", "Seine", ""]).values()) == [100.0]
    assert list(metric([["a", "b"], ["a"]], [["a", "b"], "b"]).values()) == [50.0]
