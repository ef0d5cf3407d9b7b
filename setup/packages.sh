#!/bin/sh
# Installs the Debian packages that Waybill, its lab and its tests need; `packages.sh bench`: those of the benchmarks.
# Without root it only prints the missing packages.
set -eu
wanted='build-essential python3 libpcap-dev libpcap0.8 iproute2 nftables conntrack tcpdump iputils-ping util-linux netsniff-ng iperf3 clang libbpf1 libbpf-dev linux-libc-dev influxdb graphviz'
[ "${1:-}" != bench ] || wanted='nfdump softflowd'
missing=''
for package in $wanted; do
  status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [ "$status" = 'install ok installed' ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
  echo "packages are missing; as root: apt-get install$missing" >&2
  exit 2
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
if ! { apt-get install -y --no-install-recommends $missing ||
  { apt-get update && apt-get install -y --no-install-recommends $missing; }; } >"$log" 2>&1; then
  tail -20 "$log" >&2
  exit 2
fi
rm -f "$log"
