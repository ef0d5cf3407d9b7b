// The API shows times on the wall clock as it is now. The collector's own clock never steps, so after the wall clock was set,
// both differ: queries are converted to the collector's clock, and answers back.
import type { Connection } from '../../model/connection.ts';
import type { Finding } from '../../model/finding.ts';
import type { ListQuery } from '../store/store.ts';
import type { ApiDataSource, Change } from './api.ts';

/** `wallOffsetUs`: the wall clock minus the collector's. Usually 0; then nothing is copied. */
export function withWallTimes(of: ApiDataSource, wallOffsetUs: () => number): ApiDataSource {
  return {
    async findings(query) {
      const offsetUs = wallOffsetUs();
      const found = await of.findings(shiftedQuery(query, offsetUs));
      return offsetUs === 0 ? found : found.map((one) => shiftedFinding(one, offsetUs));
    },
    async connections(query) {
      const offsetUs = wallOffsetUs();
      const found = await of.connections(shiftedQuery(query, offsetUs));
      return offsetUs === 0 ? found : found.map((one) => shiftedConnection(one, offsetUs));
    },
    status: () => of.status(),
    subscribe: (listener) => of.subscribe((change) => listener(shiftedChange(change, wallOffsetUs()))),
  };
}

function shiftedQuery({ sinceUs, untilUs, ...rest }: ListQuery, offsetUs: number): ListQuery {
  return {
    ...rest,
    ...(sinceUs !== undefined && { sinceUs: sinceUs - offsetUs }),
    ...(untilUs !== undefined && { untilUs: untilUs - offsetUs }),
  };
}

function shiftedChange(change: Change, offsetUs: number): Change {
  if (offsetUs === 0) return change;
  switch (change.type) {
    case 'finding':
      return { ...change, finding: shiftedFinding(change.finding, offsetUs) };
    case 'connection':
      return { ...change, connection: shiftedConnection(change.connection, offsetUs) };
    case 'gone':
      return change;
  }
}

function shiftedFinding(finding: Finding, offsetUs: number): Finding {
  return { ...finding, firstSeenUs: finding.firstSeenUs + offsetUs, lastSeenUs: finding.lastSeenUs + offsetUs };
}

function shiftedConnection(connection: Connection, offsetUs: number): Connection {
  return { ...connection, startUs: connection.startUs + offsetUs, endUs: connection.endUs + offsetUs };
}
