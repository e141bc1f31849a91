"""Requests to the Hub: bounded waits, retries, and the meaning of refusals."""
