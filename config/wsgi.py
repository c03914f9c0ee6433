"""The door for a WSGI server."""

import gc
import os

from django.core.wsgi import get_wsgi_application

from config.middleware import LegibleRequest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
application.request_class = LegibleRequest

# What has been imported stays for good: the collector need not walk through it again at every other request,
# and the memory of workers that are forked from here stays shared.
gc.collect()
gc.freeze()
