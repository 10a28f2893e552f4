"""The emulated AWS services: a table of operations each, answered from the world.

To add an operation, write a function from a `Call` to its answer, in the members that the API model names, and enter it
in its service's table. To add a service, enter it in `exporter.demo.services.catalogue`.
"""
