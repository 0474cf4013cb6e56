"""Captured machines: the kernel's files as each of them has them, written under a folder."""

from __future__ import annotations

from pathlib import Path

CPUS = "sys/devices/system/cpu"
NODES = "sys/devices/system/node"
XEON_FLAGS = ("fpu fma f16c avx2 avx512f avx512dq avx512cd avx512bw avx512vl avx512_vnni "
              "avx512_bf16 avx512_fp16 amx_bf16 amx_tile amx_int8")


def write(root: Path, files: dict[str, object]) -> str:
    """Write the files, and return the folder as a root to read from."""
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    return str(root)


def cpu(number: int, package: int, core: int, siblings: str) -> dict[str, object]:
    folder = f"{CPUS}/cpu{number}/topology"
    return {f"{folder}/physical_package_id": package, f"{folder}/core_id": core,
            f"{folder}/core_cpus_list": siblings}


def cache(number: int, index: int, level: int, kind: str, size: str,
          shared: str) -> dict[str, object]:
    folder = f"{CPUS}/cpu{number}/cache/index{index}"
    return {f"{folder}/level": level, f"{folder}/type": kind, f"{folder}/size": size,
            f"{folder}/shared_cpu_list": shared}


def node(number: int, cpus: str, gigabytes: int, distances: str) -> dict[str, object]:
    folder = f"{NODES}/node{number}"
    meminfo = f"Node {number} MemTotal:       {gigabytes << 20} kB\nNode {number} MemFree: 1 kB"
    return {f"{folder}/cpulist": cpus, f"{folder}/meminfo": meminfo,
            f"{folder}/distance": distances}


def cpuinfo(count: int, flags: str, model: str = "Intel(R) Xeon(R) Platinum 8480+") -> str:
    return "\n\n".join(f"processor\t: {i}\nmodel name\t: {model}\nflags\t\t: {flags}"
                       for i in range(count))


def allowed(cpus: str, nodes: str = "0") -> dict[str, object]:
    return {"proc/thread-self/status":
            f"Name:\tpython\nCpus_allowed_list:\t{cpus}\nMems_allowed_list:\t{nodes}"}


def dual_socket(root: Path, **more: object) -> str:
    """Two packages of two cores of two threads; siblings are 4 apart, as Linux numbers a Xeon."""
    files: dict[str, object] = {
        f"{CPUS}/online": "0-7", f"{CPUS}/present": "0-7", f"{NODES}/online": "0-1",
        "proc/cpuinfo": cpuinfo(8, XEON_FLAGS), "proc/sys/kernel/numa_balancing": 1,
        "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
        f"{CPUS}/intel_pstate/no_turbo": 0, "proc/sys/kernel/arch": "x86_64",
        **node(0, "0-1,4-5", 64, "10 21"), **node(1, "2-3,6-7", 32, "21 10"), **allowed("0-7"),
        "proc/self/cgroup": "0::/",
    }
    for number in range(8):
        package, core = number % 4 // 2, 9 * (number % 2)
        siblings = f"{number % 4},{number % 4 + 4}"
        files |= cpu(number, package, core, siblings)
        files |= cache(number, 0, 1, "Data", "48K", siblings)
        files |= cache(number, 1, 1, "Instruction", "32K", siblings)
        files |= cache(number, 2, 3, "Unified", "105M", "2-3,6-7" if package else "0-1,4-5")
        files[f"{CPUS}/cpu{number}/cpufreq/scaling_governor"] = "powersave"
    for index, (name, latency) in enumerate([("POLL", 0), ("C1", 1), ("C6", 290)]):
        folder = f"{CPUS}/cpu0/cpuidle/state{index}"
        files |= {f"{folder}/name": name, f"{folder}/latency": latency,
                  f"{folder}/disable": int(name == "C6")}
    return write(root, files | more)


def hybrid(root: Path) -> str:
    """Two fast cores of two threads, four slow ones of one, as Intel's hybrid CPUs have them."""
    files: dict[str, object] = {
        f"{CPUS}/online": "0-7", "sys/devices/cpu_core/cpus": "0-3",
        "sys/devices/cpu_atom/cpus": "4-7", "proc/cpuinfo": cpuinfo(8, "fma f16c avx2 avx_vnni"),
        f"{NODES}/online": "0", **node(0, "0-7", 32, "10"), **allowed("0-7"),
    }
    for number in range(4):
        files |= cpu(number, 0, number // 2 * 4, "0-1" if number < 2 else "2-3")
    for number in range(4, 8):
        files |= cpu(number, 0, number + 4, f"{number}")
    return write(root, files)


def big_little(root: Path) -> str:
    """An ARM board: four small cores, two big ones, no NUMA, no caches shown."""
    files: dict[str, object] = {
        f"{CPUS}/online": "0-5", "proc/sys/kernel/arch": "aarch64", **allowed("0-5"),
        "proc/cpuinfo": "\n\n".join(
            f"processor\t: {i}\nFeatures\t: fp asimd asimdhp asimddp sve bf16 i8mm"
            for i in range(6)),
    }
    for number in range(6):
        files |= cpu(number, 0 if number < 4 else 1, number % 4, f"{number}")
        files[f"{CPUS}/cpu{number}/cpu_capacity"] = 446 if number < 4 else 1024
    return write(root, files)


def container(root: Path) -> str:
    """The dual socket, from a container with a quota of 1.5 CPUs."""
    return dual_socket(root, **{"proc/self/cgroup": "0::/",
                                "sys/fs/cgroup/cpu.max": "150000 100000"})


def skips_node_0(root: Path) -> str:
    """The dual socket, from a cpuset that has the second node only."""
    group = "sys/fs/cgroup/job"
    return dual_socket(root, **{"proc/self/cgroup": "0::/job/step",
                                f"{group}/cpuset.cpus.effective": "2-3,6-7",
                                f"{group}/cpuset.mems.effective": "1",
                                **allowed("2-3,6-7", "1")})
