"""The command line of saved runs: `python -m collector`, and the parser that both packages use."""
