"""How well a purchase fits what was wanted."""

from dataclasses import dataclass

from agent_rl.envs.shop.catalogue import Product


@dataclass(frozen=True)
class Wish:
    """What is wanted: a kind of product, attributes, chosen options, and the highest price in cents."""

    category: str
    kind: str
    attributes: tuple[str, ...]
    options: dict[str, str]
    price: int


def score(wish: Wish, product: Product, chosen: dict[str, str]) -> float:
    """Return the share of the wishes that a purchase fulfils, between 0 and 1; 1 only when all are.

    The formula is that of WebShop (Yao and others, 2022, arXiv:2207.01206, section 3.1): attributes, options and the
    price count one each, and the share is multiplied by how well the type fits. There the type is judged by comparing
    titles; here it is known: 1 for the same kind, 0.5 for the same category, 0 otherwise.
    """
    if product.category != wish.category:
        return 0.0
    fulfilled = len(set(wish.attributes) & set(product.attributes))
    fulfilled += sum(chosen.get(name) == value for name, value in wish.options.items())
    fulfilled += product.price <= wish.price
    share = fulfilled / (len(wish.attributes) + len(wish.options) + 1)
    return share if product.kind == wish.kind else share / 2
