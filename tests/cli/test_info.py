"""`threadpool-iface info`: what it prints, for people and for programs."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from threadpool_iface import __version__
from threadpool_iface.cli import info
from threadpool_iface.cli.__main__ import main
from threadpool_iface.topology import allowed_cpus, read_machine
from threadpool_iface.topology.advice import advice

from ..topology import trees


def test_json_has_every_field(capsys):
    assert main(["info", "--json"]) == 0
    read = json.loads(capsys.readouterr().out)
    assert read["allowed"] == allowed_cpus()
    assert {"isa", "cpus", "nodes", "caches", "quota", "power", "advice"} <= set(read)
    assert read["cpus"][0].keys() == {"number", "package", "core", "thread"}


@pytest.mark.parametrize("tree", [trees.dual_socket, trees.hybrid, trees.big_little,
                                  trees.container, trees.skips_node_0])
@pytest.mark.parametrize("plain", [True, False])
def test_every_machine_can_be_listed(tmp_path, capsys, tree, plain):
    machine = read_machine(tree(tmp_path))
    info.show(info.sections(machine, advice(machine)), plain=plain)
    shown = capsys.readouterr().out
    assert "affinity mask" in shown
    assert "What to change" in shown
    json.dumps(info.as_dict(machine, advice(machine)))


def test_the_plain_listing(tmp_path, capsys):
    machine = read_machine(trees.dual_socket(tmp_path))
    info.show(info.sections(machine, []), plain=True)
    lines = capsys.readouterr().out.splitlines()
    assert "  cores           4, 2 hardware threads each" in lines
    assert "  node 1          CPUs 2-3,6-7, 32 GiB, distances 21 10" in lines
    assert "  L3 unified      2 x 105 MiB, each of 4 CPUs" in lines


def test_the_console_script_is_installed():
    script, = entry_points(group="console_scripts", name="threadpool-iface")
    assert script.load() is main


def test_it_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "threadpool_iface.cli", "--version"],
                          capture_output=True, text=True, check=True)
    assert done.stdout.strip() == __version__


def test_without_a_command_it_says_which_there_are(capsys):
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2
    assert "command" in capsys.readouterr().err
