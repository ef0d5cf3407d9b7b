// A graph in the DOT language (https://graphviz.org/doc/info/lang.html), for `dot -Tsvg`. Namespaces are boxes around their
// workloads; nodes, external addresses and pods outside the manifests are outside the boxes.
import type { EndpointGroupJson } from '../../connectivity/endpoint-groups.ts';
import { escapeControls } from '../../model/escape.ts';
import { endpointGroupText, type LineFormatter } from './connectivity.ts';

export type EndpointGroupPair = { initiator: EndpointGroupJson; responder: EndpointGroupJson };

export function* dotChunks<Json extends EndpointGroupPair>(
  lines: Iterable<Json>,
  formatter: LineFormatter<Json>,
  ambiguous: ReadonlySet<string>,
): Generator<string> {
  yield 'digraph waybill {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n';
  const ids = new Map<string, string>();
  const graphNode = (group: EndpointGroupJson): { id: string; text: string } => {
    const title = endpointGroupText(group, ambiguous);
    const knownId = ids.get(title);
    if (knownId !== undefined) return { id: knownId, text: '' };
    const id = `p${ids.size}`;
    ids.set(title, id);
    return { id, text: nodeStatement(id, group, title) };
  };
  for (const line of lines) {
    const [from, to] = [graphNode(line.initiator), graphNode(line.responder)];
    const { label, color, style } = formatter.edge(line);
    const detail = formatter.detail(line);
    const tooltip = detail === '' ? '' : `, tooltip=${quote(detail)}`;
    const attributes = `label=${quote(label)}, color=${color}, style=${style}${tooltip}`;
    yield `${from.text}${to.text}  ${from.id} -> ${to.id} [${attributes}];\n`;
  }
  yield '}\n';
}

/** DOT merges subgraphs with the same name. */
function nodeStatement(id: string, group: EndpointGroupJson, title: string): string {
  switch (group.kind) {
    case 'pod':
    case 'host': {
      const { namespace } = group;
      const subgraph = `subgraph ${quote(`cluster_${namespace}`)} { label=${quote(namespace)};`;
      return `  ${subgraph} ${id} [label=${quote(title.slice(namespace.length + 1))}]; }\n`;
    }
    case 'node':
      return `  ${id} [label=${quote(title)}, shape=box3d, style=solid];\n`;
    case 'external':
      return `  ${id} [label=${quote(title)}, shape=ellipse, style=solid];\n`;
    case 'other-pods':
      return `  ${id} [label=${quote(title)}, style=dashed];\n`;
  }
}

function quote(text: string): string {
  return `"${escapeControls(text).replace(/["\\]/g, '\\$&')}"`;
}
