"""The door for a WSGI server."""

import os

from django.core.wsgi import get_wsgi_application

from config.middleware import LegibleRequest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
application.request_class = LegibleRequest
