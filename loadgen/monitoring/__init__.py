"""What is watched beside the load: stalls of the machine, metrics of the server. It sends no load."""
