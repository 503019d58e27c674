"""Studies: one folder a paper, one file a study; `catalogue.py` reads what there is from the files themselves."""

PAPERS = {"quickstart": "The questions of Jin et al. 2022 (NeurIPS), on 1,297 handwritten digits"}
