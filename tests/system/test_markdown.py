import pytest

from lepton_pipeline.operations.backfill.realised import BackfillResult, Summary
from lepton_pipeline.system.markdown import as_markdown
from lepton_pipeline.terminal.backfill import backfill_markdown
from lepton_pipeline.terminal.monitoring import monitoring_markdown
from lepton_pipeline.terminal.scoring import scoring_markdown
from lepton_pipeline.terminal.training import summary_markdown

EVIL = "![x](http://host/x.png) <img src=http://host> **b** &lt; $a$ _c_ \x1b[2K\nof two lines |"
SHOWN = (
    r"!\[x\](http://host/x.png) &lt;img src=http://host> \*\*b\*\* &amp;lt; &#36;a&#36; \_c\_ "
    r"\\x1b\[2K of two lines \|"
)
BACKFILL = BackfillResult("shop", "auc", "1mo", {}, [EVIL], [], 0, 0, Summary(0, {}, {}))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (EVIL, SHOWN),
        ("# a", r"\# a"),
        ("- a", r"\- a"),
        ("default payment next_month, R & D -> 0.5", "default payment next_month, R & D -> 0.5"),
        (5, "5"),
    ],
)
def test_a_text_is_shown_as_it_is(text, shown):
    assert as_markdown(text) == shown


@pytest.mark.parametrize(
    ("write", "results"),
    [
        (summary_markdown, {"about": {"caution": EVIL}}),
        (scoring_markdown, {"about": {"caution": EVIL}}),
        (monitoring_markdown, {"about": {"caution": EVIL}}),
        (backfill_markdown, BACKFILL),
    ],
)
def test_no_note_follows_what_the_data_say(write, results):
    assert SHOWN in write(results)
    assert "<img" not in write(results)
