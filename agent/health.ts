// Liveness and readiness for the kubelet over plain HTTP. /healthz answers 200 while the program runs, /readyz once it is
// ready.
import { createServer, type Server } from 'node:http';
import { cannotListen } from '../config/errors.ts';
import { ProblemError } from '../model/problem.ts';

export type Readiness = () => { ready: boolean; reason: string };

/** Resolves once it listens; rejects with a ProblemError if it cannot. */
export function serveHealth(listen: string, readiness: Readiness): Promise<Server> {
  const colon = listen.lastIndexOf(':');
  const host = listen.slice(0, colon).replace(/^\[|\]$/g, '');
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (path === '/healthz') return response.writeHead(200).end('alive\n');
    if (path !== '/readyz') return response.writeHead(404).end('see /healthz and /readyz\n');
    const { ready, reason } = readiness();
    return response.writeHead(ready ? 200 : 503).end(`${reason}\n`);
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new ProblemError(cannotListen('health.listen', listen, error.message))));
    server.listen(Number(listen.slice(colon + 1)), host, () => resolve(server));
  });
}
