// Label selectors: matchLabels and matchExpressions as one list of requirements (rule 16).
import type { LabelSelector, Requirement } from '../../model/kubernetes.ts';
import { missingField, operatorNeedsValues, operatorTakesNoValues, unknownOperator } from './errors.ts';
import type { Field } from './field.ts';
import { isLabelKey, labels, labelValue } from './values.ts';

/** A missing selector reads as an empty one, which selects everything. Check `field.given` if the difference matters. */
export function selector(field: Field): LabelSelector {
  field.only('matchLabels', 'matchExpressions');
  const byLabel = Object.entries(labels(field.at('matchLabels'))).map(([key, value]): Requirement => {
    return { key, operator: 'In', values: [value] };
  });
  const byExpression = field
    .at('matchExpressions')
    .items()
    .flatMap((item) => requirement(item) ?? []);
  return [...byLabel, ...byExpression];
}

function requirement(field: Field): Requirement | undefined {
  field.only('key', 'operator', 'values');
  const keyField = field.at('key');
  const key = keyField.text();
  if (!keyField.given) keyField.fault(missingField('key'));
  const operator = operatorOf(field.at('operator'));
  const valuesField = field.at('values');
  const values = valuesField.items().flatMap((item) => labelValue(item) ?? []);
  if (key === undefined || !isLabelKey(keyField, key) || operator === undefined) return undefined;
  const count = valuesField.items().length;
  const takesValues = operator === 'In' || operator === 'NotIn';
  if (takesValues && count === 0 && !hasWrongType(valuesField)) valuesField.fault(operatorNeedsValues(operator));
  if (!takesValues && count > 0) valuesField.fault(operatorTakesNoValues(operator));
  return { key, operator, values };
}

function operatorOf(field: Field): Requirement['operator'] | undefined {
  const operator = field.text();
  if (operator === 'In' || operator === 'NotIn' || operator === 'Exists' || operator === 'DoesNotExist')
    return operator;
  if (!field.given) field.fault(missingField('operator'));
  else if (operator !== undefined) field.fault(unknownOperator(operator));
  return undefined;
}

function hasWrongType(list: Field): boolean {
  return list.given && !Array.isArray(list.value);
}
