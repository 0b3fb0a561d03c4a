"""`python -m p2p` is the command `starling`."""

from p2p.cli.main import main

if __name__ == "__main__":
    main()
