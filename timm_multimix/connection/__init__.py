"""Requests to the Hub: bounded waits, retries, and what a refusal means."""
