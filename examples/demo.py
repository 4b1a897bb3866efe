"""The demo behind ``make demo``: start the platform and the stand-in judge, run the sample evaluation, keep serving.

Everything runs on this machine; the judge is a stand-in, a small program with a plausible opinion, not a model.
"""

import argparse
import contextlib
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from assay_sdk import Assay, ConflictError, FilesetRef, JSONScoreParser, LLMJudgeMetric, Model, RangeScore, RunConfig
from assay_sdk.client.job import Job

HERE = Path(__file__).resolve().parent
DATA = HERE / "data" / "helpfulness.jsonl"
READY_SECONDS = 60
STAND_IN = "assay-stand-in-judge"
PROMPT = (
    "You rate answers. Say how helpful the answer is to who asked, from 0 (useless) to 4 (could not be better).\n"
    'Reply with JSON only: {"helpfulness": <0-4>}'
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--data-dir", default="./data")
    parser.add_argument("--once", action="store_true", help="end after the summary")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    url = f"http://{options.host}:{options.port}"
    with platform(url, options) as serving, stand_in_judge() as judge_url:
        job = run_sample(Assay(url, workspace="default"), judge_url)
        print(f"\nLook around: {url}/ (admin UI), {url}/docs (API); job '{job.name}' in workspace '{job.workspace}'.")
        if options.once:
            return 0
        print("Serving until Ctrl-C.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            serving.wait()
    return 0


def run_sample(default: Assay, judge_url: str) -> Job:
    """Judge the sample dataset on the platform, print what came of it, and return the job."""
    with contextlib.suppress(ConflictError):
        default.workspaces.create("demo", description="The sample evaluation of `make demo`")
    assay = Assay(default.base_url, workspace="demo")
    with contextlib.suppress(ConflictError):
        assay.secrets.create("judge-key", "not-needed-by-the-stand-in")
    with contextlib.suppress(ConflictError):
        assay.files.filesets.create("helpfulness", description="Sample answers with human-style ratings")
    assay.files.upload("helpfulness", DATA)
    judge = LLMJudgeMetric(
        model=Model(url=f"{judge_url}/chat/completions", name=STAND_IN, api_key_secret="judge-key"),
        scores=[RangeScore(name="helpfulness", minimum=0, maximum=4, parser=JSONScoreParser(json_path="helpfulness"))],
        prompt_template={
            "messages": [
                {"role": "system", "content": PROMPT},
                {"role": "user", "content": "Question: {{item.prompt}}\n\nAnswer: {{item.response}}"},
            ]
        },
    )
    dataset = FilesetRef(root="demo/helpfulness").with_fragment(DATA.name)
    job = assay.evaluator.submit(
        judge, dataset, name=f"demo-{time.strftime('%Y%m%d-%H%M%S')}", config=RunConfig(parallelism=8)
    )
    job.wait(timeout=120)
    result = job.result()
    print(f"\nJob '{job.name}': {len(result.row_scores)} answers judged by the stand-in judge (not a model)\n")
    print(result.summary())
    print("\nThe stand-in judge against the human-style ratings that come with the sample:\n")
    print(job.agreement("helpfulness").summary())
    return job


@contextlib.contextmanager
def platform(url: str, options: argparse.Namespace) -> Iterator[subprocess.Popen[bytes]]:
    argv = [
        sys.executable,
        str(HERE.parent / "manage.py"),
        "serve",
        "--host",
        options.host,
        "--port",
        str(options.port),
    ]
    # A session of its own: Ctrl-C reaches this program, which then drains the platform in order.
    process = subprocess.Popen([*argv, "--data-dir", options.data_dir], start_new_session=True)
    try:
        wait_until_ready(url, process)
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"The platform did not start (exit code {process.returncode}); its message stands above.")
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(f"{url}/health/ready", timeout=2).close()  # our own address  # nosec B310
            return
        time.sleep(0.05)
    raise SystemExit(f"The platform was not ready after {READY_SECONDS} s.")


@contextlib.contextmanager
def stand_in_judge() -> Iterator[str]:
    """Start the stand-in judge and yield its base URL; it ends with this program, however that ends."""
    argv = [sys.executable, str(HERE / "standin_judge.py"), "--port", "0", "--latency-ms", "20", "--until-stdin-closes"]
    judge = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert judge.stdin is not None
    assert judge.stdout is not None
    try:
        line = judge.stdout.readline()
        yield line.rpartition(" ")[2].strip()
    finally:
        judge.stdin.close()
        judge.wait()


if __name__ == "__main__":
    sys.exit(main())
