"""The interface in a browser: textual-serve's server behind a login, a process for each page."""
