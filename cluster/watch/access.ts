// Where the API server is and who we are to it: by a kubeconfig, or as the service account of the pod that we run in.
import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { join } from 'node:path';
import { ProblemError } from '../../model/problem.ts';
import { noKubeconfig } from './errors.ts';

export type Access = {
  /** `https://10.96.0.1:443`, perhaps with a path; no slash at its end. */
  base: string;
  /** For one request: tokens are renewed while we run. */
  requestOptions(): Promise<RequestOptions>;
};

/** Throws a ProblemError where the file cannot be used. Knows what kubectl knows: certificates, tokens, exec, OIDC, proxies. */
export async function accessByKubeconfig(path: string): Promise<Access> {
  // Loading it takes 80 MiB, which an agent in its pod can do without.
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  try {
    config.loadFromFile(path);
  } catch (error) {
    throw new ProblemError(noKubeconfig(path, error instanceof Error ? error.message : String(error)));
  }
  const server = config.getCurrentCluster()?.server;
  if (!server) throw new ProblemError(noKubeconfig(path, 'the current context has no cluster with a server'));
  return {
    base: server.replace(/\/+$/, ''),
    async requestOptions() {
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      return options;
    },
  };
}

const accountFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws a ProblemError where this is no pod, or one without a service account's token. */
export async function accessByServiceAccount(
  environment: Environment = process.env,
  folder = accountFolder,
): Promise<Access> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = environment;
  if (!host) throw new ProblemError(noKubeconfig(folder, 'no kubeconfig is set, and this is not a pod'));
  const requestOptions = async (): Promise<RequestOptions> => {
    const [token, ca] = await Promise.all([
      readFile(join(folder, 'token'), 'utf8'),
      readFile(join(folder, 'ca.crt'), 'utf8'),
    ]);
    return { ca, headers: { authorization: `Bearer ${token.trim()}` } };
  };
  await requestOptions().catch((error: Error) => {
    throw new ProblemError(noKubeconfig(folder, error.message));
  });
  return { base: `https://${host.includes(':') ? `[${host}]` : host}:${port}`, requestOptions };
}
