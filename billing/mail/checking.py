"""Whether a wording can be used: asked when it is saved, and again before it is used."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from django.utils.translation import gettext as _now

from billing.mail import examples, language
from billing.mail.letter import Wording, default
from billing.statuses import MailKind

LONGEST = 50_000
PARTS = ("subject", "text", "html")


@lru_cache(maxsize=64)
def problems(kind: MailKind, wording: Wording) -> dict[str, list[str]]:
    """What is wrong with each part, in sentences; nothing for one that can be used."""
    names = examples.names_of(kind)
    found = {part: _too_long(getattr(wording, part)) for part in PARTS}
    if len(wording.subject.splitlines()) > 1:
        found["subject"].append(_now("Line 1 ends in a line break: a subject is one line."))
    for part in PARTS:
        found[part] = found[part] or language.problems(getattr(wording, part), names)
    if not any(found.values()):
        found = {part: _failing(kind, part, getattr(wording, part)) for part in PARTS}
    if not any(found.values()):
        found = _tried_out(kind, wording)
    return {part: sentences for part, sentences in found.items() if sentences}


def _too_long(source: str) -> list[str]:
    if len(source) <= LONGEST:
        return []
    return [
        _now("It has %(count)s characters: at most %(most)s are possible.")
        % {"count": len(source), "most": LONGEST}
    ]


def _failing(kind: MailKind, part: str, source: str) -> list[str]:
    """What a filter or a condition raises that can be read and not carried out."""
    try:
        for letter in (examples.full(kind), examples.bare(kind)):
            letter.write(replace(default(kind), **{part: source}))
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the template's
        words = {"error": f"{type(error).__name__}: {error}"}
        return [_now("It cannot be filled in (%(error)s): look at the arguments of its filters.") % words]
    return []


def _tried_out(kind: MailKind, wording: Wording) -> dict[str, list[str]]:
    """Both examples in these words: something must come of each part, and the links must be there."""
    found: dict[str, list[str]] = {part: [] for part in PARTS}
    for letter in (examples.full(kind), examples.bare(kind)):
        written = letter.write(wording)
        bodies = {"subject": written.subject, "text": written.text, "html": letter.content(wording)}
        for part, words in bodies.items():
            if not words.strip():
                found[part].append(_now("Nothing is left of it when it is filled in."))
        for name in examples.LINKS.get(kind, ()):
            for part in ("text", "html"):
                link = letter.values[name]
                if link and link not in bodies[part]:
                    rule = _now("It has no {{ %(name)s }}: without it the mail leads nowhere.") % {
                        "name": name
                    }
                    found[part].append(rule)
    return {part: list(dict.fromkeys(sentences)) for part, sentences in found.items()}
