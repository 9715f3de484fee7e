import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { systems as allSystems } from '../composition.ts'
import { settingsOfSystems, type System } from '../core/ports/system.ts'
import { Secrets } from '../core/secrets.ts'
import { frameworkSettings } from '../runtime/settings/frameworkSettings.ts'
import { fromEnvironment } from '../runtime/settings/resolve.ts'
import { addConfigCommand } from './commands/config.ts'
import type { CliIo } from './cliIo.ts'
import { learnSecretsEarly, type CommandContext } from './commandContext.ts'
import { addDoctorCommand } from './commands/doctor.ts'
import { errorText, exitCodeOf, type ExitCode } from './output/errorText.ts'
import { addExplainCommand } from './commands/explain.ts'
import type { LoadedJob } from './loadJob.ts'
import { logWarnings } from './output/logWarnings.ts'
import { addPlanCommand } from './commands/plan.ts'
import { addPreviewCommand } from './commands/preview.ts'
import { OutputClosed, Printer } from './output/printer.ts'
import { addQueryCommand } from './commands/query.ts'
import { addRunCommand } from './commands/run.ts'
import { splitSettingFlags } from './settingFlags.ts'
import { addStoreCommand } from './commands/store.ts'
import { addTableCommand } from './commands/table.ts'
import { addTopicCommand } from './commands/topic.ts'

/**
 * Runs one command line and resolves with its exit code; errors are printed, never thrown. `program` is the job when the
 * job file itself is the program.
 */
export async function runCli(
  args: readonly string[],
  io: CliIo,
  program: LoadedJob | null = null,
  systems: readonly System[] = allSystems,
): Promise<ExitCode> {
  const secrets = new Secrets(ordinaryWords(systems))
  const out = new Printer(io.stdout, secrets)
  const err = new Printer(io.stderr, secrets)
  let flags: ReadonlyMap<string, string> = new Map()
  const told = (error: unknown): string => {
    const level = flags.get('log.level') ?? fromEnvironment(io.environment, 'log.level')?.text
    return errorText(error, level === 'debug')
  }
  // What no command waits for would be printed by Node, with all that it quotes. A run has a better answer while it lasts.
  io.onStray((error) => {
    err.text(`${told(error)}\n`)
    io.exitAtOnce(exitCodeOf(error) || 1)
  })
  try {
    const split = splitSettingFlags(args)
    flags = split.settings
    let code: ExitCode = 0
    const context: CommandContext = {
      io,
      out,
      err,
      secrets,
      systems,
      flags,
      program,
      exit: (given) => {
        code = given
      },
    }
    learnSecretsEarly(context, configOf(split.rest))
    logWarnings(context, configOf(split.rest))
    await commandLine(context).parseAsync(split.rest, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof OutputClosed) return 0
    // Commander has printed its message, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    await err.line(told(error)).catch(() => undefined)
    return exitCodeOf(error)
  }
}

function commandLine(context: CommandContext): Command {
  const { io, out, err } = context
  const program = new Command('tidemark')
    .description('Stream processing on RxJS: runs jobs, and shows what is in their topics and tables.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .showSuggestionAfterError()
    .showHelpAfterError('Add --help for what the command takes.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => out.text(text),
      writeErr: (text) => err.text(text),
      outputError: (text, write) => {
        // Of an option with a value only the option is quoted.
        write(text.replace(/^error: /, 'Error: ').replace(/'(--?[^'=\s]+)=[^']*'/, "'$1'"))
      },
      getOutHasColors: () => out.isTerminal && io.stdout.hasColors?.() === true,
      getErrHasColors: () => err.isTerminal && io.stderr.hasColors?.() === true,
      ...(io.stdout.columns === undefined ? {} : { getOutHelpWidth: () => io.stdout.columns ?? 80 }),
    })
    .addHelpText(
      'after',
      `
Examples:
  tidemark run jobs/reconcile.ts
  tidemark topic read reconcile --limit 5
  tidemark config jobs/reconcile.ts

Exit codes: 0 done or stopped cleanly, 1 the job failed, 2 usage or configuration, 3 a system unreachable at start.`,
    )
  addRunCommand(program, context)
  addPlanCommand(program, context)
  addConfigCommand(program, context)
  addTopicCommand(program, context)
  addTableCommand(program, context)
  addStoreCommand(program, context)
  addExplainCommand(program, context)
  addPreviewCommand(program, context)
  addDoctorCommand(program, context)
  addQueryCommand(program, context)
  return program
}

/** Words that our own texts are made of: a password that is one of them cannot be masked. */
function ordinaryWords(systems: readonly System[]): readonly string[] {
  const keys = Object.keys({ ...frameworkSettings, ...settingsOfSystems(systems) })
  return [...keys, ...keys.flatMap((key) => key.split('.')), 'tidemark', 'localhost', 'true', 'false', 'null', 'code']
}

/** The properties file as it is named on the command line; null: none. */
function configOf(words: readonly string[]): string | null {
  const at = words.findLastIndex((word) => /^--config(=|$)/.test(word))
  const word = words[at]
  if (word === undefined) return null
  return word.includes('=') ? word.slice('--config='.length) : (words[at + 1] ?? null)
}

/** Of the package this file belongs to, in the repository and when installed. */
function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown'
}
