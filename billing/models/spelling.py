"""How a coupon's code is spelt: kept in capitals without blanks and hyphens, so that none of these matter."""

from __future__ import annotations

import re
import secrets

SPEAKABLE = "CDFGHJKLMNPQRTVWXY34679"
"""What a personal code is made of: no vowels, so that it makes no words, and nothing that is taken for
something else on the phone or in print (0 O, 1 I, 2 Z, 5 S, 8 B, U V).
"""
LENGTH = 12
"""Characters of a personal code: 54 bits, so it cannot be guessed."""
LONGEST = 32
GENERATED = re.compile(f"[{SPEAKABLE}]{{{LENGTH}}}")
SPELT = re.compile(f"[A-Z0-9]{{3,{LONGEST}}}", re.ASCII)
IGNORED = re.compile(r"[\s-]+")


def spelt(typed: str) -> str:
    """The code as it is stored, however it was typed: ``spring-10`` is ``SPRING10``."""
    return IGNORED.sub("", typed).upper()


def shown(code: str) -> str:
    """The code as people read it aloud: a personal one in groups of four, ``K7PM-WQ3X-T4HD``."""
    if not GENERATED.fullmatch(code):
        return code
    return "-".join(code[at : at + 4] for at in range(0, LENGTH, 4))


def new_code() -> str:
    return "".join(secrets.choice(SPEAKABLE) for _ in range(LENGTH))
