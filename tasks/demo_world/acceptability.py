"""Is the sentence English? In the shape of CoLA: about two thirds are."""

from t5mix.tasks.demo_world import lexicon
from t5mix.tasks.demo_world.dice import Dice
from t5mix.tasks.demo_world.example import Example
from t5mix.tasks.demo_world.lexicon import VERBS, article, plural

PREFIX = "demo_acceptability sentence: "
_OBJECT_PRONOUNS = {"he": "him", "she": "her", "they": "them", "we": "us"}
# Few words, so that what is learnt is how they go together.
_ACTORS = lexicon.PEOPLE[:10] + lexicon.ANIMALS
_THINGS = [thing for things in lexicon.THINGS.values() for thing in things[:2]]
_NOUNS = {form for noun in _ACTORS + _THINGS for form in (noun, plural(noun))}
_QUIET = lexicon.QUIET_VERBS[:7]
_HEARD = lexicon.words("see hear like want follow")


def _noun_phrase(dice: Dice, nouns: list[str], is_plural: bool) -> list[str]:
    noun = dice.pick(nouns)
    adjective = [dice.pick([*lexicon.ADJECTIVES, *lexicon.COLOURS])] if dice.chance(0.35) else []
    first = [*adjective, noun][0]
    if is_plural:
        determiner = dice.pick(["the", "these", "two", "many"])
        return [determiner, *adjective, plural(noun)]
    return [dice.pick(["the", "this", article(first), "every"]), *adjective, noun]


def _verb_phrase(dice: Dice, is_plural: bool) -> tuple[list[str], str]:
    """Returns the words of a verb phrase and the number-marked form that the other number would want."""
    quiet = dice.chance(0.4)
    verb = VERBS[dice.pick(_QUIET if quiet else _HEARD + lexicon.ANIMAL_VERBS)]
    tail = [] if quiet else _noun_phrase(dice, _THINGS + lexicon.ANIMALS, dice.chance(0.4))
    way = dice.pick(("present", "present", "progressive", "perfect", "do", "modal"))
    if way == "present":
        right, wrong = (verb.base, verb.third) if is_plural else (verb.third, verb.base)
        return [right, *tail], wrong
    if way == "modal":
        return [dice.pick(["will", "can", "must"]), verb.base, *tail], verb.third
    if way == "progressive":
        right, wrong = ("were", "was") if is_plural else ("was", "were")
        return [right, progressive(verb.base), *tail], wrong
    if way == "perfect":
        right, wrong = ("have", "has") if is_plural else ("has", "have")
        return [right, verb.participle, *tail], wrong
    right, wrong = ("do", "does") if is_plural else ("does", "do")
    return [right, "not", verb.base, *tail], wrong


def progressive(base: str) -> str:
    """Returns the -ing form."""
    if base in ("run", "swim"):
        return base + base[-1] + "ing"
    return (base[:-1] if base.endswith("e") and base != "see" else base) + "ing"


def _inflection_error(dice: Dice, words: list[str]) -> list[str] | None:
    """Puts a form after an auxiliary that it cannot take: "has see", "will walks", "does not saw"."""
    for i, word in enumerate(words[:-1]):
        after = i + 2 if words[i + 1] == "not" else i + 1
        if word in ("has", "have", "does", "do", "will", "can", "must", "was", "were") and after < len(words):
            for verb in VERBS.values():
                if words[after] in (verb.base, verb.participle, progressive(verb.base)):
                    forms = {verb.third, verb.base, progressive(verb.base)} - {words[after], verb.participle}
                    return [*words[:after], dice.pick(sorted(forms)), *words[after + 1 :]]
    return None


def _determiner_error(dice: Dice, words: list[str]) -> list[str] | None:
    """Makes a determiner clash with its noun: "these dog", "an hat"."""
    clash = {"this": "these", "every": "many", "these": "this", "two": "a", "many": "every", "a": "an", "an": "a"}
    places = [i for i, word in enumerate(words) if word in clash]
    if not places:
        return None
    i = dice.pick(places)
    return [*words[:i], clash[words[i]], *words[i + 1 :]]


def _order_error(dice: Dice, words: list[str]) -> list[str] | None:
    """Exchanges two neighbours, other than a pronoun and what follows: "does he not" is a good question."""
    start = int(words[0] in _OBJECT_PRONOUNS)
    if len(words) < start + 2:
        return None
    i = start + dice.below(min(len(words) - 1 - start, 4))
    return [*words[:i], words[i + 1], words[i], *words[i + 2 :]]


def _missing_word(dice: Dice, words: list[str]) -> list[str] | None:
    """Leaves out the determiner of a singular noun or an auxiliary before "not" or a participle."""
    needed = ("a", "an", "this", "every", "was", "were", "does", "do")
    places = [i for i, word in enumerate(words) if word in needed]
    if not places:
        return None
    i = dice.pick(places)
    return words[:i] + words[i + 1 :]


def _two_determiners(dice: Dice, words: list[str]) -> list[str] | None:
    """Puts a second determiner before or after the first: "the this dog"."""
    determiners = ("the", "this", "these", "every", "a", "an")  # not "many": "the many dogs" is right
    places = [i for i, word in enumerate(words) if word in determiners]
    if not places:
        return None
    i = dice.pick(places) + dice.below(2)
    return [*words[:i], dice.pick(("the", "this", "these", "every")), *words[i:]]


def _missing_noun(dice: Dice, words: list[str]) -> list[str] | None:
    """Leaves out a noun and its adjective: "the sleeps". ("this", "these" and "two" can stand alone.)"""
    spans = []
    for i, word in enumerate(words):
        for start in (i, i - 1):
            if word in _NOUNS and start > 0 and words[start - 1] in ("the", "every", "a", "an"):
                spans.append((start, i + 1))
    if not spans:
        return None
    start, end = dice.pick(spans)
    return words[:start] + words[end:]


def _doubled_word(dice: Dice, words: list[str]) -> list[str]:
    i = dice.below(len(words))
    return [*words[: i + 1], *words[i:]]


_FAULTS = (
    _inflection_error,
    _inflection_error,
    _determiner_error,
    _order_error,
    _order_error,
    _missing_word,
    _missing_noun,
    _two_determiners,
    _two_determiners,
    _doubled_word,
)


def make(dice: Dice, split: str) -> Example:
    """Returns a sentence and whether it is acceptable."""
    is_plural = dice.chance(0.45)
    pronoun = dice.chance(0.15)
    if pronoun:
        subject = [dice.pick(["they", "we"] if is_plural else ["he", "she"])]
    else:
        subject = _noun_phrase(dice, _ACTORS, is_plural)
        if dice.chance(0.2):  # a noun of any number between subject and verb, which must not attract the agreement
            between = dice.pick(["near", "behind", "beside"])
            subject += [between, *_noun_phrase(dice, _THINGS, dice.chance(0.5))]
    predicate, wrong_form = _verb_phrase(dice, is_plural)
    words = subject + predicate
    if dice.chance(0.65):
        if dice.chance(0.3):
            words += dice.pick(lexicon.PLACES).split()
        return Example(PREFIX + lexicon.sentence(" ".join(words)), "acceptable")
    bad: list[str] | None = None
    while bad is None:
        if pronoun and dice.chance(0.3):
            bad = [_OBJECT_PRONOUNS[subject[0]], *predicate]
        elif dice.chance(0.3):
            bad = [*subject, wrong_form, *predicate[1:]]
        else:
            bad = dice.pick(_FAULTS)(dice, words)
    if dice.chance(0.3):
        bad += dice.pick(lexicon.PLACES).split()
    return Example(PREFIX + lexicon.sentence(" ".join(bad)), "unacceptable")
