// What the pods of this node ask DNS, and which names they are given. A reply counts only if it matches a query that the
// same pod sent. Repeated queries cost little. An unrequested packet has no effect.
import type { DnsReport } from '../../model/dns-answer.ts';
import { PodDns } from './dns-pod.ts';
import type { DnsEvent, DnsSink } from './source.ts';

export class DnsAnswers implements DnsSink {
  readonly #maxAnswers: number;
  readonly #pods = new Map<number, PodDns>();
  /** Interfaces that are gone, and whose last report is due. */
  readonly #gone = new Set<number>();

  /** Remembers at most `maxAnswers`. If there are more, the pod with the most loses its oldest. */
  constructor(maxAnswers: number) {
    this.#maxAnswers = maxAnswers;
  }

  receive(event: DnsEvent): void {
    const { interfaceIndex } = event;
    if (event.type === 'watched') {
      this.#watch(event);
      return;
    }
    const pod = this.#pods.get(interfaceIndex);
    if (pod === undefined) return;
    switch (event.type) {
      case 'forgotten':
        this.#gone.add(interfaceIndex);
        return;
      case 'missed':
        pod.missed(event.sinceUs);
        if (event.what === 'queries-and-forgeries') pod.dropAnswersSince(event.sinceUs);
        return;
      case 'sent-as-server':
        pod.receiveOwnReply(event);
        return;
      case 'packet':
        pod.receive(event);
        if (event.direction === 'to-pod') this.#evict();
        return;
    }
  }

  /** What to send, with at most `max` answers; the others wait for the next call. A pod with few gets all of its own. */
  drain(max: number, nowUs: number): DnsReport {
    const pods = [...this.#pods.values()].sort((a, b) => a.dueAnswers - b.dueAnswers);
    let left = max;
    const reports = pods.map((pod, i) => {
      const report = pod.drain(Math.floor(left / (pods.length - i)), nowUs);
      left -= report.answers.length;
      return report;
    });
    for (const interfaceIndex of this.#gone) this.#pods.delete(interfaceIndex);
    this.#gone.clear();
    return {
      answers: reports.flatMap(({ answers }) => answers),
      withdrawn: reports.flatMap(({ withdrawn }) => withdrawn),
      unanswered: reports.flatMap(({ unanswered }) => unanswered),
      watched: reports.flatMap(({ watched }) => watched),
    };
  }

  /** For a collector that may have restarted: sends everything again that is still valid. */
  resend(nowUs: number): void {
    for (const pod of this.#pods.values()) pod.resend(nowUs);
  }

  #watch({ interfaceIndex, atUs, isNew }: DnsEvent & { type: 'watched' }): void {
    const known = this.#pods.get(interfaceIndex);
    if (known === undefined) this.#pods.set(interfaceIndex, new PodDns(interfaceIndex, atUs, isNew));
    // It was not watched for a while.
    else known.missed(0);
    this.#gone.delete(interfaceIndex);
  }

  #evict(): void {
    let count = 0;
    for (const pod of this.#pods.values()) count += pod.answerCount;
    for (; count > this.#maxAnswers; count--) {
      let largest: PodDns | undefined;
      for (const pod of this.#pods.values()) if (pod.answerCount > (largest?.answerCount ?? 0)) largest = pod;
      largest?.evictOldest();
    }
  }
}
