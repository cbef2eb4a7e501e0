"""Word lists that suggest the role of a column or the meaning of a value."""

from __future__ import annotations

import re

Reasons = dict[str, str]
"""Why something was found or left out, by column."""


def name_words(name: str) -> list[str]:
    """Words of a column's name in lower case.

    >>> name_words("customerID"), name_words("Customer ID")
    (['customer', 'id'], ['customer', 'id'])
    """
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return [word.casefold() for word in re.split(r"[\W_]+", parted) if word]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Values: "no value" among numbers or dates, and among texts, where "none" or "-" are often an answer.
NO_NUMBER = _words(
    r"? - -- . * unknown n/a na n.a. none nil missing undefined null #n/a #na #null! #div/0! (null) <na> nat tbd \n "
    "0000-00-00 9999-12-31 31.12.9999 31/12/9999 12/31/9999 2999-12-31 0001-01-01 01.01.0001"
) | {"not available", "no data", "9999-12-31 00:00:00", "0001-01-01 00:00:00", "9999-12-31t00:00:00"}
NO_TEXT = _words("? unknown n/a n.a. missing #n/a") | {"not available"}
POSITIVE = _words(
    "1 1.0 true t yes y positive pos churn churned default defaulted fraud fraudulent fail failed failure bad left "
    "died dead late delayed exited lost cancelled canceled >50k event case malignant abnormal "
    "ja j wahr oui o vrai si sí s verdadero sì vero sim tak ano igen kyllä evet да"
)

# Names of targets; the second kind may as well be a feature of another target.
TARGETS = _words("target label class y outcome")
OUTCOMES = _words(
    "churn churned exited attrition default defaulted fraud fraudulent isfraud failure failed survived died death "
    "mortality response responded converted conversion subscribed purchased bought revenue clicked click deposit "
    "canceled cancelled readmitted stroke bad delinquent delinquency late delayed approved left event won lost claim "
    "result"
)

# Names of what is forecast: counts and amounts, and levels, whose mean says more than their sum.
QUANTITIES = _words(
    "units unit quantity qty sales sold demand orders count counts number visits visitors calls passengers consumption "
    "load volume target y value amount menge anzahl absatz umsatz verbrauch"
)
LEVELS = _words(
    "temperature temp pressure humidity price rate level voltage speed share percent percentage ratio mean average avg "
    "stock balance index score occupancy load power"
)

# Columns of interactions: how many, the price of one, not of all; opinions, and kinds of interactions.
COUNTED = _words("units unit quantity qty quantities pieces menge anzahl stück stueck quantité cantidad")
PRICES = _words("price preis prix precio prezzo unitprice")
TOTALS = _words("total sum subtotal line revenue discount gesamt average mean")
RATINGS = _words("rating ratings star stars score scores")
EVENTS = _words("event events action activity behavior behaviour type kind status")

# Names of ids: of anything, and of a row.
THING_IDS = _words("id uuid guid key")
ROW_IDS = THING_IDS | _words("nr no number num index idx ref reference udi rowid rownumber rownames row")

DATES = _words("date datum day dt yyyymmdd ymd")
LIVES = _words("birth birthday birthdate dob born death geburtsdatum geburtstag")
CODES = _words(
    "code type flag class category cat grade kind status region zone district branch channel gender sex race marital "
    "marriage education occupation segment tier"
)
# Targets of few whole numbers: names of classes, and of counts and scales.
CLASSES = CODES | _words(
    "label species variety breed diagnosis topic cluster digit month weekday shape color colour"
)
SCALES = _words(
    "quality rating ratings stars star score scores grade grades rank level severity stage count counts number num qty "
    "quantity amount visits rooms bedrooms bathrooms children siblings goals points minutes hours days weeks months "
    "years age rings doors floors"
)
PROTECTED = _words(
    "age sex gender race ethnicity ethnic religion nationality marital marriage disability pregnant citizenship "
    "female male birth dob"
)
EPOCHS = _words("time ts timestamp epoch unix date datetime created updated at when start end stamp")
COUNTRIES = _words(
    "country countries nation nationality iso iso2 cc land pays geo market origin destination region citizenship "
    "continent territory residence issuer flag"
)
# ISO 3166-1 alpha-2, and what the European Union and the United Kingdom are called beside them.
COUNTRY_CODES = _words(
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA "
    "CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA "
    "GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP "
    "KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS "
    "MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS "
    "RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW "
    "TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW EU UK"
)

# Plain attributes of a case, which may be strong for an honest reason.
ATTRIBUTES = PROTECTED | _words(
    "amount amt price cost fee income salary wage balance value size area volume length width height depth "
    "weight bmi mass distance tenure years year months month days day hour weekday season quarter temperature "
    "temp humidity pressure glucose cholesterol creatinine hemoglobin haemoglobin albumin insulin bilirubin platelets "
    "dose speed torque power load demand consumption current voltage flow level rate ratio score rating grade limit "
    "lat latitude lon lng longitude altitude quantity qty mileage odometer rooms floors capacity stage "
    "severity education premium deductible exposure experience seniority "
    # The same in German, French and Spanish.
    "alter betrag preis kosten gehalt einkommen lohn gewicht größe groesse höhe hoehe länge laenge breite dauer menge "
    "anzahl temperatur druck geschlecht jahr jahre monat monate âge prix montant coût salaire revenu poids taille "
    "durée sexe année années mois edad precio importe coste salario ingreso peso altura duración duracion cantidad "
    "sexo año años mes meses"
)
# What is measured, decided or written down only after the outcome.
AFTERWARDS = _words(
    "final closing closed close closure settlement settled refund refunded chargeback resolution resolved outcome "
    "result recovered recovery recoveries collected collection collections writeoff actual after post next later "
    "follow followup cancel cancelled canceled cancellation exit leaving left ended end discharge discharged "
    "discharging termination terminated paid payout repaid repayment reason dispute disputed arrived arrival completed "
    "completion finish finished delivered returned return reimbursed penalty approval approved verdict reopened solved"
)
EARLIER = _words("previous prior past last history hist former before prev old lag earlier ytd since")
# Outcomes that studies record beside one another.
SIBLINGS = _words(
    "death died dead deceased alive survival survived mortality relapse relapsed recurrence recurred progression "
    "progressed readmission readmitted followup censored censoring remission response responder event discharge "
    "complication complications churned churn attrition default defaulted writeoff bankruptcy cancelled canceled "
    "refunded chargeback returned converted outcome os pfs dfs efs ttp"
)
STUDIED = _words("death died deceased survival relapse recurrence progression mortality followup")
# Dates that are set before they come, and those of what has happened.
PLANNED = _words(
    "appointment scheduled planned plan due deadline expected promised travel trip departure depart checkin check "
    "visit event start starts target estimated requested flight show reservation expiry expires expiration maturity "
    "valid renewal needed required meeting session class tour stay pickup"
)
HAPPENED = _words(
    "end ends stop delivery payment discharge return completion closing close closure resolution settlement repair "
    "failure shipment dropoff exit cancellation checkout termination update modification finish death churn outcome "
    "result followup response reply paid sent sold left done met lost won actual final"
)
BEFOREHAND = _words(
    "scheduled planned expected promised estimated requested booked ordered created opened registered"
)
WEIGHTS = _words("weight weights wgt wt fnlwgt pweight fweight iweight sampweight weighting")
SAMPLINGS = _words(
    "fnlwgt wgt pweight fweight iweight sampweight weighting sample sampling survey design person population "
    "statistical inverse probability pop final household respondent"
)
PERSONS = _words(
    "name surname firstname lastname fullname forename driver doctor physician nurse agent employee manager owner "
    "author player teacher customer client patient person seller buyer recruiter officer handler technician operator"
)
PERSON_NAMES = _words(
    "surname firstname lastname fullname forename givenname familyname middlename maidenname"
)
PLACES = _words(
    "city town country state county region station airport street district product brand model make team company "
    "shop store school department airline route line category job title position role"
)
# Where somebody lives: several words, but a model would memorise it.
ADDRESSES = _words(
    "address addresses addr street adresse anschrift strasse straße rue direccion dirección indirizzo"
)
DIRECTIONS = _words(
    "from to source target src dst dest destination origin orig home away old new start end sender receiver recipient "
    "buyer seller pickup dropoff departure arrival first second left right before after in out a b x y 1 2 one two"
)
ORDERS = _words(
    "time day days date week month year quarter hour minute period step epoch cycle round tick seq sequence season "
    "timestamp ts t dt wave visit"
)
# A label that looks ahead.
HORIZONS = _words("next within ahead future in upcoming coming following horizon lead")
