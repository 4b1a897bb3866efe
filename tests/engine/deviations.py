"""Where we differ from the golden vectors on purpose, and what we give instead.

Each entry names the point of "Where to be better" in the contract's metrics.md that calls the recorded answer a
mistake. What an entry does not state is as recorded. The tests hold us to these expectations as to the vectors.
"""

from dataclasses import dataclass
from typing import Any

NAN = "NaN"


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
    "json-nbsp-before": _scored(11, 3.0),
    "rubric-fenced": _labelled(11, 1.0, "good"),
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
    "online-default-judge-template": Deviation(22),
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
    "agg-tenths": Deviation(32, aggregates={"histogram_counts": [1] * 9 + [1]}),
}
DATASET: dict[str, Deviation] = {}
