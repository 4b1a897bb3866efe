"""Properties of the engine as a whole."""

import subprocess
import sys
from pathlib import Path

import pytest

import assay_sdk.engine
from tests.engine.deviations import AGGREGATE, DATASET, JUDGE, METRICS, ONLINE, READING
from tests.engine.golden import cases
from tests.engine.test_golden_metrics import FILES as METRIC_FILES

FOLDER = Path(assay_sdk.engine.__file__).parent
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
ALLOWED = {
    "httpx",
    "jinja2",
    "markupsafe",
    "orjson",
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "typing_extensions",
}


@pytest.mark.parametrize(
    ("deviations", "files"),
    [
        (JUDGE, ("judge_json", "judge_regex", "judge_rubric", "judge_templates", "judge_requests")),
        (AGGREGATE, ("aggregate",)),
        (DATASET, ("datasets",)),
        (ONLINE, ("online",)),
        (METRICS, METRIC_FILES),
    ],
)
def test_every_deviation_is_from_a_vector_and_from_a_listed_point(
    deviations: dict[str, object], files: tuple[str, ...]
) -> None:
    assert deviations.keys() <= {case.id for case in cases(*files)}
    points = {id: deviation.point for id, deviation in deviations.items()}  # type: ignore[attr-defined]
    assert all(1 <= point <= 41 or (point == READING and files[0] == "judge_json") for point in points.values())


def test_engine_imports_nothing_heavy() -> None:
    # The two transports are loaded by whoever makes the first call.
    light = [module for module in MODULES if not module.startswith("transport_")]
    program = "import sys; " + "; ".join(f"import assay_sdk.engine.{module}" for module in light)
    program += "; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    path = str(FOLDER.parent.parent)
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {path!r}); {program}"]
    loaded = set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    assert "httpx" not in loaded, "httpx is to be imported when the first client is made"
    for heavy in ("django", "numpy", "pyarrow", "anyio", "openai", "jsonpath_ng", "sacrebleu", "nltk"):
        assert heavy not in loaded


@pytest.mark.parametrize("module", MODULES)
def test_modules_stay_small(module: str) -> None:
    assert len((FOLDER / f"{module}.py").read_text("utf-8").splitlines()) < 300
