"""The wire formats that the simulated server speaks, one file each."""
