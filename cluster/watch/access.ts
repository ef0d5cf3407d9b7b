// Address and credentials for the API server, from a kubeconfig or from the service account of this pod.
import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { dirname, join, resolve } from 'node:path';
import { load } from 'js-yaml';
import { ProblemError } from '../../model/problem.ts';
import { noKubeconfig } from './errors.ts';

export type Access = {
  /** `https://10.96.0.1:443`, optionally with a path, without a slash at the end. */
  base: string;
  /** Called for each request, since tokens are renewed while the program runs. */
  requestOptions(): Promise<RequestOptions>;
};

/** Supports what kubectl supports: certificates, tokens, exec, OIDC, proxies. Throws a ProblemError for an unusable file. */
export async function accessByKubeconfig(path: string): Promise<Access> {
  // Imported only here: it needs 80 MiB, and an agent in a pod does not use it.
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  try {
    config.loadFromFile(path);
  } catch (error) {
    throw new ProblemError(noKubeconfig(path, error instanceof Error ? error.message : String(error)));
  }
  const token = await tokenFileOf(path, config.getCurrentUser()?.name);
  const server = config.getCurrentCluster()?.server;
  if (!server) throw new ProblemError(noKubeconfig(path, 'the current context has no cluster with a server'));
  return {
    base: server.replace(/\/+$/, ''),
    async requestOptions() {
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      if (token === undefined) return options;
      const { Authorization: _, ...headers } = (options.headers ?? {}) as Record<string, string>;
      return { ...options, headers: { ...headers, authorization: `Bearer ${await token.read()}` } };
    },
  };
}

/** `user.tokenFile`, which the library ignores; undefined without one. Throws a ProblemError if it cannot be read. */
async function tokenFileOf(path: string, user: string | undefined): Promise<TokenFile | undefined> {
  const { users } = load(await readFile(path, 'utf8')) as { users?: { name?: string; user?: UserWithTokenFile }[] };
  const file = users?.find(({ name }) => name === user)?.user?.tokenFile;
  if (typeof file !== 'string' || file === '') return undefined;
  const token = new TokenFile(resolve(dirname(path), file));
  await token.read().catch((error: Error) => {
    throw new ProblemError(noKubeconfig(path, error.message));
  });
  return token;
}

type UserWithTokenFile = { tokenFile?: unknown };

/** A token that is renewed while the program runs. If the file cannot be read, the last token is used, as kubectl does. */
class TokenFile {
  readonly #path: string;
  #last: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  async read(): Promise<string> {
    try {
      this.#last = (await readFile(this.#path, 'utf8')).trim();
    } catch (error) {
      if (this.#last === undefined) throw error;
    }
    return this.#last;
  }
}

const serviceAccountFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws a ProblemError if this is not a pod, or a pod without the token of a service account. */
export async function accessByServiceAccount(
  environment: Environment = process.env,
  folder = serviceAccountFolder,
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
