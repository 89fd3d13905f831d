"""The stand-in departments: one deterministic world, and the servers, tables and files through which they lend it out.

Nothing here is known to the pipeline, and nothing of the pipeline is known here.
"""
