"""Where we differ from the golden vectors on purpose, and what we give instead.

Each entry names the point of "Where to be better" in the contract's metrics.md that calls the recorded answer a
mistake, or says READING. What an entry does not state is as recorded. The tests hold us to these expectations as to the
vectors.
"""

from dataclasses import dataclass
from typing import Any

NAN = "NaN"

READING = 0
"""Instead of a point: no point speaks of it. It is our own promise, in docs/judging.md, "What is read from a reply"."""


@dataclass(frozen=True)
class Deviation:
    point: int
    outputs: list[dict[str, Any]] | None = None  # per row
    states: list[str] | None = None  # of each row's first score
    requests: list[tuple[str, dict[str, Any]]] | None = None  # (path, body), None: as recorded
    refused: bool = False  # when the metric is defined
    aggregates: dict[str, Any] | None = None  # changed statistics of the first aggregate
    rows: list[dict[str, Any]] | None = None  # of a dataset
    error: str | None = None  # of a dataset, a part of its message


CHAT = "/v1/chat/completions"


def _scored(point: int, value: float) -> Deviation:
    return Deviation(point, outputs=[{"clarity": value}], states=["scored"])


def _unscored(point: int, state: str) -> Deviation:
    return Deviation(point, outputs=[{"clarity": NAN}], states=[state])


def _said(point: int, content: Any, **more: Any) -> Deviation:
    body = {"messages": [{"role": "user", "content": content}], "max_tokens": 1024} | more
    return Deviation(point, outputs=[{"clarity": 5.0}], states=["scored"], requests=[(CHAT, body)])


def _labelled(point: int, value: float, label: str) -> Deviation:
    return Deviation(point, outputs=[{"quality": value, "quality.label": label}], states=["scored"])


INTRO = "<DEFAULT_INTRO>"

JUDGE: dict[str, Deviation] = {
    # Fences, prose, a byte-order mark or a trailing comma do not hide a JSON object.
    "json-fence-tagged": _scored(11, 3.0),
    "json-fence-plain": _scored(11, 3.0),
    "json-prose-before": _scored(11, 3.0),
    "json-prose-after": _scored(11, 3.0),
    "json-trailing-comma": _scored(11, 3.0),
    "json-bom": _scored(11, 3.0),
    "rubric-fenced": _labelled(11, 1.0, "good"),
    # Nor do other slips of writing that leave no doubt about what is meant.
    "json-nbsp-before": _scored(READING, 3.0),
    "json-single-quotes": _scored(READING, 3.0),
    "json-comment": _scored(READING, 3.0),
    "json-raw-newline-in-string": _scored(READING, 3.0),
    "json-leading-zero": _scored(READING, 3.0),
    "json-plus-sign": _scored(READING, 3.0),
    "json-key-case": _scored(READING, 3.0),
    "json-key-space": _scored(READING, 3.0),
    # Nor does a list around the object, or an object around the value. (Point 4 is only about what such a value costs.)
    "json-top-level-list": _scored(READING, 3.0),
    "json-object-value": _scored(READING, 3.0),
    "rubric-object-crashes": _labelled(READING, 1.0, "good"),
    # A number in quotes is a number.
    "json-string-number": _scored(12, 4.0),
    "json-mixed-rows": Deviation(12, outputs=[{"clarity": v} for v in (1.0, NAN, 4.0, 2.0, 1.0, 2.5)]),
    # json_path is a path where the literal key is absent.
    "json-path-dotted-is-not-a-path": _scored(13, 3.0),
    "json-path-dollar-is-not-a-path": _scored(13, 3.0),
    "json-path-index-is-not-a-path": _scored(13, 3.0),
    # What is outside the range is no score, and does not enter the mean.
    "json-negative": _unscored(14, "out_of_range"),
    "json-above-range-kept": _unscored(14, "out_of_range"),
    "json-below-range-kept": _unscored(14, "out_of_range"),
    "json-bare-infinity": _unscored(14, "out_of_range"),
    "json-bare-minus-infinity": _unscored(14, "out_of_range"),
    "json-overflow-float": _unscored(14, "out_of_range"),
    "json-huge-int": _unscored(14, "out_of_range"),
    "regex-negative": _unscored(14, "out_of_range"),
    "regex-above-range-kept": _unscored(14, "out_of_range"),
    "regex-group-inf": _unscored(14, "out_of_range"),
    # A line break before the verdict is no reason to miss it; what a model thinks aloud is not its verdict.
    "regex-match-leading-newline": _scored(15, 7.0),
    "regex-think-fools-search": _scored(16, 9.0),
    "json-think-not-stripped-by-default": _scored(16, 3.0),
    "regex-think-stripped-newline-match-fails": _scored(17, 9.0),
    # Labels match whatever their case, space and Unicode form.
    "rubric-case-matters": _labelled(18, 1.0, "good"),
    "rubric-space-matters": _labelled(18, 1.0, "good"),
    "rubric-decomposed-accent": _labelled(18, -10.0, "Sí"),
    "rubric-unknown-labels-are-nan": Deviation(
        18,
        outputs=[
            {"quality": 0.0, "quality.label": "poor"},
            {"quality": NAN, "quality.label": ""},
            {"quality": 1.0, "quality.label": "good"},
            {"quality": 0.0, "quality.label": "poor"},
        ],
    ),
    # One odd value does not cost the row's other scores.
    "json-two-scores-one-crashes-both": Deviation(4, outputs=[{"clarity": 3.0, "tone": NAN}], states=["scored"]),
    # A tie goes to the rubric's order.
    "rubric-mode-tie-alphabetical": Deviation(35, aggregates={"mode_category": "poor"}),
    "rubric-with-range": Deviation(35, aggregates={"mode_category": "poor"}),
    # Parameters that a client library does not know are for the server to judge.
    "req-unknown-param-refused-by-client": _said(10, "Note 1", top_k=3),
    "req-reasoning-effort-not-sent": _said(19, "Note 1", reasoning_effort="high"),
    "req-max-completion-tokens-sends-both": Deviation(
        20,
        requests=[(CHAT, {"messages": [{"role": "user", "content": "Note 1"}], "max_completion_tokens": 50})],
    ),
    # A string template is a chat message where the address is that of the chat API.
    "tpl-string-template-is-a-completion": _said(21, "Grade: Why is bread brown?"),
    "req-system-prompt-completion": Deviation(
        21,
        requests=[
            (
                CHAT,
                {
                    "messages": [
                        {"role": "system", "content": "You grade."},
                        {"role": "user", "content": "Note 1"},
                    ],
                    "max_tokens": 1024,
                },
            )
        ],
    ),
    # The default prompt shows the row as text.
    "tpl-default-offline": Deviation(
        22,
        requests=[
            (
                CHAT,
                {
                    "messages": [
                        {"role": "system", "content": f"{INTRO} clarity\n\nclarity with a score range from 0 to 10"},
                        {"role": "user", "content": '{"ask": "q", "output": "a"}'},
                    ],
                    "max_tokens": 1024,
                },
            )
        ],
    ),
    "tpl-default-offline-rubric": Deviation(
        22,
        outputs=[{"quality": NAN, "quality.label": "", "clarity": 5.0}],  # point 3: the rubric alone is unscored
        states=["unparseable"],
        requests=[
            (
                CHAT,
                {
                    "messages": [
                        {
                            "role": "system",
                            "content": f"{INTRO} quality, clarity\nScores:\nquality\n* poor\n* fair: gets by\n* good\n"
                            "clarity with a score range from 0 to 10: how plain it is",
                        },
                        {"role": "user", "content": '{"ask": "q"}'},
                    ],
                    "max_tokens": 1024,
                },
            )
        ],
    ),
    "req-default-template-completions-url": Deviation(
        22,
        requests=[
            (
                "/v1/completions",
                {
                    "prompt": f'{INTRO} clarity\n\nclarity with a score range from 0 to 10\n\n{{"n": 1}}',
                    "max_tokens": 1024,
                },
            )
        ],
    ),
    # Message content is text.
    "tpl-alone-int-stays-int": _said(23, "3"),
    "tpl-alone-bool-stays-bool": _said(23, "True"),
    "tpl-alone-none-stays-null": _said(23, "None"),
    "tpl-alone-dict-stays-dict": _said(23, '{"lang": "en", "tags": ["food", "heat"]}'),
    "tpl-alone-list-stays-list": _said(23, '[{"role": "user", "text": "hi"}, {"role": "bot", "text": "yo"}]'),
    "tpl-alone-with-space-around": _said(23, "3"),
    "tpl-alone-expression": _said(23, "5"),
    "tpl-tojson-alone": _said(23, '{"lang": "en", "tags": ["food", "heat"]}'),
    # `tojson` in prose is prose.
    "tpl-word-tojson-prose-that-is-json": _said(24, '["tojson", 3]'),
    "tpl-tojson-in-prose-fails": _said(24, 'Row: {"lang": "en", "tags": ["food", "heat"]}'),
    "tpl-word-tojson-in-prose-fails": _said(24, "Never use tojson. 3"),
    "tpl-column-called-self-alone-fails": _said(26, "5"),
    "tpl-missing-optional-field-still-fails": _said(27, "Q: "),
    # A template that cannot work is refused before anything is paid for.
    "tpl-syntax-error": Deviation(1, refused=True),
    "tpl-unknown-filter": Deviation(1, refused=True),
}

AGGREGATE: dict[str, Deviation] = {
    # The maximum is in the last bin, and the last bin ends with it.
    "agg-tenths": Deviation(32, aggregates={"bins": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]}),
    "agg-random-thousand": Deviation(32, aggregates={"bins": [5, 16, 62, 115, 218, 241, 211, 89, 30, 13]}),
    # Sums are exact.
    "agg-float-sum-order-2": Deviation(33, aggregates={"sum": 2.0, "mean": 0.5}),
    # Huge values have statistics too, except a variance that no float can hold.
    "agg-huge": Deviation(
        34,
        aggregates={
            "count": 2,
            "sum": 3e200,
            "mean": 1.5e200,
            "min": 1e200,
            "max": 2e200,
            "median": 1.5e200,
            "std_dev": 5e199,
            "variance": None,
            "sample_std_dev": 7.0710678118654755e199,
            "sample_variance": None,
        },
    ),
    # What is not finite is unscored.
    "agg-infinity": Deviation(
        14, aggregates={"count": 2, "nan_count": 1, "sum": 3.0, "mean": 1.5, "min": 1.0, "max": 2.0, "median": 1.5}
    ),
    "agg-both-infinities": Deviation(
        14, aggregates={"count": 1, "nan_count": 2, "sum": 0.0, "mean": 0.0, "min": 0.0, "max": 0.0, "median": 0.0}
    ),
    "agg-rubric-three-way-tie": Deviation(35, aggregates={"mode_category": "lo"}),
}

DATASET: dict[str, Deviation] = {
    # Nothing is dropped in silence: neither lines, nor files, nor values that are no objects.
    "ds-folder-one-broken-file-silently-dropped": Deviation(28, error="b.jsonl, line 1"),
    "ds-folder-mixed-type-file-silently-dropped": Deviation(28, rows=[{"n": 1}, {"n": "two"}, {"n": 3}]),
    "ds-json-array-skips-non-objects": Deviation(28, error="a.json, line 1"),
    "ds-folder-conflicting-types": Deviation(28, rows=[{"q": 1}, {"q": "2"}]),
    "ds-mapping-missing-source-silently-skipped": Deviation(30, error="names what no row has: 'nope'"),
    # Values are what the file says; what it does not say is absent.
    "ds-missing-keys-become-null": Deviation(29, rows=[{"q": "x", "ref": "r"}, {"q": "y"}]),
    "ds-missing-nested-become-null": Deviation(29, rows=[{"m": {"a": 1}}, {"m": {"b": 2}}]),
    "ds-folder-different-columns": Deviation(29, rows=[{"q": "1"}, {"p": "2"}]),
    "ds-int-and-float-mix": Deviation(29, rows=[{"n": 1}, {"n": 2.5}]),
    "ds-dates-in-text-become-datetimes": Deviation(29, rows=[{"when": "2031-05-06"}, {"when": "2031-05-07"}]),
    "ds-datetimes-in-text": Deviation(29, rows=[{"when": "2031-05-06T10:00:00Z"}]),
    "ds-csv": Deviation(29, rows=[{"q": "a, b", "n": 1, "when": "2031-05-06"}, {"q": "c", "n": None, "when": ""}]),
    "ds-csv-bool-and-float": Deviation(29, rows=[{"b": True, "f": 1.5, "i": "007"}, {"b": False, "f": 2.0, "i": "8"}]),
}


@dataclass(frozen=True)
class OnlineDeviation:
    point: int
    failures: list[str | None]  # the state of each row's failure
    outputs: list[dict[str, Any]] | None = None
    target_requests: int | None = None
    target_contents: list[str] | None = None
    judge_contents: list[str] | None = None  # of the last message of each request


ONLINE: dict[str, OnlineDeviation] = {
    # One failed row does not cost the others.
    "online-target-fails-strict": OnlineDeviation(1, failures=["skipped", None], target_requests=2),
    "online-target-empty-text-strict": OnlineDeviation(31, failures=["skipped", None], target_requests=2),
    # A judge is not asked about an answer that does not exist.
    "online-judge-sees-None-after-target-failure": OnlineDeviation(
        7,
        failures=["skipped", None],
        outputs=[{"clarity": NAN}, {"clarity": 4.0}],
        judge_contents=["Q: Name a metal. A: Zinc"],
    ),
    "online-judge-not-needing-the-answer-scores-failed-row": OnlineDeviation(
        7, failures=["skipped", None], outputs=[{"clarity": NAN}, {"clarity": 4.0}], judge_contents=["Name a metal."]
    ),
    "online-string-check-on-failed-row": OnlineDeviation(
        7, failures=["skipped", None], outputs=[{"string-check": NAN}, {"string-check": 1.0}]
    ),
    "online-string-template": OnlineDeviation(21, failures=[None], target_contents=["Q 2+2?"]),
    # One list in a reply is one unscored row, without an error of the whole metric.
    "online-judge-crash-ignored": OnlineDeviation(4, failures=["unparseable", None, "unparseable"]),
    "online-rubric-bad-ignored": OnlineDeviation(3, failures=["unparseable", None, "unparseable"]),
    # Online the judge sees the question as well.
    "online-default-judge-template": OnlineDeviation(
        22, failures=[None], judge_contents=['Row:\n{"ask": "Name a river."}\n\nAnswer to judge:\nElbe']
    ),
}


def _valued(point: int, *values: Any, score: str) -> Deviation:
    states = ["unparseable" if value == NAN else "scored" for value in values]
    return Deviation(point, outputs=[{score: value} for value in values], states=states)


def _matched(point: int, value: float) -> Deviation:
    return _valued(point, value, score="exact-match")


def _checked(*values: Any) -> Deviation:
    return _valued(37, *values, score="number-check")


def _called(names: float, arguments: float) -> Deviation:
    both = {"function_name_accuracy": names, "function_name_and_args_accuracy": arguments}
    return Deviation(40, outputs=[both])


METRICS: dict[str, Deviation] = {
    # A sign, a decimal point and a currency belong to a number; a text of articles is not empty.
    "em-minus-lost": _matched(36, 0.0),
    "em-decimal-point-lost": _matched(36, 0.0),
    "em-currency": _matched(36, 0.0),
    "em-only-article-equals-empty": _matched(36, 0.0),
    "f1-article-only-vs-empty": _valued(36, 0.0, score="f1"),
    # A numeral is read whole: 1,250 and 2e3 are one number, 3/4 is three quarters, a hyphen in a word is no minus.
    "nc-parse-thousands-comma-splits": _checked(0.0),
    "nc-parse-exponent-splits": _checked(0.0),
    "nc-parse-fraction-takes-denominator": _checked(0.0),
    "nc-parse-minus-glued-to-word": _checked(0.0),
    # A range, a date, a time is no number.
    "nc-parse-range-reads-negative": _checked(NAN),
    "nc-parse-date-last-part": _checked(NAN),
    "nc-parse-time": _checked(NAN),
    # Numbers are compared as they are written, without the dust of floats.
    "nc-absdiff-rounding": _checked(1.0, 1.0, 1.0),
    "nc-native-small-float-misread": _checked(0.0, 0.0),
    "nc-long-int": _checked(1.0, 1.0),
    # All references count in the corpus, and short texts that are identical are a perfect match there too.
    "bleu-two-references": Deviation(38, aggregates={"corpus": 100.0}),
    "bleu-two-references-corpus-uses-first-only": Deviation(38, aggregates={"corpus": 100.0}),
    "bleu-two-words": Deviation(38, aggregates={"corpus": 100.0}),
    "bleu-one-word": Deviation(38, aggregates={"corpus": 100.0}),
    # A perfect score is in the last bin of the histogram.
    "bleu-many": Deviation(32, aggregates={"sentence": [1, 1, 1, 1, 0, 1, 0, 0, 0, 1]}),
    "bleu-many-all": Deviation(32, aggregates={"sentence": [6, 2, 2, 4, 0, 1, 0, 0, 0, 5]}),
    # A metric that cannot work is refused before anything is run.
    "bleu-no-references": Deviation(1, refused=True),
    # Words have accents, and every script has words.
    "rouge-unicode": Deviation(
        39, outputs=[{"rouge_1_score": 0.6, "rouge_2_score": 0.25, "rouge_3_score": 0.0, "rouge_L_score": 0.6}]
    ),
    "rouge-cjk": Deviation(
        39, outputs=[{"rouge_1_score": 6 / 7, "rouge_2_score": 4 / 6, "rouge_3_score": 0.4, "rouge_L_score": 6 / 7}]
    ),
    # Each call counts, as often as it is wanted and made; arguments are the same as text and as an object.
    "tc-duplicate-call-ignored": _called(0.0, 0.0),
    "tc-duplicates-last-wins": _called(0.0, 0.0),
    "tc-duplicates-last-wins-wrong": _called(0.0, 0.0),
    "tc-wanted-duplicates-collapse": _called(0.0, 0.0),
    "tc-wanted-duplicates-both-made": _called(1.0, 1.0),
    "tc-arguments-already-object-nan": _called(1.0, 1.0),
    "tc-wanted-arguments-as-text-never-match": _called(1.0, 1.0),
    # What is outside the bounds is no score, and does not enter the mean.
    "remote-outside-bounds-kept": Deviation(14, outputs=[{"leafiness": NAN}], states=["out_of_range"]),
}
