"""What is known of Great Expectations' expectations without importing it, which would cost seconds.

The package is located, never imported: names come from its list of core expectations, arguments from the fields that
its classes (pydantic models) declare, both read as source text.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from lepton_pipeline.errors import LeptonError, nearest, nearest_names
from lepton_pipeline.parameters import Contract, Expectation

# Our own: Great Expectations has none that looks keys up in another table.
KEYS_EXIST = "keys_to_exist_in_table"
_ROW_WISE_BASES = {"ColumnMapExpectation", "ColumnPairMapExpectation", "MulticolumnMapExpectation"}
# A column of a typed table has one type: these name no row although their class is row-wise.
_WHOLE_COLUMN = {"column_values_to_be_of_type", "column_values_to_be_in_type_list"}
_FOR_DATABASES = "it works in databases only, not on a table in memory; use column_values_to_match_regex or another one"
# Great Expectations lists these, yet cannot evaluate them on a table in memory.
UNUSABLE = {
    "column_values_to_match_like_pattern": _FOR_DATABASES,
    "column_values_to_match_like_pattern_list": _FOR_DATABASES,
    "column_values_to_not_match_like_pattern": _FOR_DATABASES,
    "column_values_to_not_match_like_pattern_list": _FOR_DATABASES,
    "query_results_to_match_comparison": _FOR_DATABASES,
    "table_row_count_to_equal_other_table": _FOR_DATABASES,
    "multicolumn_values_to_be_unique": "it is not registered; use select_column_values_to_be_unique_within_record",
}
# Without these, Great Expectations compares a column with itself and passes.
_VACUOUS_WITHOUT = {"column_kl_divergence_to_be_less_than": frozenset({"partition_object", "threshold"})}
_EMPTY = "the list is empty, so nothing is compared. List at least one value, or leave the expectation out."
# Fields of the base classes that the contract stage sets itself or that do nothing in it.
_INTERNAL = frozenset(
    {
        "batch_id",
        "catch_exceptions",
        "id",
        "library_metadata",
        "meta",
        "rendered_content",
        "result_format",
        "severity",
        "windows",
    }
)


@dataclass(frozen=True)
class KnownExpectation:
    """What one expectation takes and whether it judges rows.

    Attributes:
        required: arguments that must be declared.
        optional: arguments that may be declared.
        one_of: arguments of which at least one must be declared: with none of them the expectation would check nothing.
        row_wise: a failure names rows, so rows can be quarantined.
    """

    required: frozenset[str]
    optional: frozenset[str]
    one_of: frozenset[str]
    row_wise: bool

    def arguments(self) -> list[str]:
        """Every argument, in alphabetical order."""
        return sorted(self.required | self.optional)


def check_declarations(contract: Contract, key: str = "contract") -> list[str]:
    """Find what is wrong with declared expectations before any data is loaded.

    Args:
        contract: the declared expectations.
        key: where they are declared, "contract" or "tables.<name>"; only on a raw table can keys be looked up.

    Returns:
        One line a problem: key path, value, remedy. Empty where nothing is wrong. Of the arguments' values only empty
        lists and suite parameters are refused here; Great Expectations judges the rest when the contract is checked.

    Raises:
        LeptonError: great_expectations is not installed.
    """
    problems: list[str] = []
    for position, declared in enumerate(contract.expectations):
        where = f"{key}.expectations[{position}]"
        if declared.expect == KEYS_EXIST and key == "contract":
            problems.append(f"{where}.expect: {KEYS_EXIST} is for raw tables; declare it under tables.<name>.")
        else:
            problems += _problems(where, declared)
    return problems


def expectation_names() -> list[str]:
    """Names that `expect` may take, in alphabetical order."""
    # Files that this list leaves out hold expectations that refuse to be built.
    listed = re.findall(r"^from \.expect_(\w+) import", (_package() / "core" / "__init__.py").read_text("utf-8"), re.M)
    return sorted(set(listed) - UNUSABLE.keys())


@cache
def known_expectation(name: str) -> KnownExpectation:
    """Describe one expectation.

    Args:
        name: one of `expectation_names()`.

    Returns:
        Its arguments, without those that the contract stage sets itself.
    """
    if name == KEYS_EXIST:
        own = frozenset({"column_list", "table"})
        return KnownExpectation(own, frozenset({"table_columns", "mostly"}), frozenset(), row_wise=True)
    source = (_package() / "core" / f"expect_{name}.py").read_text("utf-8")
    class_name = re.findall(r"^class (Expect\w+)\(", source, re.M)[0]
    declared = _declared_class(source, class_name)
    bases = _bases(declared.base)
    fields = {field: kind for each in (*bases[::-1], declared) for field, kind in each.fields.items()}
    usable = {field: kind for field, kind in fields.items() if field not in _INTERNAL}
    required = frozenset(field for field, kind in usable.items() if kind == "required")
    required |= _VACUOUS_WITHOUT.get(name, frozenset())
    bounds = frozenset({"min_value", "max_value"}) & usable.keys() if name.endswith("_between") else frozenset()
    unset = frozenset(field for field, kind in usable.items() if kind == "unset") - required
    return KnownExpectation(
        required=required,
        optional=frozenset(usable) - required,
        one_of=bounds or unset,
        row_wise=any(base.name in _ROW_WISE_BASES for base in bases) and name not in _WHOLE_COLUMN,
    )


def _problems(key: str, declared: Expectation) -> list[str]:
    name = declared.expect
    names = [*expectation_names(), KEYS_EXIST]
    if name not in names:
        return [f"{key}.expect: {_unknown_name(name, names)}"]
    known = known_expectation(name)
    given = declared.arguments()
    takes = f"It takes: {', '.join(known.arguments())}."
    problems = [
        f"{key}.{argument}: {value!r} is given, and {name} has no such argument{_closest(argument, known)}. {takes}"
        for argument, value in sorted(given.items())
        if argument not in known.required | known.optional
    ]
    problems += [
        f"{key}.{argument}: missing, and {name} needs it. {takes}" for argument in sorted(known.required - given.keys())
    ]
    problems += [f"{key}.{argument}: {_EMPTY}" for argument, value in sorted(given.items()) if value == []]
    problems += [
        f"{key}.{argument}: {value!r} is a suite parameter, and nothing sets it here. Write the value itself."
        for argument, value in sorted(given.items())
        if isinstance(value, dict) and "$PARAMETER" in value
    ]
    if known.one_of and not known.one_of & given.keys():
        wanted = " or ".join(sorted(known.one_of, reverse=True))
        problems.append(f"{key}: without {wanted}, {name} checks nothing. Declare {wanted}.")
    if declared.on_failure == "quarantine" and not known.row_wise:
        problems.append(
            f"{key}.on_failure: 'quarantine' needs an expectation that judges rows one by one, and {name} judges "
            "the table or a column as a whole. Use stop or warn."
        )
    return problems


def _unknown_name(name: str, names: list[str]) -> str:
    if name in UNUSABLE:
        return f"{name!r} cannot be used here: {UNUSABLE[name]}."
    if name.removeprefix("expect_") in names:
        return f"{name!r} carries the prefix expect_; write {name.removeprefix('expect_')!r}."
    close = nearest_names(name.removeprefix("expect_"), names, most=3)
    hint = (
        f"the closest are {', '.join(close)}" if close else "the names are those of Great Expectations without expect_"
    )
    return f"{name!r} is not an expectation; {hint}. Correct the name."


def _closest(argument: str, known: KnownExpectation) -> str:
    close = nearest(argument, known.arguments())
    return f"; the closest is {close}" if close else ""


@dataclass(frozen=True)
class _DeclaredClass:
    name: str
    base: str
    fields: dict[str, str]


@cache
def _package() -> Path:
    spec = find_spec("great_expectations")
    if spec is None or spec.origin is None:
        raise LeptonError("great_expectations is not installed, so no contract can be checked. Run `make install`.")
    return Path(spec.origin).parent / "expectations"


@cache
def _bases_source() -> str:
    return (_package() / "expectation.py").read_text("utf-8")


@cache
def _bases(class_name: str) -> tuple[_DeclaredClass, ...]:
    if f"\nclass {class_name}(" not in _bases_source():
        return ()
    declared = _declared_class(_bases_source(), class_name)
    return (declared, *_bases(declared.base))


def _declared_class(source: str, class_name: str) -> _DeclaredClass:
    start = re.search(rf"^class {class_name}\(", source, re.M)
    if start is None:
        raise LeptonError(f"great_expectations declares no class {class_name!r}. Install the pinned version.")
    # Fields come before the first method; parsing no further takes a sixth of the time.
    end = re.compile(r"^(?:class |def |@|    def |    @)", re.M).search(source, start.end())
    node = ast.parse(source[start.start() : end.start() if end else len(source)]).body[0]
    if not isinstance(node, ast.ClassDef):
        raise LeptonError(f"great_expectations' {class_name!r} cannot be read. Install the pinned version.")
    fields = {
        statement.target.id: _kind(statement)
        for statement in node.body
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and not statement.target.id.startswith("_")
        and not ast.unparse(statement.annotation).startswith("ClassVar")
    }
    return _DeclaredClass(class_name, ast.unparse(node.bases[0]), fields)


def _kind(field: ast.AnnAssign) -> str:
    """Say whether a field is "required", "defaulted", or "unset": may be left out, and then is None by omission."""
    default = field.value
    if isinstance(default, ast.Call) and ast.unparse(default.func).endswith("Field"):
        given = [keyword.value for keyword in default.keywords if keyword.arg in {"default", "default_factory"}]
        default = (default.args + given + [None])[0]
    if isinstance(default, ast.Constant) and default.value is Ellipsis:
        return "required"
    if default is not None:
        return "defaulted"
    annotation = ast.unparse(field.annotation)
    return "unset" if re.search(r"\bOptional\b|\bNone\b", annotation) else "required"
