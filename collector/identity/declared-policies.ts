// The declared policies (Git, `policy.declared`): they replace the cluster's policies, or are compared with them.
import type { ClusterSource } from '../../cluster/source.ts';
import { type ClusterEvent, isAnyPolicy, isAnyPolicyKind } from '../../model/kubernetes.ts';
import type { ClusterHistory } from './cluster-history.ts';
import { PolicyHistory } from './policy-history.ts';

export type JudgeBy = 'both' | 'declared';

export class DeclaredPolicies {
  /** With `judgeBy: both`: the declared policies, to compare with the cluster's. */
  readonly comparedPolicies: PolicyHistory | undefined;
  readonly #replacesCluster: boolean;
  readonly #source: ClusterSource | undefined;
  readonly #cluster: ClusterHistory;

  /** `source` is undefined without `policy.declared`. */
  constructor(source: ClusterSource | undefined, judgeBy: JudgeBy, cluster: ClusterHistory) {
    this.#source = source;
    this.#replacesCluster = source !== undefined && judgeBy === 'declared';
    this.comparedPolicies = source !== undefined && judgeBy === 'both' ? new PolicyHistory() : undefined;
    this.#cluster = cluster;
  }

  /** Settles when the source has emitted all its objects; changes follow. Only policies are used. */
  async start(onProblem: (event: ClusterEvent) => void): Promise<void> {
    await this.#source?.start((event) => {
      if (event.type === 'problem' || event.type === 'fixed') onProblem(event);
      else if (event.type === 'put' || event.type === 'gone') this.#receive(event);
    });
    this.comparedPolicies?.synced();
  }

  async stop(): Promise<void> {
    await this.#source?.stop();
  }

  /** Passes the cluster's objects on, without its policies if the declared ones replace them. */
  receiveFromCluster(event: ClusterEvent): void {
    if (!(this.#replacesCluster && isOfPolicies(event))) this.#cluster.receive(event);
  }

  #receive(event: ClusterEvent & { type: 'put' | 'gone' }): void {
    const { object } = event;
    if (!isAnyPolicy(object)) return;
    if (this.#replacesCluster) this.#cluster.receive(event);
    else if (event.type === 'put') this.comparedPolicies?.put(object, event.atUs);
    else this.comparedPolicies?.remove(object, event.atUs);
  }
}

function isOfPolicies(event: ClusterEvent): boolean {
  if (event.type === 'put' || event.type === 'gone') return isAnyPolicy(event.object);
  return (event.type === 'stale' || event.type === 'fresh') && isAnyPolicyKind(event.kind);
}
