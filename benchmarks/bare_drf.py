"""The least that Django REST framework serves, the anchors for our endpoints: one row, and a page of ten of a table.

Its database is named by `BENCH_DATABASE`: a file of SQLite, or the URL of a Postgres.
"""

import os
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.urls import path

_url = urlsplit(os.environ["BENCH_DATABASE"])
DATABASE = (
    {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _url.path.lstrip("/"),
        "USER": _url.username,
        "PASSWORD": _url.password or "",
        "HOST": _url.hostname,
        "PORT": _url.port or "",
    }
    if _url.scheme
    else {"ENGINE": "django.db.backends.sqlite3", "NAME": _url.path}
)
settings.configure(
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="bench",
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    DATABASES={"default": DATABASE | {"CONN_MAX_AGE": None}},
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [], "UNAUTHENTICATED_USER": None},
)
django.setup()

from django.contrib.auth.models import Permission  # noqa: E402
from django.contrib.contenttypes.models import ContentType  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from rest_framework.generics import ListAPIView  # noqa: E402
from rest_framework.pagination import PageNumberPagination  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.serializers import CharField, ModelSerializer  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

call_command("migrate", verbosity=0)


class One(APIView):
    def get(self, request: Request) -> Response:
        found: Any = ContentType.objects.filter(model="contenttype").first()
        return Response({"id": found.pk, "app": found.app_label, "model": found.model})


class Entry(ModelSerializer):
    app = CharField(source="content_type.app_label")

    class Meta:
        model = Permission
        fields = ("id", "name", "codename", "app")


class TenAPage(PageNumberPagination):
    page_size = 10


class Ten(ListAPIView):
    queryset = Permission.objects.select_related("content_type").order_by("-id")
    serializer_class = Entry
    pagination_class = TenAPage


urlpatterns = [path("one", One.as_view()), path("ten", Ten.as_view())]
application = get_wsgi_application()
