"""Strategies for what people and other systems put into a project: tables, declarations and command lines."""

from __future__ import annotations

import gzip
import io
import lzma
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import yaml
from hypothesis import strategies as st

DECLARED: dict[str, Any] = {
    "dataset": {"target": "bought", "positive": "yes", "id": "id", "time": "day", "group": "shop"},
    "ingestion": {"dates": {"day": "%Y-%m-%d"}},
    "contract": {
        "max_quarantined": 0.2,
        "expectations": [
            {
                "expect": "column_values_to_be_between",
                "column": "amount",
                "min_value": 0,
                "on_failure": "quarantine",
            }
        ],
    },
    "features": {"derive": {"double": "amount * 2", "monday": "weekday(day) == 0"}},
    "split": {"strategy": "time", "test": 0.2, "validation": 0.2, "seed": 7},
    "training": {"model": "linear", "epochs": 1},
    "evaluation": {"resamples": 100},
    "gate": {"metric": "auc", "at_least": 0.0},
}


@dataclass(frozen=True)
class Input:
    """What is put into a project before a command: files by their path (None: a folder), and the command."""

    what: str
    arguments: tuple[str, ...]
    files: dict[str, bytes | None] = field(default_factory=dict)


def purchases(rows: int = 60) -> pd.DataFrame:
    """A day's purchase or none, in three shops; what is declared above."""
    days = pd.date_range("2024-01-01", periods=rows).strftime("%Y-%m-%d")
    return pd.DataFrame(
        {
            "id": range(rows),
            "day": days,
            "shop": [("A", "B", "C")[row % 3] for row in range(rows)],
            "amount": [row * 7 % 50 for row in range(rows)],
            "bought": [("yes", "no", "no")[row % 3] for row in range(rows)],
        }
    )


UP_TO_THE_ENCODING = ("run", "--pipelines", "shop", "--to-nodes", "shop.encode_rows")
CHECK = ("vertical", "check", "shop")

_ODD_NUMBERS = [
    "",
    " ",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "9" * 400,
    "-0",
    "0x1F",
    "1,5",
    "1_000",
    "2024-02-30",
    "None",
]
_ODD_CHARACTERS = [
    "\x00",
    "😀",
    "ﬀ",
    "é",
    "\u202e",
    "\ufeff",
    '"',
    "'",
    "\n",
    "\r\n",
    "\t",
    ";",
    "a" * 20_000,
    "%s",
]
_INJECTIONS = [
    "../../etc/passwd",
    "$(id)",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "'; drop table runs; --",
    "=1+1",
]
_SPECIAL = st.sampled_from([*_ODD_NUMBERS, *_ODD_CHARACTERS, *_INJECTIONS, "true", "yes"])
_JUNK_TEXT = st.one_of(_SPECIAL, st.text(max_size=12))
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    _JUNK_TEXT,
    st.dates(),
    st.binary(max_size=4),
)
_JUNK = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_JUNK_TEXT, inner, max_size=3)),
    max_leaves=6,
)


# Tables


@st.composite
def _spoiled_values(draw: Any) -> bytes:
    """The table with some values, or a whole column, replaced."""
    table = purchases().astype(object)
    for _ in range(draw(st.integers(1, 3))):
        column = draw(st.sampled_from(list(table.columns)))
        value = draw(_JUNK_TEXT)
        rows = draw(st.sampled_from([slice(None), slice(0, 1), slice(30, 60), slice(55, 60)]))
        table.loc[table.index[rows], column] = value
    return _csv(table)


@st.composite
def _spoiled_columns(draw: Any) -> bytes:
    """The table with columns renamed, doubled, left out or added."""
    table = purchases()
    names = list(table.columns)
    change = draw(st.sampled_from(["rename", "double", "leave out", "add"]))
    column = draw(st.integers(0, len(names) - 1))
    if change == "rename":
        names[column] = draw(_JUNK_TEXT)
        table.columns = pd.Index(names)
    elif change == "double":
        table = pd.concat([table, table.iloc[:, [column]]], axis=1)
    elif change == "leave out":
        table = table.drop(columns=names[column])
    else:
        for name in draw(st.lists(_JUNK_TEXT, min_size=1, max_size=4)):
            table[name] = draw(_JUNK_TEXT)
    return _csv(table)


@st.composite
def _few_rows(draw: Any) -> bytes:
    table = purchases(draw(st.integers(0, 12)))
    if draw(st.booleans()):
        table["bought"] = draw(st.sampled_from(["yes", "no", "", "maybe"]))
    if draw(st.booleans()):
        table["amount"] = None
    return _csv(table)


@st.composite
def _other_dialect(draw: Any) -> bytes:
    separator = draw(st.sampled_from([",", ";", "\t", "|", " ", "\x01"]))
    end = draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n"]))
    encoding = draw(
        st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp500", "shift_jis"])
    )
    table = purchases().assign(shop="Zürich" if encoding not in ("shift_jis",) else "東京")
    return table.to_csv(index=False, sep=separator, lineterminator=end).encode(encoding)


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False).encode("utf-8", errors="surrogatepass")


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


_ODD_PARQUET = st.sampled_from(
    [
        purchases(),
        purchases(0),
        pd.DataFrame(),
        purchases().assign(amount=[[1, 2]] * 60),
        purchases().assign(amount=[{"a": 1}] * 60),
        purchases().assign(shop=[b"\xff\xfe"] * 60),
        purchases().assign(day=pd.date_range("2024-01-01", periods=60, tz="Asia/Tokyo")),
        purchases().assign(amount=pd.timedelta_range("1h", periods=60)),
        purchases().assign(amount=pd.Series(["x", "y", "z"] * 20, dtype="category")),
        purchases().assign(amount=float("inf")),
        purchases().assign(bought=[True, False, None] * 20),
    ]
).map(_parquet)


@st.composite
def _cut(draw: Any, whole: st.SearchStrategy[bytes]) -> bytes:
    """A download that broke off, or whose bytes were changed on their way."""
    content = draw(whole)
    at = draw(st.integers(0, len(content)))
    return content[:at] if draw(st.booleans()) else content[:at] + b"\x00\xff" + content[at + 2 :]


_TEXTS = st.one_of(
    _spoiled_values(), _spoiled_columns(), _few_rows(), _other_dialect(), st.binary(max_size=200)
)
_FILES = st.one_of(
    st.tuples(st.just("table.csv"), _TEXTS),
    st.tuples(st.just("table.csv"), _cut(_TEXTS)),
    st.tuples(st.just("table.csv.gz"), _cut(_TEXTS.map(gzip.compress))),
    st.tuples(st.just("table.csv.xz"), _cut(_TEXTS.map(lzma.compress))),
    st.tuples(st.just("table.csv.zip"), st.binary(max_size=60)),
    st.tuples(st.just("table.parquet"), st.one_of(_ODD_PARQUET, _cut(_ODD_PARQUET), _TEXTS)),
    st.tuples(st.just("table.csv"), st.none()),
    st.tuples(st.just("notes.txt"), _TEXTS),
    st.tuples(st.just("table.tsv"), _TEXTS),
)
TABLES = st.builds(
    lambda file, command: Input("table", command, {f"data/01_raw/shop/{file[0]}": file[1]}),
    _FILES,
    st.sampled_from([UP_TO_THE_ENCODING, UP_TO_THE_ENCODING, CHECK]),
)


# Declarations

_PATHS = [
    *(("dataset", key) for key in (*DECLARED["dataset"], "exclude", "sensitive", "numeric", "label_delay")),
    *(("split", key) for key in (*DECLARED["split"], "gap")),
    *(("training", key) for key in ("epochs", "model", "lr", "batch_size", "seed", "device", "threads")),
    *(("contract", key) for key in DECLARED["contract"]),
    ("contract", "expectations", 0, "column"),
    ("contract", "expectations", 0, "expect"),
    ("contract", "expectations", 0, "min_value"),
    ("contract", "expectations", 0, "on_failure"),
    ("features", "derive"),
    ("features", "derive", "double"),
    ("features", "windows"),
    ("ingestion", "dates", "day"),
    ("ingestion", "encoding"),
    ("ingestion", "separator"),
    ("evaluation", "resamples"),
    ("evaluation", "slices"),
    ("evaluation", "costs"),
    ("gate", "at_least"),
    ("gate", "metric"),
    *((part,) for part in DECLARED),
    ("unknown",),
    ("about",),
    ("leaks",),
    ("tables",),
]
_NAMES = [
    "amount",
    "day",
    "shop",
    "nothing",
    "log",
    "(amount)",
    "weekday(day)",
    ".__class__",
    "is_missing",
    "lambda x: x",
]
_OPERATORS = [
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "**",
    "==",
    "<",
    " and ",
    " or ",
    " not ",
    " if ",
    " else ",
    "~",
    "@",
    ":=",
]
_OTHER_TOKENS = ["(", ")", "[0]", "'A'", "1", "0", "1e999", ",", "'", '"', "\n", "{}", "9" * 50]
_TOKENS = st.sampled_from([*_NAMES, *_OPERATORS, *_OTHER_TOKENS, "__import__('os').system('touch owned')"])
_EXPRESSIONS = st.lists(_TOKENS, min_size=1, max_size=6).map("".join)
_FRACTIONS = st.sampled_from([0, 1, -0.1, 0.5, 0.999, 1e-9, float("nan"), float("inf"), "0.2", [0.2], True])


@st.composite
def _spoiled_declaration(draw: Any) -> bytes:
    declared: Any = deepcopy(DECLARED)
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(_PATHS))
        value: Any = draw(st.one_of(_JUNK, _EXPRESSIONS, _FRACTIONS))
        at = declared
        for key in path[:-1]:
            at = (
                at[key]
                if isinstance(at, list) and at
                else at.setdefault(key, {})
                if isinstance(at, dict)
                else {}
            )
        if isinstance(at, dict):
            at[path[-1]] = value
    return yaml.safe_dump({"shop": declared}, allow_unicode=draw(st.booleans())).encode()


# What is odd and right: it must get through as far as everything else.
_EDGES: list[tuple[tuple[str, ...], Any]] = [
    (("split", "seed"), 0),
    (("split", "seed"), 2**31),
    (("split", "test"), 0.45),
    (("dataset", "exclude"), ["amount"]),
    (("dataset", "sensitive"), ["shop"]),
    (("contract", "max_quarantined"), 0),
    (("contract", "expectations"), []),
    (("features", "derive"), {"é 😀": "amount + 1e300", "<b>": "is_missing(amount)"}),
    (("ingestion", "encoding"), "utf-8-sig"),
    (("evaluation", "slices"), ["shop"]),
    (("gate", "at_least"), 1),
]


@st.composite
def _declaration_at_the_edge(draw: Any) -> bytes:
    declared: Any = deepcopy(DECLARED)
    for path, value in draw(st.lists(st.sampled_from(_EDGES), min_size=1, max_size=3)):
        declared[path[0]][path[1]] = value
    return yaml.safe_dump({"shop": declared}, allow_unicode=True).encode()


_YAML_CHARACTERS = st.text(alphabet="ab1{}[]:-&*!|>%@`\"'#,? \n\t~=<.$\\\x00é", max_size=60)
_ODD_YAML = [
    b"shop: " + b"[" * 3000,
    b"shop: " + b"{a: " * 300 + b"1" + b"}" * 300,
    b"shop: !!python/object/apply:os.system ['touch owned']",
    b"shop: ${oc.env:HOME}",
    b"shop: ${nothing.here}",
    b"shop: {dataset: ${shop}}",
    b"shop: {dataset: {target: ${oc.env:NOT_SET_ANYWHERE}, positive: 1}}",
    b"shop:\n  dataset: &a {target: bought, positive: *a}",
    b"a: &a [x]\nb: &b [*a,*a]\nshop: [*b,*b,*b]",
    b"shop: {dataset: {target: a}}\nshop: {dataset: {target: b}}",
    b"\xff\xfe\x00\x01",
    b"%PDF-1.4",
    b"",
    b"shop:",
    b"- shop",
    b"shop: 1\n---\nshop: 2",
    b"shop: {1: 2, null: 3}",
    b"\tshop: 1",
    b"Shop: {}",
    b'"../shop": {}',
    b"shop: {dataset: {target: bought, positive: 2024-13-45}}",
]
_DECLARATIONS = st.one_of(
    _spoiled_declaration(),
    _spoiled_declaration(),
    _declaration_at_the_edge(),
    st.sampled_from(_ODD_YAML),
    _YAML_CHARACTERS.map(lambda text: f"shop: {text}".encode()),
    _YAML_CHARACTERS.map(str.encode),
)
DECLARATIONS = st.builds(
    lambda content, command: Input("declaration", command, {"conf/base/shop/parameters.yml": content}),
    _DECLARATIONS,
    st.sampled_from([UP_TO_THE_ENCODING, CHECK]),
)


# Command lines

# A process cannot be started with a NUL in its arguments, nor with text that is no Unicode.
_ARGUMENT = st.one_of(_SPECIAL, st.text(st.characters(exclude_categories=["Cs"]), max_size=12)).map(
    lambda text: text.replace("\x00", "")
)
_VALUES = st.one_of(_ARGUMENT, st.sampled_from(["shop", "shop.split_rows", "shop.table", "__default__", "."]))
_KEYS = st.sampled_from(["shop.split.seed", "shop.x", "shop", "x.y"])
_PARAMS = st.one_of(st.builds(lambda key, value: f"{key}={value}", _KEYS, _VALUES), _VALUES)
_NODE_OPTIONS = [
    "--from-nodes",
    "--to-nodes",
    "--nodes",
    "--from-inputs",
    "--to-outputs",
    "--tags",
    "--namespaces",
]
_RUN_OPTIONS = [
    "--pipelines",
    "--pipeline",
    "--env",
    "--conf-source",
    "--runner",
    "--load-versions",
    "--config",
    "--no",
]
_OPTIONS = st.one_of(
    st.tuples(st.sampled_from([*_NODE_OPTIONS, *_RUN_OPTIONS]), _VALUES),
    st.tuples(st.just("--params"), _PARAMS),
    st.tuples(
        st.sampled_from(["--async", "--only-missing-outputs", "--fail-on-refusal", "--no-such", "--debugger"])
    ),
)
_RUN = st.lists(_OPTIONS, max_size=2).map(
    lambda options: (*UP_TO_THE_ENCODING, *(word for option in options for word in option))
)
_OTHERS = st.one_of(
    st.builds(lambda name: ("vertical", "check", name), _VALUES),
    st.builds(lambda file: ("vertical", "match", file), _VALUES),
    st.builds(
        lambda name, file, target: ("vertical", "new", name, "--from", file, "--target", target),
        _VALUES,
        st.sampled_from(["data/01_raw/shop", "data/01_raw/shop/purchases.csv", "conf", "nothing"]),
        st.one_of(_ARGUMENT, st.just("bought")),
    ),
    st.builds(lambda env: ("vertical", "list", "--env", env), _VALUES),
    st.builds(lambda word: ("vertical", word), _ARGUMENT),
)
COMMANDS = st.builds(lambda arguments: Input("command", arguments), st.one_of(_RUN, _RUN, _OTHERS))
