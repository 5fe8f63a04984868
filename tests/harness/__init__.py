"""What the suites share, a module for each theme.

Nothing here sleeps for luck: every wait is for a condition, with a deadline that only a hang can
reach.
"""
