"""What the generated databases are about: pairs of tables, a row of the second belonging to one of the first."""

from dataclasses import dataclass

Words = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A kind of table.

    Attributes:
        name: The table's name, which is also how its rows are called in a question.
        words: Columns of words, with the words that may stand there.
        numbers: Columns of whole numbers, with the lowest and the highest.
    """

    name: str
    words: dict[str, Words]
    numbers: dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Theme:
    """Two tables and how they belong together: each row of `parts` belongs to the row of `owners` that `key` names."""

    owners: Table
    parts: Table
    key: str


_CITIES = ("Oslo", "Lima", "Accra", "Hanoi", "Quito", "Turin", "Perth", "Kyoto")
_COLOURS = ("red", "blue", "green", "white", "black")

THEMES = (
    Theme(
        Table(
            "customers",
            {"city": _CITIES, "segment": ("private", "business", "public")},
            {"age": (18, 85), "points": (0, 900)},
        ),
        Table(
            "orders",
            {"status": ("open", "paid", "shipped", "returned"), "channel": ("web", "shop", "phone")},
            {"amount": (5, 800), "year": (2015, 2024)},
        ),
        "customer_id",
    ),
    Theme(
        Table(
            "authors",
            {"country": ("Chile", "Kenya", "Norway", "Japan", "Egypt"), "genre": ("crime", "poetry", "history")},
            {"born": (1900, 1999), "prizes": (0, 12)},
        ),
        Table(
            "books",
            {"language": ("English", "Spanish", "Arabic", "Japanese"), "binding": ("paper", "cloth", "leather")},
            {"pages": (60, 900), "price": (5, 90)},
        ),
        "author_id",
    ),
    Theme(
        Table(
            "students",
            {"house": ("north", "south", "east", "west"), "home": _CITIES},
            {"age": (10, 19), "height": (130, 200)},
        ),
        Table(
            "exams",
            {"subject": ("maths", "physics", "music", "latin"), "term": ("spring", "autumn")},
            {"score": (0, 100), "minutes": (20, 180)},
        ),
        "student_id",
    ),
    Theme(
        Table(
            "airlines",
            {"hub": _CITIES, "alliance": ("blue sky", "one wing", "none")},
            {"founded": (1920, 2015), "planes": (4, 400)},
        ),
        Table(
            "flights",
            {"destination": _CITIES, "class": ("cargo", "charter", "regular")},
            {"distance": (150, 9000), "passengers": (0, 400)},
        ),
        "airline_id",
    ),
    Theme(
        Table(
            "teams",
            {"league": ("first", "second", "third"), "colour": _COLOURS},
            {"members": (11, 40), "titles": (0, 20)},
        ),
        Table(
            "matches",
            {"place": ("home", "away"), "weather": ("sun", "rain", "snow", "fog")},
            {"goals": (0, 9), "visitors": (100, 9000)},
        ),
        "team_id",
    ),
    Theme(
        Table(
            "farms",
            {"region": ("coast", "valley", "plain", "hills"), "owner": ("family", "company", "village")},
            {"hectares": (2, 600), "workers": (1, 60)},
        ),
        Table(
            "animals",
            {"species": ("cow", "sheep", "goat", "horse"), "colour": _COLOURS},
            {"weight": (20, 900), "age": (1, 20)},
        ),
        "farm_id",
    ),
)

_NAMES = """
    Ada Ben Cleo Dario Elif Femi Greta Hugo Ines Jun Kofi Lena Milo Nora Omar Pia Quinn Rosa Sami Tara Umar Vera Wim
    Xenia Yara Zeno
"""
NAMES = tuple(_NAMES.split())
