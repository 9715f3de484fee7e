import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import type { CliOutput } from '../../../src/cli/cliIo.ts'
import { OutputClosed, Printer } from '../../../src/cli/output/printer.ts'
import { Secrets } from '../../../src/core/secrets.ts'

class TestOutput extends EventEmitter implements CliOutput {
  readonly written: (string | Uint8Array)[] = []
  full = false
  colours = false
  write(data: string | Uint8Array): boolean {
    this.written.push(data)
    return !this.full
  }
  hasColors(): boolean {
    return this.colours
  }
}

function printerOf(output: TestOutput, ...texts: string[]): Printer {
  const secrets = new Secrets()
  for (const text of texts) secrets.learn(text)
  return new Printer(output, secrets)
}

test('a full output is waited for', async () => {
  const output = new TestOutput()
  const printer = printerOf(output)
  await printer.line('a')
  output.full = true
  let written = false
  const writing = printer.line('b').then(() => {
    written = true
  })
  await new Promise(setImmediate)
  expect(written).toBe(false)
  output.emit('drain')
  await writing
  expect(output.written).toEqual(['a\n', 'b\n'])
})

test('waiting many times leaves no listeners behind', async () => {
  const output = new TestOutput()
  const printer = printerOf(output)
  output.full = true
  for (let i = 0; i < 50; i += 1) {
    const writing = printer.line()
    output.emit('drain')
    await writing
  }
  expect(output.listenerCount('drain')).toBe(0)
  expect(output.listenerCount('error')).toBe(1)
})

test('a reader that has gone away ends the printing, now or while it waits', async () => {
  const output = new TestOutput()
  const printer = printerOf(output)
  output.full = true
  const writing = printer.line('a')
  output.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
  await expect(writing).rejects.toBeInstanceOf(OutputClosed)
  await expect(printer.line('b')).rejects.toBeInstanceOf(OutputClosed)
  expect(output.written).toEqual(['a\n'])
})

test('colours are used only where the output takes them', async () => {
  const output = new TestOutput()
  const printer = printerOf(output)
  expect(printer.style('red', 'x')).toBe('x')
  output.colours = true
  await printer.line(`${printer.style('red', 'x')} ${printer.style('bold', printer.style('dim', 'y'))}`)
  expect(output.written).toEqual(['\u001B[31mx\u001B[39m \u001B[1m\u001B[2my\u001B[22m\u001B[22m\n'])
})

test('what is printed has no colours of its own, inside of a coloured text neither', async () => {
  const output = new TestOutput()
  output.colours = true
  const printer = printerOf(output)
  const hostile = '\u001B[31mred\u001B[39m \u009B31m \u001B[2J\r\u202E'
  await printer.line(`${hostile}\n${printer.style('green', hostile)}`)
  const shown = '\\x1b[31mred\\x1b[39m \\x9b31m \\x1b[2J\\x0d\\u202e'
  expect(output.written).toEqual([`${shown}\n\u001B[32m${shown}\u001B[39m\n`])
})

test('the marks of colours cannot be guessed: each printer draws its own', async () => {
  const output = new TestOutput()
  output.colours = true
  const others = printerOf(output).style('red', 'x')
  await printerOf(output).line(others)
  expect(output.written.join('')).not.toContain('\u001B')
})

test('secrets are masked in lines, questions and coloured texts, and data is left as it is', async () => {
  const output = new TestOutput()
  const printer = printerOf(output, 'hunter2-hunter2')
  await printer.line(`a hunter2-hunter2 ${printer.style('red', 'hunter2-hunter2')}`)
  printer.text('hunter2-hunter2? ')
  await printer.data(Buffer.from('hunter2-hunter2'))
  expect(output.written.map(String)).toEqual(['a *** ***\n', '***? ', 'hunter2-hunter2'])
})
