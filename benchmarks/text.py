"""How good the default model is with columns of texts, beside linear models of their n-grams; and what n-grams cost."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from machine import describe
from opponents import Opponent, fit_hgb, fit_opponent, hgb, lightgbm
from overhead import HERE
from overhead import table as markdown
from quality import make_tables
from quality_metrics import MULTICLASS, REGRESSION, Prediction, Scores, row_scores
from quality_pairs import KeptRows, paired_lead
from quality_product import predict
from quality_rows import Rows
from text_tables import TEXT_TABLES, Sources, TextTable

from lepton_pipeline.features.sentences import SentenceEncoder, open_encoder
from lepton_pipeline.features.text import cleaned, learn_text
from lepton_pipeline.parameters import Features, Text, Training

OURS, WITH_SENTENCES = "lepton (default)", "lepton (with sentences)"
COMPONENTS = 30
# Of each linear model, the first is the weakest fit: C, or 1 / alpha for ridge regression.
STRENGTHS = {
    "logistic regression": (1.0, 10.0, 100.0),
    "LinearSVC": (0.03, 0.1, 0.3, 1.0, 3.0),
    "ridge regression": (0.03, 0.1, 0.3, 1.0, 3.0),
}
GOAL_SPEED, REPEATS = 1.5, 7
Line = dict[str, Any]


@dataclass(frozen=True)
class Texts:
    """What contenders are given: the rows without texts, the texts by column, and an encoder of sentences, if any."""

    rows: Rows
    texts: pd.DataFrame
    encoder: SentenceEncoder | None = None

    @classmethod
    def of(
        cls, rows: Rows, table: pd.DataFrame, names: Sequence[str], encoder: SentenceEncoder | None = None
    ) -> Texts:
        """Take the texts and what the product has made of them out of the rows."""
        added = [name for name in rows.encoded if any(str(name).startswith(f"{text}: ") for text in names)]
        bare = Rows(
            rows.raw.drop(columns=list(names), errors="ignore"),
            rows.encoded.drop(columns=added),
            rows.split,
            rows.units,
            rows.target,
        )
        return cls(bare, table.loc[rows.split.index, list(names)].fillna("").astype(str), encoder)

    def positions(self, *parts: str) -> np.ndarray:
        """Positions of the rows of these parts."""
        return np.flatnonzero(self.rows.split["part"].isin(parts))

    @property
    def labels(self) -> np.ndarray:
        """Labels of all rows, the log where that is learnt."""
        labels = self.rows.split["label"].to_numpy()
        return np.log(labels) if self.rows.transform == "log" else labels

    def tfidf(self, fitted: np.ndarray) -> Any:
        """TF-IDF of words and pairs, and of pieces of 2 to 5 characters, beside each other; sparse, all rows."""
        from scipy.sparse import hstack
        from sklearn.feature_extraction.text import TfidfVectorizer

        blocks = []
        for name in self.texts:
            for kind in ({"ngram_range": (1, 2)}, {"analyzer": "char_wb", "ngram_range": (2, 5)}):
                terms = TfidfVectorizer(sublinear_tf=True, **kind)
                terms.fit(self.texts[name].iloc[fitted])
                blocks.append(terms.transform(self.texts[name]))
        return hstack(blocks, format="csr") if blocks else None

    def embedded(self, fitted: np.ndarray) -> Any:
        """Embeddings of all texts, beside each other; nothing is fitted."""
        assert self.encoder is not None
        return np.hstack([self.encoder.embed(self.texts[name].tolist()) for name in self.texts]).astype(
            np.float32
        )

    def numbers(self, fitted: np.ndarray) -> Any:
        """The other columns as the product's linear baseline has them: standardised, and one-hot codes; sparse."""
        from scipy.sparse import csr_matrix
        from sklearn.compose import make_column_transformer
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        from lepton_pipeline.model.boosting.fit import code_columns

        encoded = self.rows.encoded
        if encoded.columns.empty:
            return None
        codes = code_columns(encoded)
        columns = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), codes),
            (StandardScaler(), [name for name in encoded if name not in codes]),
        )
        columns.fit(encoded.iloc[fitted])
        return csr_matrix(columns.transform(encoded))

    def with_components(self) -> Rows:
        """The rows with `COMPONENTS` components of the TF-IDF of the texts beside the other raw columns."""
        from sklearn.decomposition import TruncatedSVD

        if self.texts.columns.empty:
            return self.rows
        fitted = self.positions("train", "validation")
        terms = self.tfidf(fitted)
        found = TruncatedSVD(COMPONENTS, random_state=0).fit(terms[fitted]).transform(terms)
        names = [f"component {place}" for place in range(COMPONENTS)]
        return self.rows.with_raw(
            self.rows.raw.join(pd.DataFrame(found, columns=names, index=self.rows.raw.index))
        )


def estimator(name: str, strength: float) -> Any:
    """A linear model of scikit-learn."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.svm import LinearSVC

    if name == "ridge regression":
        return Ridge(alpha=1 / strength, solver="sparse_cg", random_state=0)
    if name == "LinearSVC":
        return LinearSVC(C=strength, random_state=0)
    return LogisticRegression(C=strength, max_iter=300)


def linear_of_texts(
    name: str, given: Texts, seed: int, terms_of: Callable[[Texts, np.ndarray], Any] = Texts.tfidf
) -> Prediction:
    """Tune the strength on the validation rows, then fit again with them."""
    from scipy.sparse import hstack

    task, labels = given.rows.task, given.labels

    def outputs(learnt: np.ndarray, scored: np.ndarray, strength: float) -> Scores:
        blocks = [block for block in (terms_of(given, learnt), given.numbers(learnt)) if block is not None]
        terms = blocks[0] if len(blocks) == 1 else hstack(blocks, format="csr")
        model = estimator(name, strength).fit(terms[learnt], labels[learnt])
        if task == REGRESSION:
            return np.asarray(model.predict(terms[scored]))
        return _of_all_classes(model, terms[scored], len(np.unique(labels)))

    train, validation, test = (given.positions(part) for part in ("train", "validation", "test"))
    losses = {
        each: _tuning_loss(name, task, labels[validation], outputs(train, validation, each))
        for each in STRENGTHS[name]
    }
    best = min(losses, key=lambda each: losses[each])
    found = outputs(given.positions("train", "validation"), test, best)
    return Prediction(np.exp(found) if given.rows.transform == "log" else found)


def _of_all_classes(model: Any, terms: Any, classes: int) -> Scores:
    """Probabilities, or margins where a model has none; a class that was not learnt is last."""
    found = model.predict_proba(terms) if hasattr(model, "predict_proba") else model.decision_function(terms)
    every = np.full((len(found), classes), found.min())
    every[:, np.asarray(model.classes_, dtype=np.intp)] = found
    return every


def _tuning_loss(name: str, task: str, labels: np.ndarray, outputs: Scores) -> float:
    if task == REGRESSION:
        return float(np.mean((labels - outputs) ** 2))
    if name == "LinearSVC":
        return float(np.mean(outputs.argmax(axis=1) != labels))
    return float(row_scores(MULTICLASS, labels.astype(np.int64), Prediction(outputs)).mean())


def boosted(fit: Callable[..., Prediction], library: Opponent, given: Texts, seed: int) -> Prediction:
    """A library's boosting over components of the texts and the other columns, tuned as in `quality.py`."""
    return fit(library, True, given.with_components(), seed)


CONTENDERS: Mapping[str, tuple[tuple[str, ...], Callable[[Texts, int], Prediction]]] = {
    "TF-IDF, logistic regression": ((MULTICLASS,), partial(linear_of_texts, "logistic regression")),
    "TF-IDF, LinearSVC": ((MULTICLASS,), partial(linear_of_texts, "LinearSVC")),
    "TF-IDF, ridge regression": ((REGRESSION,), partial(linear_of_texts, "ridge regression")),
    "MiniLM, logistic regression": (
        (MULTICLASS,),
        partial(linear_of_texts, "logistic regression", terms_of=Texts.embedded),
    ),
    "MiniLM, ridge regression": (
        (REGRESSION,),
        partial(linear_of_texts, "ridge regression", terms_of=Texts.embedded),
    ),
    f"{COMPONENTS} components, HGB": ((REGRESSION,), partial(boosted, fit_hgb, hgb)),
    f"{COMPONENTS} components, LightGBM": ((REGRESSION,), partial(boosted, fit_opponent, lightgbm)),
}


def run_table(name: str, table: TextTable, sources: Sources, text: Text | None) -> Line:
    """Fit all contenders on all divisions of a table; means of figures, and paired leads of ours."""
    declared = {OURS: table.declared}
    if text is not None and table.declared.dataset.text:
        declared[WITH_SENTENCES] = table.declared.model_copy(update={"features": Features(text=text)})
    measured: dict[str, list[dict[str, float]]] = {}
    kept: dict[str, list[KeptRows]] = {}
    for seed in range(table.seeds):
        made = table.make(sources, seed)
        predicted, seconds = {}, {}
        for ours, vertical in reversed(declared.items()):
            started = _cpu()
            rows = Rows.make(made, vertical, seed)
            found = predict(
                rows.encoded, rows.split, rows.target, Training(seed=seed, threads=1, jobs=1, device="cpu")
            )
            predicted[ours], seconds[ours] = found["model"], _cpu() - started
        encoder = None
        if text and text.encoder and len(declared) > 1:
            encoder = open_encoder(text.encoder, cache=text.cache)
        given = Texts.of(rows, made, table.declared.dataset.text, encoder)
        for contender, (tasks, fit) in CONTENDERS.items():
            there = find_spec("lightgbm") if "LightGBM" in contender else encoder or "MiniLM" not in contender
            if rows.task in tasks and there:
                started = _cpu()
                predicted[contender] = fit(given, seed)
                seconds[contender] = _cpu() - started
        test = given.positions("test")
        labels = given.labels[test]
        (unit,) = rows.units.columns
        units = rows.units[unit].to_numpy()[test]
        every = {
            contender: row_losses(rows, labels, prediction) for contender, prediction in predicted.items()
        }
        for contender, losses in every.items():
            figures = {**summary(rows, labels, predicted[contender], losses), "CPU s": seconds[contender]}
            measured.setdefault(contender, []).append(figures)
            shown = ", ".join(f"{metric} {value:.4f}" for metric, value in figures.items())
            print(f"{name} {seed}  {contender:28} {shown}", flush=True)
        for metric in {metric for losses in every.values() for metric in losses}:
            scores = {contender: losses[metric] for contender, losses in every.items() if metric in losses}
            kept.setdefault(metric, []).append(KeptRows(labels, unit, units, scores))
    return {
        "task": rows.task,
        "rows": rows.split["part"].value_counts().to_dict(),
        "unit": unit,
        "figures": {
            contender: {metric: fmean(each[metric] for each in seeds) for metric in seeds[0]}
            for contender, seeds in measured.items()
        },
        "leads": {
            ours: {metric: lead_of(rows.task, each, ours) for metric, each in kept.items()}
            for ours in declared
        },
    }


def _cpu() -> float:
    return sum(os.times()[:4])


def row_losses(rows: Rows, labels: np.ndarray, predicted: Prediction) -> dict[str, Scores]:
    """What is averaged of each test row, by metric: errors and log loss, or residuals (of a log that is learnt)."""
    if rows.task == REGRESSION:
        outputs = np.log(predicted.outputs) if rows.transform == "log" else predicted.outputs
        return {"RMSE": labels - outputs}
    losses = {"accuracy": (predicted.outputs.argmax(axis=1) != labels).astype(np.float64)}
    if np.allclose(predicted.outputs.sum(axis=1), 1):
        losses["log loss"] = row_scores(MULTICLASS, labels.astype(np.int64), predicted)
    return losses


def summary(
    rows: Rows, labels: np.ndarray, predicted: Prediction, losses: Mapping[str, Scores]
) -> dict[str, float]:
    """Figures of the test rows of one division."""
    if rows.task == REGRESSION:
        squared = float(np.mean(losses["RMSE"] ** 2))
        return {"RMSE": squared**0.5, "R2": 1 - squared / float(labels.var())}
    from sklearn.metrics import f1_score

    found = {"accuracy": 1 - float(losses["accuracy"].mean())}
    found["macro F1"] = float(f1_score(labels, predicted.outputs.argmax(axis=1), average="macro"))
    return found | {name: float(each.mean()) for name, each in losses.items() if name == "log loss"}


def lead_of(task: str, seeds: Sequence[KeptRows], ours: str) -> Line:
    """The lead over the best opponent in one metric, with its interval; words alone are compared with such."""

    def mean_loss(name: str) -> float:
        return fmean(float(np.mean(rows.scores[name] ** (2 if task == REGRESSION else 1))) for rows in seeds)

    others = [name for name in seeds[0].scores if name not in (OURS, WITH_SENTENCES)]
    best = min((name for name in others if ours != OURS or "MiniLM" not in name), key=mean_loss)
    lead = paired_lead(task, seeds, ours, best)
    return {"of": best, "lead": lead.value, "low": lead.low, "high": lead.high}


def measure_speed(texts: pd.Series, repeats: int) -> Line:
    """CPU seconds of the product's TF-IDF and of scikit-learn's with the same n-grams, in turns; median."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    from lepton_pipeline.features.grams import PIECES, WORDS

    column = fitted_column(texts)
    cleaned_texts = cleaned(texts)

    def ours() -> Any:
        return column.terms(cleaned_texts)

    def theirs() -> Any:
        return hstack(
            [
                TfidfTransformer(sublinear_tf=True).fit_transform(
                    HashingVectorizer(n_features=2**18, norm=None, alternate_sign=False, **kind).transform(
                        cleaned_texts
                    )
                )
                for kind in (WORDS, PIECES)
            ]
        )

    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(repeats):
        for name, make in (("ours", ours), ("theirs", theirs)):
            started = _cpu()
            make()
            seconds[name].append(_cpu() - started)
    middle = {name: median(each) for name, each in seconds.items()}
    return {"texts": len(texts), **middle, "ratio": middle["ours"] / middle["theirs"]}


def fitted_column(texts: pd.Series) -> Any:
    """A column that has learnt from all texts; of what does not matter here."""
    from lepton_pipeline.tasks.binary import Binary

    labels = np.arange(len(texts)) % 2
    learnt = learn_text(texts, labels, np.arange(len(texts)) % 5, Binary())
    assert not isinstance(learnt, str)
    return learnt.column


def report(record: Mapping[str, Any]) -> str:
    """The result as Markdown."""
    parts = [f"# Columns of texts\n\n{ABOUT}\n\n{record['environment']}"]
    for name, table in TEXT_TABLES.items():
        if name not in record:
            continue
        line = record[name]
        rows = ", ".join(f"{line['rows'][part]:,} {part}" for part in ("train", "validation", "test"))
        parts.append(f"## {name}\n\n{table.about}; {rows} rows\n\n{_figures(line)}\n\n{_leads(line)}")
    if "speed" in record:
        speed = record["speed"]
        verdict = "reached" if speed["ratio"] <= GOAL_SPEED else "missed"
        parts.append(
            f"## Speed\n\nTF-IDF of {speed['texts']:,} headlines: {speed['ours']:.2f} CPU seconds, hashing and "
            f"TF-IDF of the same n-grams by scikit-learn {speed['theirs']:.2f} (median of {REPEATS}, in turns), ratio "
            f"{speed['ratio']:.2f} (goal: at most {GOAL_SPEED}, {verdict})."
        )
    return "\n\n".join(parts) + "\n"


def _figures(line: Line) -> str:
    metrics = list(line["figures"][OURS])
    places = {"CPU s": 1}
    return markdown(
        ["contender", *metrics],
        [
            [name, *(f"{each[m]:.{places.get(m, 4)}f}" if m in each else "" for m in metrics)]
            for name, each in line["figures"].items()
        ],
    )


def _leads(line: Line) -> str:
    unit = line["unit"]
    return "\n\n".join(
        f"{ours}: "
        + "; ".join(
            f"{metric}: {each['lead']:+.4f} ({each['low']:+.4f} to {each['high']:+.4f}) over {each['of']}"
            for metric, each in sorted(leads.items())
        )
        + (f"; {unit}s drawn." if unit else ".")
        for ours, leads in line["leads"].items()
    )


def write(record: Mapping[str, Any], options: argparse.Namespace) -> None:
    """Write what is known so far."""
    options.record.write_text(json.dumps(record, indent=1) + "\n")
    options.output.write_text(report(record))


def parse(arguments: Iterable[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [*TEXT_TABLES, "speed"]
    parser.add_argument("--tables", nargs="*", choices=names, default=names, metavar="TABLE")
    parser.add_argument("--data", type=Path, help="folder of the tables that are not bundled")
    parser.add_argument(
        "--outputs", type=Path, help="folder of a project in which lodging and opinion have run"
    )
    parser.add_argument(
        "--encoder", help="folder or installed package of an encoder of sentences, such as MiniLM"
    )
    parser.add_argument("--cache", help="folder of embeddings that are known already")
    parser.add_argument(
        "--record", type=Path, default=HERE / "results" / "text.json", help="file of the figures"
    )
    parser.add_argument(
        "--output", type=Path, default=HERE / "results" / "text.md", help="file of the report"
    )
    return parser.parse_args(None if arguments is None else list(arguments))


def main() -> None:
    """Measure the chosen tables again, keep the figures of the others, write the report."""
    from threadpoolctl import threadpool_limits

    options = parse()
    text = Text(encoder=options.encoder, cache=options.cache) if options.encoder else None
    record = json.loads(options.record.read_text()) if options.record.exists() else {}
    record["environment"] = describe(
        ("torch", "scikit-learn", "lightgbm", "pandas", "numpy", "sentence-transformers")
    )
    with TemporaryDirectory() as folder:
        project = options.outputs or Path(folder) / "project"
        if not options.outputs:
            make_tables(project, ["lodging", "opinion"])
        sources = Sources(project, options.data)
        with threadpool_limits(1):
            for name in options.tables:
                if name == "speed":
                    record[name] = measure_speed(sources.bundled("opinion")["title"], REPEATS)
                else:
                    record[name] = run_table(name, TEXT_TABLES[name], sources, text)
                write(record, options)
    print(report(record))


ABOUT = """\
The product's default model (`training: {}`) beside linear models of TF-IDF (words and pairs of them, pieces of 2 to 5
characters), whose strength validation rows choose, and beside boosting over components of it. All learn from training
and validation rows in the end, and from the other columns, too. Figures are means over divisions. A lead is ours over
the best opponent in a metric, positive where ours is better, with a paired 95 % interval. Where the log is learnt,
RMSE and R2 are those of the log. With an encoder of sentences (MiniLM: all-MiniLM-L6-v2), ours is measured with it
and without; words alone are compared with opponents of words, ours with sentences with all opponents. CPU seconds
include encoding for ours, tuning for the others; those of MiniLM find the embeddings made by ours."""

if __name__ == "__main__":
    main()
