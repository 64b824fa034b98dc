"""Who may call what: keys and what they are bound to, browsers kept out, clients kept in bounds."""
