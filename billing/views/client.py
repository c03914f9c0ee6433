"""Where a customer's request comes from, as far as that may be kept."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

HOUSEHOLD = 64
"""Leading bits of an IPv6 address that one customer's line is given."""


def client_of(request: HttpRequest) -> str:
    """A keyed hash that stands for the customer's address; empty when the address is not a customer's own.

    Only REMOTE_ADDR is read: a header can be made up by anybody. One that is not public belongs to a proxy
    in front of the desk, which all customers share.
    """
    try:
        address = _mapped(ip_address(request.META.get("REMOTE_ADDR", "")))
    except ValueError:
        return ""
    if not address.is_global:
        return ""
    source = address if address.version == 4 else IPv6Network((int(address), HOUSEHOLD), strict=False)
    return salted_hmac("billing.client", str(source), algorithm="sha256").hexdigest()


def _mapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that a dual-stack socket shows as ``::ffff:192.0.2.1``."""
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address
