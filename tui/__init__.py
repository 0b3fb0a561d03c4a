"""The terminal interface: seeders and leechers at work, over the RPC of a daemon."""
