"""`python -m flightmesh` is the command `flightmesh`."""

from flightmesh.cli.main import main

if __name__ == "__main__":
    main()
