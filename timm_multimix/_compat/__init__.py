"""Private parts of other libraries, and features that some supported versions lack, by library.

Each entry says what there is no public way to ask for, or since which version there is one.
"""
