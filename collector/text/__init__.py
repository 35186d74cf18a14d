"""How values and foreign text are shown to people. It computes no figure."""
