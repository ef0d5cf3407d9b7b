// A schema field for a string of a given form.
import { z } from 'zod';

/** Its message quotes the value: `"shop" is not NAMESPACE/NAME`. */
export function patternField(pattern: RegExp, form: string) {
  return checkedField((text) => pattern.test(text), form);
}

export function checkedField(isValid: (text: string) => boolean, form: string) {
  return z.string().refine(isValid, { error: ({ input }) => `"${input}" is not ${form}` });
}
