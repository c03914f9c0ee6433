"""The language of the templates reaches nothing but the values, and what is wrong is said with its line."""

from __future__ import annotations

import pytest

from billing.mail.language import problems, render

NAMES = ("contact_name", "pay_link", "personal")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("Hello {{ contact_nam }}", "Line 1: “contact_nam” is no value of this e-mail; “contact_name” is."),
        ("\n\n{{ zebra }}", "Line 3: “zebra” is no value of this e-mail; see the list below."),
        (
            "{{ contact_name.upper }}",
            "Line 1: “contact_name.upper” is no value of this e-mail; “contact_name” is.",
        ),
        ("{% if zebra and personal %}x{% endif %}", "Line 1: “zebra” is no value"),
        ("x\n{{ personal|default:zebra }}", "Line 2: “zebra” is no value"),
        ("x\n{{ pay_link }", "Line 2: “{{” has no “}}” in its line."),
        ("{{ pay_link }} {{" + "{{" * 24_000, "Line 1: “{{” has no “}}” in its line."),
        ("{% if " + "not " * 3000 + "personal %}x{% endif %}", "Line 1: too many conditions"),
        ("{% if personal %}" * 2000 + "{% endif %}" * 2000, "Line 1: too many conditions"),
        ("{{ pay_link }", "Line 1: “{{” has no “}}” in its line."),
        ("x\n{{ }}", "Empty variable tag on line 2."),
        ("x\n{% if personal %}", "Unclosed tag on line 2: 'if'. Looking for one of: elif, else, endif."),
        ("{% if %}x{% endif %}", "Line 1: Unexpected end of expression in if tag."),
        (
            "\n{% load money %}",
            "Invalid block tag on line 2: 'load'. Only if, elif, else, endif, comment and endcomment",
        ),
        ("{% include 'base.html' %}", "Invalid block tag on line 1: 'include'."),
        ("{% extends 'base.html' %}", "Invalid block tag on line 1: 'extends'."),
        ("{% for a in personal %}{% endfor %}", "Invalid block tag on line 1: 'for'."),
        ("{% autoescape off %}{% endautoescape %}", "Invalid block tag on line 1: 'autoescape'."),
        ("{% debug %}", "Invalid block tag on line 1: 'debug'."),
        ("x\n{{ personal|safe }}", "Line 2: Invalid filter: 'safe'. There are capfirst, default,"),
        ("{{ personal|ljust:999999999 }}", "Line 1: Invalid filter: 'ljust'."),
        ("{{ personal.__class__ }}", "Line 1: Variables and attributes may not begin with underscores"),
        ("{{ _('x').y }}", "Line 1: Could not parse the remainder"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_its_rule(source: str, sentence: str) -> None:
    found = problems(source, NAMES)
    assert len(found) == (1 if sentence else 0)
    assert all(each.startswith(sentence) for each in found)


def test_everything_unknown_is_named_at_once() -> None:
    assert len(problems("{{ a }}\n{{ b }}{{ personal }}", NAMES)) == 2


@pytest.mark.parametrize(
    "source",
    [
        "{% comment %}{{ zebra }}{% load x %}{% endcomment %}{# {{ zebra }} #}",
        "{% if personal and not contact_name == 'Ada' or None %}a{% elif pay_link|upper > 'A' %}b{% endif %}",
        "{{ contact_name|truncatechars:20|default:'you'|title }}",
    ],
)
def test_what_can_be_used_is_not_refused(source: str) -> None:
    assert problems(source, NAMES) == []
    render(source, dict.fromkeys(NAMES, "x"), escape=True)


def test_html_escapes_a_value_once_and_text_never() -> None:
    evil = "<b>&{{ pay_link }}"
    assert render("{{ personal }}", {"personal": evil}, escape=False) == evil
    assert render("{{ personal }}", {"personal": evil}, escape=True) == "&lt;b&gt;&amp;{{ pay_link }}"
    assert render("{{ personal|linebreaksbr }}", {"personal": "<\n>"}, escape=True) == "&lt;<br>&gt;"
