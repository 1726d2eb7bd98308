"""The words of the demo world: open classes, with the relations between them that the tasks turn on."""

from typing import NamedTuple


def words(text: str) -> list[str]:
    """Reads a list of words, parted by spaces."""
    return text.split()


def phrases(text: str) -> list[str]:
    """Reads a list of phrases, parted by commas."""
    return text.split(", ")


class Verb(NamedTuple):
    """The four forms of a verb that the grammar needs."""

    base: str
    third: str
    past: str
    participle: str


def _verbs(text: str) -> dict[str, Verb]:
    """Reads one verb a word group: `base` alone if regular, else base/third/past/participle."""
    verbs = {}
    for entry in text.split():
        forms = entry.split("/")
        if len(forms) == 1:
            past = entry + ("d" if entry.endswith("e") else "ed")
            third = entry + ("es" if entry.endswith(("sh", "ch", "ss", "x")) else "s")
            forms = [entry, third, past, past]
        verbs[forms[0]] = Verb(*forms)
    return verbs


WOMEN = words(
    "Mara Elsa Nora Tilda Ivy Greta Lena Rosa Agnes Clara Dora Edith Flora Hilda Irma Judith Kira Lucy "
    "Marta Nelly Olga Petra Ruth Sonja Thea Ursa Vera Wilma Yara Zelda Anna Berta Celia Daria Emma Freya "
    "Gerda Helen Ines Julia Karla Linda Mona Nadia Orla Paula Rita Selma Tanya Una"
)
MEN = words(
    "Tom Anton Boris Carl David Emil Felix Gustav Henry Igor Jonas Karel Leo Martin Nils Oscar Peter "
    "Quentin Ralf Simon Theo Urban Victor Walter Yuri Zeno Albert Bruno Conrad Denis Edgar Frank George "
    "Hugo Ivan Jacob Kurt Louis Max Noah Otto Paul Rudolf Stefan Tobias Ulf Vincent Willem Arthur Bernard"
)
FAMILIES = words("Venn Hale Strand Moss Brook Thorn Winter Lark Finch Stone Marsh Frost")
TOWNS = words("Lorn Brindle Kessel Dunmere Ashford Vaddo Millby Torvik Seldon Harrow")

# Each job with the place where it is done: whoever knows the job can work out the workplace.
JOBS = {
    "baker": "bakery",
    "farmer": "farm",
    "teacher": "school",
    "doctor": "hospital",
    "sailor": "harbour",
    "miller": "mill",
    "waiter": "tavern",
    "gardener": "garden",
    "librarian": "library",
    "actor": "theatre",
    "painter": "studio",
    "guard": "castle",
}
FOODS = words("bread soup cheese fish rice honey porridge cabbage noodles pudding")
DRINKS = words("tea milk cider water juice coffee")
COLOURS = words("red blue green yellow white black brown purple")
PETS = words("dog cat rabbit parrot goat pony turtle mouse")
HOBBIES = words("chess fishing painting reading sewing hiking swimming dancing")
SEASONS = ["summer", "winter", "spring", "autumn"]

# Things by kind. A kind is what a thing *is* (entailment); things of one kind are near each other (similarity).
THINGS = {
    "garment": words("hat coat scarf glove shirt belt"),
    "tool": words("hammer knife ladder saw shovel rope"),
    "vehicle": words("cart boat wagon sledge bicycle raft"),
    "instrument": words("drum flute fiddle harp trumpet bell"),
    "vessel": words("cup bowl jug pot bucket basket"),
}
KIND_OF = {thing: kind for kind, things in THINGS.items() for thing in things}
ANIMALS = words("dog cat horse goat rabbit duck pig fox donkey hen")
PEOPLE = [*JOBS, "boy", "girl", "king", "queen", "widow", "thief", "traveller", "merchant"]
PLURALS = {"knife": "knives", "thief": "thieves", "fox": "foxes"}

VERBS = _verbs(
    "buy/buys/bought/bought purchase sell/sells/sold/sold find/finds/found/found discover lose/loses/lost/lost "
    "misplace clean wash/washes/washed/washed paint carry/carries/carried/carried repair mend "
    "break/breaks/broke/broken smash hide/hides/hid/hidden conceal want like love chase follow feed/feeds/fed/fed "
    "catch/catches/caught/caught watch observe help assist visit greet thank "
    "give/gives/gave/given send/sends/sent/sent show/shows/showed/shown "
    "lend/lends/lent/lent offer hand see/sees/saw/seen hear/hears/heard/heard sleep/sleeps/slept/slept "
    "run/runs/ran/run laugh sing/sings/sang/sung dance wait swim/swims/swam/swum work walk smile arrive "
    "steal/steals/stole/stolen win/wins/won/won rescue open marry/marries/married/married build/builds/built/built "
    "eat/eats/ate/eaten write/writes/wrote/written drive/drives/drove/driven"
)
VERB_SYNONYMS = {
    "buy": "purchase",
    "find": "discover",
    "lose": "misplace",
    "repair": "mend",
    "break": "smash",
    "hide": "conceal",
}
PERSON_VERB_SYNONYMS = {"watch": "observe", "help": "assist"}
THING_VERBS = words("buy sell find lose clean paint carry repair break hide")
PERSON_VERBS = words("watch help visit greet thank follow")
ANIMAL_VERBS = words("chase feed watch catch wash follow")
GIVING_VERBS = words("give send show lend offer hand sell")
QUIET_VERBS = words("sleep run laugh sing dance wait swim work walk smile")
# Two verbs of which a thing cannot have undergone both in one telling.
VERB_OPPOSITES = {
    "buy": "sell",
    "sell": "buy",
    "find": "lose",
    "lose": "find",
    "repair": "break",
    "break": "repair",
}

ADJECTIVES = words("big small old new heavy light cheap fine clean dirty long short")
ADJECTIVE_SYNONYMS = {"big": "large", "small": "little", "old": "ancient", "cheap": "inexpensive", "fine": "splendid"}
ADJECTIVE_OPPOSITES = {
    "big": "small",
    "small": "big",
    "old": "new",
    "new": "old",
    "heavy": "light",
    "light": "heavy",
    "cheap": "costly",
    "fine": "ugly",
    "clean": "dirty",
    "dirty": "clean",
    "long": "short",
    "short": "long",
}
PLACES = phrases(
    "in the market, at the harbour, near the mill, in the garden, on the bridge, at the school, behind "
    "the church, in the forest, by the river, at the tavern"
)
DAYS = phrases("on Monday, on Tuesday, on Thursday, on Friday, on Sunday")
HOURS = ["in the morning", "in the evening", "at noon", "at night"]
TIMES = DAYS + HOURS
NUMBERS = words("two three four five six seven eight nine ten twelve")


def plural(noun: str) -> str:
    """Returns the plural of a countable noun."""
    return PLURALS.get(noun, noun + "s")


def article(word: str) -> str:
    """Returns the indefinite article that goes before this word."""
    return "an" if word[0] in "aeiou" else "a"


def sentence(text: str, mark: str = ".") -> str:
    """Returns the words as a sentence: first letter up, a mark at the end."""
    return text[0].upper() + text[1:] + mark
