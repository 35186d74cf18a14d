"""The report as one page: a self-contained HTML file that needs no network, drawn by an embedded uPlot (MIT)."""
