"""``config.settings`` as for trying out, whatever else the shell that starts the tests has set than DATABASE_URL."""

import atexit
import os
import shutil
import tempfile

os.environ["DEBUG"] = "1"
for name in (
    "SECRET_KEY ALLOWED_HOSTS EMAIL_URL CACHE_URL BASE_URL TIME_ZONE DEFAULT_CURRENCY EDITION GATEWAY SANDBOX_GATEWAY"
).split():
    os.environ.pop(name, None)

from config.settings import *  # noqa: E402, F403
from config.settings import DATABASES, TEMPLATES  # noqa: E402

BASE_URL = "http://testserver"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher"
]  # signing in is not what most tests are about
TEMPLATES[0]["OPTIONS"]["debug"] = True  # coverage of templates asks for it

if "sqlite3" in DATABASES["default"]["ENGINE"]:
    # A file, because threads and processes share no database in memory; one per run, so that runs do not meet.
    directory = tempfile.mkdtemp(prefix="counterfoil-tests-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    DATABASES["default"]["TEST"] = {"NAME": f"{directory}/test.sqlite3"}
