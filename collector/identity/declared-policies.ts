// Policies that are declared elsewhere than in the cluster, as in a folder of Git: which of both are judged by.
import type { ClusterSource } from '../../cluster/source.ts';
import { type ClusterEvent, isPolicy } from '../../model/kubernetes.ts';
import type { ClusterHistory } from './cluster-history.ts';
import { PolicyHistory } from './policy-history.ts';

export type JudgeBy = 'both' | 'declared';

export class DeclaredPolicies {
  /** Those that are judged by beside the cluster's own. */
  readonly comparedPolicies: PolicyHistory | undefined;
  readonly #replacesCluster: boolean;
  readonly #source: ClusterSource | undefined;
  readonly #cluster: ClusterHistory;

  /** `source` is undefined where nothing is declared elsewhere. */
  constructor(source: ClusterSource | undefined, judgeBy: JudgeBy, cluster: ClusterHistory) {
    this.#source = source;
    this.#replacesCluster = source !== undefined && judgeBy === 'declared';
    this.comparedPolicies = source !== undefined && judgeBy === 'both' ? new PolicyHistory() : undefined;
    this.#cluster = cluster;
  }

  /** Settles when the source has told all that it has; changes follow. Nothing but its policies counts. */
  async start(onProblem: (event: ClusterEvent) => void): Promise<void> {
    await this.#source?.start((event) => {
      if (event.type === 'problem') onProblem(event);
      else if (event.type === 'put' || event.type === 'gone') this.#receive(event);
    });
    this.comparedPolicies?.synced();
  }

  async stop(): Promise<void> {
    await this.#source?.stop();
  }

  /** The cluster's objects, less its policies where the declared ones stand in their place. */
  receiveFromCluster(event: ClusterEvent): void {
    if (this.#replacesCluster && (event.type === 'put' || event.type === 'gone') && isPolicy(event.object)) return;
    this.#cluster.receive(event);
  }

  #receive(event: ClusterEvent & { type: 'put' | 'gone' }): void {
    const { object } = event;
    if (!isPolicy(object)) return;
    if (this.#replacesCluster) this.#cluster.receive(event);
    else if (event.type === 'put') this.comparedPolicies?.put(object, event.atUs);
    else this.comparedPolicies?.remove(object, event.atUs);
  }
}
