// The enforcement that steps of the traffic script add (`enforce`) and remove (`lift`) while the lab runs.
import { ProblemError } from '../../model/problem.ts';
import { applyInside } from '../network/apply.ts';
import { addFilters, removeFilters, type TcFilter, tcFilters } from '../network/enforcement.ts';
import type { LabWorld } from '../network/node.ts';
import { startDrop, type TcxDrop } from '../programs/tcx-drop.ts';
import { stepFailed } from '../system/errors.ts';
import { nodeNamespace, podLink } from '../system/names.ts';
import type { LabPod } from '../topology/cluster.ts';
import type { Enforcement } from '../topology/enforcement.ts';
import { placeText } from '../topology/places.ts';

/** `lab()` returns the current state; `applyRules` replaces the netfilter rules of every node. */
export type EnforcedNetwork = { lab(): { world: LabWorld; folder: string }; applyRules(): Promise<void> };

export class StepEnforcement {
  readonly #network: EnforcedNetwork;
  /** By the handle of the step. */
  readonly #enforced = new Map<string, { rule: Enforcement; drop: TcxDrop | undefined }>();
  #count = 0;

  constructor(network: EnforcedNetwork) {
    this.#network = network;
  }

  get rules(): readonly Enforcement[] {
    return [...this.#enforced.values()].map(({ rule }) => rule);
  }

  /** Resolves when the rule is in place. */
  async enforce(handle: string, wanted: Omit<Enforcement, 'order'>): Promise<void> {
    if (this.#enforced.has(handle)) {
      throw new ProblemError(
        stepFailed(handle, 'this name is already in use', 'add a lift step before this one, or use another name'),
      );
    }
    const { world, folder } = this.#network.lab();
    const rule = { ...wanted, order: world.topology.enforcement.length + this.#count };
    this.#count += 1;
    const drop = rule.where === 'destination-tcx' ? await startDrop(world, rule, folder) : undefined;
    this.#enforced.set(handle, { rule, drop });
    if (drop === undefined) await this.#apply(rule, addFilters);
  }

  /** Resolves when the rule is removed. */
  async lift(handle: string): Promise<void> {
    const enforced = this.#enforced.get(handle);
    if (enforced === undefined) {
      throw new ProblemError(stepFailed(handle, 'no enforcement has this name', 'use the name of an earlier step'));
    }
    this.#enforced.delete(handle);
    if (enforced.drop === undefined) await this.#apply(enforced.rule, removeFilters);
    else await enforced.drop.end();
  }

  /** Ends the programs that keep TCX drops attached. */
  async end(): Promise<void> {
    await Promise.all([...this.#enforced.values()].map(({ drop }) => drop?.end()));
  }

  async #apply(rule: Enforcement, command: typeof addFilters): Promise<void> {
    const filtered = this.#filtersOf(rule);
    if (filtered === undefined) return this.#network.applyRules();
    const { pod, filters } = filtered;
    const namespace = nodeNamespace(this.#network.lab().world.id, pod.node);
    const after = command(podLink(pod), filters);
    await applyInside({ namespace, settings: [], ip: [], bridge: [], nft: [], after });
  }

  /** The rule's TC filters, and the pod whose interface has them; undefined for a rule of the forward path. */
  #filtersOf(rule: Enforcement): { pod: LabPod; filters: TcFilter[] } | undefined {
    const at = rule.where === 'source-tc' ? rule.from : rule.where === 'destination-tc' ? rule.to : undefined;
    if (at?.kind !== 'pod') return undefined;
    const { world } = this.#network.lab();
    const pod = world.cluster.pods.find((one) => one.namespace === at.namespace && one.name === at.name);
    if (pod === undefined)
      throw new ProblemError(stepFailed(placeText(at), 'this pod does not exist now', 'name a pod that exists'));
    return { pod, filters: tcFilters(pod, [rule], world) };
  }
}
