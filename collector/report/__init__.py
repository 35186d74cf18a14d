"""How a summary is shown: on the terminal, as JSON, as a page. It computes no figure of its own."""
