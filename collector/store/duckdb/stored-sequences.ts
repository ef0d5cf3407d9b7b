// Which batches are stored, by node, instance and sequence number. Bounded for each node: an agent has a new instance at
// each start, and old instances never send again.
import { Sequences } from './sequences.ts';

type BatchName = { node: string; instance: string; sequence: number };

/** Instances kept for each node; the one that was stored longest ago is forgotten first. */
const maxInstancesPerNode = 64;

export class StoredSequences {
  readonly #byNode = new Map<string, Map<string, Sequences>>();

  has({ node, instance, sequence }: BatchName): boolean {
    return this.#byNode.get(node)?.get(instance)?.has(sequence) ?? false;
  }

  add({ node, instance, sequence }: BatchName): void {
    this.addRange(node, instance, sequence, sequence);
  }

  addRange(node: string, instance: string, from: number, to: number): void {
    const instances = this.#byNode.get(node) ?? new Map<string, Sequences>();
    const sequences = instances.get(instance) ?? new Sequences();
    sequences.addRange(from, to);
    // The map stays in the order of use.
    instances.delete(instance);
    instances.set(instance, sequences);
    if (instances.size > maxInstancesPerNode) instances.delete(instances.keys().next().value!);
    this.#byNode.set(node, instances);
  }
}
