// The names of a setting: `findings.grace` in YAML, `--findings-grace`, `WAYBILL_FINDINGS_GRACE`.
import type { Schema, Setting } from './setting.ts';

export type SettingNames = {
  section: string;
  name: string;
  key: string;
  /** Without the dashes. */
  flag: string;
  variable: string;
  setting: Setting<unknown>;
};

export function settingNames(schema: Schema): SettingNames[] {
  return Object.entries(schema).flatMap(([section, settings]) =>
    Object.entries(settings).map(([name, setting]) => {
      const flag = `${section}-${name}`.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      const variable = `WAYBILL_${flag.replaceAll('-', '_').toUpperCase()}`;
      return { section, name, key: `${section}.${name}`, flag, variable, setting };
    }),
  );
}
