// Loopback, link-local and multicast addresses, which have zones of their own.
import { type Address, type Prefix, parseAddress, parsePrefix, prefixContainsAddress } from '../../model/address.ts';

const localZones: readonly { zone: string; prefixes: readonly Prefix[] }[] = Object.entries({
  multicast: [
    '224.0.0.0/4', // RFC 5771
    'ff00::/8', // RFC 4291
    '255.255.255.255/32', // broadcast, RFC 919
  ],
  'link-local': [
    '169.254.0.0/16', // RFC 3927
    'fe80::/10', // RFC 4291
    '0.0.0.0/32', // no address yet
    '::/128',
  ],
  loopback: [
    '127.0.0.0/8', // RFC 1122
    '::1/128', // RFC 4291
  ],
}).map(([zone, texts]) => ({ zone, prefixes: texts.map((text) => parsePrefix(text)!) }));

/** Cloud metadata services have link-local and unique-local addresses, but access to them can be a finding. */
const cloudMetadata: ReadonlySet<Address> = new Set(
  [
    '169.254.169.254', // AWS, Azure, Google, OpenStack
    '169.254.170.2', // AWS task credentials
    '169.254.170.23', // AWS pod identity
    'fd00:ec2::254',
    'fd00:ec2::23',
    'fd20:ce::254', // Google
  ].map((text) => parseAddress(text)!),
);

export function isCloudMetadata(address: Address): boolean {
  return cloudMetadata.has(address);
}

/** `multicast`, `link-local` or `loopback`; undefined for every other address, and for cloud metadata. */
export function localZoneOf(address: Address): string | undefined {
  if (!mayBeLocal.has(address.slice(0, 2)) || isCloudMetadata(address)) return undefined;
  return localZones.find(({ prefixes }) => prefixes.some((prefix) => prefixContainsAddress(prefix, address)))?.zone;
}

/** Every host has it, and no link carries it. */
export function isLoopback(address: Address): boolean {
  return localZoneOf(address) === 'loopback';
}

/** False for unspecified, loopback, link-local and multicast addresses: several links or hosts have the same ones. */
export function isUniqueAddress(address: Address): boolean {
  return localZoneOf(address) === undefined;
}

/** How the addresses of local zones begin: for most addresses, no prefixes have to be compared. */
const mayBeLocal: ReadonlySet<string> = new Set(['0.', '12', '16', '22', '23', '25', '::', 'fe', 'ff']);
