"""How replicas run on this machine. Results obey one law whatever the engine."""
