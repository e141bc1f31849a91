"""Private parts of other libraries, and features that some supported versions lack, by library.

Each entry says which public function is missing, or since which version there is one.
"""
