// Finds the links of this node that lead to pods: veth or netkit links whose peer is in another network namespace. The
// name that the CNI gives them does not matter. Uplinks are excluded: they are such links too if the node is a
// container. `ip monitor` reports changes; a check of all links every 10 s finds changes that it missed.
import { spawn } from 'node:child_process';
import { setImmediate } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Clock } from '../../cluster/clock.ts';
import { reasonOf } from '../../model/reason.ts';
import type { Link } from './table.ts';

/**
 * `appeared` returns whether the link is watched now. If not, each check reports it again (`attempt` is `again`), with
 * the time at which it was first seen.
 */
export type LinkEvents = {
  appeared(link: Link, attempt: 'first' | 'again'): boolean;
  disappeared(index: number): void;
};

/** JSON of `ip -d -j link show` and of `ip -j route show default` (IPv4, IPv6); `monitor` calls back on any change. */
export type LinkReader = {
  list(): Promise<{ links: string; defaultRoutes: readonly string[] }>;
  monitor(onChange: () => void, onEnd: (reason: string) => void): { stop(): void };
};

const refreshIntervalMs = 10_000;
const monitorRestartMs = 1_000;

export class PodLinks {
  readonly #reader: LinkReader;
  readonly #events: LinkEvents;
  readonly #clock: Clock;
  readonly #log: Pick<Logger, 'warn'>;
  readonly #watched = new Set<number>();
  /** Links that could not be watched, by index, as first seen. */
  readonly #unwatched = new Map<number, Link>();
  #monitor: { stop(): void } | undefined;
  #cancelRefresh = () => {};
  #cancelMonitorRestart = () => {};
  #hasRefreshed = false;
  /** When the monitor first reported a change since the last check began. */
  #noticedUs: number | undefined;
  #refreshing: Promise<void> | undefined;
  #refreshAgain = false;
  #stopped = false;

  constructor(reader: LinkReader, events: LinkEvents, clock: Clock, log: Pick<Logger, 'warn'>) {
    this.#reader = reader;
    this.#events = events;
    this.#clock = clock;
    this.#log = log;
  }

  /** Resolves when every link that exists was reported. */
  async start(): Promise<void> {
    this.#startMonitor();
    this.#scheduleRefresh();
    await this.refresh();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelRefresh();
    this.#cancelMonitorRestart();
    this.#monitor?.stop();
  }

  /**
   * Reports what changed since the last check. Only one check runs at a time; a call meanwhile causes one more check.
   */
  refresh(): Promise<void> {
    if (this.#refreshing !== undefined) {
      this.#refreshAgain = true;
      return this.#refreshing;
    }
    this.#refreshing = this.#refreshOnce().finally(() => {
      this.#refreshing = undefined;
      if (!this.#refreshAgain || this.#stopped) return;
      this.#refreshAgain = false;
      this.refresh();
    });
    return this.#refreshing;
  }

  async #refreshOnce(): Promise<void> {
    let links: Link[];
    const noticedUs = this.#noticedUs;
    this.#noticedUs = undefined;
    try {
      const { links: linksJson, defaultRoutes } = await this.#reader.list();
      links = podLinksOf(linksJson, defaultRoutes, this.#hasRefreshed ? this.#clock.nowUs() : 0, noticedUs);
    } catch (error) {
      this.#log.warn({ reason: reasonOf(error) }, 'cannot list links, retrying; new pods are not watched');
      return;
    }
    if (this.#stopped) return;
    this.#hasRefreshed = true;
    const present = new Set(links.map((link) => link.index));
    for (const index of [...this.#watched, ...this.#unwatched.keys()]) {
      if (present.has(index)) continue;
      this.#watched.delete(index);
      this.#unwatched.delete(index);
      this.#events.disappeared(index);
    }
    for (const link of links) {
      if (this.#watched.has(link.index)) continue;
      this.#reportLink(link);
      // To watch one link takes about 20 ms. If many appear at once, the agent reads the others in between.
      await setImmediate();
      if (this.#stopped) return;
    }
  }

  #reportLink(link: Link): void {
    const before = this.#unwatched.get(link.index);
    if (this.#events.appeared(before ?? link, before === undefined ? 'first' : 'again')) {
      this.#unwatched.delete(link.index);
      this.#watched.add(link.index);
    } else if (before === undefined) {
      this.#unwatched.set(link.index, link);
    }
  }

  #scheduleRefresh(): void {
    this.#cancelRefresh = this.#clock.after(refreshIntervalMs, () => {
      this.#scheduleRefresh();
      this.refresh();
    });
  }

  #startMonitor(): void {
    let hasEnded = false;
    this.#monitor = this.#reader.monitor(
      () => {
        this.#noticedUs ??= this.#clock.nowUs();
        this.refresh();
      },
      (reason) => {
        // A program that cannot be started reports two events: an error, and its end.
        if (hasEnded || this.#stopped) return;
        hasEnded = true;
        this.#log.warn({ reason }, 'ip monitor exited, restarting; until then links are checked every 10 s');
        this.#cancelMonitorRestart = this.#clock.after(monitorRestartMs, () => this.#startMonitor());
      },
    );
  }
}

type IpLink = {
  ifindex?: number;
  ifname?: string;
  link_netnsid?: number;
  link_index?: number;
  flags?: string[];
  linkinfo?: { info_kind?: string };
};

type IpRoute = { dev?: string; nexthops?: { dev?: string }[] };

/** Links that are up and lead into another namespace, except those that a default route uses. */
export function podLinksOf(
  links: string,
  defaultRoutes: readonly string[],
  appearedUs: number,
  noticedUs?: number,
): Link[] {
  const uplinks = new Set(
    defaultRoutes
      .flatMap((json) => JSON.parse(json) as IpRoute[])
      .flatMap((route) => [route.dev, ...(route.nexthops ?? []).map((hop) => hop.dev)]),
  );
  return (JSON.parse(links) as IpLink[]).flatMap(({ ifindex, ifname, link_netnsid, link_index, flags, linkinfo }) => {
    const kind = linkinfo?.info_kind;
    if (ifindex === undefined || ifname === undefined || link_netnsid === undefined) return [];
    if ((kind !== 'veth' && kind !== 'netkit') || !flags?.includes('UP') || uplinks.has(ifname)) return [];
    const noticed = noticedUs === undefined ? {} : { noticedUs };
    return [
      { index: ifindex, name: ifname, netnsid: link_netnsid, peerIndex: link_index ?? 0, appearedUs, ...noticed },
    ];
  });
}

/** Uses the `ip` program of iproute2. */
export const ipProgram: LinkReader = {
  async list() {
    const [links, ...defaultRoutes] = await Promise.all([
      runIp(['-d', '-j', 'link', 'show']),
      runIp(['-4', '-j', 'route', 'show', 'default']),
      runIp(['-6', '-j', 'route', 'show', 'default']),
    ]);
    return { links, defaultRoutes };
  },
  monitor(onChange, onEnd) {
    const child = spawn('ip', ['monitor', 'link'], { stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout.on('data', onChange);
    child.on('error', (error) => onEnd(error.message));
    child.on('close', (code) => onEnd(`exit code ${code}`));
    return { stop: () => child.kill() };
  },
};

function runIp(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    let stderrText = '';
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      stderrText = (stderrText + chunk.toString()).slice(-500);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(out).toString().trim() || '[]');
      else reject(new Error(stderrText.trim() || `ip ${args.join(' ')}: exit code ${code}`));
    });
  });
}
