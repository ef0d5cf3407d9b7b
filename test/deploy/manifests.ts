// The objects of deploy/. Each `new Deploy()` reads the files again, so a test may change its copy.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const deployFolder = join(root, 'deploy');

export type Labels = Record<string, string>;
export type Probe = { httpGet: { host?: string; path: string; port: string } };
export type Mount = { name: string; mountPath: string; readOnly?: boolean };
export type SecurityContext = {
  privileged?: boolean;
  allowPrivilegeEscalation?: boolean;
  readOnlyRootFilesystem?: boolean;
  capabilities?: { drop?: string[]; add?: string[] };
  runAsUser?: number;
};
export type Container = {
  name: string;
  image: string;
  args: string[];
  env?: { name: string; value?: string; valueFrom?: { fieldRef: { fieldPath: string } } }[];
  ports: { name: string; containerPort: number; hostPort?: number }[];
  securityContext: SecurityContext;
  startupProbe?: Probe;
  livenessProbe: Probe;
  readinessProbe: Probe;
  resources: { requests: Labels; limits: Labels };
  volumeMounts: Mount[];
};
export type Volume = {
  name: string;
  configMap?: { name: string };
  secret?: { secretName: string };
  hostPath?: unknown;
};
export type PodSpec = {
  serviceAccountName: string;
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  dnsPolicy?: string;
  enableServiceLinks?: boolean;
  priorityClassName?: string;
  tolerations?: unknown[];
  securityContext: { runAsNonRoot?: boolean; runAsUser?: number; fsGroup?: number; seccompProfile?: { type: string } };
  containers: Container[];
  volumes: Volume[];
};
export type Workload = {
  kind: 'DaemonSet' | 'StatefulSet';
  metadata: Metadata;
  spec: {
    serviceName?: string;
    selector: { matchLabels: Labels };
    template: { metadata: { labels: Labels }; spec: PodSpec };
    volumeClaimTemplates?: { metadata: { name: string }; spec: { resources: { requests: { storage: string } } } }[];
  };
};
export type Metadata = { name: string; namespace?: string; labels: Labels };
export type Rule = { apiGroups: string[]; resources: string[]; verbs: string[] };

/** An object of any kind. A test reads only the fields that the kind has. */
export type Manifest = {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
  spec: {
    selector: Labels;
    ports: { name: string; port: number; targetPort: string }[];
    podSelector: { matchLabels: Labels };
    ingress: { ports: { port: string | number }[] }[];
    scopeSelector: { matchExpressions: { values: string[] }[] };
  };
  data: Record<string, string>;
  rules: Rule[];
  roleRef: { kind: string; name: string };
  subjects: { kind: string; name: string; namespace: string }[];
};

export type Kustomization = { resources: string[]; images: { name: string; newTag: string }[] };

export class Deploy {
  readonly objects: Manifest[] = [];
  readonly kustomization: Kustomization;
  readonly files: string[];

  constructor() {
    this.files = readdirSync(deployFolder).filter((file) => file.endsWith('.yaml') && file !== 'kustomization.yaml');
    for (const file of this.files) this.objects.push(...documents(file));
    this.kustomization = documents('kustomization.yaml')[0] as unknown as Kustomization;
  }

  all(kind: string): Manifest[] {
    return this.objects.filter((object) => object.kind === kind);
  }

  has(kind: string, name: string): boolean {
    return this.all(kind).some((object) => object.metadata.name === name);
  }

  one(kind: string, name: string): Manifest {
    const found = this.all(kind).find((object) => object.metadata.name === name);
    if (found === undefined) throw new Error(`deploy/ has no ${kind} ${name}`);
    return found;
  }

  get agent(): Workload {
    return this.one('DaemonSet', 'waybill-agent') as unknown as Workload;
  }

  get collector(): Workload {
    return this.one('StatefulSet', 'waybill-collector') as unknown as Workload;
  }
}

/** Reads YAML 1.1 like Kubernetes: 0440 is octal. Throws for invalid YAML. */
function documents(file: string): Manifest[] {
  const text = readFileSync(join(deployFolder, file), 'utf8');
  return parseAllDocuments(text, { version: '1.1', merge: false }).map((document) => {
    if (document.errors[0] !== undefined) throw new Error(`${file}: ${document.errors[0].message}`);
    return document.toJS() as Manifest;
  });
}
