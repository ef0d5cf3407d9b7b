// Reads plain scalars as kubectl does, which uses YAML 1.1 for booleans and whole numbers: `hostNetwork: yes` is true,
// `containerPort: 0100` is 64, and a label value `yes` is not a string.
import { boolYaml11Tag, CORE_SCHEMA, defineScalarTag, intCoreTag, mergeTag, NOT_RESOLVED, type Schema } from 'js-yaml';

/** As in Go's strconv.ParseInt with base 0. `08` is not octal, so the float tag reads it as 8. */
const wholeNumber = /^([-+]?)(?:0b([01]+)|0x([0-9a-f]+)|0o?([0-7]+)|(0|[1-9][0-9]*))$/i;

const kubectlIntTag = defineScalarTag(intCoreTag.tagName, {
  ...intCoreTag,
  resolve: (source) => {
    const [, sign, binary, hexadecimal, octal, decimal] = wholeNumber.exec(source.replaceAll('_', '')) ?? [];
    if (sign === undefined) return NOT_RESOLVED;
    const [digits, base] = [
      [binary, 2] as const,
      [hexadecimal, 16] as const,
      [octal, 8] as const,
      [decimal, 10] as const,
    ].find(([found]) => found !== undefined)!;
    const value = Number.parseInt(digits!, base);
    return sign === '-' ? -value : value;
  },
});

/** Ignores custom tags (`!Ref`): the value is the text. */
const anyTag = defineScalarTag('!', { matchByTagPrefix: true, resolve: (source) => source, identify: () => false });

export const manifestSchema: Schema = CORE_SCHEMA.withTags(boolYaml11Tag, kubectlIntTag, mergeTag, anyTag);
