"""Records become claims' verdicts, figures, tables and one page; nothing here trains.

Read in this order: `claims` states what was claimed, `read` joins the records of studies,
`pairing` chooses the runs to compare, `verdicts` judges with `effects` and `statistics`, and
`explain` adds the reasons. `figures` has a file a figure and `drawing` writes them; `tables` and
`page` write the rest, `wording` gives all of them the same words, and `build` calls them in turn.
`wandb` makes the same report in W&B.
"""
