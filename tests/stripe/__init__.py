"""A Stripe for tests: localstripe, with a shim in front of it for what it lacks.

``localstripe`` (GPL) is a program of its own, never imported. It keeps customers, payment methods, payment
intents, setup intents, charges and refunds. It ignores idempotency keys, takes refunds above the charge,
refuses ``description`` and ``off_session``, gives no ``decline_code`` and knows no Checkout and no disputes.
The shim does, and it answers these by itself:

* which cards decline and why (localstripe refuses to attach most of Stripe's test numbers, so it only ever
  sees cards that work), the list of an intent's refunds, Checkout sessions, disputes, the balance;
* the pages at ``/c/pay/…`` on which a test customer picks a card;
* everything under ``/_shim/``: faults, the ledger, events, and what people do in Stripe's dashboard.

``python -m tests.stripe`` starts both and prints the address.
"""
