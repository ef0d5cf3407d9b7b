// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attached to a node's uplink. Redirects the packets to one pod straight to the pod's end of its veth pair, as some CNIs
// do: the host's end does not see them.
//   -DIFINDEX=12 -DMAC=0x02,0,0,0,0,1 -DTO4=0x0af4020a -DTO6=0xfd000244,0x00020000,0,0x10; 0 if the pod has no address of a family
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NEXT -1

SEC("tc")
int redirect(struct __sk_buff *skb)
{
	const __u8 mac[ETH_ALEN] = { MAC };

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		__be32 to;
		if (bpf_skb_load_bytes(skb, ETH_HLEN + 16, &to, sizeof(to)) || to != bpf_htonl(TO4))
			return NEXT;
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		const __u32 wanted[4] = { TO6 };
		__be32 to[4];
		if (bpf_skb_load_bytes(skb, ETH_HLEN + 24, to, sizeof(to)))
			return NEXT;
		for (int i = 0; i < 4; i++)
			if (to[i] != bpf_htonl(wanted[i]))
				return NEXT;
	} else {
		return NEXT;
	}
	bpf_skb_store_bytes(skb, 0, mac, sizeof(mac), 0);
	return bpf_redirect_peer(IFINDEX, 0);
}
