"""Rooms that span processes and machines, by way of Redis: the extra ``redis``, which is hiredis.

A message goes to the local members at once; what a process said to a room in one turn is one *entry*, which a script
appends to the room's log and announces in one step. Who listens hears it, and repairs holes from the log.
"""
