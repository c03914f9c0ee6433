"""The language of the e-mail templates: Django's, without whatever reaches beyond the values that are given.

There is no ``load``, no ``include`` and no loop; every value is a plain string, so nothing can be called.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from django.template import Context, Engine, Library, Template
from django.template import defaultfilters as filters
from django.template import defaulttags as tags

register = Library()
register.tag("if", tags.do_if)
register.tag("comment", tags.comment)
for each in (
    *(filters.capfirst, filters.default, filters.linebreaksbr, filters.lower, filters.title),
    *(filters.truncatechars, filters.upper, filters.urlencode),
):
    register.filter(each.__name__, each)


class _Engine(Engine):
    default_builtins = [__name__]


ENGINES = {escape: _Engine(loaders=[], autoescape=escape) for escape in (True, False)}


def render(source: str, values: Mapping[str, str], *, escape: bool) -> str:
    """Raises TemplateSyntaxError, and what a filter raises."""
    return str(_compiled(source, escape=escape).render(Context(dict(values), autoescape=escape)))


@lru_cache(maxsize=256)
def _compiled(source: str, *, escape: bool) -> Template:
    return ENGINES[escape].from_string(source)
