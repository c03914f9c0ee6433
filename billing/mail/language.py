"""The language of the e-mail templates: Django's, without whatever reaches beyond the values that are given.

There is no ``load``, no ``include`` and no loop, and no way to switch escaping off; every value is a plain
string, so there is nothing to call and nothing to leak.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache

from django.template import Context, Engine, Library, Template, TemplateSyntaxError
from django.template import defaultfilters as filters
from django.template import defaulttags as tags
from django.template.base import DebugLexer, FilterExpression, Parser, Token, Variable
from django.utils.text import get_text_list
from django.utils.translation import gettext as _now

register = Library()
register.tag("if", tags.do_if)
register.tag("comment", tags.comment)
FILTERS = (
    *(filters.capfirst, filters.default, filters.linebreaksbr, filters.lower, filters.title),
    *(filters.truncatechars, filters.upper, filters.urlencode),
)
for each in FILTERS:
    register.filter(each.__name__, each)
TAGS = ("if", "elif", "else", "endif", "comment", "endcomment")
BRACKETS = (("{{", "}}"), ("{%", "%}"), ("{#", "#}"))
LITERALS = frozenset({"True", "False", "None"})


class _Engine(Engine):
    default_builtins = [__name__]


ENGINES = {escape: _Engine(loaders=[], autoescape=escape) for escape in (True, False)}


def render(source: str, values: Mapping[str, str], *, escape: bool) -> str:
    """Raises TemplateSyntaxError, and what a filter raises."""
    return str(_compiled(source, escape=escape).render(Context(dict(values), autoescape=escape)))


@lru_cache(maxsize=256)
def _compiled(source: str, *, escape: bool) -> Template:
    return ENGINES[escape].from_string(source)


def problems(source: str, names: Collection[str]) -> list[str]:
    """What is wrong with a template that may use the ``names``: a sentence each, with line and rule."""
    if unclosed := _never_closed(source):
        return unclosed
    reader = _Reader(DebugLexer(source).tokenize())
    try:
        reader.parse()
    except TemplateSyntaxError as error:
        return [_sentence(reader.line, error)]
    except RecursionError:
        return [_too_deep(reader.line)]
    return [problem for line, name in reader.names() if (problem := _unknown(line, name, names))]


def _never_closed(source: str) -> list[str]:
    """Django would take it for text, after it has looked for the end from each of them: one long line of them
    is minutes of work.
    """
    for number, line in enumerate(source.split("\n"), 1):
        for opening, closing in BRACKETS:
            if line.rfind(opening) > line.rfind(closing):
                words = {"line": number, "opening": opening, "closing": closing}
                return [_now("Line %(line)s: “%(opening)s” has no “%(closing)s” in its line.") % words]
    return []


def _too_deep(line: int) -> str:
    return _now("Line %(line)s: too many conditions stand inside one another.") % {"line": line}


class _Reader(Parser):
    """Reads a template as the engine does, and remembers each expression with its line."""

    def __init__(self, tokens: list[Token]) -> None:
        super().__init__(tokens, {}, [register])
        self.line = 1
        self._found: list[tuple[int, FilterExpression]] = []

    def next_token(self) -> Token:
        token = super().next_token()
        self.line = token.lineno or self.line
        return token

    def compile_filter(self, token: str) -> FilterExpression:
        expression = super().compile_filter(token)
        self._found.append((self.line, expression))
        return expression

    def names(self) -> Iterator[tuple[int, str]]:
        for line, expression in self._found:
            arguments = [
                value for _filter, given in expression.filters for is_name, value in given if is_name
            ]
            for what in (expression.var, *arguments):
                if isinstance(what, Variable) and what.lookups:
                    yield line, ".".join(what.lookups)


def _unknown(line: int, name: str, names: Collection[str]) -> str:
    if name in names or name in LITERALS:
        return ""
    words = {"line": line, "name": name, "like": next(iter(get_close_matches(name, names, 1)), "")}
    if words["like"]:
        return _now("Line %(line)s: “%(name)s” is no value of this e-mail; “%(like)s” is.") % words
    return _now("Line %(line)s: “%(name)s” is no value of this e-mail; see the list below.") % words


def _sentence(line: int, error: TemplateSyntaxError) -> str:
    """Django's own words name the rule only for those who know what else there could be."""
    words, rule = str(error), ""
    if words.startswith("Invalid block tag"):
        rule = _now("Only %(tags)s can be used here.") % {"tags": get_text_list(list(TAGS), _now("and"))}
        words = words.partition(". Did you forget")[0].partition(", expected")[0]
    elif words.startswith("Invalid filter"):
        known = [each.__name__ for each in FILTERS]
        rule = _now("There are %(filters)s.") % {"filters": get_text_list(known, _now("and"))}
    where = "" if " line " in words else _now("Line %(line)s: ") % {"line": line}
    return f"{where}{words.rstrip('.')}. {rule}".strip()
