"""What other libraries keep private, or not all supported versions have: one module for each library.

Each entry says what there is no public way to ask for, or since which version there is one.
"""
