// A graph in the DOT language (https://graphviz.org/doc/info/lang.html), for `dot -Tsvg`: namespaces are boxes, workloads
// stand in them, nodes and the outside beside them.
import type { PlaceJson } from '../../connectivity/places.ts';
import { type LineShape, placeText } from './connectivity.ts';
import { safe } from './safe.ts';

export type Ends = { initiator: PlaceJson; responder: PlaceJson };

export function* dotTexts<Json extends Ends>(
  lines: Iterable<Json>,
  shape: LineShape<Json>,
  ambiguous: ReadonlySet<string>,
): Generator<string> {
  yield 'digraph waybill {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n';
  const ids = new Map<string, string>();
  const declared = (place: PlaceJson): { id: string; text: string } => {
    const title = placeText(place, ambiguous);
    const known = ids.get(title);
    if (known !== undefined) return { id: known, text: '' };
    const id = `p${ids.size}`;
    ids.set(title, id);
    return { id, text: declaration(id, place, title) };
  };
  for (const line of lines) {
    const [from, to] = [declared(line.initiator), declared(line.responder)];
    const { label, color, style } = shape.edge(line);
    const below = shape.below(line);
    const hint = below === '' ? '' : `, tooltip=${quoted(below)}`;
    const attributes = `label=${quoted(label)}, color=${color}, style=${style}${hint}`;
    yield `${from.text}${to.text}  ${from.id} -> ${to.id} [${attributes}];\n`;
  }
  yield '}\n';
}

/** A subgraph of a name that was there before goes on with it. */
function declaration(id: string, place: PlaceJson, title: string): string {
  switch (place.kind) {
    case 'pod':
    case 'host': {
      const { namespace } = place;
      const box = `subgraph ${quoted(`cluster_${namespace}`)} { label=${quoted(namespace)};`;
      return `  ${box} ${id} [label=${quoted(title.slice(namespace.length + 1))}]; }\n`;
    }
    case 'node':
      return `  ${id} [label=${quoted(title)}, shape=box3d, style=solid];\n`;
    case 'external':
      return `  ${id} [label=${quoted(title)}, shape=ellipse, style=solid];\n`;
  }
}

function quoted(text: string): string {
  return `"${safe(text).replace(/["\\]/g, '\\$&')}"`;
}
