"""The command line for saved runs (`python -m collector`), and the argument parser of both packages."""
