// Links of a node as `ip` tells them, from a script.
import { type LinkReader, PodLinks } from '../../agent/interfaces/links.ts';
import type { Link } from '../../agent/interfaces/table.ts';
import { HandClock } from './hand-clock.ts';

export type Shown = {
  ifindex: number;
  ifname: string;
  link_netnsid?: number;
  flags: string[];
  linkinfo?: { info_kind: string };
};

/** As `ip -d -j link show` tells it: the host side of a pod's veth. */
export function veth(ifindex: number, change: Partial<Shown> = {}): Shown {
  const own = { ifindex, ifname: `veth${ifindex}`, link_netnsid: ifindex, flags: ['BROADCAST', 'UP', 'LOWER_UP'] };
  return { ...own, linkinfo: { info_kind: 'veth' }, ...change };
}

/** What is there is set, changes are told by hand, and a listing ends when it is let. */
class ScriptedReader implements LinkReader {
  links: Shown[] = [];
  listings = 0;
  monitors: { changed: () => void; ended: (why: string) => void; stopped: boolean }[] = [];
  /** Each listing waits for one of these, if there is any. */
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

export function linkScene(...links: Shown[]) {
  const reader = new ScriptedReader();
  reader.links = links;
  const clock = new HandClock();
  const told: string[] = [];
  const appeared: Link[] = [];
  const warned: string[] = [];
  /** Links that cannot be watched. */
  const refused = new Set<number>();
  const pods = new PodLinks(
    reader,
    {
      appeared: (link, again) => {
        appeared.push(link);
        told.push(`${again === 'again' ? '?' : '+'}${link.index}`);
        return !refused.has(link.index);
      },
      disappeared: (index) => told.push(`-${index}`),
    },
    clock,
    { warn: (...said: unknown[]) => warned.push(String(said.at(-1))) },
  );
  /** Until the look that is under way, and one behind it, are over. */
  const settled = async () => {
    await pods.look();
    await pods.look();
  };
  return { reader, clock, pods, told, appeared, refused, warned, settled };
}
