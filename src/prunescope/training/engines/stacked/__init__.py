"""Many replicas in one program: networks whose tensors have a leading axis of replicas."""
