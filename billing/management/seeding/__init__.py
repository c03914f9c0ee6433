"""Invented trade, to try the desk out and to measure it: the demo's small company, and data at scale."""
