"""The stack that budapp runs on in development and in tests: built, started, watched and stopped.

Standard library only, so that any Python 3.11 or later can run it before anything has been installed.
"""
