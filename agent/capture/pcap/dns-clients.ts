// Numbers for the addresses in capture files that send DNS queries.
import type { Address } from '../../../model/address.ts';

export class DnsClients {
  readonly #max: number;
  readonly #numbers = new Map<Address, number>();
  readonly #addresses: Address[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  find(address: Address): number | undefined {
    return this.#numbers.get(address);
  }

  /** A number for a new address; undefined beyond `max`. */
  add(address: Address): number | undefined {
    if (this.#addresses.length >= this.#max) return undefined;
    const number = this.#addresses.push(address) - 1;
    this.#numbers.set(address, number);
    return number;
  }

  addressOf(number: number): Address | undefined {
    return this.#addresses[number];
  }
}
