"""What the machine and its limits allow this process."""

from .limits import allowed_cpus, cpu_quota, default_num_threads, existing_cpus

__all__ = ["allowed_cpus", "cpu_quota", "default_num_threads", "existing_cpus"]
