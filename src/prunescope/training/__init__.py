"""Training under weight interventions. This package knows nothing of disks, recipes or measures."""
