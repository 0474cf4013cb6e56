"""`python -m bench.user_kernels`."""

from __future__ import annotations

from bench import user_kernels


def test_it_prints_a_table_for_each_kind_of_caller(capsys):
    assert user_kernels.main(["--quick"]) == 0
    printed = capsys.readouterr().out
    assert "From Python" in printed
    assert "From compiled code" in printed
    assert "y += a * x, 1000000 items" in printed
