"""Is the review positive? With negation, and with contrasts that the last clause decides."""

from t5mix.tasks.demo_world import lexicon
from t5mix.tasks.demo_world.dice import Dice
from t5mix.tasks.demo_world.example import Example
from t5mix.tasks.demo_world.lexicon import article, sentence

PREFIX = "demo_sentiment sentence: "
_SUBJECTS = lexicon.words(
    "soup service bread room music garden waiter play story actor cheese price bed view song ending kitchen coffee"
)
_PARTS = lexicon.words("garden waiter play view room actor kitchen story song bed")  # what a place can have one of
_PLACES = lexicon.words("tavern theatre bakery library market castle harbour studio")
_GOOD = lexicon.words("good great lovely pleasant excellent wonderful charming friendly perfect")
_BAD = lexicon.words("bad awful dull terrible boring horrible poor rude stale")
_VERBS = {True: ("loved", "enjoyed", "admired"), False: ("hated", "disliked", "regretted")}
_DEGREES = ("", "", "very", "really", "quite", "rather", "so")
_DEGREES_DENIED = ("", "", "very", "really", "that")


def _judgement(dice: Dice, positive: bool, negation: float) -> str:
    """Returns a clause that judges, with a negated word of the other side with probability `negation`."""
    negated = dice.chance(negation)
    word = dice.pick(_GOOD if positive != negated else _BAD)
    subject = dice.pick(_SUBJECTS)
    degree = dice.pick(_DEGREES_DENIED if negated else _DEGREES)
    way = dice.weighted({"be": 4, "have": 1.5, "verb": 1.5, "find": 1})
    if way == "verb":
        verb = dice.pick(_VERBS[positive != negated])
        if negated:
            return f"{dice.pick(['nobody', 'I never'])} {verb} the {subject}"
        return f"{dice.pick(['I', 'we', 'everybody'])} {verb} the {subject}"
    if way == "have":
        no = f"had nothing like {article(word)}" if negated else f"had {article(word)}"
        return f"the {dice.pick(_PLACES)} {no} {word} {dice.pick(_PARTS)}"
    if way == "find":
        verb = dice.pick(["did not find", "could not call"]) if negated else dice.pick(["found", "called"])
        return f"we {verb} the {subject} {word}"
    be = dice.pick(["was not", "was never", "was hardly"]) if negated else dice.pick(["was", "seemed", "is"])
    return " ".join(filter(None, (f"the {subject}", be, degree, word)))


def make(dice: Dice, split: str) -> Example:
    """Returns a review of one or two clauses and its polarity."""
    positive = dice.chance(0.53)
    main = _judgement(dice, positive, negation=0.12)
    shape = dice.weighted({"plain": 4, "agree": 4, "but": 1.5, "although": 0.5})
    if shape == "agree":
        main = f"{main} {dice.pick(['and', 'and also', 'and besides'])} {_judgement(dice, positive, 0.12)}"
    elif shape == "but":
        main = f"{_judgement(dice, not positive, 0.12)} but {main}"
    elif shape == "although":
        main = f"although {_judgement(dice, not positive, 0.12)}, {main}"
    return Example(PREFIX + sentence(main), "positive" if positive else "negative")
