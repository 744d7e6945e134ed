"""Lets several tasks train one study together: locks on runs, shares, and tasks that are alive."""
