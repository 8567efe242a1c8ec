#!/usr/bin/env bash
# Two hosts on this machine, as network namespaces with a wire between them: 10.77.0.1 and 10.77.0.2.
#   two-hosts.sh up NAME          makes NAME-a and NAME-b
#   two-hosts.sh loss NAME PCT    each host loses so many of 100 packets that come
#   two-hosts.sh part NAME        nothing comes any more
#   two-hosts.sh heal NAME        everything comes again, but for what is lost
#   two-hosts.sh down NAME        takes them away
# Needs root, ip (iproute2) and nft (nftables).
set -euo pipefail
verb=$1 name=$2
hosts=("$name-a" "$name-b")

for_each() { local host; for host in "${hosts[@]}"; do "$@" "$host"; done; }

filter() {
  ip netns exec "$1" nft -f - <<'RULES'
table inet wire {
  chain part { }
  chain loss { }
  chain come {
    type filter hook input priority 0;
    iif "lo" accept
    jump part
    jump loss
  }
}
RULES
}
lose() { ip netns exec "$2" nft add rule inet wire loss numgen random mod 100 "<" "$1" drop; }
part() { ip netns exec "$1" nft add rule inet wire part drop; }
heal() { ip netns exec "$1" nft flush chain inet wire part; }
light() { ip -n "$1" link set lo up; ip -n "$1" link set wire up; }
remove() { ip netns delete "$1" 2>/dev/null || true; }

case $verb in
  up)
    ip netns add "${hosts[0]}"
    ip netns add "${hosts[1]}"
    ip -n "${hosts[0]}" link add wire type veth peer name wire netns "${hosts[1]}"
    ip -n "${hosts[0]}" addr add 10.77.0.1/24 dev wire
    ip -n "${hosts[1]}" addr add 10.77.0.2/24 dev wire
    for_each light
    for_each filter
    ;;
  loss) for_each lose "$3" ;;
  part) for_each part ;;
  heal) for_each heal ;;
  down) for_each remove ;;
  *) echo "unknown: $verb" >&2; exit 2 ;;
esac
