"""The report as one self-contained HTML file, plotted by an embedded uPlot (MIT)."""
