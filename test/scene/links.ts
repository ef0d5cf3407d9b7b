// The links of a node as `ip` prints them, controlled by the test.
import { type LinkReader, PodLinks } from '../../agent/interfaces/links.ts';
import type { Link } from '../../agent/interfaces/table.ts';
import { HandClock } from './hand-clock.ts';

export type IpLinkJson = {
  ifindex: number;
  ifname: string;
  link_netnsid?: number;
  link_index?: number;
  flags: string[];
  linkinfo?: { info_kind: string };
};

/** The host side of a pod's veth, as `ip -d -j link show` prints it. */
export function veth(ifindex: number, change: Partial<IpLinkJson> = {}): IpLinkJson {
  const own = {
    ifindex,
    ifname: `veth${ifindex}`,
    link_netnsid: ifindex,
    link_index: 2,
    flags: ['BROADCAST', 'UP', 'LOWER_UP'],
  };
  return { ...own, linkinfo: { info_kind: 'veth' }, ...change };
}

/** The test sets the links, reports changes, and decides when a listing ends. */
class ScriptedReader implements LinkReader {
  links: IpLinkJson[] = [];
  listings = 0;
  monitors: { changed: () => void; ended: (why: string) => void; stopped: boolean }[] = [];
  /** Each listing takes the first of these and waits for it. */
  gates: Promise<void>[] = [];

  async list() {
    this.listings += 1;
    const links = JSON.stringify(this.links);
    await this.gates.shift();
    return { links, defaultRoutes: ['[]', '[]'] };
  }

  monitor(changed: () => void, ended: (why: string) => void) {
    const made = { changed, ended, stopped: false };
    this.monitors.push(made);
    return {
      stop: () => {
        made.stopped = true;
      },
    };
  }
}

export function linkScene(...links: IpLinkJson[]) {
  const reader = new ScriptedReader();
  reader.links = links;
  const clock = new HandClock();
  const reported: string[] = [];
  const appeared: Link[] = [];
  const warned: string[] = [];
  /** Indexes of links that cannot be watched. */
  const refused = new Set<number>();
  const pods = new PodLinks(
    reader,
    {
      appeared: (link, attempt) => {
        appeared.push(link);
        reported.push(`${attempt === 'again' ? '?' : '+'}${link.index}`);
        return !refused.has(link.index);
      },
      disappeared: (index) => reported.push(`-${index}`),
    },
    clock,
    { warn: (...args: unknown[]) => warned.push(String(args.at(-1))) },
  );
  /** Resolves after the current listing and one more. */
  const settled = async () => {
    await pods.refresh();
    await pods.refresh();
  };
  return { reader, clock, pods, reported, appeared, refused, warned, settled };
}
