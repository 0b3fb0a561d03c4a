"""The Mainline DHT, sans-IO: see `node` for the node, `krpc` for its messages."""
