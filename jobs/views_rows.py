"""The doors of a job's rows: pages of whole rows, one row, and all of them as a file; while it runs as well."""

import orjson
from django.http import StreamingHttpResponse
from pydantic import BaseModel, Field
from rest_framework.request import Request
from rest_framework.response import Response

from assay.jobs import exports
from assay.jobs.exports import Format
from assay.jobs.judged import find_job
from assay.jobs.packs import row_at
from assay.jobs.row_pages import LARGEST_PAGE, rows_page
from assay.jobs.views import described
from assay.platform.api import LAST_PAGE, Endpoint, read_query
from assay.platform.errors import NotFound
from assay.platform.openapi import OpenApiTypes
from assay_sdk.engine.result import ScoreState


class RowsQuery(BaseModel):
    limit: int = Field(50, ge=1, le=LARGEST_PAGE, description="Rows on a page.")
    page_cursor: str | None = Field(None, description="The next_page or prev_page of another page.")
    scored: bool | None = Field(None, description="true: rows that have all scores; false: rows that lack one.")
    state: ScoreState | None = Field(None, description="Rows with a score in that state.")


class ExportQuery(BaseModel):
    format: Format = Field(Format.JSONL, description="jsonl: whole rows; csv or parquet: a table.")


class WholeRow(BaseModel, extra="allow"):
    """A row with everything that became of it, in the form of the row-scores file."""

    row_index: int
    item: dict[str, object]


class RowsReply(BaseModel):
    data: list[WholeRow]
    next_page: str | None
    prev_page: str | None


class EvaluationRows(Endpoint):
    @described(
        "list_evaluation_rows",
        "Read the rows so far, a page at a time",
        RowsReply,
        400,
        404,
        422,
        parameters=[RowsQuery],
    )
    def get(self, request: Request, workspace: str, name: str) -> Response:
        asked = read_query(request, RowsQuery)
        page = rows_page(
            find_job(workspace, name),
            limit=asked.limit,
            cursor=asked.page_cursor,
            scored=asked.scored,
            state=asked.state,
        )
        rows = [orjson.Fragment(line) for line in page.lines]
        return Response({"data": rows, "next_page": page.next, "prev_page": page.previous})


class OneEvaluationRow(Endpoint):
    @described("get_evaluation_row", "Read a row", WholeRow, 404)
    def get(self, request: Request, workspace: str, name: str, index: int) -> Response:
        job = find_job(workspace, name)
        line = row_at(job, index) if index <= LAST_PAGE else None
        if line is None:
            raise NotFound(f"Job '{name}' has no row {index} that is judged by now.")
        return Response(orjson.Fragment(line))


class ExportEvaluation(Endpoint):
    @described(
        "export_evaluation",
        "Download the rows so far as JSON lines, CSV or Parquet",
        dict.fromkeys(exports.MEDIA_TYPES.values(), OpenApiTypes.BINARY),
        404,
        422,
        parameters=[ExportQuery],
    )
    def get(self, request: Request, workspace: str, name: str) -> StreamingHttpResponse:
        asked = read_query(request, ExportQuery)
        job = find_job(workspace, name)
        headers = {"Content-Disposition": f'attachment; filename="{job.name}.{asked.format}"'}
        return StreamingHttpResponse(
            exports.export(job, asked.format), content_type=exports.MEDIA_TYPES[asked.format], headers=headers
        )
