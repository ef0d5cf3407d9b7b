// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Counts the packets of each connection at a pod's interface, in the kernel. A packet costs one lookup and a few additions.
// The agent reads one row for each connection and interval.
//
// The programs change no traffic: TC programs always return NEXT, socket programs always return NOTHING, and no program
// writes to a packet or its context, which are const everywhere. A test checks this in the source and in the objects.
//
// layout.ts repeats the layout of what user space reads: `flow_key`, `flow` and the events.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NEXT TC_ACT_UNSPEC /* the same number as TCX_NEXT: the next program decides */
#define NOTHING 0	   /* the socket gets no copy of the packet */
#define inlined static __always_inline

/* Where a program is attached. A socket program can read headers only with a helper call. */
enum hook { TC_FROM_POD, TC_TO_POD, TAP };

/* ------------------------------------------------------------------------------------------ what user space reads -- */

/* Both directions share one key: `low` is the end with the lower address, or with the lower port if the addresses are
 * equal. Words are in host order; IPv4 addresses are mapped (::ffff:0:0/96). */
struct flow_key {
	__u32 low[4];
	__u32 high[4];
	__u32 ports; /* low << 16 | high */
	__u32 protocol; /* and KEY_POD_IS_LOW */
	__u32 ifindex;
};

/* The end behind the interface is part of the key: a packet with a forged source address, which leaves by the interface that
 * it should enter by, belongs to no connection of the pod. Not set if both addresses are equal, because a pod may connect to
 * itself. */
#define KEY_POD_IS_LOW 0x100

enum mark {
	FIRST_FROM_HIGH = 1, /* the first packet of the row came from the high end */
	POD_IS_LOW = 2,
	LOW_INITIATED = 4, /* known from the first SYN, INIT, echo request, or reply to one */
	HIGH_INITIATED = 8,
	FIRST_QUOTED = 16, /* the first packet was an ICMP error that quotes the connection */
	UNREACHABLE = 32,  /* an ICMP error: destination unreachable */
	LOW_SENT = 64,	   /* the low end sent a packet other than an ICMP error or what an initiator sends first */
	HIGH_SENT = 128,
	CONNTRACK_DONE = 256, /* this row needs no further conntrack lookup */
	LOW_ISN = 512,	      /* isn[0] is known */
	HIGH_ISN = 1024,
	LOW_SYN = 2048, /* the low end sent the SYNs of this row; never both ends */
	UNPROVEN = 4096, /* for an address of the pod, but not for its link address */
	HIGH_SYN = 8192,
	LOW_SYNACK = 16384, /* the low end sent a SYN-ACK */
	HIGH_SYNACK = 32768,
};

/* One connection in one interval. [0] is sent by the low end, [1] by the high end. A row fills two cache lines. */
struct flow {
	struct flow_key key;
	__u32 marks;
	__u8 flags[2];
	__u16 syns;	    /* SYN without ACK */
	__u32 isn[2];	    /* of the end's SYN or SYN-ACK; or what the other end's SYN-ACK acknowledges minus one */
	__u64 packets[2];   /* frames << 32 | segments: an offloaded frame holds several segments */
	__u64 bytes[2];
	__u32 last[2];	    /* jiffies */
	__u64 first_ns;	    /* CLOCK_MONOTONIC, like synack_ns */
	__u64 synack_ns;    /* of the first SYN-ACK */
} __attribute__((aligned(64)));

enum event_type { FLOW_EVENT = 1, TRANSLATION_EVENT = 2 };

/* A row whose ports another connection reused, or a single packet for which the table had no row. */
struct flow_event {
	__u32 type;
	__u32 epoch;
	struct flow flow;
};

/* Addresses and ports of a connection before and after conntrack translated them. Addresses are in network order. */
struct translation_event {
	__u32 type;
	__u32 protocol;
	__u32 original_initiator[4];
	__u32 original_responder[4];
	__u32 translated_initiator[4];
	__u32 translated_responder[4];
	__u16 ports[4]; /* in the order of the addresses above */
};

#define DNS_MAX_REPLY 1232 /* the largest UDP response without fragments (DNS flag day 2020) */
#define DNS_MAX_QUERY 512  /* of a query only the question is read */

enum dns_kind {
	DNS_REPLY,
	DNS_QUERY,
	DNS_SENT_AS_SERVER, /* the pod sent it from port 53, perhaps to itself */
	DNS_ECHO,	    /* a reply that the pod itself sent with the server's address */
};

/* A packet between a client and port 53 of a server. Addresses are as in `flow_key`. */
struct dns_event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 ifindex;
	__u32 protocol;
	__u32 client[4];
	__u32 server[4];
	__u32 sequence; /* TCP */
	__u16 client_port;
	__u8 flags; /* TCP */
	__u8 kind;
	__u32 length;
	__u8 payload[DNS_MAX_REPLY];
};

/* What an interface may still put into the ring in this epoch, and what it could not. User space adds and deletes it. [0] is
 * to the pod, [1] from the pod. */
struct dns_share {
	__u32 epoch;
	__u32 bytes[2];
	__u32 spare;
	__u64 missed[2];
};

/* Why a frame is in no row; then the other events that were dropped because the ring was full. */
enum counter {
	NOT_IP,
	CORRUPT,
	FRAGMENT_WITHOUT_FIRST,
	TABLE_FULL,
	RING_FULL,
	NOT_OURS,
	MAPPED_ADDRESS,
	MISSED_TRANSLATION,
	MISSED_DNS,
	COUNTERS
};
#define DECODED COUNTERS /* not a counter: the frame belongs in a row */

struct count {
	__u64 frames;
	__u64 bytes;
};

struct control {
	__u32 epoch; /* starts at 1 */
	__u32 seed;  /* of the hash; secret, so that no sender can force collisions */
	__u32 bucket_mask;
	__u32 rows;	       /* of each table */
	__u32 shared_rows;     /* the first rows of a table are for all interfaces; the others belong to one interface each */
	__u32 unanswered_rows; /* of the shared ones: for a packet that may get no answer */
	__u32 own_rows[2];     /* of each interface, by table */
};

struct used {
	__u64 rows;    /* of the shared ones; may exceed their number */
	__u64 touched; /* an element of interface_tables is not empty */
	__u64 spare[6];
};

#define INTERFACES 512
#define MAX_ADDRESSES 4

union link_address {
	__u8 bytes[8]; /* the last two are 0 */
	__u64 word;    /* 0: unknown */
};

/* Only user space writes it. */
struct interface {
	__u32 slot;	 /* of interface_tables and link_addresses */
	__u32 addresses; /* how many the pod has; if more than MAX_ADDRESSES, some are missing below */
	union link_address link;
	__u32 address[MAX_ADDRESSES][4];
};

/* Packets without a row, by the fields of the key: `1 << 48 | reason << 40 | direction << 36 | zone << 32 | protocol << 16 |
 * port`. Directions and zones are those of proto/unrecorded.ts. */
struct sum {
	__u64 key; /* 0: not used */
	__u64 frames;
	__u64 bytes;
};

/* The first sums are found by hash. If another one has the place, the packet goes to a sum without port. */
#define HASHED_SUMS 16
#define SUMS (HASHED_SUMS + 18 + 18)

/* One for each interface and table. */
struct interface_table {
	__u64 used_rows; /* of its own ones; may exceed their number */
	__u64 events;	 /* rows that it sent through the ring */
	struct sum sums[SUMS];
};

/* Link addresses other than its own from which a pod has sent, such as that of a virtual machine inside. */
#define LINK_ADDRESSES 4 /* a power of two */
struct link_addresses {
	__u64 next;
	union link_address link[LINK_ADDRESSES];
};

/* ----------------------------------------------------------------------------------------------------------- maps -- */

/* There are two tables: one fills while user space reads the other, so no count is lost between a read and a delete.
 * A table has rows, in the order in which they were added, and buckets, which find a row by hash. A kernel hash map costs
 * 60 to 100 ns a packet, these buckets 10 to 25 ns (docs/decisions/0014-rows-and-buckets.md). */
#define SLOTS 8

/* A slot is `epoch << 32 | tag << 24 | row`. A slot of another epoch is free, so slots are never cleared. */
struct bucket {
	__u64 slots[SLOTS];
};

/* Only user space writes it. The parity of the epoch selects the table that fills. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct control);
} control SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct used);
} used SEC(".maps");

/* Both tables share one map, one after the other. The verifier inlines an array lookup only if all paths use one map. */
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

/* By interface index. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8 * INTERFACES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct interface);
} interfaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * INTERFACES);
	__type(key, __u32);
	__type(value, struct interface_table);
} interface_tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, INTERFACES);
	__type(key, __u32);
	__type(value, struct link_addresses);
} link_addresses SEC(".maps");

#ifdef WITH_CONNTRACK
/* Connections that were looked up in conntrack recently, in sets of eight: `signature << 32 | expiry`. A connection that
 * is evicted from its set is looked up again. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct bucket);
} conntrack_cache SEC(".maps");
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

/* RFC 791, RFC 8200 4.5: only the first fragment contains the ports. */
struct fragment_key {
	__u32 source[4];
	__u32 destination[4];
	__u32 id;
	__u32 protocol; /* 0 for IPv6, where the id is enough */
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

/* Not the ring of the other events, so that no pod's queries displace them. */
#define DNS_RING (1 << 20)
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, DNS_RING);
} dns_events SEC(".maps");

/* By interface. DNS packets of an interface that is not in the map are not reported. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct dns_share);
} dns_shares SEC(".maps");

/* ------------------------------------------------------------------------------------------------------- decoding -- */

#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4
#define TCP_PSH 8
#define TCP_ACK 16
#define IP_MORE_FRAGMENTS 0x2000
#define IP_OFFSET 0x1fff
#define MAX_VLANS 2
#define MAX_EXTENSIONS 16 /* more than any usual packet has; of the others the payload stays unread */
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
	__u8 initiator; /* LOW_INITIATED: the source, HIGH_INITIATED: the destination, 0: unknown; see initiator_marks() */
	__u8 quoted;
	__u8 unreachable;
	__u32 transport; /* offset of the UDP or TCP header */
};

/* Copies `length` bytes at `offset` of the frame, also from outside its linear part. */
inlined int load(const struct __sk_buff *skb, __u32 offset, void *into, __u32 length)
{
	return bpf_skb_load_bytes(skb, offset, into, length);
}

inlined int is_mapped(const __u32 words[4])
{
	return !words[0] && !words[1] && words[2] == 0xffff;
}

/* No host may send an IPv4-mapped address in an IPv6 packet (RFC 4291 2.5.5.2). A row with it would be the IPv4 host's. */
inlined int has_mapped_address(const struct packet *packet)
{
	return is_mapped(packet->source) || is_mapped(packet->destination);
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
#define TCP_HEADER 20 /* without options; tcp_header below has only the fields that are read */
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

/* The identifier of an echo replaces the initiator's port, so request and reply have the same key. */
inlined void read_echo(struct packet *packet, const struct icmp_header *icmp)
{
	__u8 request = packet->protocol == IPPROTO_ICMP ? 8 : 128;
	__u8 reply = packet->protocol == IPPROTO_ICMP ? 0 : 129;

	if (icmp->type == request) {
		packet->source_port = bpf_ntohs(icmp->identifier);
		packet->initiator = LOW_INITIATED;
	} else if (icmp->type == reply) {
		packet->destination_port = bpf_ntohs(icmp->identifier);
		packet->initiator = HIGH_INITIATED;
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

/* Where the payload of the IP header begins and ends, its protocol, and which fragment it is. */
struct ip_payload {
	__u32 at;
	__u32 end; /* bytes after it are padding of the link */
	__u32 id;
	__u32 next;
	__u8 is_later;
	__u8 is_first;
	__u8 spare[2];
};

inlined int read_ipv4(const struct ipv4_header *ip, __u32 at, struct packet *packet, struct ip_payload *payload)
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
	payload->at = at + length;
	payload->id = bpf_ntohs(ip->id);
	payload->end = at + bpf_ntohs(ip->total_length);
	payload->is_later = (fragment & IP_OFFSET) != 0;
	payload->is_first = (fragment & (IP_OFFSET | IP_MORE_FRAGMENTS)) == IP_MORE_FRAGMENTS;
	return 0;
}

/* Follows the chain of extension headers (RFC 8200 4). Not inlined because few packets have one. */
__noinline int follow_extensions(const struct __sk_buff *skb, struct ip_payload *payload)
{
	if (!payload)
		return -1;
	__u32 at = payload->at, next = payload->next;
	for (int i = 0; i < MAX_EXTENSIONS && is_extension(next); i++) {
		struct extension_header extension;
		if (load(skb, at & 0xffff, &extension, sizeof(extension)))
			return -1;
		__u32 length = (extension.length + 1) * 8;
		if (next == IPPROTO_FRAGMENT) {
			__u16 fragment = bpf_ntohs(extension.fragment);
			length = 8;
			payload->id = extension.id;
			payload->is_later = fragment >> 3 != 0;
			payload->is_first = fragment >> 3 == 0 && (fragment & 1);
		} else if (next == IPPROTO_AH) {
			length = (extension.length + 2) * 4;
		}
		next = extension.next;
		at += length;
		if (payload->is_later)
			break; /* RFC 8200 4.5: no header follows in a later fragment */
	}
	payload->at = at;
	payload->next = next;
	return 0;
}

inlined int read_ipv6(const struct __sk_buff *skb, const struct ipv6_header *ip, __u32 at, struct packet *packet,
		      struct ip_payload *payload)
{
	if ((ip->version & bpf_htonl(0xf0000000)) != bpf_htonl(0x60000000))
		return -1;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		packet->source[i] = bpf_ntohl(ip->source[i]);
		packet->destination[i] = bpf_ntohl(ip->destination[i]);
	}
	payload->at = at + sizeof(*ip);
	payload->end = payload->at + bpf_ntohs(ip->payload_length);
	payload->next = ip->next;
	if (is_extension(ip->next) && follow_extensions(skb, payload))
		return -1;
	packet->protocol = payload->next;
	return 0;
}

inlined int has_ports(__u32 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

/* An ICMP error belongs to the connection that it quotes, as a reply: source and destination are swapped. */
inlined int read_quoted(const struct __sk_buff *skb, __u32 at, struct packet *packet, __u8 unreachable)
{
	struct ip_payload payload = {};
	struct icmp_header body;
	__u32 word;

	packet->source_port = packet->destination_port = 0;
	if (packet->protocol == IPPROTO_ICMP) {
		struct ipv4_header ip;
		if (load(skb, at, &ip, sizeof(ip)) || read_ipv4(&ip, at, packet, &payload))
			return CORRUPT;
	} else {
		struct ipv6_header ip;
		if (load(skb, at, &ip, sizeof(ip)) || read_ipv6(skb, &ip, at, packet, &payload))
			return CORRUPT;
		if (has_mapped_address(packet))
			return MAPPED_ADDRESS;
	}
	if (payload.is_later)
		return FRAGMENT_WITHOUT_FIRST;
	if (has_ports(packet->protocol) || packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6) {
		if (load(skb, payload.at & 0xffff, &body, sizeof(body)))
			return CORRUPT;
		if (has_ports(packet->protocol)) {
			packet->source_port = bpf_ntohs(((struct ports_header *)&body)->source);
			packet->destination_port = bpf_ntohs(((struct ports_header *)&body)->destination);
		} else {
			read_echo(packet, &body);
		}
	}
	packet->initiator = 0;
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

/* Not inlined because few packets are ICMP. */
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
			/* Code 4 is "fragmentation needed": a smaller packet would arrive. */
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
	packet->transport = at;
	if ((tcp->flags & (TCP_SYN | TCP_RST)) != TCP_SYN)
		return;
	packet->sequence = bpf_ntohl(tcp->sequence);
	packet->acknowledged = bpf_ntohl(tcp->acknowledged);
	packet->initiator = tcp->flags & TCP_ACK ? HIGH_INITIATED : LOW_INITIATED;
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
			packet->transport = at;
			return DECODED;
		}
		__u32 checksum;
		__u8 chunk;
		if (load(skb, at + 8, &checksum, sizeof(checksum)))
			return CORRUPT;
		if (!load(skb, at + 12, &chunk, sizeof(chunk)))
			packet->initiator = chunk == SCTP_INIT ? LOW_INITIATED : chunk == SCTP_INIT_ACK ? HIGH_INITIATED : 0;
		return DECODED;
	}
	if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6)
		return read_icmp(skb, packet, at);
	return DECODED;
}

/* Skips VLAN tags (802.1Q, QinQ) that the kernel has not removed. Returns the offset of the payload and its EtherType. */
__noinline int skip_vlans(const struct __sk_buff *skb, __u32 type)
{
	__u32 at = ETH_HLEN;

	for (int i = 0; i < MAX_VLANS && (type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD)); i++) {
		__be16 next;
		if (load(skb, at + 2, &next, sizeof(next)))
			return 0;
		type = next;
		at += 4;
	}
	return at << 16 | type;
}

inlined void fragment_key_of(const struct packet *packet, const struct ip_payload *payload, struct fragment_key *key)
{
	__builtin_memcpy(key->source, packet->source, sizeof(key->source));
	__builtin_memcpy(key->destination, packet->destination, sizeof(key->destination));
	key->id = payload->id;
	key->protocol = is_mapped(packet->source) ? packet->protocol : 0;
}

/* Stores the ports of a first fragment for the later ones. */
__noinline int store_fragment(const struct packet *packet, const struct ip_payload *payload)
{
	struct fragment_key key = {};

	if (!packet || !payload)
		return 0;
	struct fragment first = { packet->source_port, packet->destination_port, packet->protocol };
	fragment_key_of(packet, payload, &key);
	bpf_map_update_elem(&fragments, &key, &first, BPF_ANY);
	return 0;
}

__noinline int find_fragment(struct packet *packet, const struct ip_payload *payload)
{
	struct fragment_key key = {};

	if (!packet || !payload)
		return CORRUPT;
	fragment_key_of(packet, payload, &key);
	struct fragment *first = bpf_map_lookup_elem(&fragments, &key);
	if (!first)
		return FRAGMENT_WITHOUT_FIRST;
	packet->source_port = first->source_port;
	packet->destination_port = first->destination_port;
	packet->protocol = first->protocol;
	return DECODED;
}

/* Of a TCP header in two fragments, the first has at least the ports (RFC 791, RFC 3128). PSH means that the flags are not
 * known: without it, the packet and a reset would look like a reset alone. */
inlined int read_ports(const struct __sk_buff *skb, __u32 at, struct packet *packet)
{
	struct ports_header ports;

	if (load(skb, at, &ports, sizeof(ports)))
		return CORRUPT;
	packet->source_port = bpf_ntohs(ports.source);
	packet->destination_port = bpf_ntohs(ports.destination);
	packet->flags = TCP_PSH;
	return DECODED;
}

/* Decodes any frame, header by header. Not inlined because decode() handles most frames. */
__noinline int decode_any(const struct __sk_buff *skb, struct packet *packet)
{
	__u32 type = skb->protocol;
	struct ip_payload payload = {};
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
		if (load(skb, at, &ip, sizeof(ip)) || read_ipv4(&ip, at, packet, &payload))
			return CORRUPT;
	} else if (type == bpf_htons(ETH_P_IPV6)) {
		struct ipv6_header ip;
		if (load(skb, at, &ip, sizeof(ip)) || read_ipv6(skb, &ip, at, packet, &payload))
			return CORRUPT;
		if (has_mapped_address(packet))
			return MAPPED_ADDRESS;
	} else {
		return NOT_IP;
	}
	if (payload.is_later)
		return find_fragment(packet, &payload);
	int decoded;
	if (payload.is_first && packet->protocol == IPPROTO_TCP && payload.end < payload.at + TCP_HEADER)
		decoded = read_ports(skb, payload.at & 0xffff, packet);
	else
		decoded = read_transport(skb, payload.at & 0xffff, packet);
	/* Later fragments of an ICMP error must not count for the connection that it quotes. */
	if (payload.is_first && decoded == DECODED && !packet->quoted)
		store_fragment(packet, &payload);
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

/* Returns the `length` bytes after the link header, in place or copied to `copy`; 0 if the frame is shorter. It copies for
 * socket programs, and if the bytes are outside the frame's linear part. */
inlined const void *after_link_header(const struct __sk_buff *skb, enum hook hook, void *copy, __u32 length)
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
		packet->transport = at;
		return;
	}
	read_tcp(tcp, at, packet);
}

/* hot. Fills `packet` and returns DECODED, or the counter of a frame that belongs in no row. TCP and UDP directly after a
 * plain IP header take the short path. */
inlined int decode(const struct __sk_buff *skb, enum hook hook, struct packet *packet)
{
	union {
		struct plain_ipv4 ipv4;
		struct plain_ipv6 ipv6;
	} copy;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		const struct plain_ipv4 *plain = after_link_header(skb, hook, &copy, sizeof(*plain));
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
		const struct plain_ipv6 *plain = after_link_header(skb, hook, &copy, sizeof(*plain));
		if (plain && (plain->ip.version & bpf_htonl(0xf0000000)) == bpf_htonl(0x60000000) &&
		    (plain->ip.next == IPPROTO_UDP || (plain->ip.next == IPPROTO_TCP && plain->tcp.offset >> 4 >= 5))) {
			packet->protocol = plain->ip.next;
#pragma unroll
			for (int i = 0; i < 4; i++) {
				packet->source[i] = bpf_ntohl(plain->ip.source[i]);
				packet->destination[i] = bpf_ntohl(plain->ip.destination[i]);
			}
			if (has_mapped_address(packet))
				return MAPPED_ADDRESS;
			read_plain(&plain->tcp, ETH_HLEN + sizeof(plain->ip), packet);
			return DECODED;
		}
	}
	return decode_any(skb, packet);
}

/* ------------------------------------------------------------------------------------------------------- counting -- */

/* Fills `key`. Returns whether the source is the high end. */
inlined int key_of(const struct packet *packet, __u32 ifindex, int from_pod, struct flow_key *key)
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
	key->protocol = packet->protocol | (decided && from_pod != from_high ? KEY_POD_IS_LOW : 0);
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

inlined int is_syn(const struct packet *packet)
{
	return packet->protocol == IPPROTO_TCP && packet->initiator == LOW_INITIATED;
}

inlined int is_synack(const struct packet *packet)
{
	return packet->protocol == IPPROTO_TCP && packet->initiator == HIGH_INITIATED;
}

/* The initiator that the packet proves, as a mark of the key's low or high end. */
inlined __u32 initiator_marks(const struct packet *packet, int from_high)
{
	if (!packet->initiator)
		return 0;
	return (packet->initiator == LOW_INITIATED) != from_high ? LOW_INITIATED : HIGH_INITIATED;
}

/* `known`: the marks of the row so far. The first proof of the initiator counts, because the other end may send a SYN too
 * (RFC 9293 3.5). */
inlined __u32 marks_of(const struct packet *packet, int from_high, __u32 known)
{
	__u32 marks = 0;

	if (packet->initiator) {
		if (!(known & (LOW_INITIATED | HIGH_INITIATED)))
			marks |= initiator_marks(packet, from_high);
		if (is_syn(packet))
			marks |= from_high ? HIGH_SYN | HIGH_ISN : LOW_SYN | LOW_ISN;
		else if (is_synack(packet))
			marks |= (from_high ? HIGH_SYNACK : LOW_SYNACK) | LOW_ISN | HIGH_ISN;
	}
	if (!packet->quoted && packet->initiator != LOW_INITIATED)
		marks |= from_high ? HIGH_SENT : LOW_SENT;
	if (packet->unreachable)
		marks |= UNREACHABLE;
	return marks;
}

/* `known`: the marks of the row before this packet. */
inlined void record_handshake(struct flow *flow, const struct packet *packet, int from_high, __u32 known, __u64 now)
{
	int own = from_high & 1, other = !own;

	if (is_syn(packet)) {
		flow->isn[own] = packet->sequence;
		flow->syns++;
	} else if (is_synack(packet)) {
		if (!(known & (own ? HIGH_ISN : LOW_ISN)))
			flow->isn[own] = packet->sequence;
		if (!(known & (other ? HIGH_ISN : LOW_ISN)))
			flow->isn[other] = packet->acknowledged - 1;
		if (!flow->synack_ns)
			flow->synack_ns = now;
	}
}

inlined void start_row(struct flow *flow, const struct flow_key *key, const struct __sk_buff *skb,
		       const struct packet *packet, int from_high, __u32 base_marks)
{
	__u64 now = bpf_ktime_get_ns();

	flow->key = *key;
	flow->marks = base_marks | marks_of(packet, from_high, 0) | (from_high ? FIRST_FROM_HIGH : 0) |
		      (packet->quoted ? FIRST_QUOTED : 0);
	flow->syns = 0;
	flow->synack_ns = 0;
	flow->first_ns = now;
#pragma unroll
	for (int direction = 0; direction < 2; direction++) {
		int is_own = direction == from_high;
		flow->packets[direction] = is_own ? packets_of(skb) : 0;
		flow->bytes[direction] = is_own ? skb->len : 0;
		flow->last[direction] = is_own ? (__u32)bpf_jiffies64() : 0;
		flow->flags[direction] = is_own ? packet->flags : 0;
		flow->isn[direction] = 0;
	}
	record_handshake(flow, packet, from_high, 0, now);
}

enum direction { UNKNOWN_DIRECTION, FROM_POD, TO_POD };
enum zone { UNKNOWN_ZONE, PRIVATE, PUBLIC, LOCAL };

/* As in flows/remote-zone.ts. */
inlined enum zone zone_of(const __u32 address[4])
{
	__u32 first = address[0], last = address[3];

	if (is_mapped(address)) {
		__u32 top = last >> 24;
		if (top == 0 || top == 127 || last >> 16 == 0xa9fe || (top >= 224 && top < 240) || last == 0xffffffff)
			return LOCAL;
		return top == 10 || last >> 16 == 0xc0a8 || last >> 20 == 0xac1 || last >> 22 == 0x191 ? PRIVATE : PUBLIC;
	}
	if (!first && !address[1] && !address[2] && last <= 1)
		return LOCAL;
	if (first >> 24 == 0xff || first >> 22 == 0x3fa)
		return LOCAL;
	return first >> 25 == 0x7e ? PRIVATE : PUBLIC;
}

/* Packets without a row; see add_loss(). */
struct loss {
	__u32 ifindex;
	__u32 epoch;
	__u32 reason;
	__u32 direction;
	__u32 zone;
	__u32 protocol;
	__u32 port;
	__u64 frames;
	__u64 bytes;
};

__noinline int add_loss(const struct loss *loss);

/* Counts the packets of a row that the ring has no place for. */
inlined void lose_row(const struct flow_key *key, __u32 marks, __u32 epoch, __u64 frames, __u64 bytes)
{
	int low_initiated = (marks & LOW_INITIATED) != 0, pod_is_low = (marks & POD_IS_LOW) != 0;
	struct loss loss = {
		.ifindex = key->ifindex,
		.epoch = epoch,
		.reason = RING_FULL,
		.direction = low_initiated == pod_is_low ? FROM_POD : TO_POD,
		.protocol = key->protocol & 0xff,
		.port = low_initiated ? key->ports & 0xffff : key->ports >> 16,
		.zone = zone_of(pod_is_low ? key->high : key->low),
		.frames = frames,
		.bytes = bytes,
	};

	count(RING_FULL, frames, bytes);
	add_loss(&loss);
}

/* Reserves a row in the ring instead of a table; 0 if the ring is full. */
inlined struct flow_event *reserve_flow_event(__u32 epoch)
{
	struct flow_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (event) {
		event->type = FLOW_EVENT;
		event->epoch = epoch;
	}
	return event;
}

/* An interface has this part of the ring in each epoch, so that no pod's reused ports displace the events of others. */
#define EVENTS_OF_INTERFACE ((2 << 20) / sizeof(struct flow_event) / 8)

/* Not inlined, because ports are rarely reused within an epoch. */
__noinline int claim_event(__u32 ifindex, __u32 epoch)
{
	__u32 table = epoch & 1;
	struct interface *interface = bpf_map_lookup_elem(&interfaces, &ifindex);
	struct used *used_rows = bpf_map_lookup_elem(&used, &table);
	__u32 index = table * INTERFACES + (interface ? interface->slot : INTERFACES - 1);
	struct interface_table *of_interface = bpf_map_lookup_elem(&interface_tables, &index);

	if (!of_interface || !used_rows)
		return 1;
	used_rows->touched = 1;
	return __sync_fetch_and_add(&of_interface->events, 1) < EVENTS_OF_INTERFACE;
}

/* Sends the row to user space and resets it. The atomic exchange keeps what another CPU adds meanwhile: it is in the event
 * or in the reset row. */
inlined void flush_row(struct flow *flow, __u32 epoch, __u32 base_marks)
{
	struct flow_event *event = claim_event(flow->key.ifindex, epoch) ? reserve_flow_event(epoch) : 0;
	__u32 marks = flow->marks;
	__u64 frames = 0, bytes = 0;

	if (event)
		__builtin_memcpy(&event->flow, flow, sizeof(*flow));
#pragma unroll
	for (int direction = 0; direction < 2; direction++) {
		__u64 packets = __sync_lock_test_and_set(&flow->packets[direction], 0);
		__u64 length = __sync_lock_test_and_set(&flow->bytes[direction], 0);
		if (event) {
			event->flow.packets[direction] = packets;
			event->flow.bytes[direction] = length;
		}
		frames += packets >> 32;
		bytes += length;
		flow->last[direction] = flow->flags[direction] = 0;
		flow->isn[direction] = 0;
	}
	flow->marks = base_marks;
	flow->syns = 0;
	flow->synack_ns = 0;
	flow->first_ns = bpf_ktime_get_ns();
	if (event)
		bpf_ringbuf_submit(event, 0);
	else
		lose_row(&flow->key, marks, epoch, frames, bytes);
}

/* A SYN for an existing row is a retransmission, or it may begin another connection on the same ports. User space decides
 * that, so a SYN of the second kind is the first packet of its row. The sender chooses the number: after a reset, or when it
 * has acknowledged something, the same number is no retransmission. */
inlined int may_begin_connection(const struct flow *flow, const struct packet *packet, int from_high)
{
	int own = from_high & 1;

	if (!is_syn(packet))
		return 0;
	if (!(flow->marks & (own ? HIGH_ISN : LOW_ISN)) || (flow->marks & (own ? LOW_SYN : HIGH_SYN)))
		return 1;
	return flow->isn[own] != packet->sequence || (flow->flags[own] & TCP_ACK) ||
	       ((flow->flags[0] | flow->flags[1]) & TCP_RST);
}

/* hot, once a packet of a known connection */
inlined void add_packet(struct flow *flow, const struct __sk_buff *skb, const struct packet *packet, int from_high)
{
	int direction = from_high & 1;
	__u32 known = flow->marks;
	__u32 marks = marks_of(packet, from_high, known);
	__u32 now = bpf_jiffies64();

	__sync_fetch_and_add(&flow->packets[direction], packets_of(skb));
	__sync_fetch_and_add(&flow->bytes[direction], skb->len);
	flow->last[direction] = now;
	if (packet->flags & ~flow->flags[direction])
		flow->flags[direction] |= packet->flags;
	if (marks & ~known)
		__sync_fetch_and_or(&flow->marks, marks);
	if (packet->initiator)
		record_handshake(flow, packet, from_high, known, bpf_ktime_get_ns());
}

inlined __u32 mix(__u32 hash, __u32 word)
{
	hash = (hash ^ word) * 0x85ebca6b;
	return hash ^ hash >> 15;
}

inlined __u32 hash_of(const struct flow_key *key, __u32 seed)
{
	__u32 hash = mix(mix(mix(seed, key->low[3]), key->high[3]), key->ports);

	if (key->low[2] != 0xffff || key->high[2] != 0xffff)
		hash = mix(mix(mix(mix(mix(mix(hash, key->low[0]), key->low[1]), key->low[2]), key->high[0]),
				   key->high[1]), key->high[2]);
	hash = mix(hash, key->protocol << 23 ^ key->ifindex);
	hash *= 0xc2b2ae35;
	return hash ^ hash >> 16;
}

inlined int same_key(const struct flow_key *a, const struct flow_key *b)
{
	__u32 differs = 0;

#pragma unroll
	for (int i = 0; i < 4; i++)
		differs |= (a->low[i] ^ b->low[i]) | (a->high[i] ^ b->high[i]);
	return !(differs | (a->ports ^ b->ports) | (a->protocol ^ b->protocol) | (a->ifindex ^ b->ifindex));
}

#ifdef WITH_CONNTRACK
/* ------------------------------------------------------------------------------------------------------ conntrack -- */

/* Only the fields that are read. libbpf finds their offsets in the running kernel when it loads the program (CO-RE). */
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

/* A SYN may find the entry of the previous connection on its ports. Conntrack replaces it only after our program ran. */
inlined int is_previous_connection(const struct nf_conn *ct, __u32 protocol, int syn)
{
	if (protocol != IPPROTO_TCP || !syn)
		return 0;
	__u8 state = ct->proto.tcp.state;
	return state == TCP_CONNTRACK_TIME_WAIT || state == TCP_CONNTRACK_CLOSE;
}

/* Reports the translation, if there is one. Returns false if the ring was full. */
inlined int report_translation(const struct nf_conn *ct, __u32 protocol, int is_ipv4)
{
	struct translation_event *event;

	if (same_tuple(ct))
		return 1;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count(MISSED_TRANSLATION, 1, 0);
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

/* Looks up the connection as the pod sends it, before any translation. Returns whether conntrack has an entry and any
 * translation is reported. */
inlined int look_up_conntrack(const struct __sk_buff *skb, const struct flow_key *key, int pod_is_low, int syn)
{
	const __u32 *pod = pod_is_low ? key->low : key->high, *other = pod_is_low ? key->high : key->low;
	__u16 pod_port = pod_is_low ? key->ports >> 16 : key->ports, other_port = pod_is_low ? key->ports : key->ports >> 16;
	__u8 protocol = key->protocol;
	struct bpf_ct_opts opts = { .netns_id = BPF_F_CURRENT_NETNS, .l4proto = protocol };
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
	if (!is_previous_connection(ct, protocol, syn))
		known = report_translation(ct, protocol, is_ipv4);
	bpf_ct_release(ct);
	return known;
}

/* How long an entry of conntrack_cache is valid, in periods of 2^30 ns (about 1 s). A known connection expires before
 * conntrack forgets one without a reply (30 s), because its ports may then get another backend. An unknown connection
 * expires sooner: conntrack adds its entry only after our program has seen the first packet. */
#define KNOWN_PERIODS 16
#define UNKNOWN_AT_FIRST_PERIODS 1
#define UNKNOWN_PERIODS 4

enum lookup { POD_IS_LOW_END = 1, IS_SYN = 2, ROW_BEGINS = 4 };

/* The connection's slot in its set; otherwise the slot that expires first. */
inlined __u32 find_slot(const struct bucket *set, __u32 signature, __u32 now)
{
	__u32 best = 0;
	__s32 least = 0x7fffffff;

	for (int i = 0; i < SLOTS; i++) {
		__u64 slot = *(const volatile __u64 *)&set->slots[i];
		__s32 remaining = (__u32)slot - now;
		if (slot >> 32 == signature)
			return i;
		if (remaining < least) {
			least = remaining;
			best = i;
		}
	}
	return best;
}

/* Looks the connection up in conntrack, unless the row is new and the cache has the connection. A SYN is always looked up,
 * because it may begin another connection on the same ports. Returns whether the row needs no further lookup. */
__noinline int look_up_unless_cached(const struct __sk_buff *skb, const struct flow_key *key, __u32 hash, enum lookup lookup)
{
	struct control *settings;
	struct bucket *set;
	__u32 zero = 0, now = bpf_ktime_get_coarse_ns() >> 30, periods = KNOWN_PERIODS;

	if (!key)
		return 0;
	settings = bpf_map_lookup_elem(&control, &zero);
	if (!settings)
		return 0;
	/* There is one set for four buckets of a table. */
	__u32 set_index = hash & settings->bucket_mask >> 2, signature = hash_of(key, ~settings->seed);
	set = bpf_map_lookup_elem(&conntrack_cache, &set_index);
	if (!set)
		return 0;
	__u32 at = find_slot(set, signature, now) & (SLOTS - 1);
	__u64 slot = *(volatile __u64 *)&set->slots[at];
	int is_there = slot >> 32 == signature && (__s32)((__u32)slot - now) > 0;
	if (is_there && (lookup & ROW_BEGINS) && !(lookup & IS_SYN))
		return 1;
	int known = look_up_conntrack(skb, key, lookup & POD_IS_LOW_END, lookup & IS_SYN);
	if (!known) {
		if (lookup & IS_SYN)
			periods = 0;
		else
			periods = lookup & ROW_BEGINS ? UNKNOWN_AT_FIRST_PERIODS : UNKNOWN_PERIODS;
	}
	*(volatile __u64 *)&set->slots[at] = (__u64)signature << 32 | (__u32)(now + periods);
	return known;
}

inlined int can_look_up(enum hook hook, const struct packet *packet)
{
	return hook != TAP && !packet->quoted && (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP);
}

/* Conntrack adds its entry after our program has seen the first packet or the first few. So a row looks it up at packets
 * 2, 4, 8, … until the entry is there. */
inlined int is_lookup_due(const struct flow *flow)
{
	__u32 frames = (flow->packets[0] >> 32) + (flow->packets[1] >> 32);

	return !(frames & (frames - 1));
}
#endif

/* ------------------------------------------------------------------------------------------------------------ DNS -- */

#define DNS_PORT 53
/* Bytes of one interface and direction in one epoch: always, and as long as half of the ring is free. */
#define DNS_SHARE (8 << 10)
#define DNS_MOST (128 << 10)

inlined int is_dns(const struct packet *packet)
{
	return (packet->source_port == DNS_PORT || packet->destination_port == DNS_PORT) && packet->transport &&
	       !packet->quoted;
}

enum dns_lookup { DNS_FROM_POD = 1, DNS_ROW_IS_NEW = 2, DNS_OTHER_END = 4 };

/* The row knows which end is the pod. A packet that claims the other end was sent by the pod with the server's address. The
 * first packet of a row may be one too. Returns -1 for packets that are not reported. */
inlined int dns_kind(const struct packet *packet, enum dns_lookup lookup)
{
	if (!(lookup & DNS_FROM_POD)) {
		if (packet->source_port != DNS_PORT)
			return -1;
		return lookup & DNS_OTHER_END ? DNS_ECHO : DNS_REPLY;
	}
	if (packet->destination_port == DNS_PORT)
		return DNS_QUERY;
	return lookup & (DNS_ROW_IS_NEW | DNS_OTHER_END) ? DNS_SENT_AS_SERVER : -1;
}

/* Whether the interface may use the ring for so many bytes more. */
inlined int admit_dns(struct dns_share *share, int from_pod, __u32 bytes)
{
	__u32 zero = 0, direction = from_pod & 1;
	struct control *settings = bpf_map_lookup_elem(&control, &zero);

	if (!settings)
		return 0;
	__u32 epoch = *(volatile __u32 *)&settings->epoch;
	if (share->epoch != epoch) {
		share->epoch = epoch;
		share->bytes[0] = share->bytes[1] = 0;
	}
	__u32 used = share->bytes[direction] + bytes;
	if (used > DNS_SHARE && (used > DNS_MOST || bpf_ringbuf_query(&dns_events, BPF_RB_AVAIL_DATA) > DNS_RING / 2))
		return 0;
	share->bytes[direction] = used;
	return 1;
}

/* The end of an IPv4 packet without options: behind it, a short frame has padding. For other packets the end of the frame. */
inlined __u32 end_of(const struct __sk_buff *skb, const struct packet *packet)
{
	__be16 length;

	if (!is_mapped(packet->source) || packet->transport != ETH_HLEN + sizeof(struct ipv4_header) ||
	    load(skb, ETH_HLEN + __builtin_offsetof(struct ipv4_header, total_length), &length, sizeof(length)) || !length)
		return skb->len;
	__u32 end = ETH_HLEN + bpf_ntohs(length);
	return end < skb->len ? end : skb->len;
}

/* Copies a DNS packet to user space; of TCP every segment with data, and the SYN-ACK. */
__noinline int report_dns(const struct __sk_buff *skb, const struct packet *packet, enum dns_lookup lookup)
{
	__u32 zero = 0, ifindex = skb->ifindex;
	int from_pod = lookup & DNS_FROM_POD;
	struct dns_event *event = bpf_map_lookup_elem(&dns_scratch, &zero);
	struct dns_share *share = bpf_map_lookup_elem(&dns_shares, &ifindex);

	if (!packet || !event || !share)
		return 0;
	int kind = dns_kind(packet, lookup), to_server = kind == DNS_QUERY;
	if (kind < 0)
		return 0;
	__u32 offset = packet->transport + UDP_HEADER;
	event->sequence = 0;
	if (packet->protocol == IPPROTO_TCP) {
		struct tcp_header tcp;
		if (load(skb, packet->transport, &tcp, sizeof(tcp)))
			return 0;
		offset = packet->transport + (tcp.offset >> 4) * 4;
		event->sequence = bpf_ntohl(tcp.sequence);
	}
	__u32 end = end_of(skb, packet), length = end > offset ? end - offset : 0;
	if (!length && packet->protocol == IPPROTO_TCP && (to_server || !(packet->flags & TCP_SYN)))
		return 0;
	if (from_pod && length > DNS_MAX_QUERY)
		length = DNS_MAX_QUERY;
	if (length > DNS_MAX_REPLY)
		length = DNS_MAX_REPLY;
	event->time_ns = bpf_ktime_get_ns();
	event->ifindex = ifindex;
	event->protocol = packet->protocol;
	__builtin_memcpy(event->client, to_server ? packet->source : packet->destination, sizeof(event->client));
	__builtin_memcpy(event->server, to_server ? packet->destination : packet->source, sizeof(event->server));
	event->client_port = to_server ? packet->source_port : packet->destination_port;
	event->flags = packet->flags;
	event->kind = kind;
	event->length = length;
	if (length && load(skb, offset, event->payload, length))
		return 0;
	__u32 size = __builtin_offsetof(struct dns_event, payload) + length;
	if (!admit_dns(share, from_pod, size) || bpf_ringbuf_output(&dns_events, event, size, 0)) {
		__sync_fetch_and_add(&share->missed[from_pod & 1], 1);
		count(MISSED_DNS, 1, length);
	}
	return 0;
}

/* -------------------------------------------------------------------------------------------------- without a row -- */

/* As in flows/initiator.ts: the side with a port that servers use. */
inlined int is_from_server_port(const struct packet *packet)
{
	if ((packet->source_port < 1024) != (packet->destination_port < 1024))
		return packet->source_port < 1024;
	return packet->source_port < 32768 && packet->destination_port >= 32768;
}

inlined int is_from_responder(const struct packet *packet)
{
	if (packet->initiator)
		return packet->initiator == HIGH_INITIATED;
	return packet->quoted || is_from_server_port(packet);
}

/* A packet that may get no answer costs its sender nothing else, so it does not get the last rows. As in flows/newcomer.ts. */
inlined int may_be_answer(const struct packet *packet)
{
	return packet->protocol == IPPROTO_TCP ? packet->initiator != LOW_INITIATED : is_from_responder(packet);
}

inlined __u64 sum_key(const struct loss *loss, __u32 zone, __u32 protocol, __u32 port)
{
	return 1ULL << 48 | (__u64)loss->reason << 40 | (__u64)loss->direction << 36 | (__u64)zone << 32 | protocol << 16 | port;
}

/* The place of a sum without port: TCP, UDP and the others; for a full table also by zone. */
inlined __u32 coarse_sum(const struct loss *loss, __u32 *protocol)
{
	__u32 is_to_pod = loss->direction == TO_POD, class = 2;

	if (loss->protocol == IPPROTO_TCP)
		class = 0;
	else if (loss->protocol == IPPROTO_UDP)
		class = 1;
	else
		*protocol = 0;
	if (loss->reason == TABLE_FULL)
		return HASHED_SUMS + (is_to_pod * 3 + class) * 3 + (loss->zone ? loss->zone - 1 : 0);
	__u32 reason = loss->reason == RING_FULL ? 0 : loss->reason == CORRUPT ? 1 : 2;
	return HASHED_SUMS + 18 + (reason * 2 + is_to_pod) * 3 + class;
}

/* Not inlined, because few packets have no row. */
__noinline int add_loss(const struct loss *loss)
{
	if (!loss)
		return 0;
	__u32 table = loss->epoch & 1, ifindex = loss->ifindex, protocol = loss->protocol;
	struct interface *interface = bpf_map_lookup_elem(&interfaces, &ifindex);
	struct used *used_rows = bpf_map_lookup_elem(&used, &table);
	__u32 index = table * INTERFACES + (interface ? interface->slot : INTERFACES - 1);
	struct interface_table *of_interface = bpf_map_lookup_elem(&interface_tables, &index);
	if (!of_interface || !used_rows)
		return 0;
	used_rows->touched = 1;
	__u64 key = sum_key(loss, loss->zone, protocol, loss->port);
	__u32 at = mix(loss->port, (__u32)(key >> 16)) & (HASHED_SUMS - 1);
	__u64 found = key;
	if (loss->port)
		found = __sync_val_compare_and_swap(&of_interface->sums[at].key, 0, key);
	if (!loss->port || (found && found != key)) {
		at = coarse_sum(loss, &protocol);
		if (at >= SUMS)
			return 0;
		of_interface->sums[at].key = sum_key(loss, loss->reason == TABLE_FULL ? loss->zone : 0, protocol, 0);
	}
	__sync_fetch_and_add(&of_interface->sums[at].frames, loss->frames);
	__sync_fetch_and_add(&of_interface->sums[at].bytes, loss->bytes);
	return 0;
}

/* Counts a packet that gets no row, because the table is full or the packet cannot be read. */
__noinline int lose_packet(const struct __sk_buff *skb, const struct packet *packet, __u32 from_pod, __u32 epoch,
			   __u32 reason)
{
	struct loss loss = { .ifindex = skb->ifindex, .epoch = epoch, .reason = reason, .frames = 1, .bytes = skb->len };

	if (!packet)
		return 0;
	count(reason, 1, skb->len);
	loss.protocol = packet->protocol & 0xff;
	loss.direction = from_pod ? FROM_POD : TO_POD;
	if (reason == TABLE_FULL) {
		__u32 by_responder = is_from_responder(packet);
		if (by_responder)
			loss.direction = from_pod ? TO_POD : FROM_POD;
		if (has_ports(packet->protocol))
			loss.port = by_responder ? packet->source_port : packet->destination_port;
		loss.zone = zone_of(from_pod ? packet->destination : packet->source);
	}
	return add_loss(&loss);
}

/* ------------------------------------------------------------------------------------------------- link addresses -- */

enum addressee { THIS_POD, DOUBTFUL, ANOTHER_HOST };

#define LINK_DESTINATION 0
#define LINK_SOURCE ETH_ALEN
#define MULTICAST 1 /* in the first byte of a link address; broadcast has it too */

/* A bridge that does not know where a host is sends its packets to every pod. DOUBTFUL: the packet is for an address of the
 * pod, whose programs may read it although its link address is another one. */
__noinline int addressee_of(const struct __sk_buff *skb, const struct packet *packet)
{
	__u32 ifindex = skb->ifindex;
	struct interface *interface = bpf_map_lookup_elem(&interfaces, &ifindex);
	union link_address destination = {};

	if (!packet || !interface || !interface->link.word || load(skb, LINK_DESTINATION, destination.bytes, ETH_ALEN))
		return THIS_POD;
	if ((destination.bytes[0] & MULTICAST) || destination.word == interface->link.word)
		return THIS_POD;
	__u32 slot = interface->slot;
	struct link_addresses *learned = bpf_map_lookup_elem(&link_addresses, &slot);
	for (int i = 0; learned && i < LINK_ADDRESSES; i++)
		if (learned->link[i].word == destination.word)
			return THIS_POD;
	for (int i = 0; i < MAX_ADDRESSES; i++) {
		const __u32 *address = interface->address[i];
		if (address[0] == packet->destination[0] && address[1] == packet->destination[1] &&
		    address[2] == packet->destination[2] && address[3] == packet->destination[3])
			return DOUBTFUL;
	}
	return interface->addresses > MAX_ADDRESSES ? DOUBTFUL : ANOTHER_HOST;
}

__noinline int learn_link_address(const struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	struct interface *interface = bpf_map_lookup_elem(&interfaces, &ifindex);
	union link_address source = {};

	if (!interface || load(skb, LINK_SOURCE, source.bytes, ETH_ALEN) || source.word == interface->link.word)
		return 0;
	__u32 slot = interface->slot;
	struct link_addresses *learned = bpf_map_lookup_elem(&link_addresses, &slot);
	if (!learned)
		return 0;
	for (int i = 0; i < LINK_ADDRESSES; i++)
		if (learned->link[i].word == source.word)
			return 0;
	learned->link[__sync_fetch_and_add(&learned->next, 1) & (LINK_ADDRESSES - 1)] = source;
	return 0;
}

/* ------------------------------------------------------------------------------------------------------- programs -- */

/* The index of a row that belongs to the interface, or -1. The shared rows are used up. */
__noinline int claim_own_row(__u32 ifindex, __u32 epoch, __u32 is_answer)
{
	__u32 zero = 0, table = epoch & 1;
	struct control *settings = bpf_map_lookup_elem(&control, &zero);
	struct interface *interface = bpf_map_lookup_elem(&interfaces, &ifindex);
	struct used *used_rows = bpf_map_lookup_elem(&used, &table);

	if (!settings || !interface || !used_rows)
		return -1;
	__u32 own = epoch & 1 ? settings->own_rows[1] : settings->own_rows[0];
	__u32 slot = interface->slot, index = table * INTERFACES + slot;
	struct interface_table *of_interface = bpf_map_lookup_elem(&interface_tables, &index);
	if (!of_interface || of_interface->used_rows >= (is_answer ? own : own - own / 8))
		return -1;
	__u32 at = __sync_fetch_and_add(&of_interface->used_rows, 1);
	__u32 row = settings->shared_rows + slot * own + at;
	used_rows->touched = 1;
	return at < own && row < settings->rows ? (int)(table * settings->rows + row) : -1;
}

/* A new row, or 0. */
inlined struct flow *claim_row(const struct packet *packet, const struct flow_key *key, const struct control *settings,
			       __u32 epoch, __u32 *index)
{
	__u32 table = epoch & 1;
	struct used *used_rows = bpf_map_lookup_elem(&used, &table);
	int is_answer = may_be_answer(packet);

	if (used_rows && used_rows->rows < (is_answer ? settings->shared_rows : settings->unanswered_rows)) {
		*index = __sync_fetch_and_add(&used_rows->rows, 1);
		if (*index < settings->shared_rows) {
			*index += table * settings->rows;
			return bpf_map_lookup_elem(&rows, index);
		}
	}
	int own = claim_own_row(key->ifindex, epoch, is_answer);
	if (own < 0)
		return 0;
	*index = own;
	return bpf_map_lookup_elem(&rows, index);
}

/* Adds a row for a new connection and stores its index in the bucket's free slot. Without a free slot, or if another CPU
 * takes it first, the row counts only this packet and is read like any other. */
inlined void add_row(const struct __sk_buff *skb, const struct packet *packet, const struct flow_key *key, int from_high,
		    __u32 base_marks, const struct control *settings, __u32 epoch, __u64 *slot, __u64 seen, __u32 tag)
{
	__u32 index = 0;
	struct flow *flow = claim_row(packet, key, settings, epoch, &index);

	if (!flow) {
		lose_packet(skb, packet, ((base_marks & POD_IS_LOW) != 0) != from_high, epoch, TABLE_FULL);
		return;
	}
	start_row(flow, key, skb, packet, from_high, base_marks);
	if (slot)
		__sync_val_compare_and_swap(slot, seen, (__u64)epoch << 32 | tag << 24 | index);
}

/* Whether a packet towards the pod is the first of its direction in the row, or begins a connection. The others were checked
 * with those. */
inlined int is_link_check_due(const struct flow *flow, const struct packet *packet, int from_high)
{
	return packet->initiator || !flow->packets[from_high & 1];
}

/* hot, once a packet */
inlined void count_packet(const struct __sk_buff *skb, enum hook hook, int from_pod)
{
	struct packet packet = {};
	struct flow_key key;
	struct flow *flow = 0;
	__u64 *free_slot = 0, free_seen = 0;
	__u32 zero = 0;
	struct control *settings = bpf_map_lookup_elem(&control, &zero);
	int reason = decode(skb, hook, &packet);

	if (!settings)
		return;
	__u32 epoch = *(volatile __u32 *)&settings->epoch;
	if (reason != DECODED) {
		if (reason != NOT_IP && reason != MAPPED_ADDRESS) {
			lose_packet(skb, &packet, from_pod, epoch, reason);
			return;
		}
		count(reason, 1, skb->len);
		if (from_pod && reason == NOT_IP)
			learn_link_address(skb); /* ARP comes before any IP packet */
		return;
	}
	int from_high = key_of(&packet, skb->ifindex, from_pod, &key);
	__u32 base_marks = from_pod != from_high ? POD_IS_LOW : 0;
#ifdef WITH_CONNTRACK
	enum lookup lookup = (base_marks ? POD_IS_LOW_END : 0) | (is_syn(&packet) ? IS_SYN : 0);
#endif
	__u32 hash = hash_of(&key, settings->seed);
	__u32 tag = hash >> 24;
	__u32 bucket_index = (hash & settings->bucket_mask) + (epoch & 1) * (settings->bucket_mask + 1);
	struct bucket *bucket = bpf_map_lookup_elem(&buckets, &bucket_index);
	__u64 prefix = (__u64)epoch << 32 | tag << 24;

	if (!bucket)
		return;
#pragma unroll
	for (int i = 0; i < SLOTS; i++) {
		__u64 slot = *(volatile __u64 *)&bucket->slots[i];
		if ((slot & ~0xffffffULL) == prefix) {
			__u32 index = slot & 0xffffff;
			struct flow *found = bpf_map_lookup_elem(&rows, &index);
			if (found && same_key(&found->key, &key)) {
				flow = found;
				goto found;
			}
		} else if (slot >> 32 != epoch) {
			/* Slots fill in order: after a free one there are no slots of this epoch. */
			free_slot = &bucket->slots[i];
			free_seen = slot;
			break;
		}
	}
	if (from_pod) {
		learn_link_address(skb);
	} else {
		int addressee = addressee_of(skb, &packet);
		if (addressee == ANOTHER_HOST)
			goto not_ours;
		if (addressee == DOUBTFUL)
			base_marks |= UNPROVEN;
	}
#ifdef WITH_CONNTRACK
	if (can_look_up(hook, &packet) && look_up_unless_cached(skb, &key, hash, lookup | ROW_BEGINS))
		base_marks |= CONNTRACK_DONE;
#endif
	add_row(skb, &packet, &key, from_high, base_marks, settings, epoch, free_slot, free_seen, tag);
	goto counted;
found:
	if (!from_pod && is_link_check_due(flow, &packet, from_high)) {
		int addressee = addressee_of(skb, &packet);
		if (addressee == ANOTHER_HOST)
			goto not_ours;
		if (addressee == DOUBTFUL)
			base_marks |= UNPROVEN;
	}
	if (may_begin_connection(flow, &packet, from_high))
		flush_row(flow, epoch, base_marks | (from_high ? FIRST_FROM_HIGH : 0));
	if (base_marks & UNPROVEN)
		__sync_fetch_and_or(&flow->marks, UNPROVEN);
	add_packet(flow, skb, &packet, from_high);
#ifdef WITH_CONNTRACK
	if (!(flow->marks & CONNTRACK_DONE) && can_look_up(hook, &packet) && is_lookup_due(flow) &&
	    look_up_unless_cached(skb, &key, hash, lookup))
		__sync_fetch_and_or(&flow->marks, CONNTRACK_DONE);
#endif
counted:
	if (is_dns(&packet)) {
		enum dns_lookup lookup_dns = from_pod ? DNS_FROM_POD : 0;
		if (!flow)
			lookup_dns |= DNS_ROW_IS_NEW;
		else if ((flow->marks ^ base_marks) & POD_IS_LOW)
			lookup_dns |= DNS_OTHER_END;
		report_dns(skb, &packet, lookup_dns);
	}
	return;
not_ours:
	count(NOT_OURS, 1, skb->len);
}

SEC("tc")
int from_pod(const struct __sk_buff *skb)
{
	count_packet(skb, TC_FROM_POD, 1);
	return NEXT;
}

SEC("tc")
int to_pod(const struct __sk_buff *skb)
{
	count_packet(skb, TC_TO_POD, 0);
	return NEXT;
}

SEC("socket")
int tap_both(const struct __sk_buff *skb)
{
	count_packet(skb, TAP, skb->pkt_type != PACKET_OUTGOING);
	return NOTHING;
}

SEC("socket")
int tap_to_pod(const struct __sk_buff *skb)
{
	if (skb->pkt_type == PACKET_OUTGOING)
		count_packet(skb, TAP, 0);
	return NOTHING;
}

/* Both clocks that rows use, read at the same time. User space runs this program. */
struct clock_sample {
	__u64 monotonic_ns;
	__u64 jiffies;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct clock_sample);
} clock_samples SEC(".maps");

SEC("socket")
int sample_clocks(const struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct clock_sample *sample = bpf_map_lookup_elem(&clock_samples, &zero);

	if (sample) {
		sample->jiffies = bpf_jiffies64();
		sample->monotonic_ns = bpf_ktime_get_ns();
	}
	return NOTHING;
}

/* Programs that do nothing, for the benchmarks to compare with. */
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
