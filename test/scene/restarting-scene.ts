// A scene that continues after a restart with what a store in memory has, as the collector does.
import { restoreObjects } from '../../collector/identity/restored-objects.ts';
import { restorePipeline } from '../../collector/restored-pipeline.ts';
import { ObjectJournal } from '../../collector/store/object-journal.ts';
import type { ListQuery, StoredBatch } from '../../collector/store/store.ts';
import type { Connection } from '../../model/connection.ts';
import { emptyDnsReport } from '../../model/dns-answer.ts';
import type { Finding } from '../../model/finding.ts';
import type { ClusterEvent } from '../../model/kubernetes.ts';
import type { KnownObjects, ObjectVersion } from '../../model/object-version.ts';
import type { ConnectionRecord } from '../../model/record.ts';
import { objectOfText, objectText } from '../../model/stored-object.ts';
import { Scene } from './pipeline.ts';
import { second } from './records.ts';

/** A store in memory: objects are written as text. */
export class MemoryObjects {
  known: KnownObjects | undefined;
  readonly #rows: (Omit<ObjectVersion, 'object'> & { text: string })[] = [];

  async putObjectVersions(versions: readonly ObjectVersion[]): Promise<void> {
    for (const { object, ...rest } of versions) this.#rows.push({ ...rest, text: objectText(object) });
  }

  async putKnownObjects(known: KnownObjects): Promise<void> {
    this.known = known;
  }

  get versions(): ObjectVersion[] {
    return this.#rows.map(({ text, ...rest }) => ({ ...rest, object: objectOfText(text) }));
  }
}

const hourUs = 3_600 * second;
const limits = { maxLive: 10_000, maxFindings: 1000 };
const noLog = { error: () => undefined };

export class RestartingScene {
  scene: Scene;
  readonly connections = new Map<string, string>();
  readonly findings = new Map<string, string>();
  readonly objects = new MemoryObjects();
  readonly #batches: { node: string; records: string; endUs: number }[] = [];
  readonly #store = {
    connections: async ({ sinceUs = 0, last }: ListQuery): Promise<Connection[]> =>
      this.storedConnections()
        .filter(({ endUs }) => endUs >= sinceUs)
        .slice(0, last),
    findings: async ({ kinds }: ListQuery): Promise<Finding[]> =>
      this.storedFindings().filter(({ kind }) => kinds?.includes(kind) ?? true),
    batchesSince: (sinceUs: number) => this.#batchesSince(sinceUs),
  };
  #journal: ObjectJournal;

  constructor(manifests: string) {
    this.#journal = new ObjectJournal(this.objects, false, noLog);
    this.scene = new Scene((receive) => {
      const emit = (event: ClusterEvent) => {
        receive(event);
        this.#journal.receive(event);
      };
      for (const object of new Scene('').objects(manifests)) emit({ type: 'put', object, atUs: 0 });
      emit({ type: 'synced', atUs: 0 });
    });
  }

  change(type: 'put' | 'gone', manifests: string): void {
    for (const object of this.scene.objects(manifests)) {
      const event = { type, object, atUs: this.scene.nowUs };
      this.scene.cluster.receive(event);
      this.#journal.receive(event);
    }
  }

  see(node: string, ...records: ConnectionRecord[]): void {
    this.#batches.push({
      node,
      records: JSON.stringify(records),
      endUs: Math.max(...records.map((one) => one.lastUs)),
    });
    this.scene.see(node, ...structuredClone(records));
  }

  /** Writes the changes of the pipeline. */
  publish(): void {
    this.scene.collect();
    for (const one of this.scene.connections.values()) this.connections.set(one.id, JSON.stringify(one));
    for (const id of this.scene.merged) this.connections.delete(id);
    // Only what changed since the last call.
    this.scene.connections.clear();
    this.scene.merged.clear();
    this.findings.clear();
    for (const one of this.scene.findings.values()) this.findings.set(one.id, JSON.stringify(one));
  }

  /** Ends without a last write, and starts again at the same time. */
  async restart(): Promise<void> {
    await this.#journal.write({ untilUs: {}, versions: {} });
    const { nowUs } = this.scene;
    const next = new Scene((receive) =>
      restoreObjects(this.objects.versions, this.objects.known!, nowUs - hourUs, receive),
    );
    this.#journal = new ObjectJournal(this.objects, true, noLog);
    this.#journal.receive({ type: 'synced', atUs: nowUs });
    this.scene = next;
    next.nowUs = nowUs;
    for (const one of this.storedFindings()) next.findings.set(one.id, one);
    const options = { ...limits, knownSinceUs: nowUs - hourUs };
    await restorePipeline(next.pipeline, this.#store, options, nowUs, ({ node, records }) =>
      next.see(node, ...records),
    );
  }

  async *#batchesSince(sinceUs: number): AsyncIterable<StoredBatch> {
    for (const { node, records, endUs } of this.#batches) {
      if (endUs < sinceUs) continue;
      yield { node, instance: node, sequence: 0, clockOffsetUs: 0, records: JSON.parse(records), dns: emptyDnsReport };
    }
  }

  storedConnections(): Connection[] {
    return [...this.connections.values()]
      .map((text) => JSON.parse(text) as Connection)
      .sort((a, b) => b.endUs - a.endUs);
  }

  storedFindings(): Finding[] {
    return [...this.findings.values()].map((text) => JSON.parse(text) as Finding);
  }
}
