"""Putting a mail on paper: its values, in the words of a template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from django.template import Engine
from django.template.loader import get_template, render_to_string
from django.utils.safestring import mark_safe

from billing.mail import language
from billing.statuses import MailKind

BLANK_LINES = re.compile(r"\n\s*\n\s*\n")


@dataclass(frozen=True, slots=True)
class Message:
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Wording:
    """The templates of one kind of mail, in the language of ``language``."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Block:
    """A table or a list that is the same in every wording."""

    text: str
    html: str

    @classmethod
    def of(cls, name: str, **facts: Any) -> Block:
        text, html = (render_to_string(f"email/_{name}.{part}", facts) for part in ("txt", "html"))
        return cls(text.strip(), html.strip())


@dataclass(frozen=True, slots=True)
class Letter:
    """All that a mail may say: plain ``values``, and ``blocks`` made of several."""

    kind: MailKind
    values: Mapping[str, str]
    blocks: Mapping[str, Block]

    def write(self, wording: Wording | None = None) -> Message:
        """A subject is one line, whatever a name in it holds: a line break there would start a header.

        Raises what a wording raises that was not checked.
        """
        wording = wording or default(self.kind)
        text = {**self.values, **{name: block.text for name, block in self.blocks.items()}}
        content = mark_safe(self.content(wording))  # noqa: S308  # values are escaped
        shell = {"headline": self.values["headline"], "content": content}
        return Message(
            subject=" ".join(language.render(wording.subject, text, escape=False).split())[:255],
            text=BLANK_LINES.sub("\n\n", language.render(wording.text, text, escape=False)).strip() + "\n",
            html=render_to_string("email/_shell.html", shell),
        )

    def content(self, wording: Wording) -> str:
        """The HTML part without the shell around it."""
        safe = {name: mark_safe(block.html) for name, block in self.blocks.items()}  # noqa: S308  # our own templates
        return language.render(wording.html, {**self.values, **safe}, escape=True)


@cache
def default(kind: MailKind) -> Wording:
    """The wording that the product brings along."""
    return Wording(*(_source(f"email/{kind}.{part}") for part in ("subject.txt", "txt", "html")))


def _source(name: str) -> str:
    template = cast("Any", get_template(name)).template
    assert isinstance(template.engine, Engine)
    return str(template.source)
