"""Great Expectations' Data Docs as pages that need no network, no JavaScript and no other file.

Great Expectations renders pages that load styles, icons and the very table of their index from public servers, and it
does not escape values of the data. Here the bodies of its pages stand in a frame of our own, under an index of our own.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from html import escape
from typing import Any

from lepton_pipeline.data.contracts.result import ContractResult, ExpectationResult
from lepton_pipeline.data.contracts.validation import Verdict, quiet_great_expectations

_STYLE = """
:root { --ink: #1f2933; --quiet: #5f6c7b; --line: #dde3ea; --pass: #1a7f4b; --fail: #c0262d; --wait: #9a6700; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff; font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }
header { padding: 1rem 2rem; border-bottom: 1px solid var(--line); display: flex; gap: 1.5rem; align-items: baseline; }
header strong { font-size: 1.05rem; }
header a { color: var(--quiet); }
header a[aria-current] { color: var(--ink); font-weight: 600; text-decoration: none; }
main { padding: 1.5rem 2rem 3rem; max-width: 1400px; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h4, h5, h6 { font-size: 1.05rem; margin: 0; }
p { margin: .25rem 0 1rem; }
a { color: #0b5cad; }
hr, .sticky .card.mb-3, a[data-toggle=collapse], thead[hidden] { display: none; }
table { border-collapse: collapse; margin: .5rem 0 1rem; }
main > table, .ge-section > .row > div > .table { width: 100%; }
th, td { padding: .45rem .8rem .45rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { color: var(--quiet); }
td small { color: var(--quiet); display: block; }
td:first-child, td.number { white-space: nowrap; }
ul.messages li { margin-bottom: .3rem; }
li h6, li .h6 { color: var(--quiet); font-size: .85rem; font-weight: 400; }
li p { margin: 0; }
.passed, .text-success { color: var(--pass); }
.failed, .text-danger { color: var(--fail); }
.waiting { color: var(--wait); }
.badge { background: #eef2f6; border-radius: 4px; padding: 0 .35rem; }
.alert { background: #f4f6f8; border-radius: 6px; margin: 1rem 0 .5rem; padding: .5rem .8rem; }
.lead { color: var(--quiet); }
code { white-space: pre-wrap; overflow-wrap: anywhere; }
i { font-style: normal; font-weight: 600; }
i.fa-check-circle::before { content: "✓ passed"; }
i.fa-times::before { content: "✗ failed"; }
i.fa-exclamation-triangle { color: var(--fail); }
i.fa-exclamation-triangle::before { content: "✗ not evaluated"; }
i[aria-hidden]::before { content: ""; }
.frame { display: grid; grid-template-columns: 14rem 1fr; gap: 2rem; }
.frame > div { min-width: 0; }
.sticky ul { list-style: none; padding: 0; margin: .25rem 0; }
@media (max-width: 800px) { .frame { grid-template-columns: 1fr; } header, main { padding-inline: 1rem; } }
"""
_PAGES = {"index.html": "Contract", "validation.html": "Validation", "expectations.html": "Expectations"}
_SUITE = "contract"


def build_data_docs(result: ContractResult, verdicts: list[Verdict]) -> dict[str, bytes]:
    """Render what was checked and what was found.

    Args:
        result: what `check_contract` found; its `expectations` stand in the order of `verdicts`.
        verdicts: carry Great Expectations' own configurations and results.

    Returns:
        HTML by relative path, linked to each other: `index.html` (every check with its failure policy, counts and
        example rows), `validation.html` and `expectations.html` (Great Expectations' own reports).
    """
    with quiet_great_expectations():
        bodies = {"validation.html": _validation_page(verdicts), "expectations.html": _suite_page(verdicts)}
    bodies["index.html"] = _index(result)
    return {path: _framed(path, bodies[path]).encode() for path in _PAGES}


def _framed(path: str, body: str) -> str:
    links = " ".join(
        f'<a href="{target}"{" aria-current" if target == path else ""}>{title}</a>' for target, title in _PAGES.items()
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Data contract · {_PAGES[path]}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body><header><strong>Data contract</strong> {links}</header><main>{body}</main></body></html>\n"
    )


def _index(result: ContractResult) -> str:
    state = '<span class="passed">kept ✓</span>' if result.success else '<span class="failed">broken ✗</span>'
    counts = (
        f"{result.rows:,} rows checked, {result.quarantined:,} quarantined "
        f"(at most {result.max_quarantined:.2%} may be), {len(result.expectations)} expectations."
    )
    stops = _messages("What stops the run", result.stops)
    warnings = _messages("Warnings", result.warnings)
    rows = "\n".join(_index_row(each) for each in sorted(result.expectations, key=lambda each: each.success))
    return (
        f"<h1>The contract is {state}</h1><p>{counts}</p>{stops}{warnings}<h4>Every expectation, failures first</h4>"
        "<table><thead><tr><th>Status</th><th>Expectation</th><th>On failure</th><th>Rows that do not conform</th>"
        f"<th>Examples</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _messages(title: str, messages: list[str]) -> str:
    items = "".join(f"<li>{escape(message)}</li>" for message in messages)
    return f'<h4>{title}</h4><ul class="messages">{items}</ul>' if messages else ""


def _index_row(reported: ExpectationResult) -> str:
    count = reported.unexpected
    counted = "–" if count is None else f"{count:,} ({reported.unexpected_fraction:.2%})" if count else "0"
    examples = "; ".join(f"{each.value!r} (row {each.row})" for each in reported.examples)
    explained = not reported.success and not reported.examples
    note = f"<small>{escape(reported.message)}</small>" if explained else ""
    return (
        f"<tr><td>{_status(reported)}</td>"
        f"<td>{escape(reported.sentence)}<small>{escape(reported.declared)}</small>{note}</td>"
        f'<td>{reported.on_failure}</td><td class="number">{counted}</td><td>{escape(examples)}</td></tr>'
    )


def _status(reported: ExpectationResult) -> str:
    if reported.success:
        return '<span class="passed">✓ passed</span>'
    if reported.error is not None:
        return '<span class="failed">✗ could not be evaluated</span>'
    return (
        '<span class="failed">✗ failed</span>' if reported.evaluated else '<span class="waiting">– not evaluated</span>'
    )


def _validation_page(verdicts: list[Verdict]) -> str:
    from great_expectations import __version__
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.render.renderer import ValidationResultsPageRenderer

    results = [_shown_result(verdict) for verdict in verdicts]
    passed = sum(result.success for result in results)
    suite_result = ExpectationSuiteValidationResult(
        success=passed == len(results),
        results=results,
        suite_name=_SUITE,
        suite_parameters={},
        statistics={
            "evaluated_expectations": sum(verdict.evaluated for verdict in verdicts),
            "successful_expectations": passed,
            "unsuccessful_expectations": len(results) - passed,
            # A raw table may have an empty contract.
            "success_percent": 100 * passed / max(len(results), 1),
        },
        meta={
            "great_expectations_version": __version__,
            "run_id": {"run_name": "data contract", "run_time": datetime.now(UTC).isoformat()},
            "batch_kwargs": {"data_asset_name": "table"},
        },
    )
    return _body(ValidationResultsPageRenderer().render(suite_result))


def _suite_page(verdicts: list[Verdict]) -> str:
    from great_expectations.core import ExpectationSuite
    from great_expectations.render.renderer import ExpectationSuitePageRenderer

    suite = ExpectationSuite(name=_SUITE, expectations=[_escaped_configuration(verdict) for verdict in verdicts])
    return _body(ExpectationSuitePageRenderer().render(suite))


def _shown_result(verdict: Verdict) -> Any:
    from great_expectations.core import ExpectationValidationResult

    message = verdict.error if verdict.blocked is None else f"not evaluated: {verdict.blocked}"
    details = dict(verdict.details)
    if "partial_unexpected_counts" in details:
        counts = [{**each, "value": str(each["value"])} for each in details["partial_unexpected_counts"]]
        details["partial_unexpected_counts"] = counts
    return ExpectationValidationResult(
        success=verdict.success,
        expectation_config=_escaped_configuration(verdict),
        result=_escaped(details),
        exception_info={
            "raised_exception": message is not None,
            "exception_message": message or "",
            "exception_traceback": "",
        },
        meta={},
    )


def _escaped_configuration(verdict: Verdict) -> Any:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    source = verdict.configuration
    return ExpectationConfiguration(
        type=source.type,
        kwargs=_escaped(source.kwargs),
        meta=source.meta,
        notes=_escaped(source.notes),
        description=_escaped(source.description),
    )


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escaped(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(each) for each in value]
    return escape(value) if isinstance(value, str) else value


def _body(document: Any) -> str:
    """Take the content of a page that Great Expectations rendered, without its scripts, logo, banner and footer."""
    page: str = _view().render(document)
    start, end = page.index('<div class="container-fluid'), page.rindex("<footer")
    content = re.sub(r"<script\b.*?</script>", "", page[start:end], flags=re.DOTALL)
    content = re.sub(r'href="[^"#]*expectations/[^"]*\.html"', 'href="expectations.html"', content)
    return content.replace('<div class="row">', '<div class="frame">', 1)


@cache
def _view() -> Any:
    # It keeps the templates that it compiled, which takes longer than everything else here.
    from great_expectations.render.view import DefaultJinjaPageView

    return DefaultJinjaPageView()
