"""Child processes of ours: started, watched, stopped. What they do is in the other folders."""
