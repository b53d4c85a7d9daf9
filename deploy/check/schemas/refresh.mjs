/**
 * `node deploy/check/schemas/refresh.mjs`: cuts the schemas of the kinds that the chart makes out of those that Kubernetes and the
 * operators publish in their Go modules, and closes every object, so that a field that is not there is a mistake. What is cut is
 * committed; run this again for a newer version.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';

const kubernetes = 'k8s.io/kubernetes@v1.36.3';
const kinds = [
  'v1/ConfigMap',
  'v1/PersistentVolumeClaim',
  'v1/Pod',
  'v1/Secret',
  'v1/Service',
  'v1/ServiceAccount',
  'apps/v1/Deployment',
  'autoscaling/v2/HorizontalPodAutoscaler',
  'batch/v1/Job',
  'networking.k8s.io/v1/Ingress',
  'networking.k8s.io/v1/NetworkPolicy',
  'policy/v1/PodDisruptionBudget',
];
const operators = 'github.com/prometheus-operator/prometheus-operator@v0.85.0';
const custom = [
  [operators, 'example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml'],
  [operators, 'example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml'],
  [operators, 'example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml'],
  ['sigs.k8s.io/gateway-api@v1.4.0', 'config/crd/standard/gateway.networking.k8s.io_httproutes.yaml'],
  ['github.com/external-secrets/external-secrets@v1.3.2', 'config/crds/bases/external-secrets.io_externalsecrets.yaml'],
];

write('kubernetes.json', fromKubernetes());
write('custom-resources.json', Object.fromEntries(custom.flatMap(([module, path]) => fromDefinition(module, path))));

/** The root of each kind, and all that it refers to. */
function fromKubernetes() {
  const { definitions } = JSON.parse(readFileSync(join(folderOf(kubernetes), 'api/openapi-spec/swagger.json'), 'utf8'));
  const taken = {};
  const take = (name) => {
    if (taken[name]) return;
    taken[name] = {};
    taken[name] = closed(definitions[name], (reference) => {
      const meant = reference.replace('#/definitions/', '');
      take(meant);
      return `#/definitions/${meant}`;
    });
  };
  const roots = kinds.map((kind) => {
    const name = Object.keys(definitions).find((each) =>
      (definitions[each]['x-kubernetes-group-version-kind'] ?? []).some((at) => spelled(at) === kind),
    );
    if (!name) throw new Error(`${kubernetes} has no ${kind}`);
    take(name);
    return [kind, { $ref: `#/definitions/${name}` }];
  });
  return {
    $comment: `Cut out of ${kubernetes}, Apache-2.0, by refresh.mjs.`,
    kinds: Object.fromEntries(roots),
    definitions: taken,
  };
}

function fromDefinition(module, path) {
  const { spec } = parse(readFileSync(join(folderOf(module), path), 'utf8'));
  return spec.versions
    .filter(({ served }) => served)
    .map(({ name, schema }) => {
      const { status: _, ...properties } = schema.openAPIV3Schema.properties;
      const root = {
        ...schema.openAPIV3Schema,
        properties: { ...properties, metadata: { type: 'object', 'x-open': true } },
      };
      return [`${spec.group}/${name}/${spec.names.kind}`, { $comment: `${module}, Apache-2.0`, ...closed(root) }];
    });
}

function spelled({ group, version, kind }) {
  return [group, version, kind].filter(Boolean).join('/');
}

/** Without prose, as JSON schema, and with no room for what is not named. */
function closed(schema, refer = (reference) => reference) {
  if (schema.$ref) return { $ref: refer(schema.$ref) };
  if (schema['x-kubernetes-int-or-string'] || schema.format === 'int-or-string') return { type: ['integer', 'string'] };
  const out = {};
  for (const [key, value] of Object.entries(schema)) {
    if (['description', 'default', 'format', 'title'].includes(key) || key.startsWith('x-')) continue;
    if (key === 'properties') {
      const shown = Object.entries(value).filter(([name]) => name !== 'status');
      out.properties = Object.fromEntries(shown.map(([name, below]) => [name, closed(below, refer)]));
    } else if (key === 'items' || (key === 'additionalProperties' && typeof value === 'object'))
      out[key] = closed(value, refer);
    else out[key] = value;
  }
  const open =
    schema['x-kubernetes-preserve-unknown-fields'] || schema['x-open'] || out.additionalProperties !== undefined;
  if (out.properties && !open) out.additionalProperties = false;
  return out;
}

function folderOf(module) {
  const out = execFileSync('go', ['mod', 'download', '-json', module], { encoding: 'utf8', cwd: tmpdir() });
  return JSON.parse(out).Dir;
}

function write(name, value) {
  writeFileSync(join(import.meta.dirname, name), `${JSON.stringify(value)}\n`);
}
