"""Requests to the Hub: time-outs, retries, and messages for refusals."""
