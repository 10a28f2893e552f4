"""Saves keys: names become keys, keys a plan, the plan results, each step of it on record.

With the credentials of whoever runs it. Only this package imports what changes keys, and the service imports neither.
"""
