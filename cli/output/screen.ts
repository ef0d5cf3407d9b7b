// The width of the output, and whether it shows colours.
import { Option } from 'commander';

export type Screen = {
  /** In characters. Infinity if the output is not a terminal, so nothing is cut. */
  width: number;
  color: boolean;
};

export type ColorMode = 'auto' | 'always' | 'never';

export function colorOption(): Option {
  return new Option('--color <when>', 'When to use colours; auto: on a terminal, unless NO_COLOR is set')
    .env('WAYBILL_COLOR')
    .choices(['auto', 'always', 'never'] satisfies ColorMode[])
    .default('auto');
}

type Stream = { isTTY?: boolean; columns?: number };

export function screenOf(stream: Stream, color: ColorMode, env: Readonly<Record<string, string | undefined>>): Screen {
  const isTerminal = stream.isTTY === true;
  const colorless = (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb';
  return {
    width: isTerminal ? (stream.columns ?? 80) : Number.POSITIVE_INFINITY,
    color: color === 'always' || (color === 'auto' && isTerminal && !colorless),
  };
}
