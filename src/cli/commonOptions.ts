import type { Command } from 'commander'

/** Adds the options that every command takes, and the line about settings. */
export function withCommonOptions(command: Command): Command {
  return command
    .option('--data-dir <dir>', 'data directory; the same as --data.dir (default: .tidemark)')
    .option('--config <file>', 'properties file to read instead of application.properties')
    .addHelpText('after', '\nAny setting can be given too, as --<key>=<value>; `tidemark config` lists them.')
}
