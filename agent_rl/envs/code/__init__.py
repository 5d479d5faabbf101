"""The environment `code`: write programs that pass tests."""
