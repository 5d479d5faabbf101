"""The processes of the local sandbox: the fork server, and what it forks.

They run in an interpreter that imports nothing else of this project, so that a fork is small and quick. The fork server
never sees what a program is: its code, files and input reach the forked process through a descriptor that the server
only hands on, so that no program finds another's in the memory that it inherits.
"""
