"""Translation into Velish, an invented language with cases, agreement and the verb at the end.

The grammar in brief:

* order: adverb of time, subject, indirect object, place, object, (not), verb; "ka" closes a question;
* a noun takes a case (-n object, -lo recipient, -sa place; the subject is bare) and before it -i in the plural;
* an adjective follows its noun and takes the same endings; there are no articles, but "every" and "two" stay;
* a verb takes a tense (-a present, -eda past, -oru future) and -m if the subject is plural.
"""

import functools
from typing import NamedTuple

from t5mix.tasks.demo_world import lexicon
from t5mix.tasks.demo_world.dice import Dice
from t5mix.tasks.demo_world.example import Example
from t5mix.tasks.demo_world.lexicon import VERBS, plural, sentence

LANGUAGE = "Velish"
PREFIX = f"translate English to {LANGUAGE}: "
_SUBJECTS = lexicon.words("farmer baker teacher doctor king queen boy girl thief dog cat horse fox duck")
_OBJECTS = lexicon.words("hat coat knife rope cart boat drum bell cup basket hen rabbit goat pig")
_ADJECTIVES = lexicon.words("big small old new heavy clean red blue green white black")
_TRANSITIVE = lexicon.words("see hear buy sell find lose carry hide wash want")
_GIVING = ["give", "send", "show"]
_QUIET = lexicon.words("sleep sing dance wait swim work")
_TOWNLIKE = {"in": "garden forest market", "near": "mill bridge river", "at": "school harbour tavern"}
_PLACES = [place for places in _TOWNLIKE.values() for place in places.split()]
_TIMES = ["today", "tomorrow", "yesterday"]
_PARTICLES = ("near", "not", "two", "every", "always")
_TENSES = {"present": "a", "past": "eda", "future": "oru"}


class NounPhrase(NamedTuple):
    """A noun with what stands around it."""

    noun: str
    adjective: str = ""
    is_plural: bool = False
    counter: str = ""  # "two" or "every"

    def english(self) -> str:
        """The phrase in English."""
        noun = plural(self.noun) if self.is_plural else self.noun
        return " ".join(filter(None, (self.counter or "the", self.adjective, noun)))

    def velish(self, case: str) -> str:
        """The phrase in Velish, in the case of this ending."""
        words = velish_words()
        ending = ("i" if self.is_plural else "") + case
        inflected = [words[word] + ending for word in (self.noun, self.adjective) if word]
        return " ".join([words[self.counter], *inflected] if self.counter else inflected)


@functools.cache
def velish_words() -> dict[str, str]:
    """Returns the stem of every word that the grammar uses; all stems differ and end in a consonant or -u."""
    dice = Dice("velish")
    meanings = dict.fromkeys(
        [*_SUBJECTS, *_OBJECTS, *_ADJECTIVES, *_TRANSITIVE, *_GIVING, *_QUIET, *_PLACES, *_TIMES, *_PARTICLES]
    )
    stems: dict[str, str] = {}
    taken: set[str] = set()
    for meaning in meanings:
        stem = ""
        while not stem or stem in taken:
            syllables = [dice.pick("bdfgklmnprstvz") + dice.pick("aeou") for _ in range(1 + dice.chance(0.6))]
            stem = "".join(syllables) + dice.pick("lrktvu")
        taken.add(stem)
        stems[meaning] = stem
    return stems


def _noun_phrase(dice: Dice, nouns: list[str], adjective: float) -> NounPhrase:
    counter = dice.weighted({"": 8, "two": 1, "every": 1})
    is_plural = counter == "two" or (not counter and dice.chance(0.3))
    return NounPhrase(dice.pick(nouns), dice.pick(_ADJECTIVES) if dice.chance(adjective) else "", is_plural, counter)


def _english_verb(verb: str, tense: str, is_plural: bool, negated: bool, asked: bool) -> tuple[str, str]:
    """Returns the auxiliary (empty if there is none) and the verb."""
    forms = VERBS[verb]
    if tense == "future":
        return "will", verb
    if negated or asked:
        return ("did" if tense == "past" else "do" if is_plural else "does"), verb
    return "", forms.past if tense == "past" else forms.base if is_plural else forms.third


def make(dice: Dice, split: str) -> Example:
    """Returns an English sentence and its only translation."""
    words = velish_words()
    kind = dice.weighted({"quiet": 2, "transitive": 5, "giving": 1.5})
    subject = _noun_phrase(dice, _SUBJECTS, adjective=0.35)
    verb = dice.pick({"quiet": _QUIET, "transitive": _TRANSITIVE, "giving": _GIVING}[kind])
    patient = None if kind == "quiet" else _noun_phrase(dice, _OBJECTS, adjective=0.4)
    recipient = NounPhrase(dice.pick_other(_SUBJECTS, subject.noun)) if kind == "giving" else None
    tense = dice.weighted({"present": 2.0, "past": 2.0, "future": 1.0})
    negated, asked = dice.chance(0.12), dice.chance(0.12)
    preposition = dice.pick(list(_TOWNLIKE)) if dice.chance(0.4 if kind == "quiet" else 0.2) else ""
    place = dice.pick(_TOWNLIKE[preposition].split()) if preposition else ""
    time = {"past": "yesterday", "present": "today", "future": "tomorrow"}[tense] if dice.chance(0.2) else ""

    auxiliary, main = _english_verb(verb, tense, subject.is_plural, negated, asked)
    front = [auxiliary, subject.english()] if asked else [subject.english(), auxiliary]
    english = [*front, "not" if negated else "", main]
    english += [patient.english() if patient else "", f"to the {recipient.noun}" if recipient else ""]
    english += [f"{preposition} the {place}" if place else "", time]

    velish = [words[time] if time else "", subject.velish("")]
    velish += [recipient.velish("lo") if recipient else ""]
    velish += [words[place] + "sa" + (f" {words['near']}" if preposition == "near" else "") if place else ""]
    velish += [patient.velish("n") if patient else "", words["not"] if negated else ""]
    velish += [words[verb] + _TENSES[tense] + ("m" if subject.is_plural else ""), "ka" if asked else ""]

    mark = "?" if asked else "."
    source, target = (sentence(" ".join(filter(None, side)), mark) for side in (english, velish))
    return Example(PREFIX + source, target)
