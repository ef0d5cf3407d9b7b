// Checks of deploy/ against the programs' settings and their requests to the API server. Each has a name, by which a test
// proves that it can fail.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { parse } from 'yaml';
import { mapBytes } from '../../agent/capture/ebpf/program.ts';
import { agentSchema } from '../../agent/config.ts';
import { apiSource } from '../../cluster/watch/api-source.ts';
import { collectorSchema } from '../../collector/config.ts';
import { loadConfig } from '../../config/load.ts';
import type { Schema } from '../../config/setting.ts';
import { settingNames } from '../../config/setting-names.ts';
import { ProblemError } from '../../model/problem.ts';
import { HandClock } from '../scene/hand-clock.ts';
import type { Container, Deploy, Labels, Manifest, Probe, Rule, Workload } from './manifests.ts';
import { root } from './manifests.ts';

export const exampleNode = 'node-1.example';
const namespace = 'waybill';
const serviceEnd = `.${namespace}.svc`;

type Config = Record<string, Record<string, unknown>>;
type Program = { name: 'agent' | 'collector'; schema: Schema; workload: Workload; container: Container };

export function programs(deploy: Deploy): Program[] {
  const of = (name: Program['name'], schema: Schema): Program => {
    const workload = deploy[name];
    return { name, schema, workload, container: workload.spec.template.spec.containers[0]! };
  };
  return [of('agent', agentSchema), of('collector', collectorSchema)];
}

/** The Secrets that the commands of docs/install.md make, and the files in each for one node. */
export const secretFiles: Record<string, readonly string[]> = {
  'waybill-agent-tls': ['ca.crt', `agent-${exampleNode}.crt`, `agent-${exampleNode}.key`],
  'waybill-collector-tls': ['ca.crt', 'tls.crt', 'tls.key'],
};

/** The settings of the program in the pod. Throws a ProblemError like the program. */
export function configOf(deploy: Deploy, { schema, container }: Program): Config {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-deploy-'));
  try {
    const flags = flagsOf(container.args);
    const env = envOf(container);
    const place = flags.config ?? env.WAYBILL_CONFIG;
    let file: string | undefined;
    if (place !== undefined) {
      file = join(folder, basename(place));
      writeFileSync(file, configText(deploy, place));
    }
    return loadConfig(schema, { file, flags, env }) as Config;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function configText(deploy: Deploy, place: string): string {
  for (const map of deploy.all('ConfigMap')) if (basename(place) in map.data) return map.data[basename(place)]!;
  throw new Error(`no ConfigMap has ${basename(place)}`);
}

function flagsOf(args: readonly string[]): Record<string, string> {
  const flags: Record<string, string> = {};
  for (let at = 0; at < args.length; at += 2) flags[args[at]!.replace(/^--/, '')] = args[at + 1] ?? '';
  return flags;
}

/** Expands $(NAME) like the kubelet: only an earlier variable has a value. */
function envOf(container: Container): Record<string, string> {
  const env: Record<string, string> = {};
  for (const { name, value, valueFrom } of container.env ?? []) {
    const field = valueFrom?.fieldRef.fieldPath === 'spec.nodeName' ? exampleNode : '';
    env[name] = value?.replace(/\$\(([A-Z_]+)\)/g, (whole, of: string) => env[of] ?? whole) ?? field;
  }
  return env;
}

type Check = (deploy: Deploy) => string[] | Promise<string[]>;

export const checks: Record<string, Check> = {
  'every flag and variable is a setting of its program': (deploy) =>
    programs(deploy).flatMap(({ name, schema, container }) => {
      const settings = settingNames(schema);
      const flags = ['config', ...settings.map(({ flag }) => flag)];
      const variables = ['WAYBILL_CONFIG', ...settings.map(({ variable }) => variable)];
      return [
        ...container.args
          .filter((_, at) => at % 2 === 0)
          .filter((arg) => !arg.startsWith('--') || !flags.includes(arg.slice(2)))
          .map((arg) => `${name}: no flag ${arg}`),
        ...(container.env ?? [])
          .filter((one) => !variables.includes(one.name))
          .map((one) => `${name}: no variable ${one.name}`),
        ...Object.values(envOf(container))
          .filter((value) => value === '' || value.includes('$('))
          .map((value) => `${name}: a variable has the value "${value}"`),
      ];
    }),

  'every setting is valid, also a default shown as a comment': (deploy) =>
    programs(deploy).flatMap((program) => {
      const faults = problemsOf(() => configOf(deploy, program));
      const settings = settingNames(program.schema);
      for (const { key, value } of commentedSettings(deploy.one('ConfigMap', `waybill-${program.name}`))) {
        const setting = settings.find((one) => one.key === key)?.setting;
        if (setting === undefined) faults.push(`${program.name}: no setting ${key}`);
        else if (String(value) !== setting.defaultText)
          faults.push(`${program.name}: the value of ${key} is not its default`);
      }
      return faults;
    }),

  'the declared ports are the ports that the program listens on': (deploy) =>
    programs(deploy).flatMap((program) => {
      const listens = Object.fromEntries(
        Object.entries(program.schema).flatMap(([section, settings]) =>
          'listen' in settings ? [[section, portOf(String(configOf(deploy, program)[section]!.listen))]] : [],
        ),
      );
      const declared = Object.fromEntries(program.container.ports.map((port) => [port.name, port.containerPort]));
      const faults = same(declared, listens)
        ? []
        : [`${program.name}: declares ${stableJson(declared)} and listens on ${stableJson(listens)}`];
      for (const { hostPort, containerPort } of program.container.ports) {
        if (hostPort !== undefined && hostPort !== containerPort) faults.push(`${program.name}: hostPort ${hostPort}`);
      }
      return faults;
    }),

  'the agent’s collector address is a port of the collector’s Service': (deploy) => {
    const [agent, collector] = programs(deploy) as [Program, Program];
    const [host, port] = String(configOf(deploy, agent).collector!.address).split(':') as [string, string];
    if (!host.endsWith(serviceEnd)) return [`${host} is not the name of a Service`];
    const service = deploy.all('Service').find(({ metadata }) => metadata.name === host.slice(0, -serviceEnd.length));
    const found = service?.spec.ports.find((one) => one.port === Number(port));
    if (service === undefined || found === undefined) return [`no Service ${host} with port ${port}`];
    const faults = found.targetPort === 'ingest' ? [] : [`port ${port} has the target ${found.targetPort}`];
    for (const { targetPort } of service.spec.ports) {
      if (!collector.container.ports.some(({ name }) => name === targetPort)) faults.push(`no port ${targetPort}`);
    }
    return faults;
  },

  'probes use the health port and its address': (deploy) =>
    programs(deploy).flatMap((program) => {
      const host = String(configOf(deploy, program).health!.listen).replace(/:\d+$/, '');
      return probesOf(program.container).flatMap(({ httpGet }) => [
        ...(httpGet.port === 'health' ? [] : [`${program.name}: a probe uses port ${httpGet.port}`]),
        ...((httpGet.host ?? '0.0.0.0') === host ? [] : [`${program.name}: a probe uses ${httpGet.host}, not ${host}`]),
        ...(httpGet.host === undefined || program.workload.spec.template.spec.hostNetwork
          ? []
          : [`${program.name}: the kubelet cannot reach ${httpGet.host} in a pod`]),
      ]);
    }),

  'every path that a program reads or writes is mounted': (deploy) =>
    programs(deploy).flatMap((program) => {
      const config = configOf(deploy, program);
      const paths = settingNames(program.schema)
        .filter(({ setting }) => setting.type === 'path')
        .map(({ section, name }) => String(config[section]![name]))
        .filter((path) => path !== '');
      const flags = flagsOf(program.container.args);
      if (flags.config !== undefined) paths.push(flags.config);
      const { volumes } = program.workload.spec.template.spec;
      const unused = program.container.volumeMounts
        .filter(({ mountPath }) => !paths.some((path) => dirname(path) === mountPath))
        .map(({ mountPath }) => `${program.name}: nothing is read from ${mountPath}`);
      return unused.concat(
        paths.flatMap((path) => {
          const mount = program.container.volumeMounts.find(({ mountPath }) => dirname(path) === mountPath);
          if (mount === undefined) return [`${program.name}: ${path} is on no mount`];
          const volume = volumes.find(({ name }) => name === mount.name);
          if (volume === undefined) return mount.readOnly ? [`${program.name}: ${path} is read-only`] : [];
          const files = volume.configMap
            ? Object.keys(deploy.one('ConfigMap', volume.configMap.name).data)
            : (secretFiles[volume.secret?.secretName ?? ''] ?? []);
          return files.includes(basename(path)) ? [] : [`${program.name}: ${mount.name} has no ${basename(path)}`];
        }),
      );
    }),

  'every reference names an object of deploy/': (deploy) => {
    const faults: string[] = [];
    const requires = (kind: string, name: string, user: string) => {
      if (!deploy.has(kind, name)) faults.push(`${user}: no ${kind} ${name}`);
    };
    for (const { name, workload, container } of programs(deploy)) {
      const { serviceAccountName, volumes } = workload.spec.template.spec;
      requires('ServiceAccount', serviceAccountName, name);
      for (const { configMap, secret } of volumes) {
        if (configMap !== undefined) requires('ConfigMap', configMap.name, name);
        if (secret !== undefined && !(secret.secretName in secretFiles))
          faults.push(`${name}: unknown Secret ${secret.secretName}`);
      }
      const claims = workload.spec.volumeClaimTemplates ?? [];
      const existing = [...volumes.map((volume) => volume.name), ...claims.map(({ metadata }) => metadata.name)];
      for (const mount of container.volumeMounts) {
        if (!existing.includes(mount.name)) faults.push(`${name}: no volume ${mount.name}`);
      }
      if (workload.spec.serviceName !== undefined) requires('Service', workload.spec.serviceName, name);
      if (!selects(workload.spec.selector.matchLabels, workload)) faults.push(`${name}: does not select its own pods`);
    }
    for (const binding of deploy.all('ClusterRoleBinding')) {
      requires(binding.roleRef.kind, binding.roleRef.name, binding.metadata.name);
      for (const subject of binding.subjects) requires(subject.kind, subject.name, binding.metadata.name);
      for (const subject of binding.subjects) requires('Namespace', subject.namespace, binding.metadata.name);
    }
    for (const service of deploy.all('Service')) {
      if (!selects(service.spec.selector, deploy.collector))
        faults.push(`Service ${service.metadata.name}: selects no pods`);
      if (selects(service.spec.selector, deploy.agent)) faults.push(`Service ${service.metadata.name}: selects agents`);
    }
    for (const policy of deploy.all('NetworkPolicy')) {
      const { podSelector, ingress } = policy.spec;
      if (!selects(podSelector.matchLabels, deploy.collector))
        faults.push('NetworkPolicy: does not select the collector');
      const names = deploy.collector.spec.template.spec.containers[0]!.ports.map(({ name }) => name);
      for (const { port } of ingress.flatMap((rule) => rule.ports)) {
        if (!names.includes(String(port))) faults.push(`NetworkPolicy: no port ${port}`);
      }
    }
    for (const quota of deploy.all('ResourceQuota')) {
      const classes = quota.spec.scopeSelector.matchExpressions.flatMap(({ values }) => values);
      const own = deploy.agent.spec.template.spec.priorityClassName ?? '';
      if (!classes.includes(own)) faults.push(`the quota does not select ${own}`);
    }
    return faults;
  },

  'every object has its labels and namespace, and the version of package.json': (deploy) => {
    const version = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
    const clusterWide = ['Namespace', 'ClusterRole', 'ClusterRoleBinding'];
    const label = (name: string) => `app.kubernetes.io/${name}`;
    const labelled = [
      ...deploy.objects.map(({ kind, metadata }) => ({ kind, labels: metadata.labels })),
      ...programs(deploy).map(({ name, workload }) => ({
        kind: `pod of ${name}`,
        labels: workload.spec.template.metadata.labels,
      })),
    ];
    return [
      ...labelled.flatMap(({ kind, labels }) => [
        ...(labels[label('version')] === version ? [] : [`${kind}: version ${labels[label('version')]}`]),
        ...['name', 'component', 'part-of']
          .filter((one) => !labels[label(one)])
          .map((one) => `${kind}: no label ${one}`),
      ]),
      ...deploy.objects
        .filter(({ kind, metadata }) => metadata.namespace !== (clusterWide.includes(kind) ? undefined : namespace))
        .map(({ kind, metadata }) => `${kind} ${metadata.name}: namespace ${metadata.namespace}`),
      ...programs(deploy)
        .filter(({ name, container }) => container.image !== `waybill-${name}:${version}`)
        .map(({ container }) => `image ${container.image}`),
      ...programs(deploy)
        .filter(
          ({ name }) =>
            !deploy.kustomization.images.some((one) => one.name === `waybill-${name}` && one.newTag === version),
        )
        .map(({ name }) => `kustomization: image of ${name}`),
    ];
  },

  'the kustomization lists every file': (deploy) => {
    const listed = [...deploy.kustomization.resources].sort();
    return same(listed, [...deploy.files].sort()) ? [] : [`it lists ${listed.join(', ')}`];
  },

  'RBAC allows exactly the requests that each program makes': async (deploy) => {
    const ofCollector = [...(await requestsOf('collector')), ...calicoTierRights].sort();
    const requests = { agent: await requestsOf('agent'), collector: ofCollector };
    return (['agent', 'collector'] as const).flatMap((name) => {
      const { serviceAccountName } = deploy[name].spec.template.spec;
      const roles = deploy
        .all('ClusterRoleBinding')
        .filter(({ subjects }) => subjects.some((subject) => subject.name === serviceAccountName))
        .map(({ roleRef }) => deploy.one('ClusterRole', roleRef.name));
      const allowed = roles.flatMap(({ rules }) => rules.flatMap(permissionsOf)).sort();
      return same(allowed, requests[name])
        ? []
        : [`${name}: may ${allowed.join(', ')}; requests ${requests[name].join(', ')}`];
    });
  },

  'the agent is root with four capabilities and nothing of the host but its network': (deploy) => {
    const pod = deploy.agent.spec.template.spec;
    const { securityContext: own } = pod.containers[0]!;
    return faultsOf({
      'one container': pod.containers.length === 1,
      'not privileged': own.privileged === false,
      'no escalation': own.allowPrivilegeEscalation === false,
      'read-only root file system': own.readOnlyRootFilesystem === true,
      'drops all capabilities': same(own.capabilities?.drop, ['ALL']),
      'adds four capabilities': same(own.capabilities?.add?.toSorted(), ['BPF', 'NET_ADMIN', 'NET_RAW', 'PERFMON']),
      'runs as root': own.runAsUser === 0,
      seccomp: pod.securityContext.seccompProfile?.type === 'RuntimeDefault',
      'on the host network': pod.hostNetwork === true && pod.dnsPolicy === 'ClusterFirstWithHostNet',
      'no other host namespace': !pod.hostPID && !pod.hostIPC,
      'no host files': pod.volumes.every((volume) => volume.hostPath === undefined),
      'tolerates every taint': same(pod.tolerations, [{ operator: 'Exists' }]),
      'evicted last': pod.priorityClassName === 'system-node-critical',
      'no Service variables': pod.enableServiceLinks === false,
    });
  },

  'the collector meets the Pod Security level restricted': (deploy) => {
    const pod = deploy.collector.spec.template.spec;
    const { securityContext: own } = pod.containers[0]!;
    return faultsOf({
      'one container': pod.containers.length === 1,
      'not privileged': own.privileged === false,
      'no escalation': own.allowPrivilegeEscalation === false,
      'read-only root file system': own.readOnlyRootFilesystem === true,
      'drops all capabilities': same(own.capabilities, { drop: ['ALL'] }),
      'runs as another user than root':
        pod.securityContext.runAsNonRoot === true && (pod.securityContext.runAsUser ?? 0) > 0,
      'its group owns the volume': pod.securityContext.fsGroup !== undefined,
      seccomp: pod.securityContext.seccompProfile?.type === 'RuntimeDefault',
      'no host namespace': !pod.hostNetwork && !pod.hostPID && !pod.hostIPC,
      'no host files': pod.volumes.every((volume) => volume.hostPath === undefined),
      'no Service variables': pod.enableServiceLinks === false,
    });
  },

  'volume and memory are large enough for the settings': (deploy) => {
    const [agent, collector] = programs(deploy) as [Program, Program];
    const { store } = configOf(deploy, collector) as { store: { maxBytes: number; memoryLimit: number } };
    const { capture } = configOf(deploy, agent) as { capture: { maxConnections: number } };
    const ofAgent = 120 * 2 ** 20 + mapBytes(capture.maxConnections);
    const volume = collector.workload.spec.volumeClaimTemplates![0]!.spec.resources.requests.storage;
    const limit = (of: Program) => quantity(of.container.resources.limits.memory!);
    return faultsOf({
      'the volume is at least a fifth larger than the store': quantity(volume) >= store.maxBytes * 1.2,
      'the collector’s limit covers its memory budget': limit(collector) >= 600 * 2 ** 20,
      'the collector’s limit is at least twice the store’s memory': limit(collector) >= 2 * store.memoryLimit,
      'the agent requests its memory budget and the kernel’s tables':
        quantity(agent.container.resources.requests.memory!) >= ofAgent,
      'the agent’s limit is at least twice its request': limit(agent) >= 2 * ofAgent,
    });
  },
};

async function* silentUntil(signal: AbortSignal): AsyncGenerator<never> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
}

/** `list pods`, `watch networking.k8s.io/networkpolicies`: the program's requests to an API server without objects. */
async function requestsOf(program: 'agent' | 'collector'): Promise<string[]> {
  const requested = new Set<string>();
  const permission = (verb: string, path: string) => {
    const [, group = '', resource, more] = /^\/(?:api|apis\/([^/]+))\/[^/]+\/([^/]+)(\/.*)?$/.exec(path) ?? [];
    requested.add(`${more === undefined ? verb : `get ${more} of`} ${group === '' ? '' : `${group}/`}${resource}`);
  };
  const source = apiSource({
    server: {
      async get(path) {
        permission('list', path);
        return { metadata: { resourceVersion: '1' }, items: [] };
      },
      async stream(path, query, signal) {
        permission(query.watch === 'true' ? 'watch' : 'list', path);
        return silentUntil(signal);
      },
    },
    scope: program === 'agent' ? { of: 'node', node: exampleNode } : { of: 'cluster' },
    clock: new HandClock(),
    random: () => 0,
  });
  await source.start(() => undefined);
  await setImmediate();
  await source.stop();
  return [...requested].sort();
}

/** Calico's API server checks these too when it gets a request for policies. */
const calicoTierRights = [
  'get projectcalico.org/tiers',
  ...['tier.networkpolicies', 'tier.globalnetworkpolicies'].flatMap((resource) => [
    `list projectcalico.org/${resource}`,
    `watch projectcalico.org/${resource}`,
  ]),
];

function permissionsOf({ apiGroups, resources, verbs }: Rule): string[] {
  return apiGroups.flatMap((group) =>
    resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group === '' ? '' : `${group}/`}${resource}`)),
  );
}

export function probesOf({ startupProbe, livenessProbe, readinessProbe }: Container): Probe[] {
  return [startupProbe, livenessProbe, readinessProbe].filter((probe) => probe !== undefined);
}

/** The settings in comments such as `#source: auto`. A comment for readers has a space after the #. */
function commentedSettings(map: Manifest): { key: string; value: unknown }[] {
  let section = '';
  return Object.values(map.data)[0]!
    .split('\n')
    .flatMap((line) => {
      section = /^([a-z]+):/.exec(line)?.[1] ?? section;
      const shown = /^\s+#([^\s:]+:.*)$/.exec(line)?.[1];
      const [entry] = shown === undefined ? [] : Object.entries(parse(shown) as Record<string, unknown>);
      return entry === undefined ? [] : [{ key: `${section}.${entry[0]}`, value: entry[1] ?? '' }];
    });
}

function problemsOf(run: () => unknown): string[] {
  try {
    run();
    return [];
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return error.problems.map(({ place, fault }) => `${place}: ${fault}`);
  }
}

function selects(labels: Labels, workload: Workload): boolean {
  return Object.entries(labels).every(([name, value]) => workload.spec.template.metadata.labels[name] === value);
}

/** The names of the conditions that are false. */
function faultsOf(conditions: Record<string, boolean>): string[] {
  return Object.keys(conditions).filter((name) => !conditions[name]);
}

function portOf(listen: string): number {
  return Number(listen.slice(listen.lastIndexOf(':') + 1));
}

function quantity(written: string): number {
  const [, digits, unit] = /^(\d+)(Ki|Mi|Gi)$/.exec(written) ?? [];
  return Number(digits) * 1024 ** (['Ki', 'Mi', 'Gi'].indexOf(unit!) + 1);
}

function same(a: unknown, b: unknown): boolean {
  return stableJson(a) === stableJson(b);
}

function stableJson(value: unknown): string {
  const sorted = (_: string, one: unknown) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort())
      : one;
  return JSON.stringify(value, sorted) ?? 'nothing';
}
