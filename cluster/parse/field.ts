// A field of an unparsed object: its value, its path, and its faults. null counts as missing, as it does for the API server.
// Reading never throws; a value of the wrong type is a fault and reads as missing.
import type { FieldPath } from '../../model/field-path.ts';
import { type Fault, unknownField, wrongType } from './errors.ts';

export type FieldFault = Fault & { path: FieldPath };

export class Field {
  /** Undefined if it is missing or null. */
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

  get path(): FieldPath {
    return this.#parent === undefined ? [] : [...this.#parent.path, this.#step];
  }

  get given(): boolean {
    return this.value !== undefined;
  }

  /** Faults of the whole object so far. A part is valid if the number is the same before and after reading it. */
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

  /** Empty if the list is missing. */
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

  /** Any other field is a fault: a misspelled name would silently change the meaning. */
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
