import { EventEmitter } from 'node:events'
import type { CliIo, CliOutput } from '../../src/cli/cliIo.ts'
import { runCli } from '../../src/cli/runCli.ts'
import type { System } from '../../src/core/ports/system.ts'
import { systemClock } from '../../src/core/ports/clock.ts'

class CapturedOutput extends EventEmitter implements CliOutput {
  readonly #parts: Buffer[] = []
  readonly isTTY: boolean
  readonly columns = 100

  constructor(isTTY: boolean) {
    super()
    this.isTTY = isTTY
  }

  write(data: string | Uint8Array): boolean {
    this.#parts.push(Buffer.from(data as Uint8Array))
    return true
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

/** What one command line has printed and ended with. */
export interface CliResult {
  readonly code: number
  readonly out: string
  readonly outBytes: Buffer
  readonly err: string
}

export interface TestCliOptions {
  /** Default: all that there are. */
  readonly systems?: readonly System[]
  readonly directory: string
  readonly stdin?: string | Buffer
  readonly environment?: Record<string, string>
  readonly isTTY?: boolean
  /** A person sits before it, who types `stdin` and reads what is printed. */
  readonly isPerson?: boolean
}

/** Runs one command line in this process, with captured streams. */
export async function testCli(options: TestCliOptions, ...args: string[]): Promise<CliResult> {
  const { directory, stdin = '', environment = {}, isPerson = false, isTTY = isPerson } = options
  const stdout = new CapturedOutput(isTTY)
  const stderr = new CapturedOutput(isTTY)
  async function* input(): AsyncGenerator<Buffer> {
    yield Buffer.from(stdin as string)
  }
  const io: CliIo = {
    stdin: input(),
    stdinIsTerminal: isPerson,
    stdout,
    stderr,
    environment,
    directory,
    clock: systemClock,
    onStop: () => () => undefined,
    onStray: () => () => undefined,
    onWarning: () => undefined,
    failLate: () => undefined,
    exitAtOnce: (code) => {
      throw new Error(`left with ${String(code)}`)
    },
    worker: null,
    startWorker: () => {
      throw new Error('a test starts no workers')
    },
  }
  const code = await runCli(args, io, null, options.systems)
  return { code, out: stdout.bytes.toString(), outBytes: stdout.bytes, err: stderr.bytes.toString() }
}
