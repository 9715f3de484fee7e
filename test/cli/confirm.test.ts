import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { processIo, type CliIo, type CliOutput } from '../../src/cli/cliIo.ts'
import { confirm } from '../../src/cli/confirm.ts'

class Terminal extends EventEmitter implements CliOutput {
  readonly isTTY: boolean
  shown = ''
  constructor(isTTY: boolean) {
    super()
    this.isTTY = isTTY
  }
  write(data: string | Uint8Array): boolean {
    this.shown += data.toString()
    return true
  }
}

function ioWith(answer: string | null, isTTY = true): { io: CliIo; terminal: Terminal } {
  const terminal = new Terminal(isTTY)
  async function* typed(): AsyncGenerator<Buffer> {
    if (answer !== null) yield Buffer.from(answer)
  }
  return { terminal, io: { ...processIo(), stdin: typed(), stdinIsTerminal: true, stderr: terminal } }
}

test.each([
  ['y\n', true],
  [' Yes \n', true],
  ['n\n', false],
  ['\n', false],
  ['yesterday\n', false],
  [null, false],
])('the answer %j means %j', async (answer, expected) => {
  const { io, terminal } = ioWith(answer)
  expect(await confirm(io, 'Clear?')).toBe(expected)
  expect(terminal.shown).toBe('Clear? [y/N] ')
})

test('where nobody can be asked, nobody is', async () => {
  const { io, terminal } = ioWith('n\n', false)
  expect(await confirm(io, 'Clear?')).toBe(true)
  expect(await confirm({ ...ioWith('n\n').io, stdinIsTerminal: false }, 'Clear?')).toBe(true)
  expect(terminal.shown).toBe('')
})
