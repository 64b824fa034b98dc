"""How every service of the project starts: settings, port and logs, or one line that says why not.

It knows no service and holds no business: a user's own app would have these few lines itself.
"""
