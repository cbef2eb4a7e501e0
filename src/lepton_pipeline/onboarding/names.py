"""Words that say what a column or a value is likely to be. They only propose: a person reads the result."""

from __future__ import annotations

import re


def name_words(name: str) -> list[str]:
    """Words of a column's name in lower case: "customerID" and "Customer ID" are both customer, id."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return [word.casefold() for word in re.split(r"[\W_]+", parted) if word]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Values: "no value" among numbers or dates, and among texts, where "none" or "-" are often an answer.
NO_NUMBER = _words(
    r"? - -- . * unknown n/a na n.a. none nil missing undefined null #n/a #na #null! #div/0! (null) <na> nat tbd \n "
    "0000-00-00"
) | {"not available", "no data"}
NO_TEXT = _words("? unknown n/a n.a. missing #n/a") | {"not available"}
POSITIVE = _words(
    "1 1.0 true t yes y positive pos churn churned default defaulted fraud fraudulent fail failed failure bad left "
    "died dead late delayed exited lost cancelled canceled >50k event case malignant abnormal"
)

# Names of targets; the second kind may as well be a feature of another target.
TARGETS = _words("target label class y outcome")
OUTCOMES = _words(
    "churn churned exited attrition default defaulted fraud fraudulent isfraud failure failed survived died death "
    "mortality response responded converted conversion subscribed purchased bought revenue clicked click deposit "
    "canceled cancelled readmitted stroke bad delinquent delinquency late delayed approved left event won lost claim "
    "result"
)

# Names of ids: of anything, and of a row.
THING_IDS = _words("id uuid guid key")
ROW_IDS = THING_IDS | _words("nr no number num index idx ref reference udi rowid rownumber rownames row")

DATES = _words("date datum day dt yyyymmdd ymd")
LIVES = _words("birth birthday birthdate dob born death geburtsdatum geburtstag")
CODES = _words(
    "code type flag class category cat grade kind status region zone district branch channel gender sex race marital "
    "marriage education occupation segment tier"
)
PROTECTED = _words(
    "age sex gender race ethnicity ethnic religion nationality marital marriage disability pregnant citizenship "
    "female male birth dob"
)
