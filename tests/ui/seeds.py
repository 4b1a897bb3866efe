"""What stands on the platform before a browser comes: data, a secret, evaluations, one of them failed."""

import contextlib
import csv
import io
import re
from dataclasses import dataclass

import httpx

from assay_sdk import Assay, FilesetRef, JobFailed, JSONScoreParser, LLMJudgeMetric, Model, RangeScore, RunConfig

WORKSPACE = "demo"
FILESET = "answers"
FILE = "answers.csv"
ROWS = 40
MODEL = "assay-stand-in-judge"
REPLY = 'Reply with JSON only: {"helpfulness": <0-4>}'
STRICT = f"You rate answers strictly, from 0 (useless) to 4 (could not be better).\n{REPLY}"
KIND = f"You rate answers kindly. Say how helpful the answer is, from 0 to 4.\n{REPLY}"
TOPICS = ("rivers", "bread", "bicycles", "the moon", "chess", "tea", "glaciers", "violins")


@dataclass(frozen=True)
class Site:
    """A platform and the judge that its evaluations ask."""

    url: str
    judge_url: str
    workspace: str = WORKSPACE
    fileset: str = FILESET
    file: str = FILE
    strict: str = "strict-judge"
    """An evaluation that completed; ``kind`` is another of the same rows with another prompt."""
    kind: str = "kind-judge"
    failed: str = "missing-file"
    """One that failed: its file is not there."""
    person: str = "ann"
    """Somebody with an account."""

    def assay(self) -> Assay:
        return Assay(self.url, workspace=self.workspace)

    def judge(self, prompt: str = STRICT, address: str = "") -> LLMJudgeMetric:
        return LLMJudgeMetric(
            model=Model(url=f"{address or self.judge_url}/chat/completions", name=MODEL, api_key_secret="judge-key"),
            scores=[
                RangeScore(name="helpfulness", minimum=0, maximum=4, parser=JSONScoreParser(json_path="helpfulness"))
            ],
            prompt_template={
                "messages": [
                    {"role": "system", "content": prompt},
                    {"role": "user", "content": "Question: {{item.prompt}}\n\nAnswer: {{item.response}}"},
                ]
            },
        )

    def dataset(self) -> FilesetRef:
        return FilesetRef(root=f"{self.workspace}/{self.fileset}").with_fragment(self.file)


def answers(rows: int = ROWS) -> str:
    """Return a CSV of questions and answers with the helpfulness that people gave them; some rows have none."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["id", "prompt", "response", "helpfulness"])
    for row in range(rows):
        topic = TOPICS[row % len(TOPICS)]
        words = " ".join(f"Point {point} about {topic} explains it with an example." for point in range(row % 5))
        rating = "" if row % 13 == 12 else str(min(4, row % 5))
        table.writerow([f"a-{row}", f"What should I know about {topic}? ({row})", words or "No idea.", rating])
    return text.getvalue()


def seed(url: str, judge_url: str, *, table: str = "", prompts: tuple[str, str] = (STRICT, KIND)) -> Site:
    """Fill an empty platform, with ``table`` in the place of ``answers``; return once every evaluation has ended."""
    site = Site(url, judge_url)
    everywhere = Assay(url)
    everywhere.workspaces.create(WORKSPACE, description="Answers of a support bot")
    _make_account(url, site.person)
    assay = site.assay()
    assay.secrets.create("judge-key", "not-needed-by-the-stand-in")
    assay.files.filesets.create(FILESET, description="Answers, with people's ratings")
    assay.files.upload(FILESET, (table or answers()).encode(), path=FILE)
    config = RunConfig(parallelism=8)
    jobs = [
        assay.evaluator.submit(site.judge(prompts[0]), site.dataset(), name=site.strict, config=config),
        assay.evaluator.submit(site.judge(prompts[1]), site.dataset(), name=site.kind, config=config),
    ]
    for job in jobs:
        job.wait(timeout=120)
    missing = FilesetRef(root=f"{WORKSPACE}/{FILESET}").with_fragment("missing.csv")
    failed = assay.evaluator.submit(site.judge(), missing, name=site.failed, config=config)
    with contextlib.suppress(JobFailed):
        failed.wait(timeout=60)
    return site


def _make_account(url: str, name: str) -> None:
    """Make an account by the page of people, which alone makes some."""
    with httpx.Client(base_url=url, timeout=30) as browser:
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', browser.get("/admin/people/").text)
        form = {"csrfmiddlewaretoken": token[1] if token else "", "name": name, "email": f"{name}@team.example"}
        browser.post("/admin/people/", data=form).raise_for_status()
