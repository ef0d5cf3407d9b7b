// Prefixes that are asked whether one of them holds an address: by their lengths, of which there are few, so that it costs
// the same for ten nodes and for five thousand.
import { type Address, addressBytes, ipv4Bits, numberOfBytes, type Prefix } from './address.ts';

/** How often a prefix was added, by its leading bits, for each length there is. */
type Lengths<Bits> = Map<number, Map<Bits, number>>;

export class PrefixSet {
  readonly #ipv4: Lengths<number> = new Map();
  readonly #ipv6: Lengths<bigint> = new Map();

  /** Added twice, it is to be removed twice. */
  add(prefix: Prefix): void {
    this.#change(prefix, 1);
  }

  remove(prefix: Prefix): void {
    this.#change(prefix, -1);
  }

  hold(address: Address): boolean {
    const bits = ipv4Bits(address);
    if (bits >= 0) {
      for (const [length, known] of this.#ipv4) if (known.has(leadingIpv4(bits, length))) return true;
      return false;
    }
    if (this.#ipv6.size === 0) return false;
    const whole = numberOfBytes(addressBytes(address));
    for (const [length, known] of this.#ipv6) if (known.has(leadingIpv6(whole, length))) return true;
    return false;
  }

  #change({ bytes, bits }: Prefix, by: 1 | -1): void {
    if (bytes.length === 4) change(this.#ipv4, bits, leadingIpv4(Number(numberOfBytes(bytes)), bits), by);
    else change(this.#ipv6, bits, leadingIpv6(numberOfBytes(bytes), bits), by);
  }
}

function change<Bits>(lengths: Lengths<Bits>, length: number, bits: Bits, by: 1 | -1): void {
  const known = lengths.get(length) ?? new Map<Bits, number>();
  const count = (known.get(bits) ?? 0) + by;
  if (count > 0) known.set(bits, count);
  else known.delete(bits);
  if (known.size > 0) lengths.set(length, known);
  else lengths.delete(length);
}

function leadingIpv4(bits: number, length: number): number {
  return Math.floor(bits / 2 ** (32 - length));
}

function leadingIpv6(bits: bigint, length: number): bigint {
  return bits >> BigInt(128 - length);
}
