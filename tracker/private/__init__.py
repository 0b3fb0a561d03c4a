"""The private tracker: members, their accounts and rules, and the SQLite file they are kept in."""
