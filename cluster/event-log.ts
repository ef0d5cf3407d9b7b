// Logs the events of a cluster source that an administrator needs to see. A problem that repeats is logged once a minute.
import { timeText } from '../model/json.ts';
import { type ClusterEvent, resourceName } from '../model/kubernetes.ts';
import { problemLine } from '../model/problem.ts';
import { OpenProblems } from './open-problems.ts';

export type ClusterLog = {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
};

const repeatUs = 60_000_000;

/** Returns the receiver of the events. `problems` are those that are not fixed yet. */
export function clusterEventLog(log: ClusterLog, problems = new OpenProblems()): (event: ClusterEvent) => void {
  const loggedUs = new Map<string, number>();
  const staleSince = new Map<string, string>();
  return (event) => {
    problems.receive(event);
    switch (event.type) {
      case 'problem': {
        const { code, place } = event.problem;
        const previousUs = loggedUs.get(`${code}: ${place}`);
        const { count = 1 } = problems.of(event.problem) ?? {};
        if (count > 1 && previousUs !== undefined && event.atUs - previousUs < repeatUs) return;
        if (loggedUs.size >= maxRemembered) loggedUs.clear();
        loggedUs.set(`${code}: ${place}`, event.atUs);
        log.warn(count > 1 ? { count } : {}, problemLine(event.problem));
        return;
      }
      case 'fixed': {
        const { code, place } = event.problem;
        log.info({ code, place }, 'problem fixed');
        return;
      }
      case 'stale': {
        const resource = resourceName(event.kind);
        const since = timeText(event.sinceUs);
        staleSince.set(resource, since);
        log.warn({ resource, since }, 'cluster state is stale, verdicts that depend on it are unknown');
        return;
      }
      case 'fresh': {
        const resource = resourceName(event.kind);
        log.info(
          { resource, since: staleSince.get(resource), until: timeText(event.atUs) },
          'cluster state is current again',
        );
        return;
      }
      case 'absent':
        log.info({ resource: event.resource }, 'kind unknown to the API server');
        return;
      case 'put':
      case 'gone':
      case 'synced':
        return;
    }
  };
}

const maxRemembered = 1_000;
