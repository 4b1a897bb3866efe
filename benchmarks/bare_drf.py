"""The least that Django REST framework serves: one view that reads one row of SQLite. The anchor for our endpoints."""

import os
from typing import Any

import django
from django.conf import settings
from django.urls import path

settings.configure(
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="bench",
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "rest_framework"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["BENCH_DATABASE"],
            "CONN_MAX_AGE": None,
        }
    },
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [], "UNAUTHENTICATED_USER": None},
)
django.setup()

from django.contrib.contenttypes.models import ContentType  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

call_command("migrate", verbosity=0)


class One(APIView):
    def get(self, request: Request) -> Response:
        found: Any = ContentType.objects.filter(model="contenttype").first()
        return Response({"id": found.pk, "app": found.app_label, "model": found.model})


urlpatterns = [path("one", One.as_view())]
application = get_wsgi_application()
