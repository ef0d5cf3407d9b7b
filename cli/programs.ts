// `waybill agent` and `waybill collector`: reads settings, starts the log, runs the program and ends it on a signal.
import { access, constants } from 'node:fs/promises';
import { Command } from 'commander';
import { type Logger, pino } from 'pino';
import { agentSchema } from '../agent/config.ts';
import { cannotRead } from '../cluster/manifests/errors.ts';
import { noKubeconfig } from '../cluster/watch/errors.ts';
import { collectorSchema } from '../collector/config.ts';
import { loadConfig } from '../config/load.ts';
import type { ConfigOf, Schema } from '../config/setting.ts';
import { settingNames } from '../config/setting-names.ts';
import { escapeJson } from '../model/escape.ts';
import { type Problem, ProblemError } from '../model/problem.ts';

export function agentCommand(version: string): Command {
  return programCommand('agent', 'Run the agent of a node', agentSchema, async (config, log, signal) => {
    const { runAgent } = await import('../agent/main.ts');
    await runAgent(config, version, log, signal);
  });
}

export function collectorCommand(version: string): Command {
  return programCommand('collector', 'Run the collector', collectorSchema, async (config, log, signal) => {
    const { runCollector } = await import('../collector/main.ts');
    await runCollector(config, version, log, signal);
  });
}

function programCommand<Of extends Schema & { log: { level: Of['log']['level'] } }>(
  name: string,
  description: string,
  schema: Of,
  run: (config: ConfigOf<Of>, log: Logger, signal: AbortSignal) => Promise<void>,
): Command {
  const command = new Command(name)
    .description(description)
    .option('--config <file>', 'YAML file with settings (path; WAYBILL_CONFIG)')
    .addHelpText(
      'after',
      '\nFlags override WAYBILL_* variables, and variables override the file.\ndocs/config.md lists all settings.',
    );
  for (const { flag, variable, setting } of settingNames(schema)) {
    const defaultText = setting.defaultText === '' ? '' : `, default ${setting.defaultText}`;
    command.option(`--${flag} <value>`, `${setting.help} (${setting.type}${defaultText}; ${variable})`);
  }
  return command.action(async (options: Record<string, string | undefined>) => {
    const flags = Object.fromEntries(settingNames(schema).map(({ flag }) => [flag, options[camelCase(flag)]] as const));
    const config = loadConfig(schema, {
      file: options.config ?? process.env.WAYBILL_CONFIG,
      flags,
      env: process.env,
    });
    // Waybill reports gRPC failures as problems. Set the variable to see gRPC's own log.
    process.env.GRPC_VERBOSITY ??= 'NONE';
    // Deprecation warnings about libraries do not help the user.
    process.noDeprecation = true;
    await checkPaths(config as unknown as Paths);
    const shutdown = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => shutdown.abort());
    const level = (config as { log: { level: string } }).log.level;
    const log = pino({
      level,
      base: { program: name },
      timestamp: pino.stdTimeFunctions.isoTime,
      hooks: { streamWrite: escapeJson },
    });
    await run(config, log, shutdown.signal);
  });
}

type Paths = { cluster: { manifests: readonly string[]; kubeconfig: string } };

/** A path that is missing at the start is a mistake. One that disappears later may come back. */
async function checkPaths({ cluster }: Paths): Promise<void> {
  const problems: Problem[] = [];
  const check = async (path: string, fault: (error: unknown) => Problem) => {
    if (path !== '') await access(path, constants.R_OK).catch((error: unknown) => problems.push(fault(error)));
  };
  const { manifests, kubeconfig } = cluster;
  for (const path of manifests) await check(path, (error) => cannotRead(`cluster.manifests ${path}`, error));
  await check(kubeconfig, (error) => noKubeconfig(`cluster.kubeconfig ${kubeconfig}`, (error as Error).message));
  if (problems.length > 0) throw new ProblemError(...problems);
}

/** As commander names the options: `findings-grace` is `findingsGrace`. */
function camelCase(flag: string): string {
  return flag.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
