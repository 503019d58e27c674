"""How a network is trained under weight interventions. Knows nothing of disks, recipes or measures."""
