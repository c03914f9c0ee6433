"""``config.settings`` as for trying out. Of what the shell has set, only DATABASE_URL counts."""

import os

OTHER_VARIABLES = {
    *("SECRET_KEY", "ALLOWED_HOSTS", "BASE_URL", "CACHE_URL", "EMAIL_URL"),
    *("DEFAULT_CURRENCY", "EDITION", "GATEWAY", "SANDBOX_GATEWAY", "TIME_ZONE"),
    *("STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET", "STRIPE_API_BASE"),
}
for name in OTHER_VARIABLES & os.environ.keys():
    del os.environ[name]
os.environ["DEBUG"] = "1"

from config.settings import *  # noqa: E402, F403
from config.settings import TEMPLATES  # noqa: E402

BASE_URL = "http://testserver"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the slow ones are Django's to test
TEMPLATES[0]["OPTIONS"]["debug"] = True  # coverage of templates asks for it
