"""Where the content of an HTML page is: its menus, headers and footers are taken out."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lxml import etree

from parsers.web.tree import Element
from parsers.web.visible import ancestors, blank

_LANDMARKS: Final = frozenset(
    ("navigation", "banner", "contentinfo", "search", "menu", "menubar"),
)
_PARTS: Final = frozenset(
    (
        "a", "aside", "div", "dl", "figure", "footer", "form", "header", "nav", "ol", "p",
        "section", "span", "table", "td", "ul",
    )
)  # fmt: skip
_SECTIONS: Final = frozenset(
    ("article", "section", "blockquote", "figure", "details", "dialog"),
)
_ALWAYS: Final = re.compile(
    r"(?:^|[\s_-])(?:footer|breadcrumbs?|cookies?|consent|gdpr|skip-?(?:link|to-?content|nav)|"
    r"social|share|sharing|jump-?link|edit-?section|cat-?links|print-?footer|pagination|pager|"
    r"advert\w*|line-?nos?|site-?sub|site-?header|masthead)(?:$|[\s_-])",
    re.I,
)
"""Class names of what is never content, as long as it is short."""
_IF_LINKS: Final = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|navigation|nav-?box|menu|side-?bar|toc|table-?of-?contents|"
    r"related|recent|tags?|widget|banner|header|top-?bar|toolbar|newsletter|promo)(?:$|[\s_-])",
    re.I,
)
"""Class names of what is a menu if it consists of links."""
_MAX_ASIDE: Final = 1_500
"""Characters of what a name alone may take out."""
_MIN_MENU_LINKS: Final = 4
_MAX_MENU_WORDS: Final = 30
"""Characters of a link in a menu, on average."""
_MIN_LEFT: Final = 200
"""Characters that a guess must leave, or `_MIN_SHARE`: else the page is a list of links."""
_MIN_SHARE: Final = 0.25
_MIN_LEFT_BY_LANDMARKS: Final = 20
"""As `_MIN_LEFT`, of what the page itself declares to be menus."""
_MIN_MAIN_SHARE: Final = 0.3
"""Of the characters that are no boilerplate; a smaller `main` is not the whole content."""
_MIN_ARTICLE_SHARE: Final = 0.5


@dataclass(slots=True)
class _Weight:
    """What an element holds."""

    n_characters: int = 0
    n_link_characters: int = 0
    n_links: int = 0

    def add(self, other: "_Weight") -> None:
        self.n_characters += other.n_characters
        self.n_link_characters += other.n_link_characters
        self.n_links += other.n_links

    @property
    def link_share(self) -> float:
        return self.n_link_characters / max(1, self.n_characters)


def blank_boilerplate(tree: Element) -> None:
    """Empty menus, page headers and footers, unless hardly anything else is in the page."""
    weights = _weights(tree)
    content = ancestors(tree, "main", "article", "h1") | set(tree.iter("main", "article", "h1"))
    total = weights[tree].n_characters
    guesses = (
        (_is_boilerplate, min(_MIN_LEFT, _MIN_SHARE * total)),
        (_is_landmark, min(_MIN_LEFT_BY_LANDMARKS, _MIN_SHARE * total)),
    )
    for judge, min_left in guesses:
        found = _outermost(tree, weights, content, judge)
        if total - sum(weights[element].n_characters for element in found) >= min_left:
            for element in found:
                blank(element)
            return


def main_part(tree: Element) -> list[Element]:
    """The elements that hold the content, in their order: most often one, else all of `tree`."""
    weights = _weights(tree)
    total = weights[tree].n_characters
    mains = [element for element in tree.iter() if _is_main(element)]
    articles = list(tree.iter("article"))
    for candidates, share in ((mains, _MIN_MAIN_SHARE), (articles, _MIN_ARTICLE_SHARE)):
        found = max(candidates, key=lambda element: weights[element].n_characters, default=None)
        if found is not None and weights[found].n_characters > share * total:
            return [*_headline(tree, found), found]
    return [tree]


def _headline(tree: Element, main: Element) -> list[Element]:
    """The page's heading where it stands above its main part."""
    if next(main.iter("h1"), None) is not None:
        return []
    headlines = list(tree.iter("h1"))
    return headlines if len(headlines) == 1 else []


def _is_main(element: Element) -> bool:
    return "main" in (element.tag, element.get("role"))


def _weights(tree: Element) -> dict[Element, _Weight]:
    weights: dict[Element, _Weight] = {}
    for element in reversed(list(tree.iter())):  # Children before their parents.
        weight = weights.setdefault(element, _Weight())
        weight.n_characters += _length(element.text)
        if element.tag == "a" and element.get("href") is not None:
            weight.n_link_characters, weight.n_links = weight.n_characters, 1
        parent = element.getparent()
        if parent is not None:
            above = weights.setdefault(parent, _Weight())
            above.add(weight)
            above.n_characters += _length(element.tail)
    return weights


def _length(text: str | None) -> int:
    return len("".join(text.split())) if text else 0


def _outermost(
    tree: Element,
    weights: dict[Element, _Weight],
    content: set[Element],
    judge: Callable[[Element, _Weight], bool],
) -> list[Element]:
    """The elements that `judge` finds, without those inside them, and none that holds content."""
    found = []
    walk = etree.iterwalk(tree, events=("start",))
    for _, element in walk:
        if element not in content and judge(element, weights[element]):
            found.append(element)
            walk.skip_subtree()
    return found


def _is_boilerplate(element: Element, weight: _Weight) -> bool:
    if _is_landmark(element, weight):
        return True
    if element.tag not in _PARTS:
        return False
    if element.tag == "aside" and not _is_inside_content(element):
        return True
    name = f"{element.get('class') or ''} {element.get('id') or ''}"
    is_short = weight.n_characters <= _MAX_ASIDE
    is_linked = weight.n_links > 0 and weight.link_share > 0.5
    return (
        ((is_short or is_linked) and _ALWAYS.search(name) is not None)
        or (is_linked and _IF_LINKS.search(name) is not None)
        or _is_menu(element, weight)
    )


def _is_landmark(element: Element, _: _Weight) -> bool:
    """Whether the page itself says that `element` is not its content."""
    if element.tag == "nav" or element.get("role") in _LANDMARKS:
        return True
    return element.tag in ("header", "footer") and not _is_inside_content(element)


def _is_menu(element: Element, weight: _Weight) -> bool:
    """Whether it is many short links and hardly anything else."""
    if element.tag not in ("ul", "ol", "div", "table") or _is_inside_content(element):
        return False
    return (
        weight.n_links >= _MIN_MENU_LINKS
        and weight.link_share > 0.8
        and weight.n_characters / weight.n_links <= _MAX_MENU_WORDS
    )


def _is_inside_content(element: Element) -> bool:
    return any(_is_main(parent) or parent.tag in _SECTIONS for parent in element.iterancestors())
