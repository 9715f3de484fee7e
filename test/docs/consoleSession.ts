import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { testCli } from '../cli/testCli.ts'

/** A command of a ```console block with what the page says it prints, exit code included where it is not 0. */
export interface ConsoleStep {
  readonly command: string
  readonly expected: string
}

/** `$ command` lines, continued after a backslash, each followed by its output. */
export function consoleSteps(code: string): readonly ConsoleStep[] {
  const steps: { command: string; expected: string }[] = []
  for (const line of code.split('\n').slice(0, -1)) {
    const step = steps.at(-1)
    if (line.startsWith('$ ')) steps.push({ command: line.slice(2), expected: '' })
    else if (step?.command.endsWith('\\') === true) step.command += `\n${line}`
    else if (step !== undefined) step.expected += `${line}\n`
    else throw new Error(`A console block begins with a command, not with: ${line}`)
  }
  return steps
}

/**
 * Runs a command line as a shell would and returns what a person sees. `npx tidemark …` runs in this process, because a
 * process for each would take longer than all the rest; every other part of a pipe is the shell's.
 */
export async function runCommand(command: string, directory: string): Promise<string> {
  let input: Buffer = Buffer.alloc(0)
  let seen = ''
  for (const part of command.split(/ \|\s+/)) {
    const [, assignments = '', words] = /^((?:\w+=\S+ )*)npx tidemark( [\s\S]*)?$/.exec(part.trim()) ?? []
    if (words === undefined) {
      const result: SpawnSyncReturns<Buffer> = spawnSync('bash', ['-c', part], { cwd: directory, input })
      input = result.stdout
      seen += result.stderr.toString()
    } else {
      const environment = Object.fromEntries(shellWords(assignments).map((word) => word.split('=', 2)))
      const { code, outBytes, err } = await testCli({ directory, stdin: input, environment }, ...shellWords(words))
      input = outBytes
      seen += err + (code === 0 ? '' : `[exit ${String(code)}]\n`)
    }
  }
  return input.toString() + seen
}

/** Words as the shell splits and unquotes them. */
function shellWords(text: string): readonly string[] {
  if (text.trim() === '') return []
  const script = String.raw`for word in ${text}; do printf '%s\0' "$word"; done`
  return spawnSync('bash', ['-c', script], { encoding: 'utf8' }).stdout.split('\0').slice(0, -1)
}

/**
 * `…` in the expected text stands for anything within a line, and a line of its own for any lines. Columns may be wider or
 * narrower than on the page.
 */
export function matcher(expected: string): RegExp {
  const lines = expected.split('\n').slice(0, -1)
  const patterns = lines.map((line) =>
    line === '…'
      ? String.raw`(?:[^\n]*\n)*`
      : `${line
          .split('…')
          .map(escaped)
          .join(String.raw`[^\n]*`)}\n`,
  )
  return new RegExp(`^${patterns.join('')}$`)
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`).replaceAll(/ {2,}/g, ' {2,}')
}
