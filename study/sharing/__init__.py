"""Several tasks that train one study together: locks on runs, shares, and who is alive."""
