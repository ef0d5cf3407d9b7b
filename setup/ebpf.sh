#!/bin/sh
# Compiles the BPF program in agent/capture/ebpf twice: with conntrack lookups, for kernels that allow them, and without.
set -eu
cd "$(dirname "$0")/../agent/capture/ebpf"
multiarch=$(dpkg-architecture -q DEB_HOST_MULTIARCH 2>/dev/null || echo "$(uname -m)-linux-gnu")
compile() {
  clang -O2 -g -Wall -Wextra -Wcast-qual -Wno-unused-parameter -Werror -target bpf -mcpu=v3 "-I/usr/include/$multiarch" "$@"
}
compile -c flows.bpf.c -o flows.bpf.o
compile -DWITH_CONNTRACK -c flows.bpf.c -o flows-conntrack.bpf.o
