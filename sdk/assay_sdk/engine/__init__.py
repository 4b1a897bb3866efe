"""The evaluation engine: rows and metrics in, row scores and aggregates out. No database, no web framework.

from assay_sdk.engine import Row, RunConfig, parse_metric, run

metric = parse_metric({"type": "llm-judge", "model": {...}, "scores": [...], ...})
result = run([Row(0, {"question": "…", "answer": "…"})], [metric], config=RunConfig(parallelism=8))
"""

from assay_sdk.engine.aggregate import Summary
from assay_sdk.engine.errors import DatasetError, EngineError, RunAborted, TemplateFailure, TransportFailure
from assay_sdk.engine.forms import Form, FormState
from assay_sdk.engine.pace import Retry
from assay_sdk.engine.result import Call, Failure, Row, RowScore, Score, ScoreState
from assay_sdk.engine.run import RunResult, evaluate, run
from assay_sdk.engine.spec import (
    InferenceParams,
    JSONScoreParser,
    LLMJudgeMetric,
    Metric,
    MetricOutput,
    Model,
    RangeScore,
    Reasoning,
    RegexScoreParser,
    RubricItem,
    RubricScore,
    RunConfig,
    RunConfigOnline,
    RunConfigOnlineModel,
    StructuredOutput,
    metric_keys,
    parse_metric,
)
from assay_sdk.engine.transport import HTTPReply, HttpxTransport, Transport

__all__ = [
    "Call",
    "DatasetError",
    "EngineError",
    "Failure",
    "Form",
    "FormState",
    "HTTPReply",
    "HttpxTransport",
    "InferenceParams",
    "JSONScoreParser",
    "LLMJudgeMetric",
    "Metric",
    "MetricOutput",
    "Model",
    "RangeScore",
    "Reasoning",
    "RegexScoreParser",
    "Retry",
    "Row",
    "RowScore",
    "RubricItem",
    "RubricScore",
    "RunAborted",
    "RunConfig",
    "RunConfigOnline",
    "RunConfigOnlineModel",
    "RunResult",
    "Score",
    "ScoreState",
    "StructuredOutput",
    "Summary",
    "TemplateFailure",
    "Transport",
    "TransportFailure",
    "evaluate",
    "metric_keys",
    "parse_metric",
    "run",
]
