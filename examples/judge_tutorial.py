r"""LLM as a judge, and how far to trust it: a tutorial that runs.

    make serve                          # in one terminal
    python examples/judge_tutorial.py   # in another

It asks a judge how helpful sixty answers are, compares that with ratings by people, changes the prompt, and compares
again. Two things are stand-ins, and marked as such: without ``--judge-url`` the judge is a small program with a
plausible opinion and no model behind it, and the ratings of the sample dataset are human-style, written by the authors
of this project (``data/README.md``). With a judge and a dataset of your own the steps are the same:

    ASSAY_JUDGE_KEY=… python examples/judge_tutorial.py --judge-url https://…/v1 --judge-model some-model \
        --hub-endpoint https://huggingface.co --hub-repo nvidia/HelpSteer2 --hub-file validation.jsonl.gz

The platform is taken from ASSAY_URL, http://127.0.0.1:8080 if that is not set.
"""

import argparse
import contextlib
import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assay_sdk import (
    Assay,
    ConflictError,
    EvaluationResult,
    Fileset,
    FilesetRef,
    HuggingfaceStorage,
    InferenceParams,
    Job,
    JSONScoreParser,
    LLMJudgeMetric,
    Model,
    RangeScore,
    RunConfig,
)

HERE = Path(__file__).resolve().parent
WORKSPACE = "judge-tutorial"
STAND_IN = "assay-stand-in-judge"

PLAIN = """You rate the answers of an assistant.
Say how helpful the answer is to the person who asked, from 0 (useless) to 4 (could not be better)."""

STRICT = """You are a strict examiner of an assistant's answers.
Say how helpful the answer is, from 0 to 4: 4 only if nothing is missing and nothing is wrong; 3 if an expert would add
something; 2 if it helps but leaves questions; 1 if it hardly helps; 0 if it is wrong or beside the point."""


def main() -> None:
    options = parse_options()
    with judge_at(options) as judge_url:
        assay = connect(options.url)
        step("2  A workspace, a secret, a dataset")
        make_room(assay)
        secret = assay.secrets.create("judge-key", os.environ.get("ASSAY_JUDGE_KEY", "not-needed-by-the-stand-in"))
        print(f"Secret {secret.workspace}/{secret.name}: its value is sealed, nothing shows it again.")
        dataset = hub_dataset(assay, options) if options.hub_endpoint else own_dataset(assay)
        print(f"Dataset {dataset}")

        step("3  A judge, tried out here on five rows")
        judge = Model(url=judge_url, name=options.judge_model, api_key_secret="judge-key")
        plain = helpfulness(judge, PLAIN)
        print(label(options))
        try_out(assay, plain, first_rows(assay, dataset, 5))

        step("4  The same judge over the whole dataset, as a job of the platform")
        limit = RunConfig(parallelism=8, limit_samples=options.limit)
        first_job = assay.evaluator.submit(plain, dataset, name="plain-prompt", config=limit).wait()
        first = first_job.result()
        print(f"{label(options)}\n{first.summary()}")
        show_rows(first)

        step("5  Does it agree with people?")
        print(label(options))
        print(first_job.agreement("helpfulness").summary())

        step("6  Another prompt, side by side")
        strict = helpfulness(judge, STRICT)
        second_job = assay.evaluator.submit(strict, dataset, name="strict-prompt", config=limit).wait()
        second = second_job.result()
        print(label(options))
        show_agreement({"plain": first_job, "strict": second_job})
        print(assay.evaluator.compare([first_job, second_job]).summary())
        show_side_by_side(first, second)

        step("7  How the scores are spread")
        print(label(options))
        show_spread({"plain": first, "strict": second}, label(options))

        step("8  Clean up, in order")
        clean_up(assay, [first_job, second_job], dataset)


# The steps


def connect(url: str) -> Assay:
    """Connect to the platform, working in the tutorial's workspace."""
    step("1  Connect")
    assay = Assay(url, workspace=WORKSPACE)
    print(f"{assay}: {assay.health().status}")
    return assay


def make_room(assay: Assay) -> None:
    """Make the workspace; what a run that broke off has left of it goes first."""
    try:
        assay.workspaces.create(WORKSPACE, description="LLM as a judge, the tutorial")
    except ConflictError:
        assay.workspaces.delete(WORKSPACE, cascade=True)
        assay.workspaces.create(WORKSPACE, description="LLM as a judge, the tutorial")


def own_dataset(assay: Assay) -> FilesetRef:
    """Upload the sample dataset: one JSON object a line, with human-style ratings from 0 to 4."""
    fileset = assay.files.filesets.create(
        "helpfulness", description="Answers with human-style ratings", purpose="dataset"
    )
    file = assay.files.upload(fileset, HERE / "data" / "helpfulness.jsonl")
    print("Its ratings, 'people' below, are human-style: written by this project's authors, see data/README.md.")
    return fileset.ref.with_fragment(file.path)


def hub_dataset(assay: Assay, options: argparse.Namespace) -> FilesetRef:
    """Take the dataset from a Hugging Face hub, pinned to the commit that its main branch has now."""
    storage = HuggingfaceStorage(repo_id=options.hub_repo, endpoint=options.hub_endpoint)
    fileset: Fileset = assay.files.filesets.create("helpfulness", storage=storage, purpose="dataset")
    return fileset.ref.with_fragment(options.hub_file)


def helpfulness(judge: Model, instructions: str) -> LLMJudgeMetric:
    """Return a metric that asks the judge for one number from 0 to 4 and reads it from the JSON of its reply."""
    messages = [
        {"role": "system", "content": instructions + '\nReply with JSON only: {"helpfulness": <0-4>}'},
        {
            "role": "user",
            "content": "User prompt: {{item.prompt}}\n\nAssistant response: {{item.response}}\n\nRate this.",
        },
    ]
    return LLMJudgeMetric(
        model=judge,
        prompt_template={"messages": messages},
        scores=[RangeScore(name="helpfulness", minimum=0, maximum=4, parser=JSONScoreParser(json_path="helpfulness"))],
        inference=InferenceParams(temperature=0, max_tokens=512),
    )


def try_out(assay: Assay, metric: LLMJudgeMetric, rows: list[dict[str, Any]]) -> None:
    """Run a metric in this process: no job, nothing stored, the same scores as a job would give."""
    key = {"judge-key": os.environ.get("ASSAY_JUDGE_KEY", "not-needed-by-the-stand-in")}
    result = assay.evaluator.run(metric, rows, api_keys=key)
    for row, score in zip(result.row_scores, result.values("helpfulness"), strict=True):
        print(f"  judge {number(score)}   people {row.item['helpfulness']}   {short(row.item['prompt'], 70)}")
    for row in result.unscored:
        print(f"  row {row.index} is unscored: {row.failure}")


def show_rows(result: EvaluationResult) -> None:
    """Show the first row scores; a row without a score says why."""
    print("\nThe first rows:")
    for row, score in list(zip(result.row_scores, result.values("helpfulness"), strict=True))[:5]:
        reason = f"  ({row.failure.text})" if row.failure else ""
        print(f"  {row.index:>3}  judge {number(score)}  people {row.item['helpfulness']}{reason}")


def show_agreement(jobs: dict[str, Job]) -> None:
    """Hold judges against the ratings by hand. Correlations say whether the order is right, MAE how far off it is."""
    names = ("pearson", "spearman", "mae", "bias")
    print(f"{'prompt':<10}{'rows':>6}" + "".join(f"{name:>29}" for name in names))
    for prompt, job in jobs.items():
        found = job.agreement("helpfulness")
        print(f"{prompt:<10}{found.n:>6}" + "".join(f"{found[name]!s:>29}" for name in names))
    print("In brackets: where the number probably lies with more rows of the same kind, 95 times out of 100.\n")


def show_side_by_side(first: EvaluationResult, second: EvaluationResult) -> None:
    """Show the rows on which two prompts differ most."""
    scores = zip(first.row_scores, first.values("helpfulness"), second.values("helpfulness"), strict=True)
    both = [(row, a, b) for row, a, b in scores if a is not None and b is not None]
    both.sort(key=lambda found: abs(found[1] - found[2]), reverse=True)
    print(f"\nWhere the prompts differ most:\n{'row':>5}{'plain':>8}{'strict':>8}{'people':>8}   prompt")
    for row, a, b in both[:8]:
        print(f"{row.index:>5}{a:>8g}{b:>8g}{row.item['helpfulness']:>8}   {short(row.item['prompt'], 60)}")


def show_spread(results: dict[str, EvaluationResult], title: str) -> None:
    """Show percentiles, and a histogram as text; as a picture too if matplotlib is there."""
    for prompt, result in results.items():
        score = result.score("helpfulness")
        spread = {name: value for name, value in (score.percentiles or {}).items() if name in ("p10", "p50", "p90")}
        print(f"\n{prompt}: " + ", ".join(f"{name} {value:g}" for name, value in spread.items()))
        for grade in range(5):
            count = sum(value is not None and round(value) == grade for value in result.values("helpfulness"))
            print(f"  {grade}  {'█' * count} {count}")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("\n(matplotlib is not installed, so there is no picture of this)")
        return
    figure = Figure(figsize=(7, 4))
    axes = figure.subplots()
    values = {prompt: [v for v in result.values("helpfulness") if v is not None] for prompt, result in results.items()}
    axes.hist(list(values.values()), bins=[-0.5, 0.5, 1.5, 2.5, 3.5, 4.5], label=list(values))
    axes.set(title=title, xlabel="helpfulness", ylabel="rows")
    axes.legend()
    target = Path(tempfile.gettempdir()) / "judge_tutorial.png"
    figure.savefig(target)
    print(f"\nThe picture: {target}")


def clean_up(assay: Assay, jobs: list[Job], dataset: FilesetRef) -> None:
    """Delete what was made. Nothing is deleted from under something that refers to it."""
    try:
        assay.workspaces.delete(WORKSPACE)
    except ConflictError as refusal:
        print(f"Too early, as it should be:\n  {refusal}\n")
    for job in jobs:
        job.delete()
    assay.files.filesets.delete(dataset.place(WORKSPACE)[1])
    assay.secrets.delete("judge-key")
    assay.workspaces.delete(WORKSPACE)
    print("Jobs, dataset, secret and workspace are deleted, in this order.")


# What is needed around them


def first_rows(assay: Assay, dataset: FilesetRef, count: int) -> list[dict[str, Any]]:
    """Return the first rows of a dataset file of one JSON object a line."""
    name = dataset.fragment or ""
    content = assay.files.read(dataset, name)
    lines = (gzip.decompress(content) if name.endswith(".gz") else content).splitlines()
    return [json.loads(line) for line in lines[:count]]


@contextlib.contextmanager
def judge_at(options: argparse.Namespace) -> Iterator[str]:
    """Yield the judge's base URL: the one given, else that of the stand-in, which is started for as long as needed."""
    if options.judge_url:
        yield options.judge_url
        return
    argv = [sys.executable, str(HERE / "standin_judge.py"), "--latency-ms", "20", "--until-stdin-closes"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        ready, _, url = process.stdout.readline().partition("listening on ")
        if not ready:
            raise SystemExit("The stand-in judge did not start.")
        print("The judge is a STAND-IN: a small program, no model. Its scores show how things work, nothing else.")
        yield url.strip()
    finally:
        process.terminate()
        process.wait()


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="LLM as a judge, and how far to trust it.")
    parser.add_argument("--url", default=os.environ.get("ASSAY_URL", "http://127.0.0.1:8080"), help="the platform")
    parser.add_argument("--judge-url", help="an OpenAI-compatible base URL (default: the stand-in judge)")
    parser.add_argument("--judge-model", default=STAND_IN, help="the judge's model name")
    parser.add_argument("--hub-endpoint", help="take the dataset from this Hugging Face hub instead")
    parser.add_argument("--hub-repo", default="nvidia/HelpSteer2", help="its repository there")
    parser.add_argument("--hub-file", default="validation.jsonl.gz", help="the file in it, one JSON object a line")
    parser.add_argument("--limit", type=int, help="judge so many rows at most (default: all, 60 from a hub)")
    options = parser.parse_args()
    options.limit = options.limit or (60 if options.hub_endpoint else None)
    return options


def label(options: argparse.Namespace) -> str:
    """Return whose scores these are."""
    stand_in = options.judge_model == STAND_IN
    return "Scores of the STAND-IN judge, not of a model" if stand_in else f"Scores of {options.judge_model}"


def step(title: str) -> None:
    print(f"\n== {title} ".ljust(100, "="), flush=True)


def short(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


if __name__ == "__main__":
    main()
