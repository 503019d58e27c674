"""What leaves the store: networks as files, curves on boards, whole studies as bundles that others can check.

exporters/  one file a format of networks
sinks/      one file a board for curves and results
"""
