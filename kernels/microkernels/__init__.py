"""Microkernels: the innermost tiles, one file per dtype family, emitted as LLVM vectors."""
