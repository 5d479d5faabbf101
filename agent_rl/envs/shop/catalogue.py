"""The catalogue: generated products with attributes, options and prices."""

import functools
from dataclasses import dataclass
from random import Random

from agent_rl.core.seeds import derive

Options = dict[str, tuple[str, ...]]
_BRANDS = ("Alder", "Brook", "Cinder", "Dorset", "Ember", "Fable", "Grove", "Hollow", "Kestrel", "Lumen", "Orbit")
_SIZES = ("small", "medium", "large")
_COLOURS = ("black", "white", "red", "blue", "green", "grey")

# Kinds of products by category: what may be said of them, and what is chosen when they are bought.
_KINDS: dict[str, dict[str, tuple[str, Options]]] = {
    "clothing": {
        "rain jacket": ("waterproof hooded packable lined windproof", {"size": _SIZES, "colour": _COLOURS}),
        "running shoes": ("cushioned lightweight reflective vegan breathable", {"size": ("38", "40", "42", "44")}),
        "wool socks": ("seamless thick merino odourless", {"size": _SIZES, "colour": _COLOURS}),
    },
    "kitchen": {
        "frying pan": ("nonstick ovenproof induction dishwasher-safe", {"diameter": ("20 cm", "24 cm", "28 cm")}),
        "kettle": ("cordless quiet insulated temperature-controlled", {"colour": _COLOURS, "volume": ("1 l", "1.7 l")}),
        "storage jars": ("airtight stackable glass freezer-safe", {"pack": ("set of 3", "set of 6", "set of 12")}),
    },
    "electronics": {
        "headphones": ("wireless noise-cancelling foldable over-ear", {"colour": _COLOURS}),
        "desk lamp": ("dimmable rechargeable adjustable flicker-free", {"colour": _COLOURS, "light": ("warm", "cold")}),
        "power bank": ("fast-charging slim solar shockproof", {"capacity": ("5000 mAh", "10000 mAh", "20000 mAh")}),
    },
    "garden": {
        "watering can": ("rustproof long-spouted recycled lightweight", {"volume": ("2 l", "5 l", "10 l")}),
        "plant pot": ("glazed self-watering frostproof hanging", {"size": _SIZES, "colour": _COLOURS}),
        "garden gloves": ("thornproof washable padded waterproof", {"size": _SIZES}),
    },
}


@dataclass(frozen=True)
class Product:
    """A product.

    Attributes:
        id: Six letters and digits, unique in its catalogue.
        category: Such as "kitchen".
        kind: Such as "frying pan".
        brand: Who makes it.
        attributes: What is true of it.
        options: What is to be chosen, with the values there are.
        price: In cents.
    """

    id: str
    category: str
    kind: str
    brand: str
    attributes: tuple[str, ...]
    options: Options
    price: int

    @property
    def line(self) -> str:
        """The product as a search shows it."""
        return f"[{self.id}] {self.brand} {self.kind}, {', '.join(self.attributes)}: {dollars(self.price)}"

    @property
    def page(self) -> str:
        """The product as its own page shows it."""
        options = [f"{name}: {', '.join(values)}" for name, values in self.options.items()]
        return "\n".join([self.line, "Options to choose:", *options])


def dollars(cents: int) -> str:
    """Return a price as it is shown."""
    return f"${cents / 100:.2f}"


@functools.cache
def catalogue(seed: int, size: int) -> dict[str, Product]:
    """Return the products of a seed by their ids."""
    rng = Random(derive(seed, "shop/catalogue"))
    products: dict[str, Product] = {}
    while len(products) < size:
        name = "P" + "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=5))
        products[name] = _product(name, rng)
    return products


def _product(name: str, rng: Random) -> Product:
    category = rng.choice(list(_KINDS))
    kind = rng.choice(list(_KINDS[category]))
    known, choices = _KINDS[category][kind]
    words = known.split()
    attributes = tuple(sorted(rng.sample(words, rng.randint(2, len(words) - 1))))
    options = {key: tuple(v for v in values if rng.random() < 0.8) or values for key, values in choices.items()}
    return Product(name, category, kind, rng.choice(_BRANDS), attributes, options, rng.randint(800, 12000))
