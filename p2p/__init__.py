"""Starling: a BitTorrent stack. The public names are listed in `__all__`."""
