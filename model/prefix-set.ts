// A set of prefixes, indexed by prefix length. There are few lengths, so a lookup costs the same for 10 and for 5,000 nodes.
import { type Address, addressBytes, bytesToBigInt, ipv4Bits, type Prefix } from './address.ts';

/** For each prefix length: how often each prefix was added, by its leading bits. */
type CountsByLength<Bits> = Map<number, Map<Bits, number>>;

export class PrefixSet {
  readonly #ipv4: CountsByLength<number> = new Map();
  readonly #ipv6: CountsByLength<bigint> = new Map();

  /** A prefix that was added twice must be removed twice. */
  add(prefix: Prefix): void {
    this.#adjustCount(prefix, 1);
  }

  remove(prefix: Prefix): void {
    this.#adjustCount(prefix, -1);
  }

  contains(address: Address): boolean {
    const bits = ipv4Bits(address);
    if (bits >= 0) {
      for (const [length, counts] of this.#ipv4) if (counts.has(leadingIpv4(bits, length))) return true;
      return false;
    }
    if (this.#ipv6.size === 0) return false;
    const addressBits = bytesToBigInt(addressBytes(address));
    for (const [length, counts] of this.#ipv6) if (counts.has(leadingIpv6(addressBits, length))) return true;
    return false;
  }

  #adjustCount({ bytes, bits }: Prefix, by: 1 | -1): void {
    if (bytes.length === 4) adjustCount(this.#ipv4, bits, leadingIpv4(Number(bytesToBigInt(bytes)), bits), by);
    else adjustCount(this.#ipv6, bits, leadingIpv6(bytesToBigInt(bytes), bits), by);
  }
}

function adjustCount<Bits>(lengths: CountsByLength<Bits>, length: number, bits: Bits, by: 1 | -1): void {
  const counts = lengths.get(length) ?? new Map<Bits, number>();
  const count = (counts.get(bits) ?? 0) + by;
  if (count > 0) counts.set(bits, count);
  else counts.delete(bits);
  if (counts.size > 0) lengths.set(length, counts);
  else lengths.delete(length);
}

function leadingIpv4(bits: number, length: number): number {
  return Math.floor(bits / 2 ** (32 - length));
}

function leadingIpv6(bits: bigint, length: number): bigint {
  return bits >> BigInt(128 - length);
}
