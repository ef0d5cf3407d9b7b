// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Drops packets by the initiator's address, the protocol and the port, as a CNI's program attached after ours does.
//   -DPROTOCOL=6 -DPORT=8200, and -DFROM_ANY or -DFROM4=0x0af4010b -DFROM6=0xfd000244,0x00010000,0,0x11
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NEXT -1
#define DROP 2

struct ipv4_header {
	__u8 version_length, tos;
	__be16 length, id, fragment;
	__u8 ttl, protocol;
	__be16 checksum;
	__be32 source, destination;
};
struct ipv6_header {
	__be32 version;
	__be16 length;
	__u8 next, hops;
	__be32 source[4], destination[4];
};

SEC("tc")
int drop(struct __sk_buff *skb)
{
	__u32 at = ETH_HLEN;
	__u8 protocol;
	__be16 ports[2];

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct ipv4_header ip;
		if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)))
			return NEXT;
#ifndef FROM_ANY
		if (ip.source != bpf_htonl(FROM4))
			return NEXT;
#endif
		at += (ip.version_length & 15) * 4;
		protocol = ip.protocol;
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6_header ip;
		if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)))
			return NEXT;
#ifndef FROM_ANY
		const __u32 from[4] = { FROM6 };
		for (int i = 0; i < 4; i++)
			if (ip.source[i] != bpf_htonl(from[i]))
				return NEXT;
#endif
		at += sizeof(ip);
		protocol = ip.next;
	} else {
		return NEXT;
	}
	if (protocol != PROTOCOL || bpf_skb_load_bytes(skb, at, ports, sizeof(ports)))
		return NEXT;
	return ports[1] == bpf_htons(PORT) ? DROP : NEXT;
}
