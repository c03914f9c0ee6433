from datetime import UTC, datetime

import pytest
from django.utils import timezone
from django.utils.dateformat import format as write_date

from billing.templatetags.rows import moment


@pytest.mark.parametrize("month", range(1, 13))
@pytest.mark.parametrize("zone", ["UTC", "Europe/London", "America/St_Johns"])
def test_a_moment_is_written_as_djangos_own_filter_writes_it(month: int, zone: str) -> None:
    value = datetime(2026, month, 3, 4, 5, tzinfo=UTC)
    with timezone.override(zone):
        assert moment(value) == write_date(timezone.localtime(value), "j F Y, H:i T")
