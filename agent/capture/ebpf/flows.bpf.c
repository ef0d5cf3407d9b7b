// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Counts connections at a pod's interface, in the kernel: a packet costs one look-up and a few additions, and the agent
// reads one row for each connection and interval. The programs only ever look. Those for TC always return NEXT, those for
// a packet socket always return NOTHING, and none writes to a packet or its context, which are constant throughout: a test
// reads this file and what is compiled of it for all three.
//
// What user space reads (`flow_key`, `flow`, the events) stands in layout.ts again.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NEXT TC_ACT_UNSPEC /* the same number as TCX_NEXT: whoever stands behind us decides */
#define NOTHING 0	   /* the socket gets no copy of the packet */
#define inlined static __always_inline

/* Where a program stands. Packet sockets see less and can do less: they reach headers by a helper only. */
enum hook { TC_FROM_POD, TC_TO_POD, TAP };

/* ------------------------------------------------------------------------------------------ what user space reads -- */

/* Both directions have one key: `low` is the end with the lower address, or with the lower port where they are equal.
 * Words in host order; IPv4 is mapped (::ffff:0:0/96). */
struct flow_key {
	__u32 low[4];
	__u32 high[4];
	__u32 ports; /* low << 16 | high */
	__u32 protocol;
	__u32 ifindex;
};

enum mark {
	FIRST_FROM_HIGH = 1, /* the first packet of the row came from the high end */
	POD_IS_LOW = 2,
	LOW_BEGAN = 4, /* a packet said so: SYN, INIT, echo request, or the answer to one */
	HIGH_BEGAN = 8,
	FIRST_QUOTED = 16, /* the first packet was an ICMP error that quotes the connection */
	UNREACHABLE = 32,  /* an ICMP error said that it cannot get there */
	LOW_SPOKE = 64,	   /* a packet that is no such error came from the low end */
	HIGH_SPOKE = 128,
	ASKED = 256, /* conntrack need not be asked again in this row */
};

/* One connection in one interval; [0] is from the low end, [1] from the high one. A row is two cache lines. */
struct flow {
	struct flow_key key;
	__u32 marks;
	__u8 flags[2];
	__u16 syns;	    /* SYN without ACK */
	__u32 isn;	    /* of the SYN, or what the SYN-ACK acknowledges, less one */
	__u32 first_back;   /* jiffies of the first packet against the first one's direction; 0 for none */
	__u64 packets[2];   /* frames << 32 | segments: with segmentation offload a frame has several */
	__u64 bytes[2];
	__u32 last[2];	    /* jiffies */
	__u64 first_ns;	    /* CLOCK_MONOTONIC, as are the next two */
	__u64 syn_ns;	    /* of the first SYN */
	__u64 synack_ns;    /* of the first SYN-ACK */
} __attribute__((aligned(64)));

enum event_type { FLOW_EVENT = 1, TRANSLATION_EVENT = 2, DNS_EVENT = 3 };

/* A row that had to make room for the next connection on its ports, or one packet that found no room. */
struct flow_event {
	__u32 type;
	__u32 epoch;
	struct flow flow;
};

/* What conntrack knows of a connection, addresses and ports as on the wire: initiator, responder, each before and after. */
struct translation_event {
	__u32 type;
	__u32 protocol;
	__u32 original_initiator[4];
	__u32 original_responder[4];
	__u32 translated_initiator[4];
	__u32 translated_responder[4];
	__u16 ports[4]; /* in the same order */
};

#define DNS_MOST 1232 /* what DNS over UDP fits in without fragments (DNS flag day 2020) */

struct dns_event {
	__u32 type;
	__u32 ifindex;
	__u32 protocol;
	__u32 length;
	__u8 message[DNS_MOST];
};

/* Why a frame is in no row, then what beside connections found no room in the ring. */
enum counter {
	NOT_IP,
	CORRUPT,
	FRAGMENT_WITHOUT_FIRST,
	TABLE_FULL,
	RING_FULL,
	UNTOLD_TRANSLATION,
	UNTOLD_DNS,
	COUNTERS
};
#define DECODED COUNTERS /* it is in a row */

struct count {
	__u64 frames;
	__u64 bytes;
};

struct control {
	__u32 epoch; /* from 1 upward */
	__u32 seed;  /* of the hash: unknown to who sends packets */
	__u32 bucket_mask;
	__u32 rows;
};

struct used {
	__u64 rows;
	__u64 spare[7];
};

/* ----------------------------------------------------------------------------------------------------------- maps -- */

/* Two tables: one fills while the other is read, so that no addition falls between a look and a deletion. A table is rows
 * in the order in which they were begun, which is how they are read, and buckets by hash, which is how they are found. A
 * hash of the kernel's own would take three calls for what is here one line of a cache: it cost 60 to 100 ns a packet,
 * and this 10 to 25 (docs/decisions/0014-rows-and-buckets.md). */
#define SLOTS 8

/* `epoch << 32 | tag << 24 | row`; a slot of another epoch is free, so that nothing has to be cleared. */
struct bucket {
	__u64 slots[SLOTS];
};

/* Its parity is the table that fills. Written by user space alone. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct control);
} control SEC(".maps");

/* How many rows are in use, or were wanted, in each table. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct used);
} used SEC(".maps");

/* Both tables stand in one map each, the second behind the first: with one map, looking up an array is no call. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 262144);
	__type(key, __u32);
	__type(value, struct flow);
} rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct bucket);
} buckets SEC(".maps");

#ifdef WITH_CONNTRACK
/* Connections of which conntrack need not be asked, in sets of eight: `signature << 32 | until`. What is pushed out of its set
 * is asked for again. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct bucket);
} told SEC(".maps");
#endif

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 2 << 20);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, struct count);
} counters SEC(".maps");

/* RFC 791, RFC 8200 4.5: only the first fragment carries the ports. */
struct fragment_key {
	__u32 source[4];
	__u32 destination[4];
	__u32 id;
	__u32 protocol; /* 0 for IPv6, where the id alone tells */
};
struct fragment {
	__u16 source_port;
	__u16 destination_port;
	__u32 protocol;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct fragment_key);
	__type(value, struct fragment);
} fragments SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dns_event);
} dns_scratch SEC(".maps");

/* ------------------------------------------------------------------------------------------------------- decoding -- */

#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4
#define TCP_ACK 16
#define IP_MORE_FRAGMENTS 0x2000
#define IP_OFFSET 0x1fff
#define VLAN_MOST 2
#define EXTENSIONS_MOST 8
#define SCTP_INIT 1
#define SCTP_INIT_ACK 2

struct packet {
	__u32 source[4];
	__u32 destination[4];
	__u16 source_port;
	__u16 destination_port;
	__u32 protocol;
	__u32 sequence;
	__u32 acknowledged;
	__u8 flags;
	__u8 began; /* LOW_BEGAN stands for the source, HIGH_BEGAN for the destination, until the key is made */
	__u8 quoted;
	__u8 unreachable;
	__u32 payload; /* of UDP and TCP: where it begins */
};

/* `length` bytes from `offset` on, counted from where the frame begins, copied: also what lies outside of the frame's
 * linear part. */
inlined int load(const struct __sk_buff *skb, __u32 offset, void *into, __u32 length)
{
	return bpf_skb_load_bytes(skb, offset, into, length);
}

inlined int is_mapped(const __u32 words[4])
{
	return !words[0] && !words[1] && words[2] == 0xffff;
}

inlined void map_ipv4(__u32 words[4], __u32 address)
{
	words[0] = words[1] = 0;
	words[2] = 0xffff;
	words[3] = bpf_ntohl(address);
}

struct ports_header {
	__be16 source;
	__be16 destination;
};
#define TCP_HEADER 20 /* without options; what is read of it stands here */
struct tcp_header {
	__be16 source;
	__be16 destination;
	__be32 sequence;
	__be32 acknowledged;
	__u8 offset;
	__u8 flags;
};
struct icmp_header {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be16 identifier;
	__be16 sequence;
};

/* The identifier of an echo stands for the initiator's port, so that request and reply meet. */
inlined void read_echo(struct packet *packet, const struct icmp_header *icmp)
{
	__u8 request = packet->protocol == IPPROTO_ICMP ? 8 : 128;
	__u8 reply = packet->protocol == IPPROTO_ICMP ? 0 : 129;

	if (icmp->type == request) {
		packet->source_port = bpf_ntohs(icmp->identifier);
		packet->began = LOW_BEGAN;
	} else if (icmp->type == reply) {
		packet->destination_port = bpf_ntohs(icmp->identifier);
		packet->began = HIGH_BEGAN;
	}
}

struct ipv4_header {
	__u8 version_length;
	__u8 tos;
	__be16 total_length;
	__be16 id;
	__be16 fragment;
	__u8 ttl;
	__u8 protocol;
	__be16 checksum;
	__be32 source;
	__be32 destination;
};
struct ipv6_header {
	__be32 version;
	__be16 payload_length;
	__u8 next;
	__u8 hops;
	__be32 source[4];
	__be32 destination[4];
};
struct extension_header {
	__u8 next;
	__u8 length;
	__be16 fragment;
	__be32 id;
};

inlined int is_extension(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT || next == IPPROTO_AH ||
	       next == IPPROTO_DSTOPTS || next == IPPROTO_MH;
}

/* Where what the IP header carries begins, and which fragment it is. */
struct ip_end {
	__u32 at;
	__u32 id;
	__u32 next;
	__u8 later;
	__u8 first;
	__u8 spare[2];
};

inlined int read_ipv4(const struct ipv4_header *ip, __u32 at, struct packet *packet, struct ip_end *end)
{
	if (ip->version_length >> 4 != 4)
		return -1;
	__u32 length = (ip->version_length & 15) * 4;
	if (length < sizeof(*ip))
		return -1;
	packet->protocol = ip->protocol;
	map_ipv4(packet->source, ip->source);
	map_ipv4(packet->destination, ip->destination);
	__u16 fragment = bpf_ntohs(ip->fragment);
	end->at = at + length;
	end->id = bpf_ntohs(ip->id);
	end->later = (fragment & IP_OFFSET) != 0;
	end->first = (fragment & (IP_OFFSET | IP_MORE_FRAGMENTS)) == IP_MORE_FRAGMENTS;
	return 0;
}

/* Follows the chain of extension headers (RFC 8200 4); apart, since few packets have one. */
__noinline int follow_extensions(const struct __sk_buff *skb, struct ip_end *end)
{
	if (!end)
		return -1;
	__u32 at = end->at, next = end->next;
	for (int i = 0; i < EXTENSIONS_MOST && is_extension(next); i++) {
		struct extension_header extension;
		if (load(skb, at & 0xffff, &extension, sizeof(extension)))
			return -1;
		__u32 length = (extension.length + 1) * 8;
		if (next == IPPROTO_FRAGMENT) {
			__u16 fragment = bpf_ntohs(extension.fragment);
			length = 8;
			end->id = extension.id;
			end->later = fragment >> 3 != 0;
			end->first = fragment >> 3 == 0 && (fragment & 1);
		} else if (next == IPPROTO_AH) {
			length = (extension.length + 2) * 4;
		}
		next = extension.next;
		at += length;
		if (end->later)
			break; /* RFC 8200 4.5: what follows the header of a later fragment is no header */
	}
	if (!end->later && is_extension(next))
		return -1;
	end->at = at;
	end->next = next;
	return 0;
}

inlined int read_ipv6(const struct __sk_buff *skb, const struct ipv6_header *ip, __u32 at, struct packet *packet,
		      struct ip_end *end)
{
	if ((ip->version & bpf_htonl(0xf0000000)) != bpf_htonl(0x60000000))
		return -1;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		packet->source[i] = bpf_ntohl(ip->source[i]);
		packet->destination[i] = bpf_ntohl(ip->destination[i]);
	}
	end->at = at + sizeof(*ip);
	end->next = ip->next;
	if (is_extension(ip->next) && follow_extensions(skb, end))
		return -1;
	packet->protocol = end->next;
	return 0;
}

inlined int has_ports(__u32 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

/* An ICMP error belongs to what it quotes, as a reply of it: the ends change places. */
inlined int read_quoted(const struct __sk_buff *skb, __u32 at, struct packet *packet, __u8 unreachable)
{
	struct ip_end end = {};
	struct icmp_header body;
	__u32 word;

	packet->source_port = packet->destination_port = 0;
	if (packet->protocol == IPPROTO_ICMP) {
		struct ipv4_header ip;
		if (load(skb, at, &ip, sizeof(ip)) || read_ipv4(&ip, at, packet, &end))
			return CORRUPT;
	} else {
		struct ipv6_header ip;
		if (load(skb, at, &ip, sizeof(ip)) || read_ipv6(skb, &ip, at, packet, &end))
			return CORRUPT;
	}
	if (end.later)
		return FRAGMENT_WITHOUT_FIRST;
	if (has_ports(packet->protocol) || packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6) {
		if (load(skb, end.at & 0xffff, &body, sizeof(body)))
			return CORRUPT;
		if (has_ports(packet->protocol)) {
			packet->source_port = bpf_ntohs(((struct ports_header *)&body)->source);
			packet->destination_port = bpf_ntohs(((struct ports_header *)&body)->destination);
		} else {
			read_echo(packet, &body);
		}
	}
	packet->began = 0;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		word = packet->source[i];
		packet->source[i] = packet->destination[i];
		packet->destination[i] = word;
	}
	word = packet->source_port;
	packet->source_port = packet->destination_port;
	packet->destination_port = word;
	packet->quoted = 1;
	packet->unreachable = unreachable;
	return DECODED;
}

/* Apart, since few packets are ICMP. */
__noinline int read_icmp(const struct __sk_buff *skb, struct packet *packet, __u32 at)
{
	struct icmp_header icmp;

	if (!packet)
		return CORRUPT;
	at &= 0xffff;
	if (load(skb, at, &icmp, sizeof(icmp)))
		return CORRUPT;
	read_echo(packet, &icmp);
	if (packet->protocol == IPPROTO_ICMP) {
		if (icmp.type == 3 || icmp.type == 4 || icmp.type == 11 || icmp.type == 12)
			/* Code 4, too big, says that a smaller packet would get there. */
			return read_quoted(skb, at + sizeof(icmp), packet, icmp.type == 3 && icmp.code != 4);
	} else if (icmp.type >= 1 && icmp.type <= 4) {
		return read_quoted(skb, at + sizeof(icmp), packet, icmp.type == 1);
	}
	return DECODED;
}

#define UDP_HEADER 8

inlined void read_tcp(const struct tcp_header *tcp, __u32 at, struct packet *packet)
{
	packet->source_port = bpf_ntohs(tcp->source);
	packet->destination_port = bpf_ntohs(tcp->destination);
	packet->flags = tcp->flags;
	packet->payload = at + (tcp->offset >> 4) * 4;
	if ((tcp->flags & (TCP_SYN | TCP_RST)) != TCP_SYN)
		return;
	packet->sequence = bpf_ntohl(tcp->sequence);
	packet->acknowledged = bpf_ntohl(tcp->acknowledged);
	packet->began = tcp->flags & TCP_ACK ? HIGH_BEGAN : LOW_BEGAN;
}

inlined int read_transport(const struct __sk_buff *skb, __u32 at, struct packet *packet)
{
	if (packet->protocol == IPPROTO_TCP) {
		struct {
			struct tcp_header header;
			__u8 rest[TCP_HEADER - sizeof(struct tcp_header)];
		} tcp;
		if (load(skb, at, &tcp, sizeof(tcp)) || tcp.header.offset >> 4 < 5)
			return CORRUPT;
		read_tcp(&tcp.header, at, packet);
		return DECODED;
	}
	if (packet->protocol == IPPROTO_UDP || packet->protocol == IPPROTO_SCTP) {
		struct {
			struct ports_header ports;
			__be32 rest;
		} body;
		if (load(skb, at, &body, sizeof(body)))
			return CORRUPT;
		packet->source_port = bpf_ntohs(body.ports.source);
		packet->destination_port = bpf_ntohs(body.ports.destination);
		if (packet->protocol == IPPROTO_UDP) {
			packet->payload = at + UDP_HEADER;
			return DECODED;
		}
		__u32 checksum;
		__u8 chunk;
		if (load(skb, at + 8, &checksum, sizeof(checksum)))
			return CORRUPT;
		if (!load(skb, at + 12, &chunk, sizeof(chunk)))
			packet->began = chunk == SCTP_INIT ? LOW_BEGAN : chunk == SCTP_INIT_ACK ? HIGH_BEGAN : 0;
		return DECODED;
	}
	if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6)
		return read_icmp(skb, packet, at);
	return DECODED;
}

/* The type behind the tags of VLANs, 802.1Q or QinQ, and where it ends. Those that the kernel took out are not seen. */
__noinline int skip_vlans(const struct __sk_buff *skb, __u32 type)
{
	__u32 at = ETH_HLEN;

	for (int i = 0; i < VLAN_MOST && (type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD)); i++) {
		__be16 next;
		if (load(skb, at + 2, &next, sizeof(next)))
			return 0;
		type = next;
		at += 4;
	}
	return at << 16 | type;
}

inlined void fragment_key_of(const struct packet *packet, const struct ip_end *end, struct fragment_key *key)
{
	__builtin_memcpy(key->source, packet->source, sizeof(key->source));
	__builtin_memcpy(key->destination, packet->destination, sizeof(key->destination));
	key->id = end->id;
	key->protocol = is_mapped(packet->source) ? packet->protocol : 0;
}

/* The first fragment's ports are kept for those that follow. */
__noinline int keep_fragment(const struct packet *packet, const struct ip_end *end)
{
	struct fragment_key key = {};

	if (!packet || !end)
		return 0;
	struct fragment first = { packet->source_port, packet->destination_port, packet->protocol };
	fragment_key_of(packet, end, &key);
	bpf_map_update_elem(&fragments, &key, &first, BPF_ANY);
	return 0;
}

__noinline int find_fragment(struct packet *packet, const struct ip_end *end)
{
	struct fragment_key key = {};

	if (!packet || !end)
		return CORRUPT;
	fragment_key_of(packet, end, &key);
	struct fragment *first = bpf_map_lookup_elem(&fragments, &key);
	if (!first)
		return FRAGMENT_WITHOUT_FIRST;
	packet->source_port = first->source_port;
	packet->destination_port = first->destination_port;
	packet->protocol = first->protocol;
	return DECODED;
}

/* Any frame, header by header. Apart, since most frames are as `decode` wants them. */
__noinline int decode_any(const struct __sk_buff *skb, struct packet *packet)
{
	__u32 type = skb->protocol;
	struct ip_end end = {};
	__u32 at = ETH_HLEN;

	if (!packet)
		return CORRUPT;
	if (type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD)) {
		__u32 skipped = skip_vlans(skb, type);
		if (!skipped)
			return CORRUPT;
		at = skipped >> 16 & 0xff;
		type = skipped & 0xffff;
	}
	if (type == bpf_htons(ETH_P_IP)) {
		struct ipv4_header ip;
		if (load(skb, at, &ip, sizeof(ip)) || read_ipv4(&ip, at, packet, &end))
			return CORRUPT;
	} else if (type == bpf_htons(ETH_P_IPV6)) {
		struct ipv6_header ip;
		if (load(skb, at, &ip, sizeof(ip)) || read_ipv6(skb, &ip, at, packet, &end))
			return CORRUPT;
	} else {
		return NOT_IP;
	}
	if (end.later)
		return find_fragment(packet, &end);
	int decoded = read_transport(skb, end.at & 0xffff, packet);
	/* An ICMP error stands for what it quotes: its later fragments would pass for answers of that. */
	if (end.first && decoded == DECODED && !packet->quoted)
		keep_fragment(packet, &end);
	return decoded;
}

struct plain_ipv4 {
	struct ipv4_header ip;
	struct tcp_header tcp;
	__u8 rest[TCP_HEADER - sizeof(struct tcp_header)];
};
struct plain_ipv6 {
	struct ipv6_header ip;
	struct tcp_header tcp;
	__u8 rest[TCP_HEADER - sizeof(struct tcp_header)];
};

/* Where the frame's `length` bytes behind its link header lie, or a copy of them in `copy`; 0 where it is shorter. What lies
 * outside of a frame's linear part is copied, and a packet socket's program always copies. */
inlined const void *behind_link(const struct __sk_buff *skb, enum hook hook, void *copy, __u32 length)
{
	if (hook != TAP) {
		const void *data = (const void *)(long)skb->data;
		const void *end = (const void *)(long)skb->data_end;
		if (data + ETH_HLEN + length <= end)
			return data + ETH_HLEN;
	}
	return load(skb, ETH_HLEN, copy, length) ? 0 : copy;
}

inlined void read_plain(const struct tcp_header *tcp, __u32 at, struct packet *packet)
{
	packet->source_port = bpf_ntohs(tcp->source);
	packet->destination_port = bpf_ntohs(tcp->destination);
	if (packet->protocol == IPPROTO_UDP) {
		packet->payload = at + UDP_HEADER;
		return;
	}
	read_tcp(tcp, at, packet);
}

/* hot. Fills `packet`, or tells why the frame is in no row: at once where it is TCP or UDP right behind a plain IP header. */
inlined int decode(const struct __sk_buff *skb, enum hook hook, struct packet *packet)
{
	union {
		struct plain_ipv4 ipv4;
		struct plain_ipv6 ipv6;
	} copy;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		const struct plain_ipv4 *plain = behind_link(skb, hook, &copy, sizeof(*plain));
		if (plain && plain->ip.version_length == 0x45 &&
		    (plain->ip.protocol == IPPROTO_UDP || (plain->ip.protocol == IPPROTO_TCP && plain->tcp.offset >> 4 >= 5)) &&
		    !(plain->ip.fragment & bpf_htons(IP_MORE_FRAGMENTS | IP_OFFSET))) {
			packet->protocol = plain->ip.protocol;
			map_ipv4(packet->source, plain->ip.source);
			map_ipv4(packet->destination, plain->ip.destination);
			read_plain(&plain->tcp, ETH_HLEN + sizeof(plain->ip), packet);
			return DECODED;
		}
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		const struct plain_ipv6 *plain = behind_link(skb, hook, &copy, sizeof(*plain));
		if (plain && (plain->ip.version & bpf_htonl(0xf0000000)) == bpf_htonl(0x60000000) &&
		    (plain->ip.next == IPPROTO_UDP || (plain->ip.next == IPPROTO_TCP && plain->tcp.offset >> 4 >= 5))) {
			packet->protocol = plain->ip.next;
#pragma unroll
			for (int i = 0; i < 4; i++) {
				packet->source[i] = bpf_ntohl(plain->ip.source[i]);
				packet->destination[i] = bpf_ntohl(plain->ip.destination[i]);
			}
			read_plain(&plain->tcp, ETH_HLEN + sizeof(plain->ip), packet);
			return DECODED;
		}
	}
	return decode_any(skb, packet);
}

/* ------------------------------------------------------------------------------------------------------- counting -- */

/* Whether the source is the high end. */
inlined int key_of(const struct packet *packet, __u32 ifindex, struct flow_key *key)
{
	int from_high = 0, decided = 0;

#pragma unroll
	for (int i = 0; i < 4; i++) {
		if (!decided && packet->source[i] != packet->destination[i]) {
			from_high = packet->source[i] > packet->destination[i];
			decided = 1;
		}
	}
	if (!decided)
		from_high = packet->source_port > packet->destination_port;
	if (from_high) {
		__builtin_memcpy(key->low, packet->destination, sizeof(key->low));
		__builtin_memcpy(key->high, packet->source, sizeof(key->high));
		key->ports = (__u32)packet->destination_port << 16 | packet->source_port;
	} else {
		__builtin_memcpy(key->low, packet->source, sizeof(key->low));
		__builtin_memcpy(key->high, packet->destination, sizeof(key->high));
		key->ports = (__u32)packet->source_port << 16 | packet->destination_port;
	}
	key->protocol = packet->protocol;
	key->ifindex = ifindex;
	return from_high;
}

inlined void count(enum counter counter, __u64 frames, __u64 bytes)
{
	__u32 key = counter;
	struct count *count = bpf_map_lookup_elem(&counters, &key);

	if (count) {
		count->frames += frames;
		count->bytes += bytes;
	}
}

inlined __u64 packets_of(const struct __sk_buff *skb)
{
	__u32 segments = skb->gso_segs;
	return 1ULL << 32 | (segments ? segments : 1);
}

/* What a packet says of the beginning, as marks of the key's ends. */
inlined __u32 began_marks(const struct packet *packet, int from_high)
{
	if (!packet->began)
		return 0;
	return (packet->began == LOW_BEGAN) != from_high ? LOW_BEGAN : HIGH_BEGAN;
}

inlined __u32 marks_of(const struct packet *packet, int from_high)
{
	__u32 marks = began_marks(packet, from_high);

	if (!packet->quoted)
		marks |= from_high ? HIGH_SPOKE : LOW_SPOKE;
	if (packet->unreachable)
		marks |= UNREACHABLE;
	return marks;
}

inlined int is_syn(const struct packet *packet)
{
	return packet->protocol == IPPROTO_TCP && packet->began == LOW_BEGAN;
}

inlined int is_synack(const struct packet *packet)
{
	return packet->protocol == IPPROTO_TCP && packet->began == HIGH_BEGAN;
}

inlined void note_handshake(struct flow *flow, const struct packet *packet, __u64 now)
{
	if (is_syn(packet)) {
		flow->isn = packet->sequence;
		if (!flow->syns)
			flow->syn_ns = now;
		flow->syns++;
	} else if (is_synack(packet)) {
		if (!flow->syns)
			flow->isn = packet->acknowledged - 1;
		if (!flow->synack_ns)
			flow->synack_ns = now;
	}
}

inlined void begin(struct flow *flow, const struct flow_key *key, const struct __sk_buff *skb, const struct packet *packet,
		   int from_high, __u32 standing)
{
	__u64 now = bpf_ktime_get_ns();

	flow->key = *key;
	flow->marks = standing | marks_of(packet, from_high) | (from_high ? FIRST_FROM_HIGH : 0) |
		      (packet->quoted ? FIRST_QUOTED : 0);
	flow->syns = flow->isn = flow->first_back = 0;
	flow->syn_ns = flow->synack_ns = 0;
	flow->first_ns = now;
#pragma unroll
	for (int way = 0; way < 2; way++) {
		int is_way = way == from_high;
		flow->packets[way] = is_way ? packets_of(skb) : 0;
		flow->bytes[way] = is_way ? skb->len : 0;
		flow->last[way] = is_way ? (__u32)bpf_jiffies64() : 0;
		flow->flags[way] = is_way ? packet->flags : 0;
	}
	note_handshake(flow, packet, now);
}

/* A row for user space that stands in no table; 0 where there is no room for it either. */
inlined struct flow_event *tell_row(__u32 epoch)
{
	struct flow_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (event) {
		event->type = FLOW_EVENT;
		event->epoch = epoch;
	}
	return event;
}

/* The row goes out, and begins anew: exchanged, so that what another processor adds meanwhile is in one of both. */
inlined void turn_over(struct flow *flow, __u32 epoch, __u32 standing)
{
	struct flow_event *event = tell_row(epoch);
	__u64 frames = 0, bytes = 0;

	if (event)
		__builtin_memcpy(&event->flow, flow, sizeof(*flow));
#pragma unroll
	for (int way = 0; way < 2; way++) {
		__u64 packets = __sync_lock_test_and_set(&flow->packets[way], 0);
		__u64 length = __sync_lock_test_and_set(&flow->bytes[way], 0);
		if (event) {
			event->flow.packets[way] = packets;
			event->flow.bytes[way] = length;
		}
		frames += packets >> 32;
		bytes += length;
		flow->last[way] = flow->flags[way] = 0;
	}
	flow->marks = standing;
	flow->syns = flow->isn = flow->first_back = 0;
	flow->syn_ns = flow->synack_ns = 0;
	flow->first_ns = bpf_ktime_get_ns();
	if (event)
		bpf_ringbuf_submit(event, 0);
	else
		count(RING_FULL, frames, bytes);
}

/* A SYN on ports that are in use is the same one again, or begins the next connection. */
inlined int is_next(const struct flow *flow, const struct packet *packet, __u32 began)
{
	return is_syn(packet) && ((flow->marks & (LOW_BEGAN | HIGH_BEGAN)) != began || flow->isn != packet->sequence);
}

/* hot: a packet of a known connection */
inlined void add(struct flow *flow, const struct __sk_buff *skb, const struct packet *packet, int from_high)
{
	int way = from_high & 1;
	__u32 marks = marks_of(packet, from_high);
	__u32 now = bpf_jiffies64();

	__sync_fetch_and_add(&flow->packets[way], packets_of(skb));
	__sync_fetch_and_add(&flow->bytes[way], skb->len);
	flow->last[way] = now;
	if (!flow->first_back && way == ((flow->marks & FIRST_FROM_HIGH) ? 0 : 1))
		flow->first_back = now ? now : 1;
	if (packet->flags & ~flow->flags[way])
		flow->flags[way] |= packet->flags;
	if (marks & ~flow->marks)
		__sync_fetch_and_or(&flow->marks, marks);
	if (packet->began)
		note_handshake(flow, packet, bpf_ktime_get_ns());
}

inlined __u32 mixed(__u32 hash, __u32 word)
{
	hash = (hash ^ word) * 0x85ebca6b;
	return hash ^ hash >> 15;
}

inlined __u32 hash_of(const struct flow_key *key, __u32 seed)
{
	__u32 hash = mixed(mixed(mixed(seed, key->low[3]), key->high[3]), key->ports);

	if (key->low[2] != 0xffff || key->high[2] != 0xffff)
		hash = mixed(mixed(mixed(mixed(mixed(mixed(hash, key->low[0]), key->low[1]), key->low[2]), key->high[0]),
				   key->high[1]), key->high[2]);
	hash = mixed(hash, key->protocol << 24 ^ key->ifindex);
	hash *= 0xc2b2ae35;
	return hash ^ hash >> 16;
}

inlined int is_key(const struct flow_key *a, const struct flow_key *b)
{
	__u32 differs = 0;

#pragma unroll
	for (int i = 0; i < 4; i++)
		differs |= (a->low[i] ^ b->low[i]) | (a->high[i] ^ b->high[i]);
	return !(differs | (a->ports ^ b->ports) | (a->protocol ^ b->protocol) | (a->ifindex ^ b->ifindex));
}

#ifdef WITH_CONNTRACK
/* ------------------------------------------------------------------------------------------------------ conntrack -- */

/* As far as it is read; the kernel's own layout is found when the program is loaded. */
#define relocated __attribute__((preserve_access_index))
union nf_inet_addr {
	__u32 all[4];
} relocated;
union nf_conntrack_man_proto {
	__be16 all;
} relocated;
struct nf_conntrack_man {
	union nf_inet_addr u3;
	union nf_conntrack_man_proto u;
} relocated;
struct nf_conntrack_tuple {
	struct nf_conntrack_man src;
	struct {
		union nf_inet_addr u3;
		union {
			__be16 all;
		} u;
		__u8 protonum;
	} dst;
} relocated;
struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
} relocated;
struct ip_ct_tcp {
	__u8 state;
} relocated;
union nf_conntrack_proto {
	struct ip_ct_tcp tcp;
} relocated;
struct nf_conn {
	struct nf_conntrack_tuple_hash tuplehash[2];
	union nf_conntrack_proto proto;
} relocated;
struct bpf_ct_opts {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u8 reserved[2];
};

extern struct nf_conn *bpf_skb_ct_lookup(const struct __sk_buff *skb, struct bpf_sock_tuple *tuple, __u32 tuple_size,
					 struct bpf_ct_opts *opts, __u32 opts_size) __ksym;
extern void bpf_ct_release(struct nf_conn *connection) __ksym;

inlined int same_tuple(const struct nf_conn *ct)
{
	const struct nf_conntrack_tuple *original = &ct->tuplehash[0].tuple, *reply = &ct->tuplehash[1].tuple;

	return original->src.u.all == reply->dst.u.all && original->dst.u.all == reply->src.u.all &&
	       original->src.u3.all[0] == reply->dst.u3.all[0] && original->src.u3.all[1] == reply->dst.u3.all[1] &&
	       original->src.u3.all[2] == reply->dst.u3.all[2] && original->src.u3.all[3] == reply->dst.u3.all[3] &&
	       original->dst.u3.all[0] == reply->src.u3.all[0] && original->dst.u3.all[1] == reply->src.u3.all[1] &&
	       original->dst.u3.all[2] == reply->src.u3.all[2] && original->dst.u3.all[3] == reply->src.u3.all[3];
}

inlined void copy_address(__u32 to[4], const union nf_inet_addr *from)
{
	to[0] = from->all[0];
	to[1] = from->all[1];
	to[2] = from->all[2];
	to[3] = from->all[3];
}

#define TCP_CONNTRACK_TIME_WAIT 7
#define TCP_CONNTRACK_CLOSE 8

/* A SYN finds the entry of the connection that had its ports before, which conntrack drops behind us for a new one. */
inlined int is_of_former(const struct nf_conn *ct, __u32 protocol, int syn)
{
	if (protocol != IPPROTO_TCP || !syn)
		return 0;
	__u8 state = ct->proto.tcp.state;
	return state == TCP_CONNTRACK_TIME_WAIT || state == TCP_CONNTRACK_CLOSE;
}

/* Tells what conntrack translated, if anything. Returns whether it could be told. */
inlined int tell_translation(const struct nf_conn *ct, __u32 protocol, int is_ipv4)
{
	struct translation_event *event;

	if (same_tuple(ct))
		return 1;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count(UNTOLD_TRANSLATION, 1, 0);
		return 0;
	}
	const struct nf_conntrack_tuple *original = &ct->tuplehash[0].tuple, *reply = &ct->tuplehash[1].tuple;
	event->type = TRANSLATION_EVENT;
	event->protocol = protocol | (is_ipv4 ? 0 : 0x100);
	copy_address(event->original_initiator, &original->src.u3);
	copy_address(event->original_responder, &original->dst.u3);
	copy_address(event->translated_initiator, &reply->dst.u3);
	copy_address(event->translated_responder, &reply->src.u3);
	event->ports[0] = bpf_ntohs(original->src.u.all);
	event->ports[1] = bpf_ntohs(original->dst.u.all);
	event->ports[2] = bpf_ntohs(reply->dst.u.all);
	event->ports[3] = bpf_ntohs(reply->src.u.all);
	bpf_ringbuf_submit(event, 0);
	return 1;
}

/* The node's conntrack knows a connection as its pod sends it. Returns whether it knows it, and what it knows is told. */
inlined int ask_conntrack(const struct __sk_buff *skb, const struct flow_key *key, int pod_is_low, int syn)
{
	const __u32 *pod = pod_is_low ? key->low : key->high, *other = pod_is_low ? key->high : key->low;
	__u16 pod_port = pod_is_low ? key->ports >> 16 : key->ports, other_port = pod_is_low ? key->ports : key->ports >> 16;
	struct bpf_ct_opts opts = { .netns_id = BPF_F_CURRENT_NETNS, .l4proto = key->protocol };
	struct bpf_sock_tuple tuple = {};
	__u32 size = sizeof(tuple.ipv6);
	int is_ipv4 = is_mapped(pod), known = 0;

	if (is_ipv4) {
		tuple.ipv4.saddr = bpf_htonl(pod[3]);
		tuple.ipv4.daddr = bpf_htonl(other[3]);
		tuple.ipv4.sport = bpf_htons(pod_port);
		tuple.ipv4.dport = bpf_htons(other_port);
		size = sizeof(tuple.ipv4);
	} else {
#pragma unroll
		for (int i = 0; i < 4; i++) {
			tuple.ipv6.saddr[i] = bpf_htonl(pod[i]);
			tuple.ipv6.daddr[i] = bpf_htonl(other[i]);
		}
		tuple.ipv6.sport = bpf_htons(pod_port);
		tuple.ipv6.dport = bpf_htons(other_port);
	}
	struct nf_conn *ct = bpf_skb_ct_lookup(skb, &tuple, size, &opts, sizeof(opts));
	if (!ct)
		return 0;
	if (!is_of_former(ct, key->protocol, syn))
		known = tell_translation(ct, key->protocol, is_ipv4);
	bpf_ct_release(ct);
	return known;
}

/* Periods of `told`, of 2^30 ns each: a connection that lives on is told again after this many, which is before conntrack
 * forgets one without an answer (30 s), whose ports may go to another backend then. What conntrack does not know is asked for
 * again sooner: the entry comes with the first packet, behind us. */
#define TOLD_PERIODS 16
#define UNKNOWN_AT_FIRST_PERIODS 1
#define UNKNOWN_PERIODS 4

enum asking { POD_IS_LOW_END = 1, IS_SYN = 2, ROW_BEGINS = 4 };

/* Where the connection stands in its set; else which slot it may have: one whose time is over, or the one that ends first. */
inlined __u32 slot_in(const struct bucket *set, __u32 signature, __u32 now)
{
	__u32 best = 0;
	__s32 least = 0x7fffffff;

	for (int i = 0; i < SLOTS; i++) {
		__u64 slot = *(const volatile __u64 *)&set->slots[i];
		__s32 left = (__u32)slot - now;
		if (slot >> 32 == signature)
			return i;
		if (left < least) {
			least = left;
			best = i;
		}
	}
	return best;
}

/* Asks conntrack, unless it has said already what it knows of the connection. Returns whether the row need not ask again. A SYN
 * begins anew: on its ports there may have been another connection. */
__noinline int ask(const struct __sk_buff *skb, const struct flow_key *key, __u32 hash, enum asking how)
{
	struct control *state;
	struct bucket *set;
	__u32 zero = 0, now = bpf_ktime_get_coarse_ns() >> 30, periods = TOLD_PERIODS;

	if (!key)
		return 0;
	state = bpf_map_lookup_elem(&control, &zero);
	if (!state)
		return 0;
	/* A quarter as many sets as a table has buckets. */
	__u32 wanted = hash & state->bucket_mask >> 2, signature = hash_of(key, ~state->seed);
	set = bpf_map_lookup_elem(&told, &wanted);
	if (!set)
		return 0;
	__u32 at = slot_in(set, signature, now) & (SLOTS - 1);
	__u64 slot = *(volatile __u64 *)&set->slots[at];
	int is_there = slot >> 32 == signature && (__s32)((__u32)slot - now) > 0;
	if (is_there && (how & ROW_BEGINS) && !(how & IS_SYN))
		return 1;
	int known = ask_conntrack(skb, key, how & POD_IS_LOW_END, how & IS_SYN);
	if (!known) {
		if (how & IS_SYN)
			periods = 0;
		else
			periods = how & ROW_BEGINS ? UNKNOWN_AT_FIRST_PERIODS : UNKNOWN_PERIODS;
	}
	*(volatile __u64 *)&set->slots[at] = (__u64)signature << 32 | (__u32)(now + periods);
	return known;
}

inlined int is_asked_for(enum hook hook, const struct packet *packet)
{
	return hook != TAP && !packet->quoted && (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP);
}

/* Conntrack's entry comes behind us, with the first packet or the first few: asked at packets 2, 4, 8, … of a row until it
 * is there. */
inlined int is_time_to_ask(const struct flow *flow)
{
	__u32 frames = (flow->packets[0] >> 32) + (flow->packets[1] >> 32);

	return !(frames & (frames - 1));
}
#endif

/* ------------------------------------------------------------------------------------------------------------ DNS -- */

#define DNS_PORT 53
#define DNS_HEADER 12

/* An answer is copied for user space, which reads names out of it: of TCP what is in one segment. */
__noinline int tell_dns(const struct __sk_buff *skb, __u32 protocol, __u32 offset)
{
	__u32 zero = 0;
	struct dns_event *event = bpf_map_lookup_elem(&dns_scratch, &zero);
	__u32 length = skb->len;

	if (!event || length <= offset)
		return 0;
	length -= offset;
	if (length > DNS_MOST)
		length = DNS_MOST;
	if (length < DNS_HEADER)
		return 0;
	event->type = DNS_EVENT;
	event->ifindex = skb->ifindex;
	event->protocol = protocol;
	event->length = length;
	/* The frame may be longer than the message: the message says so itself. */
	if (load(skb, offset, event->message, length))
		return 0;
	if (bpf_ringbuf_output(&events, event, __builtin_offsetof(struct dns_event, message) + length, 0))
		count(UNTOLD_DNS, 1, length);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------- programs -- */

/* A connection that has no row yet gets one, and its place in a slot of the bucket that was free; without a free slot, or
 * when another processor takes it in this moment, the row counts this packet alone, and is read like any other. */
inlined void take_row(const struct __sk_buff *skb, const struct packet *packet, const struct flow_key *key, int from_high,
		      __u32 standing, const struct control *state, __u32 epoch, __u64 *slot, __u64 seen, __u32 tag)
{
	__u32 table = epoch & 1;
	struct used *taken = bpf_map_lookup_elem(&used, &table);
	struct flow *flow = 0;
	__u32 index = 0;

	if (taken && taken->rows < state->rows) {
		index = __sync_fetch_and_add(&taken->rows, 1);
		if (index < state->rows) {
			index += table * state->rows;
			flow = bpf_map_lookup_elem(&rows, &index);
		}
	}
	if (!flow) {
		struct flow_event *event = tell_row(epoch);
		if (!event) {
			count(TABLE_FULL, 1, skb->len);
			return;
		}
		begin(&event->flow, key, skb, packet, from_high, standing);
		bpf_ringbuf_submit(event, 0);
		return;
	}
	begin(flow, key, skb, packet, from_high, standing);
	if (slot)
		__sync_val_compare_and_swap(slot, seen, (__u64)epoch << 32 | tag << 24 | index);
}

/* hot: once a packet */
inlined void account(const struct __sk_buff *skb, enum hook hook, int from_pod)
{
	struct packet packet = {};
	struct flow_key key;
	struct flow *flow = 0;
	__u64 *free_slot = 0, free_seen = 0;
	__u32 zero = 0;
	struct control *state = bpf_map_lookup_elem(&control, &zero);
	int reason = decode(skb, hook, &packet);

	if (reason != DECODED) {
		count(reason, 1, skb->len);
		return;
	}
	if (!state)
		return;
	int from_high = key_of(&packet, skb->ifindex, &key);
	__u32 standing = from_pod != from_high ? POD_IS_LOW : 0;
#ifdef WITH_CONNTRACK
	enum asking how = (standing ? POD_IS_LOW_END : 0) | (is_syn(&packet) ? IS_SYN : 0);
#endif
	__u32 epoch = *(volatile __u32 *)&state->epoch;
	__u32 hash = hash_of(&key, state->seed);
	__u32 tag = hash >> 24, wanted = (hash & state->bucket_mask) + (epoch & 1) * (state->bucket_mask + 1);
	struct bucket *bucket = bpf_map_lookup_elem(&buckets, &wanted);
	__u64 mine = (__u64)epoch << 32 | tag << 24;

	if (!bucket)
		return;
#pragma unroll
	for (int i = 0; i < SLOTS; i++) {
		__u64 slot = *(volatile __u64 *)&bucket->slots[i];
		if ((slot & ~0xffffffULL) == mine) {
			__u32 index = slot & 0xffffff;
			struct flow *found = bpf_map_lookup_elem(&rows, &index);
			if (found && is_key(&found->key, &key)) {
				flow = found;
				goto found;
			}
		} else if (slot >> 32 != epoch) {
			/* Slots fill in their order: behind a free one there is none of this epoch. */
			free_slot = &bucket->slots[i];
			free_seen = slot;
			break;
		}
	}
#ifdef WITH_CONNTRACK
	if (is_asked_for(hook, &packet) && ask(skb, &key, hash, how | ROW_BEGINS))
		standing |= ASKED;
#endif
	take_row(skb, &packet, &key, from_high, standing, state, epoch, free_slot, free_seen, tag);
	goto counted;
found:
	if (is_next(flow, &packet, began_marks(&packet, from_high)))
		turn_over(flow, epoch, standing | (from_high ? FIRST_FROM_HIGH : 0));
	add(flow, skb, &packet, from_high);
#ifdef WITH_CONNTRACK
	if (!(flow->marks & ASKED) && is_asked_for(hook, &packet) && is_time_to_ask(flow) &&
	    ask(skb, &key, hash, how))
		__sync_fetch_and_or(&flow->marks, ASKED);
#endif
counted:
	if (packet.source_port == DNS_PORT && !from_pod && packet.payload && !packet.quoted)
		tell_dns(skb, packet.protocol, packet.payload);
}

SEC("tc")
int from_pod(const struct __sk_buff *skb)
{
	account(skb, TC_FROM_POD, 1);
	return NEXT;
}

SEC("tc")
int to_pod(const struct __sk_buff *skb)
{
	account(skb, TC_TO_POD, 0);
	return NEXT;
}

SEC("socket")
int tap_both(const struct __sk_buff *skb)
{
	account(skb, TAP, skb->pkt_type != PACKET_OUTGOING);
	return NOTHING;
}

SEC("socket")
int tap_to_pod(const struct __sk_buff *skb)
{
	if (skb->pkt_type == PACKET_OUTGOING)
		account(skb, TAP, 0);
	return NOTHING;
}

/* Both clocks of the rows at one moment: user space runs it. */
struct moment {
	__u64 monotonic_ns;
	__u64 jiffies;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct moment);
} moments SEC(".maps");

SEC("socket")
int tell_moment(const struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct moment *moment = bpf_map_lookup_elem(&moments, &zero);

	if (moment) {
		moment->jiffies = bpf_jiffies64();
		moment->monotonic_ns = bpf_ktime_get_ns();
	}
	return NOTHING;
}

/* What a program costs that does nothing: the benchmark's floor. */
SEC("tc")
int empty(const struct __sk_buff *skb)
{
	return NEXT;
}

SEC("socket")
int empty_tap(const struct __sk_buff *skb)
{
	return NOTHING;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
