"""The workflow engine: an actor an instance, its turns, and what clients ask of it.

calls        what clients can ask, whichever wire they come by
actors       all instances: finds the actor that a call or a reminder is for
workflow     the actor of one instance: loads, remembers, saves, one turn at a time
effects      carries out what a turn decided: its jobs and messages
activities   runs activities and delivers their results; `in_flight` has those under way
turn         pure: history and news in, decisions out; `decision`, `ending`, `starts`, `versioning`
instance     pure: a workflow's state and what can be read off it; `events`, `history`
rerun        pure: a new instance from the history of another
waiters      callers that wait for a status
inspection   what can be seen of the instances
"""
