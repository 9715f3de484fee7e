import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { Secrets } from '../../src/core/secrets.ts'
import { processIo, type CliIo, type CliOutput } from '../../src/cli/cliIo.ts'
import { isConfirmed } from '../../src/cli/confirm.ts'
import { Printer } from '../../src/cli/output/printer.ts'

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

const loss = {
  flag: '--fresh',
  sentence: '--fresh deletes everything in /data',
  items: ['topic a (2 records)', 'table b.c'],
}

function contextWith(answer: string | null, isTTY = true): { io: CliIo; err: Printer; terminal: Terminal } {
  const terminal = new Terminal(isTTY)
  async function* typed(): AsyncGenerator<Buffer> {
    if (answer !== null) yield Buffer.from(answer)
  }
  const io = { ...processIo(), stdin: typed(), stdinIsTerminal: true, stderr: terminal }
  return { terminal, io, err: new Printer(terminal, new Secrets()) }
}

test.each([
  ['y\n', true],
  [' Yes \n', true],
  ['n\n', false],
  ['\n', false],
  ['yesterday\n', false],
  [null, false],
])('what is lost is shown, and the answer %j means %j', async (answer, expected) => {
  const { terminal, ...context } = contextWith(answer)
  expect(await isConfirmed(context, loss, true)).toBe(expected)
  const shown = '--fresh deletes everything in /data:\n  topic a (2 records)\n  table b.c\nGo on? [y/N] '
  expect(terminal.shown).toBe(expected ? shown : `${shown}Nothing was changed.\n`)
})

test('where nobody can be asked it is refused, with what would be lost and the flag', async () => {
  const { terminal, ...context } = contextWith('y\n', false)
  const refused = {
    code: 'not-confirmed',
    message:
      '--fresh deletes everything in /data: topic a (2 records); table b.c. Nobody can be asked here (no terminal), so nothing was changed: add --yes to --fresh if that is meant.',
  }
  await expect(isConfirmed(context, loss, true)).rejects.toMatchObject(refused)
  const piped = { ...context, io: { ...contextWith('y\n').io, stdinIsTerminal: false } }
  await expect(isConfirmed(piped, loss, true)).rejects.toMatchObject(refused)
  expect(terminal.shown).toBe('')
})

test('nobody is asked with --yes, or where nothing is lost', async () => {
  const { terminal, ...context } = contextWith('n\n')
  expect(await isConfirmed(context, loss, false)).toBe(true)
  expect(await isConfirmed(context, { ...loss, items: [] }, true)).toBe(true)
  expect(terminal.shown).toBe('')
})
