"""Studies: one folder a paper, one file a study, one plain-data catalogue a paper."""
