"""The corpus of `search` as pages: a page for each country and city, with its facts, each under its number."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from agent_rl.envs.search.corpus import CITY_RELATION, World, subject


@dataclass(frozen=True)
class Page:
    """What the corpus says about one subject.

    Attributes:
        id: By which the page is opened.
        title: The subject.
        facts: The passages by their numbers, which are their places in the corpus.
    """

    id: str
    title: str
    facts: dict[int, str]

    @property
    def line(self) -> str:
        """The page in a list."""
        return f"{self.id}: {self.title}"

    @property
    def text(self) -> str:
        """The page when it is open."""
        return "\n".join([self.line, *(f"[{number}] {passage}" for number, passage in self.facts.items())])


class Library:
    """The pages, by id and by what stands on them."""

    def __init__(self, world: World) -> None:
        """Sort the passages of `world` into pages."""
        titles = [country.name for country in world.countries.values() for _ in country.facts]
        titles += [subject(CITY_RELATION, city.name) for city in world.cities]
        numbered = zip(titles, enumerate(world.passages()), strict=True)
        self.pages: dict[str, Page] = {}
        self._with: dict[str, Page] = {}
        for title, group in itertools.groupby(numbered, key=lambda entry: entry[0]):
            page = Page(f"P{len(self.pages)}", title, dict(fact for _, fact in group))
            self.pages[page.id] = page
            self._with |= dict.fromkeys(page.facts.values(), page)

    def with_passage(self, passage: str) -> Page:
        """Return the page on which a passage stands."""
        return self._with[passage]

    def with_any(self, passages: Iterable[str]) -> list[Page]:
        """Return the pages on which these passages stand, each once, in this order; other passages are left out."""
        pages = {page.id: page for passage in passages if (page := self._with.get(passage))}
        return list(pages.values())

    def number(self, passage: str) -> int:
        """Return the number of a passage."""
        facts = self.with_passage(passage).facts
        return next(number for number, stated in facts.items() if stated == passage)
