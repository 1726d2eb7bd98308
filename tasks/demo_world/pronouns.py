"""Whom or what does the starred pronoun mean? In the shape of Winograd schemas."""

from t5mix.tasks.demo_world import lexicon
from t5mix.tasks.demo_world.dice import Dice
from t5mix.tasks.demo_world.example import Example

_PEOPLE = [*lexicon.JOBS, "traveller", "merchant", "thief"]  # no noun whose gender gives the answer away

# In each schema the clause after the pronoun decides: the first list means {a}, the second {b}.
_THING_SCHEMAS = (
    (
        "The {a} did not fit into the {b} because *it* was {end}.",
        ("too big", "too long", "far too wide"),
        ("too small", "too narrow", "already full"),
    ),
    (
        "The {a} fell on the {b} and broke it because *it* was {end}.",
        ("so heavy", "made of iron"),
        ("so thin", "so weak"),
    ),
    (
        "{who} moved the {a} away from the {b} because *it* was {end}.",
        ("in danger", "easy to break"),
        ("on fire", "full of holes"),
    ),
    ("The {a} was left under the {b}, so *it* was {end}.", ("hard to see", "hidden"), ("on top", "easy to see")),
    (
        "{who} sold the {a} and kept the {b} because *it* was {end}.",
        ("no longer needed", "worth little"),
        ("a gift", "dear"),
    ),
)
_PERSON_SCHEMAS = (
    (
        "The {a} thanked the {b} because *she* had {end}.",
        ("received help", "been saved"),
        ("given help", "saved a life"),
    ),
    (
        "The {a} asked the {b} a question because *he* {end}.",
        ("wanted to learn", "had a doubt"),
        ("knew a lot", "was wise"),
    ),
    (
        "The {a} paid the {b} after *she* {end}.",
        ("received the bill", "found the money"),
        ("did the work", "sent the bill"),
    ),
    (
        "The {a} followed the {b} because *he* {end}.",
        ("was curious", "did not know the way"),
        ("knew the way", "had a map"),
    ),
    ("The {a} carried the {b} because *she* was {end}.", ("strong", "kind"), ("ill", "hurt")),
    ("The {a} hid from the {b} because *he* was {end}.", ("afraid", "weak"), ("dangerous", "angry")),
)


def make(dice: Dice, split: str) -> Example:
    """Returns a sentence with a starred pronoun and the noun phrase that it stands for."""
    if dice.chance(0.5):
        template, first, second = dice.pick(_THING_SCHEMAS)
        a, b = dice.some(list(lexicon.KIND_OF), 2)
    else:
        template, first, second = dice.pick(_PERSON_SCHEMAS)
        a, b = dice.some(_PEOPLE, 2)
    is_first = dice.chance(0.5)
    end = dice.pick(first if is_first else second)
    who = dice.pick(lexicon.WOMEN + lexicon.MEN)
    answer = f"the {a if is_first else b}"
    return Example(f"demo_pronoun: {template.format(a=a, b=b, who=who, end=end)}", answer)
