// Positions of the parts of a YAML or JSON document, from the parser's events. Each map and list is searched only once,
// so a thousand problems in one file cost little more than one.
import { EVENT_ID, type Event, getScalarValue, type ScalarEvent } from 'js-yaml';
import type { FieldPath } from '../../model/field-path.ts';

type Child = { event: number; offset: number };

export class Positions {
  readonly #events: readonly Event[];
  readonly #text: string;
  readonly #children = new Map<number, ReadonlyMap<string | number, Child>>();

  constructor(events: readonly Event[], text: string) {
    this.#events = events;
    this.#text = text;
  }

  /** Offset of the part, or of its key if it has one. A missing part has the offset of the nearest part that contains it. */
  offsetOf(path: FieldPath): number {
    let event = this.#events.findIndex((one) => one.type !== EVENT_ID.DOCUMENT);
    if (event < 0) return 0;
    let offset = startOf(this.#events[event]!) ?? 0;
    for (const step of path) {
      const child = this.#childrenOf(event).get(step);
      if (child === undefined) return offset;
      event = child.event;
      offset = child.offset;
    }
    return offset;
  }

  #childrenOf(container: number): ReadonlyMap<string | number, Child> {
    const known = this.#children.get(container);
    if (known !== undefined) return known;
    const read = this.#readChildren(container);
    this.#children.set(container, read);
    return read;
  }

  #readChildren(container: number): Map<string | number, Child> {
    const children = new Map<string | number, Child>();
    const parent = this.#events[container]!;
    const isMap = parent.type === EVENT_ID.MAPPING;
    if (!isMap && parent.type !== EVENT_ID.SEQUENCE) return children;
    let offset = startOf(parent) ?? 0;
    for (let index = container + 1, item = 0; index < this.#events.length; item++) {
      const first = this.#events[index]!;
      if (first.type === EVENT_ID.POP) break;
      offset = startOf(first) ?? offset;
      if (!isMap) {
        children.set(item, { event: index, offset });
        index = this.#after(index);
        continue;
      }
      const value = this.#after(index);
      if (first.type === EVENT_ID.SCALAR) children.set(getScalarValue(this.#text, first), { event: value, offset });
      index = this.#after(value);
    }
    return children;
  }

  /** The first event after the node that starts at `index`. */
  #after(index: number): number {
    let depth = 0;
    for (let at = index; at < this.#events.length; at++) {
      const { type } = this.#events[at]!;
      if (type === EVENT_ID.MAPPING || type === EVENT_ID.SEQUENCE) depth += 1;
      if (type === EVENT_ID.POP) depth -= 1;
      if (depth === 0) return at + 1;
    }
    return this.#events.length;
  }
}

/** Undefined for an event without text, such as an empty value. */
function startOf(event: Event): number | undefined {
  if (event.type === EVENT_ID.SCALAR) return scalarStart(event);
  if (event.type === EVENT_ID.MAPPING || event.type === EVENT_ID.SEQUENCE) return event.start;
  if (event.type === EVENT_ID.ALIAS) return event.anchorStart;
  return undefined;
}

function scalarStart(event: ScalarEvent): number | undefined {
  return event.valueStart < 0 ? undefined : event.valueStart;
}

/** Returns a function from an offset to its line number, which starts at 1. */
export function lineLookup(text: string): (offset: number) => number {
  let starts: number[] | undefined;
  return (offset) => {
    starts ??= [0, ...Array.from(text.matchAll(/\n/g), (newline) => newline.index + 1)];
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

/** Offset of the first line that is not a comment, directive or marker; -1 if there is no such line. */
export function firstContentOffset(text: string): number {
  return text.search(/^(?!\s*(#|$)|%|(---|\.\.\.)\s*(#|$)).*\S/m);
}
