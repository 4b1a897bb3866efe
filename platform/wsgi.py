"""The web server's application, with every view loaded, over a database that is ready."""

import os
import threading

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assay.platform.settings")

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from assay.platform import drain, metrics, supervised, traces

supervised.obey()
if threading.current_thread() is threading.main_thread():
    drain.notice()
application = get_wsgi_application()
get_resolver().url_patterns  # noqa: B018  imports the views now, not while the first request waits
metrics.processes.labels("web").set(1)
traces.start("web")
supervised.wait_until_prepared()
