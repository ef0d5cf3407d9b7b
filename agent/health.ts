// Liveness and readiness for the kubelet, plain HTTP: /healthz while the program runs, /readyz once it watches.
import { createServer, type Server } from 'node:http';
import { faultOf, ProblemError } from '../model/problem.ts';

export type Readiness = () => { ready: boolean; why: string };

/** Resolves once it listens; rejects with a ProblemError where it cannot. */
export function serveHealth(listen: string, readiness: Readiness): Promise<Server> {
  const colon = listen.lastIndexOf(':');
  const host = listen.slice(0, colon).replace(/^\[|\]$/g, '');
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (path === '/healthz') return response.writeHead(200).end('alive\n');
    if (path !== '/readyz') return response.writeHead(404).end('see /healthz and /readyz\n');
    const { ready, why } = readiness();
    return response.writeHead(ready ? 200 : 503).end(`${why}\n`);
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      reject(
        new ProblemError({
          code: 'cannot-listen',
          place: `health.listen ${listen}`,
          fault: taken ? 'the port is taken by another program' : faultOf(error),
          mend: taken ? 'end that program or set another port' : 'set an address of this machine and a free port',
        }),
      );
    });
    server.listen(Number(listen.slice(colon + 1)), host, () => resolve(server));
  });
}
