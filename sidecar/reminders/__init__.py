"""The sidecar's side of the scheduler: reminders are scheduled, come due, and are answered.

jobs        what is scheduled, under which name and when
link        the stream to the scheduler, and Dapr's calls beside it
watch       due jobs, and their answers
actor_api   reminders as callers of Dapr's actor API see them
"""
