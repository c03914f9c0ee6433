"""What the rules say is due, compared with the rows there are: the one place that writes commissions.

Closing an invoice and *Re-run commissions* ask who the referrers are now; a refund or a void only asks how
much of the money is left for those who have a commission already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from billing.commissions import Kept, Rate, Sold, due
from billing.models.line import InvoiceLine
from billing.models.partners.commission import BORN, Commission
from billing.models.partners.partner import Partner, Referral
from billing.models.partners.rates import ProgramRate
from billing.money import ZERO
from billing.statuses import CommissionKind, CommissionStatus, RateKind

if TYPE_CHECKING:
    from billing.models.invoice import Invoice
    from billing.models.partners.program import PartnerProgram

Key = tuple[int, int, int]
"""Line, partner and level."""
LEVELS = (1, 2)
AT_A_TIME = 500
PAID = CommissionStatus.PAID
CANCELLED = CommissionStatus.CANCELLED
CHANGED = ("amount", "status", "earned_on")


@dataclass(slots=True)
class Claim:
    """What one partner has on one line and level, in ``rows``, and what is ``due``."""

    invoice_id: int
    line: InvoiceLine
    partner: Partner
    level: int
    rate: Rate
    currency: str
    due: Decimal
    rows: list[Commission] = field(default_factory=list)

    @property
    def now(self) -> Decimal:
        return sum((row.amount for row in self.rows if row.is_counted), ZERO)

    @property
    def difference(self) -> Decimal:
        return self.due - self.now

    @property
    def unpaid(self) -> Commission | None:
        """The one row that may still be changed; a constraint keeps it one."""
        return next((row for row in self.rows if row.is_unpaid), None)

    @property
    def to_settle(self) -> Decimal:
        """What that row must say: what is due beyond the paid rows, which are never touched."""
        return self.due - sum((row.amount for row in self.rows if row.status == PAID), ZERO)

    def cancelled(self, kind: CommissionKind) -> Commission | None:
        """The latest row that can be revived."""
        found = [row for row in self.rows if row.kind == kind and row.status == CANCELLED]
        return found[-1] if found else None

    def new(self, kind: CommissionKind, amount: Decimal, on: date) -> Commission:
        return Commission(
            invoice_id=self.invoice_id,
            line_id=self.line.pk,
            partner=self.partner,
            level=self.level,
            kind=kind,
            status=BORN[kind],
            rate_kind=self.rate.kind,
            rate_value=self.rate.value,
            amount=amount,
            currency=self.currency,
            earned_on=on,
        )


@dataclass(slots=True)
class Writing:
    """What is to be stored, in the order in which the constraint on unpaid rows allows it."""

    cancelled: list[Commission] = field(default_factory=list)
    changed: list[Commission] = field(default_factory=list)
    added: list[Commission] = field(default_factory=list)

    def take(self, claim: Claim, on: date) -> None:
        """Make the claim's unpaid row say what is to be settled."""
        amount, row = claim.to_settle, claim.unpaid
        kind = CommissionKind.COMMISSION if amount > 0 else CommissionKind.CLAWBACK
        if row and (not amount or row.kind != kind):
            row.status = CANCELLED
            self.cancelled.append(row)
            row = None
        if amount and row is None:
            self._add(claim, kind, amount, on)
        elif row and row.amount != amount:
            row.amount = amount
            self.changed.append(row)

    def _add(self, claim: Claim, kind: CommissionKind, amount: Decimal, on: date) -> None:
        row = claim.cancelled(kind)
        if row is None:
            row = claim.new(kind, amount, on)
            claim.rows.append(row)
            self.added.append(row)
        else:
            row.status, row.amount, row.earned_on = BORN[kind], amount, on
            self.changed.append(row)

    def store(self) -> None:
        for rows in (self.cancelled, self.changed):
            Commission.objects.bulk_update(rows, CHANGED, batch_size=AT_A_TIME)
        Commission.objects.bulk_create(self.added, batch_size=AT_A_TIME)


def settle(claims: Iterable[Claim], *, on: date) -> None:
    """Make the rows add up to what is due, in the caller's transaction with the invoice and rows locked.

    Idempotent. ``on``: the day that new rows bear.
    """
    writing = Writing()
    for claim in claims:
        writing.take(claim, on)
    writing.store()


# -- who has what, and is due what


def as_kept(invoice: Invoice, kept: Kept, *, lock: bool = False) -> list[Claim]:
    """Those who have a commission on the invoice, as far as its money is ``kept``. One query."""
    held = _held([invoice.pk], lock=lock)[invoice.pk]
    claims = [_held_claim(key, rows, kept) for key, rows in held.items()]
    for claim in claims:
        if claim.now <= 0:  # somebody else's by now: what was taken back stays taken back
            claim.due = ZERO
    return claims


def anew(kept: Mapping[Invoice, Kept], *, lock: bool = False) -> dict[int, list[Claim]]:
    """Everybody's claims by invoice, as the referrers are now. The same few queries for one and for many."""
    ids = [invoice.pk for invoice in kept]
    held = _held(ids, lock=lock)
    terms = Terms.of(list(kept))
    lines: dict[int, list[InvoiceLine]] = defaultdict(list)
    wanted = [invoice.pk for invoice in kept if terms.earners(invoice)]
    if wanted:
        for line in (
            InvoiceLine.objects.filter(invoice__in=wanted, product__isnull=False)
            .select_related("product")
            .order_by("position", "id")
        ):
            lines[line.invoice_id].append(line)
    return {
        invoice.pk: _claims(invoice, amounts, lines[invoice.pk], held[invoice.pk], terms)
        for invoice, amounts in kept.items()
    }


def _held(ids: Sequence[int], *, lock: bool) -> dict[int, dict[Key, list[Commission]]]:
    """The rows of each invoice by line, partner and level, the oldest first."""
    rows = Commission.objects.filter(invoice__in=ids).select_related(
        "partner__contact", "partner__program", "line"
    )
    found: dict[int, dict[Key, list[Commission]]] = defaultdict(lambda: defaultdict(list))
    for row in rows.locked() if lock else rows.order_by("pk"):
        found[row.invoice_id][row.line_id, row.partner_id, row.level].append(row)
    return found


def _held_claim(key: Key, rows: list[Commission], kept: Kept) -> Claim:
    """At the rate that the first row has kept."""
    oldest = rows[0]
    amount = due(oldest.rate, Sold(oldest.line.net, oldest.line.quantity), kept)
    return Claim(
        oldest.invoice_id, oldest.line, oldest.partner, oldest.level, oldest.rate, kept.currency, amount, rows
    )


def _claims(
    invoice: Invoice,
    kept: Kept,
    lines: list[InvoiceLine],
    held: Mapping[Key, list[Commission]],
    terms: Terms,
) -> list[Claim]:
    """First those who earn now, line by line; then those who have something that is another's by now."""
    claims: dict[Key, Claim] = {}
    for line in lines:
        for partner, level in terms.earners(invoice):
            key = (line.pk, partner.pk, level)
            if key in held:
                claims[key] = _held_claim(key, held[key], kept)
            elif rate := terms.rate(partner, line, level, invoice.currency):
                amount = due(rate, Sold(line.net, line.quantity), kept)
                if amount:
                    claims[key] = Claim(invoice.pk, line, partner, level, rate, invoice.currency, amount)
    for key, rows in held.items():
        if key not in claims:
            claims[key] = _held_claim(key, rows, kept)
            claims[key].due = ZERO
    return list(claims.values())


@dataclass(slots=True)
class Terms:
    """The referrers and rates of this moment, of some invoices' contacts."""

    by_contact: dict[int, list[tuple[Partner, int]]] = field(default_factory=lambda: defaultdict(list))
    rates: dict[tuple[int, int, str], ProgramRate] = field(default_factory=dict)
    """By program, product and currency; percentages have none."""

    @classmethod
    def of(cls, invoices: Sequence[Invoice]) -> Terms:
        """Three queries at most; one, where nobody was referred."""
        terms = cls()
        first = _referrers({invoice.contact_id for invoice in invoices})
        second = _referrers(
            {partner.contact_id for partners in first.values() for partner in partners.values()}
        )
        for contact, partners in first.items():
            for program, partner in partners.items():
                terms.by_contact[contact].append((partner, 1))
                above = second.get(partner.contact_id, {}).get(program)
                if above and above.contact_id != contact and above.pk != partner.pk:
                    terms.by_contact[contact].append((above, 2))
        if first:
            programs = {program for partners in first.values() for program in partners}
            for rate in ProgramRate.objects.filter(program__in=programs):
                terms.rates[rate.program_id, rate.product_id, rate.currency] = rate
        return terms

    def earners(self, invoice: Invoice) -> list[tuple[Partner, int]]:
        """Who earns on the invoice, each with the level. Nobody earns on their own purchases."""
        return self.by_contact.get(invoice.contact_id, [])

    def rate(self, partner: Partner, line: InvoiceLine, level: int, currency: str) -> Rate | None:
        """The rate of something new, or None when it earns nothing: an amount in the invoice's currency
        first, then the product's percentage, then the program's.
        """
        if not partner.earns or line.product is None or not line.product.commissionable:
            return None
        program: PartnerProgram = partner.program
        for unit in (currency, ""):
            own = self.rates.get((program.pk, line.product.pk, unit))
            if own:
                return own.at(level)
        return Rate(RateKind.PERCENT, program.percent_1 if level == 1 else program.percent_2)


def _referrers(contacts: set[int]) -> dict[int, dict[int, Partner]]:
    """By contact and program, the partner whom the program pays; never the contact themselves."""
    found: dict[int, dict[int, Partner]] = defaultdict(dict)
    if not contacts:
        return found
    rows = Referral.objects.filter(contact__in=contacts).select_related(
        "program", "first__contact", "first__program", "last__contact", "last__program"
    )
    for row in rows.order_by("contact_id", "program_id"):
        partner = row.paid_referrer(row.program.pays)
        if partner and partner.contact_id != row.contact_id:
            found[row.contact_id][row.program_id] = partner
    return found


# -- what changes, for people


@dataclass(frozen=True, slots=True)
class Difference:
    """What a partner has in one currency, and will have."""

    partner: Partner
    currency: str
    before: Decimal
    after: Decimal

    @property
    def amount(self) -> Decimal:
        return self.after - self.before


def differences(claims: Iterable[Claim]) -> list[Difference]:
    """Per partner and currency, also of those for whom nothing changes."""
    return combined([], claims)


def combined(known: Iterable[Difference], claims: Iterable[Claim]) -> list[Difference]:
    """``known``, with what these claims add to it; in the order of the partners' names."""
    sums = {(each.partner.pk, each.currency): each for each in known}
    for claim in claims:
        key = (claim.partner.pk, claim.currency)
        was = sums.get(key) or Difference(claim.partner, claim.currency, ZERO, ZERO)
        sums[key] = Difference(was.partner, was.currency, was.before + claim.now, was.after + claim.due)
    return sorted(sums.values(), key=lambda each: (each.partner.contact.name, each.partner.pk, each.currency))


def changed(found: Iterable[Difference]) -> Iterator[Difference]:
    return (each for each in found if each.amount)
