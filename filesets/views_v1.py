"""Datasets of the v1 API (microservices-v1 section 3.1)."""

from typing import Any

from django.db.models import Value
from django.db.models.functions import Coalesce, Concat, Replace
from rest_framework.request import Request
from rest_framework.response import Response

from assay.filesets.datasets import change, datasets, entry_of, forget, get_dataset, register
from assay.filesets.models import Fileset
from assay.filesets.wire_v1 import DatasetCreate, DatasetReply, DatasetUpdate
from assay.platform.auth import principal
from assay.platform.openapi import extend_schema, refusals
from assay.platform.v1 import DeletedV1, V1Endpoint, deleted, given, read_v1, v1_page
from assay.platform.v1_conditions import Between, containing, exactly, within
from assay.platform.v1_lists import V1List
from assay.workspaces.namespaces import Store, namespace_for

DATASETS = V1List(
    sorts={"created_at": "registered_at", "name": "name"},
    filters={"namespace": exactly("workspace__name"), "project": exactly("project")},
    searches={
        "id": containing("dataset_uid"),
        "name": containing("name"),
        "namespace": containing("workspace__name"),
        "description": containing("description"),
        "project": containing("project"),
        "custom_fields": within("custom_fields"),
        "files_url": containing("files_url"),
        **{name: containing(f"dataset_entry__{name}") for name in ("format", "hf_endpoint", "split", "limit")},
        "ownership": within("dataset_entry__ownership"),
        "created_at": Between("registered_at"),
        "updated_at": Between("updated_at"),
    },
)
ANNOTATED = {
    "registered_at": Coalesce("dataset_entry__created_at", "created_at"),
    "files_url": Coalesce(
        "dataset_entry__files_url", Concat(Value("hf://datasets/"), "workspace__name", Value("/"), "name")
    ),
    "dataset_uid": Replace("uid", Value("fileset-"), Value("dataset-")),
}


def dataset_json(fileset: Fileset) -> dict[str, Any]:
    return DatasetReply.of(fileset).model_dump(mode="json")


class Datasets(V1Endpoint):
    @extend_schema(
        operation_id="list_v1_datasets",
        summary="List datasets, registered or not",
        tags=["v1 datasets"],
        parameters=DATASETS.query,
        responses={200: v1_page(DatasetReply), **refusals(400, 422)},
    )
    def get(self, request: Request) -> Response:
        return DATASETS.reply(request, datasets().annotate(**ANNOTATED), dataset_json)

    @extend_schema(
        operation_id="create_v1_dataset",
        summary="Register a dataset",
        tags=["v1 datasets"],
        request=DatasetCreate,
        responses={200: DatasetReply, **refusals(400, 409, 422)},
    )
    def post(self, request: Request) -> Response:
        body = read_v1(request, DatasetCreate)
        namespace = namespace_for(Store.ENTITIES, body.namespace, principal(request))
        return Response(dataset_json(register(namespace, body.name, given(body, "name", "namespace"))))


class OneDataset(V1Endpoint):
    @extend_schema(
        operation_id="get_v1_dataset",
        summary="Read what is known of a dataset",
        tags=["v1 datasets"],
        responses={200: DatasetReply, **refusals(404)},
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        return Response(dataset_json(get_dataset(namespace, name)))

    @extend_schema(
        operation_id="update_v1_dataset",
        summary="Change what is known of a dataset",
        tags=["v1 datasets"],
        request=DatasetUpdate,
        responses={200: DatasetReply, **refusals(400, 404, 422)},
    )
    def patch(self, request: Request, namespace: str, name: str) -> Response:
        fields = given(read_v1(request, DatasetUpdate))
        return Response(dataset_json(change(get_dataset(namespace, name), fields)))

    @extend_schema(
        operation_id="delete_v1_dataset",
        summary="Delete a dataset; files in our storage stay where they are",
        tags=["v1 datasets"],
        responses={200: DeletedV1, **refusals(404, 409)},
    )
    def delete(self, request: Request, namespace: str, name: str) -> Response:
        fileset = get_dataset(namespace, name)
        uid = entry_of(fileset).uid
        forget(fileset)
        return deleted(uid)
