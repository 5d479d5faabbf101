"""The viewer: runs, evaluations and their trajectories as data, served to a page, written into a file or a terminal."""
