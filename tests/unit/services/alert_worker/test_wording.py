"""Every language is complete: no word is missing, no blank is forgotten."""

import re
import string
from collections.abc import Mapping

import pytest

from services.alert_worker.messages.rarity import days_between, in_words
from services.alert_worker.messages.wording import ENGLISH, KOREAN, WORDINGS, Wording

SAME_IN_BOTH = {"sigma", "both_times", "gap_level", "escalated_line", "chart_title"}
"""Figures and signs only, or"""
IN_PICTURES = {"chart_title", "chart_before", "chart_resolved", "chart_volume"}
"""labels inside a picture, whose font knows no Hangul: a Korean reader's have no word at all."""


def words(wording: Wording) -> dict[str, str]:
    found = {}
    for name, value in vars(wording).items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{key}": text for key, text in value.items()}
        else:
            found[name] = value
    return found


def blanks(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}


@pytest.mark.parametrize("language", sorted(WORDINGS))
def test_no_word_is_missing(language) -> None:
    wording = words(WORDINGS[language])
    assert set(wording) == set(words(ENGLISH))
    for name, text in wording.items():
        assert text.strip(), name
        assert blanks(text) == blanks(words(ENGLISH)[name]), name


def test_korean_is_korean_and_english_is_not() -> None:
    labels = {
        name: text
        for name, text in words(KOREAN).items()
        if name.partition(".")[0] in IN_PICTURES | {"chart_severities"}
    }
    assert len(labels) == 7
    for name, text in labels.items():
        assert not re.search("[^0-9%!✓ ]", re.sub(r"[{][^}]*[}]", "", text)), name
    for name, text in words(KOREAN).items():
        if name in labels:
            continue
        same = name in SAME_IN_BOTH or not re.search("[a-zA-Z]", re.sub(r"[{][^}]*[}]", "", words(ENGLISH)[name]))
        assert same or re.search("[가-힣]", text), name
    assert not any(re.search("[가-힣]", text) for text in words(ENGLISH).values())


@pytest.mark.parametrize(
    ("sigma", "said"),
    [
        (None, "not known yet"), ("3.0", "many times a day"), ("5.5", "about 2 times a day"),
        ("7.5", "about once a day"), ("12.0", "about once in 3 days"), ("30.0", "about once in 40 days"),
        ("45.0", "about once in 4 months"), ("-45.0", "about once in 4 months"),
        ("200.0", "rarer than once in two years"),
    ],
)  # fmt: skip
def test_sigma_in_plain_words(sigma, said) -> None:
    assert in_words(sigma, ENGLISH) == said


def test_rarer_moves_are_further_apart() -> None:
    assert days_between(0.0) < days_between(6.0) < days_between(6.1) < days_between(100.0)
