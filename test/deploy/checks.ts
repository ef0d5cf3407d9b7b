// What is wrong with deploy/, held against the programs' schemas and what they ask the API server; each check by name,
// so that a test can see it fail.
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

/** The Secrets that docs/install.md makes, and the files in each for one node; `*.crt` would be no name of a file. */
export const secretFiles: Record<string, readonly string[]> = {
  'waybill-agent-tls': ['ca.crt', `agent-${exampleNode}.crt`, `agent-${exampleNode}.key`],
  'waybill-collector-tls': ['ca.crt', 'tls.crt', 'tls.key'],
};

/** The settings as the program in the pod has them. Throws a ProblemError as the program would. */
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

/** As the kubelet expands it: $(NAME) of a variable that stands before. */
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
  'flags and variables are the programs’ own': (deploy) =>
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
          .map((value) => `${name}: a variable's value is "${value}"`),
      ];
    }),

  'the settings are understood, those that are shown as comments too': (deploy) =>
    programs(deploy).flatMap((program) => {
      const faults = problemsOf(() => configOf(deploy, program));
      const settings = settingNames(program.schema);
      for (const { key, value } of commentedSettings(deploy.one('ConfigMap', `waybill-${program.name}`))) {
        const setting = settings.find((one) => one.key === key)?.setting;
        if (setting === undefined) faults.push(`${program.name}: no setting ${key}`);
        else if (String(value) !== setting.defaultText) faults.push(`${program.name}: ${key} shows no default`);
      }
      return faults;
    }),

  'each port is one that the program listens on': (deploy) =>
    programs(deploy).flatMap((program) => {
      const listens = Object.fromEntries(
        Object.entries(program.schema).flatMap(([section, settings]) =>
          'listen' in settings ? [[section, portOf(String(configOf(deploy, program)[section]!.listen))]] : [],
        ),
      );
      const declared = Object.fromEntries(program.container.ports.map((port) => [port.name, port.containerPort]));
      const faults = same(declared, listens)
        ? []
        : [`${program.name}: ${stableJson(declared)}, it listens on ${stableJson(listens)}`];
      for (const { hostPort, containerPort } of program.container.ports) {
        if (hostPort !== undefined && hostPort !== containerPort) faults.push(`${program.name}: hostPort ${hostPort}`);
      }
      return faults;
    }),

  'the agent finds the collector by its Service': (deploy) => {
    const [agent, collector] = programs(deploy) as [Program, Program];
    const [host, port] = String(configOf(deploy, agent).collector!.address).split(':') as [string, string];
    if (!host.endsWith(serviceEnd)) return [`${host} is no name of a Service`];
    const service = deploy.all('Service').find(({ metadata }) => metadata.name === host.slice(0, -serviceEnd.length));
    const found = service?.spec.ports.find((one) => one.port === Number(port));
    if (service === undefined || found === undefined) return [`no Service ${host} with port ${port}`];
    const faults = found.targetPort === 'ingest' ? [] : [`port ${port} leads to ${found.targetPort}`];
    for (const { targetPort } of service.spec.ports) {
      if (!collector.container.ports.some(({ name }) => name === targetPort)) faults.push(`no port ${targetPort}`);
    }
    return faults;
  },

  'probes ask where health is answered': (deploy) =>
    programs(deploy).flatMap((program) => {
      const host = String(configOf(deploy, program).health!.listen).replace(/:\d+$/, '');
      return probesOf(program.container).flatMap(({ httpGet }) => [
        ...(httpGet.port === 'health' ? [] : [`${program.name}: a probe asks port ${httpGet.port}`]),
        ...((httpGet.host ?? '0.0.0.0') === host ? [] : [`${program.name}: a probe asks ${httpGet.host}, not ${host}`]),
        ...(httpGet.host === undefined || program.workload.spec.template.spec.hostNetwork
          ? []
          : [`${program.name}: the kubelet cannot ask ${httpGet.host} of a pod`]),
      ]);
    }),

  'each path that a program reads or writes is mounted': (deploy) =>
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
          if (volume === undefined) return mount.readOnly ? [`${program.name}: ${path} cannot be written`] : [];
          const files = volume.configMap
            ? Object.keys(deploy.one('ConfigMap', volume.configMap.name).data)
            : (secretFiles[volume.secret?.secretName ?? ''] ?? []);
          return files.includes(basename(path)) ? [] : [`${program.name}: ${mount.name} holds no ${basename(path)}`];
        }),
      );
    }),

  'each name that is referred to is there': (deploy) => {
    const faults: string[] = [];
    const requires = (kind: string, name: string, by: string) => {
      if (!deploy.has(kind, name)) faults.push(`${by}: no ${kind} ${name}`);
    };
    for (const { name, workload, container } of programs(deploy)) {
      const { serviceAccountName, volumes } = workload.spec.template.spec;
      requires('ServiceAccount', serviceAccountName, name);
      for (const { configMap, secret } of volumes) {
        if (configMap !== undefined) requires('ConfigMap', configMap.name, name);
        if (secret !== undefined && !(secret.secretName in secretFiles)) faults.push(`${name}: ${secret.secretName}`);
      }
      const claims = workload.spec.volumeClaimTemplates ?? [];
      const there = [...volumes.map((volume) => volume.name), ...claims.map(({ metadata }) => metadata.name)];
      for (const mount of container.volumeMounts) {
        if (!there.includes(mount.name)) faults.push(`${name}: no volume ${mount.name}`);
      }
      if (workload.spec.serviceName !== undefined) requires('Service', workload.spec.serviceName, name);
      if (!selects(workload.spec.selector.matchLabels, workload))
        faults.push(`${name}: it does not select its own pods`);
    }
    for (const binding of deploy.all('ClusterRoleBinding')) {
      requires(binding.roleRef.kind, binding.roleRef.name, binding.metadata.name);
      for (const subject of binding.subjects) requires(subject.kind, subject.name, binding.metadata.name);
      for (const subject of binding.subjects) requires('Namespace', subject.namespace, binding.metadata.name);
    }
    for (const service of deploy.all('Service')) {
      if (!selects(service.spec.selector, deploy.collector)) faults.push(`Service ${service.metadata.name}: no pods`);
      if (selects(service.spec.selector, deploy.agent)) faults.push(`Service ${service.metadata.name}: agents too`);
    }
    for (const policy of deploy.all('NetworkPolicy')) {
      const { podSelector, ingress } = policy.spec;
      if (!selects(podSelector.matchLabels, deploy.collector))
        faults.push('NetworkPolicy: it does not select the collector');
      const names = deploy.collector.spec.template.spec.containers[0]!.ports.map(({ name }) => name);
      for (const { port } of ingress.flatMap((rule) => rule.ports)) {
        if (!names.includes(String(port))) faults.push(`NetworkPolicy: no port ${port}`);
      }
    }
    for (const quota of deploy.all('ResourceQuota')) {
      const classes = quota.spec.scopeSelector.matchExpressions.flatMap(({ values }) => values);
      const own = deploy.agent.spec.template.spec.priorityClassName ?? '';
      if (!classes.includes(own)) faults.push(`the quota does not speak of ${own}`);
    }
    return faults;
  },

  'all is labelled, in the namespace, and of the version of package.json': (deploy) => {
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

  'the kustomization names every file': (deploy) => {
    const named = [...deploy.kustomization.resources].sort();
    return same(named, [...deploy.files].sort()) ? [] : [`it names ${named.join(', ')}`];
  },

  'RBAC lets each program do what it does, and no more': async (deploy) => {
    const done = { agent: await requestsOf('agent'), collector: await requestsOf('collector') };
    return (['agent', 'collector'] as const).flatMap((name) => {
      const account = deploy[name].spec.template.spec.serviceAccountName;
      const roles = deploy
        .all('ClusterRoleBinding')
        .filter(({ subjects }) => subjects.some((subject) => subject.name === account))
        .map(({ roleRef }) => deploy.one('ClusterRole', roleRef.name));
      const allowed = roles.flatMap(({ rules }) => rules.flatMap(permissionsOf)).sort();
      return same(allowed, done[name]) ? [] : [`${name}: may ${allowed.join(', ')}; does ${done[name].join(', ')}`];
    });
  },

  'the agent has four capabilities of root and nothing else of it': (deploy) => {
    const pod = deploy.agent.spec.template.spec;
    const { securityContext: own } = pod.containers[0]!;
    return faultsOf({
      'one container': pod.containers.length === 1,
      'not privileged': own.privileged === false,
      'no escalation': own.allowPrivilegeEscalation === false,
      'root is read-only': own.readOnlyRootFilesystem === true,
      'drops all': same(own.capabilities?.drop, ['ALL']),
      'adds four': same(own.capabilities?.add?.toSorted(), ['BPF', 'NET_ADMIN', 'NET_RAW', 'PERFMON']),
      'as root': own.runAsUser === 0,
      seccomp: pod.securityContext.seccompProfile?.type === 'RuntimeDefault',
      'the host’s network': pod.hostNetwork === true && pod.dnsPolicy === 'ClusterFirstWithHostNet',
      'no other namespace of the host': !pod.hostPID && !pod.hostIPC,
      'nothing of the host’s files': pod.volumes.every((volume) => volume.hostPath === undefined),
      'on every node': same(pod.tolerations, [{ operator: 'Exists' }]),
      'goes last': pod.priorityClassName === 'system-node-critical',
      'no variables of Services': pod.enableServiceLinks === false,
    });
  },

  'the collector is what Pod Security calls restricted': (deploy) => {
    const pod = deploy.collector.spec.template.spec;
    const { securityContext: own } = pod.containers[0]!;
    return faultsOf({
      'one container': pod.containers.length === 1,
      'not privileged': own.privileged === false,
      'no escalation': own.allowPrivilegeEscalation === false,
      'root is read-only': own.readOnlyRootFilesystem === true,
      'drops all': same(own.capabilities, { drop: ['ALL'] }),
      'not root': pod.securityContext.runAsNonRoot === true && (pod.securityContext.runAsUser ?? 0) > 0,
      'its volume is its group’s': pod.securityContext.fsGroup !== undefined,
      seccomp: pod.securityContext.seccompProfile?.type === 'RuntimeDefault',
      'no namespace of the host': !pod.hostNetwork && !pod.hostPID && !pod.hostIPC,
      'nothing of the host’s files': pod.volumes.every((volume) => volume.hostPath === undefined),
      'no variables of Services': pod.enableServiceLinks === false,
    });
  },

  'there is room for what the settings allow': (deploy) => {
    const [agent, collector] = programs(deploy) as [Program, Program];
    const { store } = configOf(deploy, collector) as { store: { maxBytes: number; memoryLimit: number } };
    const { capture } = configOf(deploy, agent) as { capture: { maxConnections: number } };
    const ofAgent = 120 * 2 ** 20 + mapBytes(capture.maxConnections);
    const volume = collector.workload.spec.volumeClaimTemplates![0]!.spec.resources.requests.storage;
    const limit = (of: Program) => quantity(of.container.resources.limits.memory!);
    return faultsOf({
      'the volume is a fifth larger than the store': quantity(volume) >= store.maxBytes * 1.2,
      'the collector’s budget of memory fits': limit(collector) >= 600 * 2 ** 20,
      'the store’s memory leaves room': limit(collector) >= 2 * store.memoryLimit,
      'the agent asks for its budget of memory and the kernel’s tables':
        quantity(agent.container.resources.requests.memory!) >= ofAgent,
      'twice of both fits': limit(agent) >= 2 * ofAgent,
    });
  },
};

/** `list pods`, `watch networking.k8s.io/networkpolicies`: what a source asks of an API server that has nothing. */
async function requestsOf(program: 'agent' | 'collector'): Promise<string[]> {
  const asked = new Set<string>();
  const permission = (verb: string, path: string) => {
    const [, group = '', resource, more] = /^\/(?:api|apis\/([^/]+))\/[^/]+\/([^/]+)(\/.*)?$/.exec(path) ?? [];
    asked.add(`${more === undefined ? verb : `get ${more} of`} ${group === '' ? '' : `${group}/`}${resource}`);
  };
  const source = apiSource({
    server: {
      async get(path) {
        permission('list', path);
        return { metadata: { resourceVersion: '1' }, items: [] };
      },
      async *stream(path, query, signal) {
        permission(query.watch === 'true' ? 'watch' : 'list', path);
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    },
    scope: program === 'agent' ? { of: 'node', node: exampleNode } : { of: 'cluster' },
    clock: new HandClock(),
    random: () => 0,
  });
  await source.start(() => undefined);
  await setImmediate();
  await source.stop();
  return [...asked].sort();
}

function permissionsOf({ apiGroups, resources, verbs }: Rule): string[] {
  return apiGroups.flatMap((group) =>
    resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group === '' ? '' : `${group}/`}${resource}`)),
  );
}

export function probesOf({ startupProbe, livenessProbe, readinessProbe }: Container): Probe[] {
  return [startupProbe, livenessProbe, readinessProbe].filter((probe) => probe !== undefined);
}

/** Settings whose line begins with # and the name at once; a comment for readers has a space there. */
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

function faultsOf(holds: Record<string, boolean>): string[] {
  return Object.keys(holds).filter((name) => !holds[name]);
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
