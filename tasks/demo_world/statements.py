"""How facts are told and asked: the only two places where the attributes of people meet words."""

from t5mix.tasks.demo_world.dice import Dice
from t5mix.tasks.demo_world.lexicon import article
from t5mix.tasks.demo_world.world import Fact

# {who} is the person's name or pronoun, {a} the indefinite article of {value}. No template needs agreement
# beyond the third person singular.
_STATEMENTS = {
    "job": ("{who} is {a} {value}", "{who} works as {a} {value}", "{who} earns a living as {a} {value}"),
    "workplace": (
        "{who} works at the {value}",
        "{who} goes to work at the {value}",
        "every day {who} works at the {value}",
    ),
    "town": ("{who} lives in {value}", "the home of {who} is in {value}", "{who} has a house in {value}"),
    "food": ("{who} likes to eat {value}", "{who} eats {value} every day", "the favourite food of {who} is {value}"),
    "drink": (
        "{who} likes to drink {value}",
        "{who} drinks a lot of {value}",
        "the favourite drink of {who} is {value}",
    ),
    "colour": (
        "the favourite colour of {who} is {value}",
        "{who} likes the colour {value}",
        "{who} always wears {value} clothes",
    ),
    "pet": ("{who} has {a} {value}", "{who} keeps {a} {value} as a pet", "the pet of {who} is {a} {value}"),
    "hobby": (
        "{who} loves {value}",
        "the hobby of {who} is {value}",
        "in the free hours {who} goes in for {value}",
    ),
    "season": (
        "{who} likes {value} best",
        "the favourite season of {who} is {value}",
        "of all seasons {who} loves {value}",
    ),
}
_QUESTIONS = {
    "job": ("What is the job of {who}?", "What does {who} do for a living?", "What does {who} work as?"),
    "workplace": ("Where does {who} work?", "At what place does {who} work?", "What is the workplace of {who}?"),
    "town": ("Where does {who} live?", "In what town does {who} live?", "What is the home town of {who}?"),
    "food": ("What does {who} like to eat?", "What is the favourite food of {who}?", "What food does {who} like?"),
    "drink": ("What does {who} like to drink?", "What is the favourite drink of {who}?", "What drink does {who} like?"),
    "colour": (
        "What is the favourite colour of {who}?",
        "What colour does {who} like?",
        "What colour does {who} wear?",
    ),
    "pet": ("What pet does {who} have?", "What animal does {who} keep?", "What is the pet of {who}?"),
    "hobby": ("What is the hobby of {who}?", "What hobby does {who} have?", "What does {who} do in the free hours?"),
    "season": (
        "What season does {who} like best?",
        "What is the favourite season of {who}?",
        "What season does {who} love?",
    ),
}


def tell(dice: Dice, fact: Fact, who: str = "") -> str:
    """Returns the fact in words, without capital and full stop; `who` defaults to the full name."""
    template = dice.pick(_STATEMENTS[fact.attribute])
    if who in ("he", "she") and not template.startswith("{who}"):
        template = _STATEMENTS[fact.attribute][0]  # a pronoun in the nominative stands at the front only
        if not template.startswith("{who}"):
            template = _STATEMENTS[fact.attribute][1]
    return template.format(who=who or fact.person.name, a=article(fact.value), value=fact.value)


def ask(dice: Dice, fact: Fact) -> str:
    """Returns a question for the fact."""
    return dice.pick(_QUESTIONS[fact.attribute]).format(who=fact.person.name)
