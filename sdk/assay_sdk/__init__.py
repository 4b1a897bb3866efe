"""Assay's client and evaluation engine: judge LLM output with LLM judges, and check the judges against people.

Every public name is listed here, and is loaded when it is first used: the import itself costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

CATALOGUE = {
    "assay_sdk.client.assay": "Assay AsyncAssay",
    "assay_sdk.client.comparing": "compare",
    "assay_sdk.client.errors": (
        "APIConnectionError APIStatusError APITimeoutError AssayError AuthenticationError BadRequestError "
        "ConflictError JobCancelled JobFailed JobTimeout NotFoundError PermissionDeniedError RateLimitError "
        "ServerError UnprocessableEntityError UnsafeArchive"
    ),
    "assay_sdk.client.job": "AsyncJob Job",
    "assay_sdk.client.result": "AggregateScore EvaluationResult",
    "assay_sdk.client.steering": "JobBudget JobProgress JobUsage JobWaiting",
    "assay_sdk.client.values": (
        "File Fileset FilesetRef Health HuggingfaceStorage JobInfo JobStatus LogLine Member Project ResultInfo Secret "
        "Storage StoredMetric StoredResult Workspace"
    ),
    "assay_sdk.engine.agree": "Agreement agreement",
    "assay_sdk.engine.comparison": "ChangedRow ComparedRun Comparison Difference",
    "assay_sdk.engine.errors": "EngineError NotComparable RunAborted",
    "assay_sdk.engine.pairwise": "PositionBias Share",
    "assay_sdk.engine.result": "RowScore Score ScoreState",
    "assay_sdk.engine.statistic": "Statistic",
    "assay_sdk.engine.spec": (
        "BLEUMetric ExactMatchMetric Expectation F1Metric InferenceParams JSONScoreParser LLMJudgeMetric Model "
        "NemoAgentToolkitRemoteMetric NumberCheckMetric PairwiseMetric PanelMetric ROUGEMetric RangeScore Reasoning "
        "RegexScoreParser RemoteMetric RemoteScore RubricItem RubricScore RunConfig RunConfigOnline "
        "RunConfigOnlineModel SelfConsistencyMetric StringCheckMetric StructuredOutput ToolCallingMetric"
    ),
}
"""Module → the public names that live there."""

HOMES = {name: module for module, names in CATALOGUE.items() for name in names.split()}

__all__ = [*HOMES]

if TYPE_CHECKING:
    # The same for type checkers and editors, which cannot follow the catalogue; a test holds the two together.
    from assay_sdk.client.assay import Assay as Assay
    from assay_sdk.client.assay import AsyncAssay as AsyncAssay
    from assay_sdk.client.comparing import compare as compare
    from assay_sdk.client.errors import APIConnectionError as APIConnectionError
    from assay_sdk.client.errors import APIStatusError as APIStatusError
    from assay_sdk.client.errors import APITimeoutError as APITimeoutError
    from assay_sdk.client.errors import AssayError as AssayError
    from assay_sdk.client.errors import AuthenticationError as AuthenticationError
    from assay_sdk.client.errors import BadRequestError as BadRequestError
    from assay_sdk.client.errors import ConflictError as ConflictError
    from assay_sdk.client.errors import JobCancelled as JobCancelled
    from assay_sdk.client.errors import JobFailed as JobFailed
    from assay_sdk.client.errors import JobTimeout as JobTimeout
    from assay_sdk.client.errors import NotFoundError as NotFoundError
    from assay_sdk.client.errors import PermissionDeniedError as PermissionDeniedError
    from assay_sdk.client.errors import RateLimitError as RateLimitError
    from assay_sdk.client.errors import ServerError as ServerError
    from assay_sdk.client.errors import UnprocessableEntityError as UnprocessableEntityError
    from assay_sdk.client.errors import UnsafeArchive as UnsafeArchive
    from assay_sdk.client.job import AsyncJob as AsyncJob
    from assay_sdk.client.job import Job as Job
    from assay_sdk.client.result import AggregateScore as AggregateScore
    from assay_sdk.client.result import EvaluationResult as EvaluationResult
    from assay_sdk.client.steering import JobBudget as JobBudget
    from assay_sdk.client.steering import JobProgress as JobProgress
    from assay_sdk.client.steering import JobUsage as JobUsage
    from assay_sdk.client.steering import JobWaiting as JobWaiting
    from assay_sdk.client.values import File as File
    from assay_sdk.client.values import Fileset as Fileset
    from assay_sdk.client.values import FilesetRef as FilesetRef
    from assay_sdk.client.values import Health as Health
    from assay_sdk.client.values import HuggingfaceStorage as HuggingfaceStorage
    from assay_sdk.client.values import JobInfo as JobInfo
    from assay_sdk.client.values import JobStatus as JobStatus
    from assay_sdk.client.values import LogLine as LogLine
    from assay_sdk.client.values import Member as Member
    from assay_sdk.client.values import Project as Project
    from assay_sdk.client.values import ResultInfo as ResultInfo
    from assay_sdk.client.values import Secret as Secret
    from assay_sdk.client.values import Storage as Storage
    from assay_sdk.client.values import StoredMetric as StoredMetric
    from assay_sdk.client.values import StoredResult as StoredResult
    from assay_sdk.client.values import Workspace as Workspace
    from assay_sdk.engine.agree import Agreement as Agreement
    from assay_sdk.engine.agree import agreement as agreement
    from assay_sdk.engine.comparison import ChangedRow as ChangedRow
    from assay_sdk.engine.comparison import ComparedRun as ComparedRun
    from assay_sdk.engine.comparison import Comparison as Comparison
    from assay_sdk.engine.comparison import Difference as Difference
    from assay_sdk.engine.errors import EngineError as EngineError
    from assay_sdk.engine.errors import NotComparable as NotComparable
    from assay_sdk.engine.errors import RunAborted as RunAborted
    from assay_sdk.engine.pairwise import PositionBias as PositionBias
    from assay_sdk.engine.pairwise import Share as Share
    from assay_sdk.engine.result import RowScore as RowScore
    from assay_sdk.engine.result import Score as Score
    from assay_sdk.engine.result import ScoreState as ScoreState
    from assay_sdk.engine.spec import BLEUMetric as BLEUMetric
    from assay_sdk.engine.spec import ExactMatchMetric as ExactMatchMetric
    from assay_sdk.engine.spec import Expectation as Expectation
    from assay_sdk.engine.spec import F1Metric as F1Metric
    from assay_sdk.engine.spec import InferenceParams as InferenceParams
    from assay_sdk.engine.spec import JSONScoreParser as JSONScoreParser
    from assay_sdk.engine.spec import LLMJudgeMetric as LLMJudgeMetric
    from assay_sdk.engine.spec import Model as Model
    from assay_sdk.engine.spec import NemoAgentToolkitRemoteMetric as NemoAgentToolkitRemoteMetric
    from assay_sdk.engine.spec import NumberCheckMetric as NumberCheckMetric
    from assay_sdk.engine.spec import PairwiseMetric as PairwiseMetric
    from assay_sdk.engine.spec import PanelMetric as PanelMetric
    from assay_sdk.engine.spec import RangeScore as RangeScore
    from assay_sdk.engine.spec import Reasoning as Reasoning
    from assay_sdk.engine.spec import RegexScoreParser as RegexScoreParser
    from assay_sdk.engine.spec import RemoteMetric as RemoteMetric
    from assay_sdk.engine.spec import RemoteScore as RemoteScore
    from assay_sdk.engine.spec import ROUGEMetric as ROUGEMetric
    from assay_sdk.engine.spec import RubricItem as RubricItem
    from assay_sdk.engine.spec import RubricScore as RubricScore
    from assay_sdk.engine.spec import RunConfig as RunConfig
    from assay_sdk.engine.spec import RunConfigOnline as RunConfigOnline
    from assay_sdk.engine.spec import RunConfigOnlineModel as RunConfigOnlineModel
    from assay_sdk.engine.spec import SelfConsistencyMetric as SelfConsistencyMetric
    from assay_sdk.engine.spec import StringCheckMetric as StringCheckMetric
    from assay_sdk.engine.spec import StructuredOutput as StructuredOutput
    from assay_sdk.engine.spec import ToolCallingMetric as ToolCallingMetric
    from assay_sdk.engine.statistic import Statistic as Statistic


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib import metadata

        return metadata.version("assay-sdk")
    if name not in HOMES:
        raise AttributeError(f"module 'assay_sdk' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *HOMES, "__version__"})
