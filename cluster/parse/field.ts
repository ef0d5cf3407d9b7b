// A field of an object as it came: its value, where it stands, and what is wrong with it. A null counts as left out,
// as it does for the API server. Reading never throws; what cannot be read is a fault and reads as missing.
import { type Fault, unknownField, wrongType } from './errors.ts';

export type Path = readonly (string | number)[];
export type FieldFault = Fault & { path: Path };

export class Field {
  /** Undefined where it is missing or null. */
  readonly value: unknown;
  readonly #parent: Field | undefined;
  readonly #step: string | number;
  readonly #faults: FieldFault[];
  #reported = false;

  constructor(value: unknown, faults: FieldFault[], parent?: Field, step: string | number = '') {
    this.value = value ?? undefined;
    this.#faults = faults;
    this.#parent = parent;
    this.#step = step;
  }

  get path(): Path {
    return this.#parent === undefined ? [] : [...this.#parent.path, this.#step];
  }

  get given(): boolean {
    return this.value !== undefined;
  }

  /** How many faults of the whole object are known; compare before and after to see whether a part is sound. */
  get faultCount(): number {
    return this.#faults.length;
  }

  fault(fault: Fault): void {
    this.#faults.push({ ...fault, path: this.path });
  }

  at(name: string): Field {
    const map = this.#map();
    return new Field(map !== undefined && Object.hasOwn(map, name) ? map[name] : undefined, this.#faults, this, name);
  }

  /** Empty where the list is missing. */
  items(): Field[] {
    if (!this.given) return [];
    if (Array.isArray(this.value)) return this.value.map((item, index) => new Field(item, this.#faults, this, index));
    this.#wrongType('a list');
    return [];
  }

  entries(): [string, Field][] {
    const map = this.#map();
    if (map === undefined) return [];
    return Object.keys(map).map((name) => [name, new Field(map[name], this.#faults, this, name)]);
  }

  text(): string | undefined {
    if (!this.given || typeof this.value === 'string') return this.value as string | undefined;
    this.#wrongType('a string');
    return undefined;
  }

  whole(): number | undefined {
    if (!this.given || Number.isInteger(this.value)) return this.value as number | undefined;
    this.#wrongType('a whole number');
    return undefined;
  }

  flag(): boolean | undefined {
    if (!this.given || typeof this.value === 'boolean') return this.value as boolean | undefined;
    this.#wrongType('true or false');
    return undefined;
  }

  texts(): string[] {
    return this.items().flatMap((item) => item.text() ?? []);
  }

  /** For parts whose every field is known: a name misspelled would silently mean something else. */
  only(...known: string[]): this {
    for (const [name, field] of this.entries()) if (!known.includes(name)) field.fault(unknownField(name, known));
    return this;
  }

  #map(): Record<string, unknown> | undefined {
    if (!this.given) return undefined;
    if (typeof this.value === 'object' && !Array.isArray(this.value)) return this.value as Record<string, unknown>;
    this.#wrongType('a map');
    return undefined;
  }

  #wrongType(wanted: string): void {
    if (this.#reported) return;
    this.#reported = true;
    this.fault(wrongType(this.value, wanted));
  }
}

/** `spec.ingress[0].ports[0].endPort`; keys that are no plain names are quoted: `metadata.labels["a/b"]`. */
export function pathText(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(step.length > 80 ? `${step.slice(0, 77)}...` : step)}]`;
  }
  return text;
}
