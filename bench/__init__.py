"""The proof: pools and kernels compared with each other and with their peers, in turns."""
