"""Reading files that nobody vouches for, in processes of their own.

`readers.py` runs in the service. Everything else here runs in the reader: it knows no settings, no database and no
secret, and may crash or be killed at any point.
"""
